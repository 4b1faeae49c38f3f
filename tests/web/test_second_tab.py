"""A page that is still being made while its visitor withdraws in another tab."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

import cxkit
from cxkit.model import PURPOSES
from tests.web.beacon import dropped
from tests.web.surface import SAME, get, json_of, post

SHOWN = cxkit.touchpoint("second_tab.shown")


@pytest.fixture
def withdrawing(visitor: Any, shop: Callable[..., Any], clock: Any) -> Callable[..., Any]:
    """The visitor asks for a page that, in the middle, sees the other tab's withdrawal through, and goes on."""

    def withdrawing(then: Callable[[], object]) -> Any:
        everything = {"choices": dict.fromkeys(PURPOSES[1:], "denied")}
        other = shop()
        other.cookies = dict(visitor.cookies)

        def slowly() -> None:
            clock.advance(1)
            tab = Thread(target=lambda: post(other, everything, SAME))
            tab.start()
            tab.join()
            clock.advance(1)
            then()

        sent = get(visitor.in_(shop(slowly)), "/slow")
        other.cookies.update(sent.cookies)  # one browser: the slow page answers last
        return other

    return withdrawing


def test_what_it_captures_goes_no_further(kept: Any, withdrawing: Callable[..., Any]) -> None:
    kept.exporter.purposes = frozenset({"analytics"})
    withdrawing(lambda: SHOWN.capture())
    assert kept.named("second_tab.shown") == []
    assert not dropped(kept), "it was captured, and stopped on its way out"


def test_it_brings_nothing_back(withdrawing: Callable[..., Any]) -> None:
    browser = withdrawing(SHOWN.capture)
    assert [*browser.cookies] == ["cxkit_consent"]
    assert json_of(get(browser))["allowed"] == ["necessary"]


def test_who_looks_again_sees_the_withdrawal(withdrawing: Callable[..., Any]) -> None:
    seen: list[frozenset[str]] = []
    withdrawing(lambda: seen.append(cxkit.current().allowed))
    assert seen == [{"necessary"}]
