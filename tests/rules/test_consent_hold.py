"""Hold: what waits for a choice ends in exactly one way, and never in one that was refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import Choice
from cxkit.rules.consent import STRICT, allowed, capture_mode, fate, has_room
from tests import strategies as some

TTL_S = 1800
ages = st.floats(0, 4000)


@given(st.dictionaries(some.purposes, some.choices), some.purposes, ages, st.booleans())
def test_the_fate_follows_the_choice(choices: dict[str, Choice], purpose: str, age_s: float, ended: bool) -> None:
    found = allowed(STRICT, choices)
    end = fate(found, purpose, age_s=age_s, ttl_s=TTL_S, ended=ended)
    mode = capture_mode(found, purpose, before_choice="drop")
    assert (end == "purged") == (mode == "refused")
    assert (end == "replayed") == (mode == "full" and age_s < TTL_S)
    assert (end == "held") == (mode == "undecided" and age_s < TTL_S and not ended)
    assert end in ("held", "replayed", "purged", "undecided")


@given(st.dictionaries(some.purposes, some.choices), some.purposes)
def test_nothing_waits_for_ever(choices: dict[str, Choice], purpose: str) -> None:
    for age_s, ended in ((0.0, True), (float(TTL_S), False)):
        assert fate(allowed(STRICT, choices), purpose, age_s=age_s, ttl_s=TTL_S, ended=ended) != "held"


@pytest.mark.parametrize(
    ("choice", "age_s", "ended", "end"),
    [
        (None, 0, False, "held"),
        ("granted", 1799, False, "replayed"),
        ("granted", 0, True, "replayed"),
        ("granted", 1800, False, "undecided"),
        ("denied", 1800, True, "purged"),
        (None, 5, True, "undecided"),
    ],
)
def test_named_fates(choice: Choice | None, age_s: float, ended: bool, end: str) -> None:
    found = allowed(STRICT, {} if choice is None else {"analytics": choice})
    assert fate(found, "analytics", age_s=age_s, ttl_s=TTL_S, ended=ended) == end


@given(st.lists(st.integers(0, 50)), st.integers(0, 200))
def test_law_what_is_held_never_takes_more_than_it_may(sizes: list[int], most: int) -> None:
    held = 0
    for size in sizes:
        takes = has_room(held_bytes=held, more_bytes=size, max_bytes=most)
        assert takes == (held + size <= most)
        held += size * takes
    assert held <= most
