"""Traits: what can be changed in which way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import InvalidInteractionError
from cxkit.model.profile import Trait
from tests import strategies as some


@given(some.json_values, st.sampled_from(["declared", "observed", "inferred"]))
def test_anything_can_be_set(value: object, provenance: str) -> None:
    for how in ("set", "set_once"):
        assert Trait(value=value, how=how, provenance=provenance).value is value  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, None, "1", [1], {}, float("nan"), float("inf"), 2**53 + 1, -(2**53) - 1])
def test_only_a_number_is_added(value: object) -> None:
    with pytest.raises(InvalidInteractionError, match=r"CX3130.*finite number"):
        Trait(value=value, how="increment")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 0, 2.5, 2**53])
def test_a_number_is_added(value: float) -> None:
    assert Trait(value=value, how="increment").value == value


@pytest.mark.parametrize("value", ["tea", ("tea",), None, [None], [True], [["tea"]], [float("nan")], list(range(101))])
def test_only_a_list_of_texts_and_numbers_is_united(value: object) -> None:
    with pytest.raises(InvalidInteractionError, match=r"CX3130.*texts and numbers"):
        Trait(value=value, how="union")  # type: ignore[arg-type]


def test_a_list_is_united() -> None:
    assert Trait(value=["tea", 1, 2.5], how="union").value == ["tea", 1, 2.5]
    assert Trait(value=[], how="union").value == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_life_has_a_length(seconds: float) -> None:
    with pytest.raises(InvalidInteractionError, match=r"CX3130.*expires"):
        Trait(value=1, expires_in_s=seconds)
    assert Trait(value=1, expires_in_s=60).expires_in_s == 60


@pytest.mark.parametrize(("how", "value"), [("set_once", 1), ("increment", 1), ("union", [1])])
def test_only_what_is_set_can_end(how: str, value: object) -> None:
    with pytest.raises(InvalidInteractionError, match=r"CX3130.*expires"):
        Trait(value=value, how=how, expires_in_s=60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "word", "fix"), [("how", "incremnt", "increment"), ("provenance", "declard", "declared")]
)
def test_a_word_that_is_none_is_refused_with_the_nearest(field: str, word: str, fix: str) -> None:
    with pytest.raises(InvalidInteractionError, match=f"{word}.*{fix}"):
        Trait(value=1, **{field: word})  # type: ignore[arg-type]
