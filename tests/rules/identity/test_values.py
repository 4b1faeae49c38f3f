"""The one form of each value, and the values that identify nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.identity import SESSIONS, TYPES, normalise, unfit

ILLEGAL = ["", " ", "null", "None", "NULL", "nil", "undefined", "uNdEfInEd", "NaN", "anonymous", "Guest", "unknown",
           "[object Object]", "true", "False", "id", "user_id", "distinct_id", "distinctId", "email",
           "not_authenticated", "x" * 257]  # fmt: skip
BLOCKED = ["0", "000", "-1", "-", "00000000-0000-0000-0000-000000000000", "0-0"]
quoted = pytest.mark.parametrize("quote", ["", '"', "'", "`"])


@quoted
@pytest.mark.parametrize("type", ["user_id", "email", "loyalty", "visitor"])
@pytest.mark.parametrize("value", [*ILLEGAL, *BLOCKED])
def test_what_identifies_nobody_is_no_identifier(type: str, value: str, quote: str) -> None:
    text = f"{quote}{value}{quote}"
    assert normalise(type, text) is None
    assert unfit(type, text) == ("blocked_value" if value in BLOCKED else "illegal_id")


@pytest.mark.parametrize("type", sorted(SESSIONS))
def test_a_session_is_no_identifier(type: str) -> None:
    assert unfit(type, "a-real-session") == "illegal_id"
    assert normalise(type, "a-real-session") is None


@pytest.mark.parametrize("value", ["+0", "", "no number", "000"])
def test_a_phone_without_a_number_is_none(value: str) -> None:
    assert normalise("phone", value) is None


@quoted
def test_an_operator_blocks_more(quote: str) -> None:
    blocked = {"till@shop.example", "demo"}
    assert unfit("email", f" {quote}Till@Shop.example{quote}", blocked=blocked) == "blocked_value"
    assert normalise("user_id", "DEMO", blocked=blocked) is None
    assert normalise("email", "nancy@shop.example", blocked=blocked) == "nancy@shop.example"


@pytest.mark.parametrize("value", ["nancy", "1", "-2", "10", "null@example.org", "nullable", "anonymous7", "x" * 256])
def test_what_only_looks_like_it_is_one(value: str) -> None:
    assert (normalise("user_id", value), unfit("user_id", value)) == (value, None)


@given(st.sampled_from(sorted(TYPES)), st.text(max_size=30))
def test_one_form_of_each_value(type: str, value: str) -> None:
    form = normalise(type, value)
    assert (form is None) == (unfit(type, value) is not None)
    if form is not None:
        assert normalise(type, form) == form
        assert normalise(type, f" {form}\n") == form


@pytest.mark.parametrize(
    ("type", "one", "other"),
    [
        ("email", "Nancy@Example.ORG", "nancy@example.org"),
        ("email", "Zoe\u0308@example.org", "zo\u00eb@example.org"),  # B25
        ("phone", "+33 1 23 45 67 89", "+33123456789"),
        ("phone", "(01) 23-45", "012345"),
        ("user_id", " 42 ", "42"),
    ],
)
def test_spellings_of_one_identifier_are_one(type: str, one: str, other: str) -> None:
    assert normalise(type, one) == normalise(type, other) == other


def test_user_ids_keep_their_case() -> None:
    assert normalise("user_id", "Nancy") == "Nancy"
