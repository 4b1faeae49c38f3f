"""Hold: what waits for a choice ends in exactly one way, and never in one that was refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import Choice
from cxkit.rules.consent import STRICT, allowed, capture_mode, fate
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
