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
        ("user_id", " 42 ", "42"),
    ],
)
def test_spellings_of_one_identifier_are_one(type: str, one: str, other: str) -> None:
    assert normalise(type, one) == normalise(type, other) == other


def test_user_ids_keep_their_case() -> None:
    assert normalise("user_id", "Nancy") == "Nancy"


@pytest.mark.parametrize(
    "value",
    [
        "+33 6 39 98 12 34",
        "+33639981234",
        "0033639981234",
        "00 33 (0)6 39 98 12 34",
        "+33 (0)6.39-98/12 34",
        "(+33) 6\u202f39\u00a098 12 34",
        "\u202a+33639981234\u202c",
    ],
)
def test_spellings_of_one_number_are_one(value: str) -> None:
    assert normalise("phone", value) == "+33639981234"


@pytest.mark.parametrize(
    "value",
    [
        "06 39 98 12 34",
        "33639981234",
        "+336399",
        "+3363998123456789",
        "+0639981234",
        "+33 6 39 98 12 34 ext. 5",
        "tel:+33639981234",
        "(01) 23-45",
    ],
)
def test_a_number_without_its_country_is_many_peoples(value: str) -> None:
    assert (normalise("phone", value), unfit("phone", value)) == (None, "illegal_id")


@pytest.mark.parametrize("value", ["Paul <Paul@Example.com>", '"Doe, Paul" < paul@example.com >', "<paul@example.com>"])
def test_an_address_is_taken_from_beside_the_name(value: str) -> None:
    assert normalise("email", value) == "paul@example.com"


@pytest.mark.parametrize(
    "value", ["paul", "@x", "x@", "a@b@c", "a b@x", "a@x, b@x", "<a@x>, <b@x>", "mailto:a@x", "'a@x.fr'", "Paul <paul>"]
)
def test_what_is_not_one_address_is_none(value: str) -> None:
    assert (normalise("email", value), unfit("email", value)) == (None, "illegal_id")


@pytest.mark.parametrize("value", ["o'brien@x.fr", '"a b"@x.fr', "a+b@x", "root@[127.0.0.1]", "zo\u00eb@example.org"])
def test_keys_of_addresses_that_were_always_valid_stay(value: str) -> None:
    assert normalise("email", value) == value


@given(
    st.sampled_from(["email", "phone"]),
    st.text(alphabet='+0123456789()-. \u2011<>@"ab,\u202a\u0130', max_size=30)
    | st.from_regex(r"(\+|00)33 ?(\(0\))?[0-9 .-]{8,14}", fullmatch=True)
    | st.from_regex(r'"?[ab, ]*"? ?<[ab.]+@[ab.]+>', fullmatch=True),
)
def test_one_form_of_each_address(type: str, value: str) -> None:
    form = normalise(type, value)
    assert form is None or (normalise(type, form), unfit(type, form)) == (form, None)
