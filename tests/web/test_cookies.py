"""What the two cookies hold, and what is read of a Cookie header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES
from cxkit.web.cookies import (
    choices_from_text,
    choices_to_text,
    cookie_names,
    new_visitor,
    read_cookies,
    set_cookie,
)

SECONDS = st.integers(0, 0xFFFFFFFFF) | st.floats(0, 4e9)
TIMES = SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
CHOICES = st.dictionaries(st.sampled_from(PURPOSES), st.tuples(st.sampled_from(["granted", "denied"]), TIMES))
NAMES = cookie_names("cxkit", secure=False)


@given(CHOICES, st.booleans())
def test_choices_survive_the_journey_to_the_second(choices: dict, despite_gpc: bool) -> None:
    text = choices_to_text(choices, despite_gpc=despite_gpc)
    seconds = {purpose: (choice, at.replace(microsecond=0)) for purpose, (choice, at) in choices.items()}
    assert choices_from_text(text) == (seconds, despite_gpc)
    assert len(text) <= 512, "what a token may hold"


@given(CHOICES, st.booleans())
def test_writing_what_was_read_changes_nothing(choices: dict, despite_gpc: bool) -> None:
    text = choices_to_text(choices, despite_gpc=despite_gpc)
    read, despite = choices_from_text(text)
    assert choices_to_text(read, despite_gpc=despite) == text


@given(st.text() | st.from_regex(r"1(:[0-9²gdx_+ a-f-]{0,12}){0,9}"))
def test_any_text_is_choices_or_none(text: str) -> None:
    choices, despite_gpc = choices_from_text(text)
    assert not choices or choices_to_text(choices, despite_gpc=despite_gpc).count(":") <= text.count(":")


@pytest.mark.parametrize(
    "text",
    ["", "1", "2:2g5", "1:2g", "1:2g5:", "1:2g5:zz", "1:2g5:2", "1:2g5:x:x", "1:2g5:x:3d5", "1:²g5", "1:2G5",
     "1:2g 5", "1:2g0x5", "1:2g-5", "1:2g1_0", "1:2gffffffffff", "x", "1:2g5\n"],
    ids=ascii,
)  # fmt: skip
def test_half_a_choice_is_none(text: str) -> None:
    assert choices_from_text(text) == ({}, False)


def test_purposes_to_come_are_passed_over() -> None:
    at = datetime.fromtimestamp(5, UTC)
    assert choices_from_text("1:2g5:fd5:x") == ({"analytics": ("granted", at)}, True)


def test_times_beyond_all_measure_stay_readable() -> None:
    for at in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)):
        choices, _ = choices_from_text(choices_to_text({"analytics": ("denied", at)}, despite_gpc=False))
        assert choices["analytics"][0] == "denied"
        assert choices["analytics"][1] >= datetime.fromtimestamp(0, UTC) - timedelta(0)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("cxkit_visitor=a", {"cxkit_visitor": "a"}),
        ("a=1;cxkit_visitor=a ;cxkit_visitor=b", {"cxkit_visitor": "a"}),
        ('a=1; cxkit_visitor="a"; cxkit_consent=b=c', {"cxkit_visitor": "a", "cxkit_consent": "b=c"}),
        ("not_cxkit_visitor=a; cxkit_visitors=b; a=cxkit_visitor=c", {}),
        ("__Host-cxkit_visitor=a", {}),
        ("cxkit_visitor", {}),
        (" \t cxkit_visitor \t=\t a", {"cxkit_visitor": "a"}),
        (";" * 60_000 + "cxkit_visitor=a", {"cxkit_visitor": "a"}),
        (";" + " " * 60_000 + "cxkit_visitor=a", {"cxkit_visitor": "a"}),
        ("\xff\x00=\xfe; cxkit_consent=\xe9", {"cxkit_consent": "\xe9"}),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_reading_a_cookie_header(header: str, found: dict[str, str]) -> None:
    assert read_cookies(header, NAMES) == found


def test_names_are_taken_literally() -> None:
    names = cookie_names("a-b_c", secure=True)
    assert names == ("__Host-a-b_c_visitor", "__Host-a-b_c_consent")
    assert read_cookies("__Host-a-b_c_visitor=1; a-b_c_visitor=2", names) == {names.visitor: "1"}


def test_a_cookie_is_hidden_from_scripts_and_from_other_sites() -> None:
    """S2."""
    plain = set_cookie("n", "v", max_age_s=9, secure=False, hidden=True)
    assert plain == "n=v; Max-Age=9; Path=/; HttpOnly; SameSite=Lax"
    assert set_cookie("n", "v", max_age_s=9, secure=True, hidden=True) == plain + "; Secure"
    assert set_cookie("n", "v", max_age_s=9, secure=False, hidden=False) == "n=v; Max-Age=9; Path=/; SameSite=Lax"


def test_visitors_are_drawn_by_chance() -> None:
    """S2."""
    drawn = {new_visitor().value for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(len(value) == 22 for value in drawn)
