"""What a plugin says of where somebody is: gated, governed, and no more of the context than that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import InvalidInteractionError, StateError
from cxkit.kit import Kit, install, place_here
from cxkit.model import Context, Place
from cxkit.settings import Settings

LYON = Place(country="FR", city="Lyon", source="test", precision="city")


@pytest.fixture(params=[True, False], ids=["strict", "guest"])
def strict(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def kit(strict: bool) -> Iterator[Kit]:
    made = Kit(Settings(strict=strict), in_memory=True)
    yield made
    made.close(timeout_s=5)


def in_lyon(context: Context, _: Context) -> Context:
    return attrs.evolve(context, place=LYON, market="france", currency="EUR", timezone="Europe/Paris", actor="bot")


def test_a_place_and_what_follows_from_it_and_nothing_else_is_taken(kit: Kit) -> None:
    with cxkit.scope(kit=kit, channel="kiosk"):
        now = place_here(in_lyon)
        assert now == cxkit.current().context == Context(
            channel="kiosk", place=LYON, market="france", currency="EUR", timezone="Europe/Paris"
        )  # fmt: skip


def test_without_consent_it_is_not_even_asked(kit: Kit) -> None:
    def never(context: Context, given: Context) -> Context:
        raise AssertionError("it was asked")

    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert place_here(never, needs="precise_location") is None
        cxkit.withdraw("precise_location")
        assert place_here(never, needs="precise_location") is None
        cxkit.grant("precise_location")
        assert place_here(in_lyon, needs="precise_location") is not None
    blocked = "capture:precise_location"
    assert kit.account().blocked == {f"{blocked}:undecided:position": 1, f"{blocked}:refused:position": 1}


def test_what_was_given_is_told_apart_from_what_was_found(kit: Kit) -> None:
    seen: list[Any] = []

    def found(context: Context, given: Context) -> Context:
        seen.append((context.market, given.market, given.timezone))
        return attrs.evolve(context, market="second" if context.market else "first")

    with cxkit.scope(kit=kit, timezone="Asia/Tokyo"):
        place_here(found)
        place_here(found)
    assert seen == [(None, None, "Asia/Tokyo"), ("first", None, "Asia/Tokyo")]


@pytest.mark.parametrize("wrong", [{"market": 7}, {"place": "Lyon"}, {"market": "x" * 100_000}], ids=repr)
def test_what_is_no_context_changes_nothing(wrong: dict[str, Any], kit: Kit, strict: bool) -> None:
    def found(context: Context, _: Context) -> Context:
        return attrs.evolve(context, **wrong)

    with cxkit.scope(kit=kit, channel="web"):
        if strict:
            with pytest.raises(InvalidInteractionError):
                place_here(found)
        else:
            assert place_here(found) is None
        assert cxkit.current().context == Context(channel="web")


def test_without_a_scope_there_is_nobody(kit: Kit, strict: bool) -> None:
    before = install(kit)
    try:
        assert current_scope() is None
        if strict:
            with pytest.raises(StateError, match="CX7002"):
                place_here(in_lyon)
        else:
            assert place_here(in_lyon) is None
    finally:
        install(before)
