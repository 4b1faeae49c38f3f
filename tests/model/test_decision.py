"""A decision: what may be cached by its key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import JSON, Decision
from tests.strategies import json_values

SLOTS = st.tuples(json_values, json_values, json_values)


def decided(slots: tuple[JSON, JSON, JSON], version: str = "") -> Decision:
    form, content, sequence = slots
    return Decision(experience="a", variant="v", version=version, form=form, content=content, sequence=sequence)


@given(one=SLOTS, other=SLOTS)
def test_what_a_decider_gave_is_one_entry_of_a_cache_for_the_same_slots_alone(
    one: tuple[JSON, JSON, JSON], other: tuple[JSON, JSON, JSON]
) -> None:
    assert decided(one).cache_key == decided(one).cache_key
    if repr(one) != repr(other):
        assert decided(one).cache_key != decided(other).cache_key


def test_what_looks_alike_and_is_not_is_told_apart() -> None:
    keys = {decided((None, value, None)).cache_key for value in (1, True, "1", "True", [1], None, "None", "")}
    assert len(keys) == 8


def test_what_cannot_be_encoded_has_a_key() -> None:
    assert decided((None, "\ud800", None)).cache_key


def test_where_the_declaration_is_known_its_version_says_it() -> None:
    assert decided((None, 1, None), "4f").cache_key == "a:4f:v"
