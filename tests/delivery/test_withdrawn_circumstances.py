"""What a context holds by one purpose alone goes on by that purpose alone: also what was captured before it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.delivery.account import read_account
from cxkit.kit import Kit
from cxkit.model import Acquisition, Context, Place
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

SEEN = cxkit.touchpoint("withdrawn.seen")
CLICKED = Context(channel="web", acquisition=Acquisition(vendor="google", click_id="Cj0KCQiAabc"))
STORE = Context(channel="web", place=Place(country="FR", store="lyon-2"))
FENCED = Context(channel="web", place=Place(country="FR", fences=("mall",)))
NEAR = Context(channel="web", place=Place(country="FR", latitude=45.8, longitude=4.8, precision="coordinates"))
CASES = [("advertising", CLICKED), *[("precise_location", each) for each in (STORE, FENCED, NEAR)]]


class Late(RecordingExporter):
    """One for analytics that is slow to begin; nothing goes on until it is let."""

    def __init__(self) -> None:
        super().__init__(purposes=frozenset(["analytics"]))
        self.begun, self.let = threading.Event(), threading.Event()

    def export(self, batch: Any, *, deadline_s: float) -> Any:
        self.begun.set()
        assert self.let.wait(30)
        return super().export(batch, deadline_s=deadline_s)


@pytest.fixture
def late() -> Late:
    return Late()


@pytest.fixture
def kit(tmp_path: Path, late: Late) -> Iterator[Kit]:
    kit = Kit(Settings(directory=tmp_path), exporters={"late": late})
    yield kit
    late.let.set()
    kit.close()


def captured(kit: Kit, late: Late, purpose: str, context: Context, then: Callable[[], object]) -> list[Any]:
    """What is delivered of one that is captured while the exporter stands at another; something is done meanwhile."""
    with cxkit.scope(channel="web", kit=kit):
        cxkit.identify(user_id="nancy")
        cxkit.grant("analytics", purpose)
        SEEN.capture(first=True)
        assert late.begun.wait(30)
        scope = current_scope()
        assert scope is not None
        scope.change(context=context)
        SEEN.capture(first=False)
        then()
    late.let.set()
    kit.flush()
    return [one for one in late.interactions if one.name == "withdrawn.seen" and not one.properties["first"]]


@pytest.mark.parametrize(("purpose", "context"), CASES)
def test_it_is_delivered_while_that_is_allowed(kit: Kit, late: Late, purpose: str, context: Context) -> None:
    (one,) = captured(kit, late, purpose, context, lambda: None)
    assert one.context == context


@pytest.mark.parametrize(("purpose", "context"), CASES)
def test_it_is_a_counted_drop_once_that_is_withdrawn(
    kit: Kit, late: Late, tmp_path: Path, purpose: str, context: Context
) -> None:
    assert captured(kit, late, purpose, context, lambda: cxkit.withdraw(purpose)) == []
    account = read_account(tmp_path)
    assert account.blocked["export:analytics:refused:late"] == 1
    assert account.balanced


@pytest.mark.parametrize("purpose", ["advertising", "precise_location"])
def test_what_holds_nothing_of_it_goes_on(kit: Kit, late: Late, purpose: str) -> None:
    came, place = Acquisition(vendor="google"), Place(country="FR", city="Lyon", precision="city")
    plain = Context(channel="web", place=place, acquisition=came)
    (one,) = captured(kit, late, purpose, plain, lambda: cxkit.withdraw(purpose))
    assert one.context == plain
