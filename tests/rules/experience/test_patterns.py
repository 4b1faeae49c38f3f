"""Regular expressions: JavaScript's meaning, and none that stalls."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxkit.rules.experience.patterns import LONGEST_PATTERN, LONGEST_SUBJECT, WrongPattern, searching

STALLING = [
    r"(a+)+$", r"(a*)*b", r"(a|a)*b", r"(a|ab)*c", r"(x+x+)+y", r"(.*a){5}", r"([a-z]+)*\d", r"(\w+\s?)+$",
    r"(a?){20}a{20}", r"a.*b.*c", r"^x*x*x*y", r"^x*y*z*x*$", r"^(?:.*)(?:.*)(?:.*)x", r"\d+\d+\d+$",
    r"(?=.*a)(?=.*b)(?=.*c)", "^" + "a?" * 30 + "b", "(a|a)" * 40, r"((a{1,9}){1,9}){1,9}", r"(a|b|ab){30}",
    r"^a{0,50}a{0,50}a{0,50}b", r"^(.+)?(.+)?(.+)?x",
]  # fmt: skip
NONE = [
    "(", ")", "[", "[]", "[z-a]", "\\", "*a", "a**", "a++", "a{2}{3}", "a{5,2}", "^*", "$+", r"\b+", "(?=a)*",
    "(?<=a)b", "(?<!a)b", r"(a)\1", r"\p{L}", r"\cA", r"\k<a>", "(?i)a", "(?P<a>b)", "(" * 9 + "a" + ")" * 9,
    "a" * (LONGEST_PATTERN + 1),
]  # fmt: skip
SOUND = [
    r"(Mobile|Tablet)", r"^/shop/[^/]+/?$", r"^(https?://)?(www\.)?candy\.example(/.*)?$", r"(Android|iPhone).*Mobile",
    r"^[^@\s]+@[^@\s]+\.[a-z]+$", r"^a.*b.*c$", r".*foo.*", r"\w+@\w+\.\w+", r"^(?!.*bot).*$", r"\d+$", r"(\d{3}-)+x",
    r"^(?:fr|de|it|es|pt|nl)(?:-[A-Z]{2})?$", r"[\s\S]*x", r"é+É", r"a{1000}", r"\s+$", r"x*x*x*y", r"(?:.*)(?:.*)x",
    "a?" * 30, r"(.+)?(.+)?(.+)?x", r"^\s*(?<name>\w+)\s*=",
]  # fmt: skip
HARD = [
    "a" * 512, "ab" * 256, "x" * 511 + "!", "foo" * 170, "1" * 511 + "x", "a@" * 256, "111-" * 128, " " * 512,
    "é" * 512, "androidiphone" * 39, "xyz" * 170, "/" * 512,
]  # fmt: skip


@pytest.mark.parametrize("pattern", STALLING)
def test_what_could_stall_is_refused(pattern: str) -> None:
    with pytest.raises(WrongPattern, match=r"too long|repeats a group"):
        searching(pattern)


@pytest.mark.parametrize("pattern", NONE)
def test_what_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(WrongPattern):
        searching(pattern)


@pytest.mark.parametrize("pattern", SOUND)
def test_what_people_write_is_accepted_and_does_not_stall(pattern: str) -> None:
    """A stall would be hours; the suite's own limit catches it."""
    for insensitive in (False, True):
        has = searching(pattern, insensitive=insensitive)
        for text in HARD:
            has(text)


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    has = searching("needle")
    assert has("x" * (LONGEST_SUBJECT - 6) + "needle")
    assert not has("x" * (LONGEST_SUBJECT - 5) + "needle")


@pytest.mark.parametrize(
    ("pattern", "fits", "misses"),
    [
        ("a$", "a", "a\n"),
        ("a.b", "a\x85b", "a\u2028b"),
        (r"^\d$", "7", "\u0667"),
        (r"^\w+$", "ab_9", "é"),
        (r"^\W$", "é", "_"),
        (r"\bon", "éon", "bon"),
        (r"a\Bb", "ab", "a b"),
        (r"^[\s]$", "\ufeff", "x"),
        (r"^[\w-]+$", "a-b", "a b"),
        (r"^[^\d]$", "x", "1"),
        (r"^[a-c-e\d-z-]+$", "b-e9z", "d"),
        ("^[^]$", "\n", ""),
        (r"^[\]\\^-]+$", r"]\^-", "["),
        (r"^\x41\u0042\/\.$", "AB/.", "AB/x"),
        ("^a{,2}$", "a{,2}", "aa"),
        ("^{x}$", "{x}", "x"),
        ("^(?<word>a)b$", "ab", "b"),
        ("a(?=b)", "ab", "ac"),
        ("a(?!b)", "ac", "ab"),
        ("^(a|)$", "", "b"),
        ("^(ab)*?$", "abab", "aba"),
        ("^a{2,3}$", "aaa", "a"),
        ("^[[&&--~~||]+$", "[&-~|", "x"),
        ("a|^b", "ca", "cb"),
    ],
)
def test_it_means_what_it_means_in_javascript(pattern: str, fits: str, misses: str) -> None:
    assert searching(pattern)(fits)
    assert not searching(pattern)(misses)


def test_case_is_told_apart_unless_told() -> None:
    assert not searching("É|mobile")("é Mobile")
    assert searching("É")("É")
    assert searching("^É$", insensitive=True)("é")
    assert searching("[a-c]X", insensitive=True)("Bx")


@given(st.text("ab.*+?|()[]{}^$\\,-2dwsb", max_size=14), st.text("ab2 ", max_size=30))
@example("(?:a{2}|b)+?$", "ab")
def test_it_is_refused_or_it_answers(pattern: str, text: str) -> None:
    """Nothing else is raised; and what Python and JavaScript write alike means what it means to Python."""
    try:
        has = searching(pattern)
    except WrongPattern:
        return
    found = has(text)
    alike = not re.search(r"\\[^dws.*+?|()\[\]{}^$\\]|[\\^$\[]|\{(?!\d)", pattern)
    if alike:
        assert found is (re.search(pattern, text) is not None)
