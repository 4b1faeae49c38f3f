"""Questions: what speaks against asking one wins; what is left is asked in the order of its worth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import Question
from cxkit.rules.questions import (
    MOST_KEPT,
    Act,
    Asked,
    LeftOut,
    Occasion,
    choose,
    ended,
    kept,
    sampled,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DIET = Question(name="diet")
NPS = Question(name="nps.visit", scale="nps", cooldown_s=90 * 86_400)
HERE = Occasion(now=NOON, subject="k", proven=True, granted={"personalization", "analytics"})


def ago(days: float = 0, act: Act = "asked", *, question: str = "diet", id: str = "") -> Asked:
    return Asked(question=question, act=act, at=NOON - timedelta(days=days), id=id or f"{days:09.3f}{act}")


def left_out(question: Question = DIET, *askings: Asked, **here: Any) -> LeftOut | None:
    """Why it is not asked; None: it is."""
    occasion = attrs.evolve(HERE, askings=askings, **here)
    found = choose([question], occasion, experience="checkout", holds=lambda _: True)
    assert bool(found.questions) is not bool(found.left_out)
    return found.left_out.get(question.name)


def evolved(question: Question = DIET, **fields: Any) -> Question:
    return attrs.evolve(question, **fields)


CASES: dict[LeftOut, Callable[[], LeftOut | None]] = {
    "actor": lambda: left_out(machine=True),
    "late": lambda: left_out(late=True),
    "nobody": lambda: left_out(subject=None),
    "pending": lambda: left_out(pending=True),
    "consent": lambda: left_out(granted={"necessary"}),
    "shared": lambda: left_out(shared=True),
    "unproven": lambda: left_out(proven=False),
    "channel": lambda: left_out(evolved(channels=("phone",)), channel="web"),
    "known": lambda: left_out(traits={"diet": "vegan"}),
    "alternative": lambda: left_out(evolved(alternatives=("allergies",)), traits={"allergies": "nuts"}),
    "sample": lambda: left_out(evolved(sample=0)),
    "elsewhere": lambda: left_out(here={"diet": "home.hero"}),
    "skipped": lambda: left_out(DIET, ago(31), ago(29, "skipped")),
    "answered": lambda: left_out(NPS, ago(89, "answered", question="nps.visit")),
    "asked": lambda: left_out(DIET, ago(29)),
    "most_asks": lambda: left_out(DIET, ago(31), ago(62), ago(93)),
    "condition": lambda: (
        choose([evolved(when={"a": 1})], HERE, experience="a", holds=lambda _: False).left_out["diet"]
    ),
    "room": lambda: choose(
        [evolved(name=name) for name in "abcd"], HERE, experience="a", holds=lambda _: True
    ).left_out["d"],
}  # fmt: skip


@pytest.mark.parametrize("reason", get_args(LeftOut))
def test_each_reason_keeps_a_question_from_being_asked(reason: LeftOut) -> None:
    assert left_out() is None
    assert CASES[reason]() == reason


@pytest.mark.parametrize(
    ("question", "askings", "here"),
    [
        (DIET, [ago(30)], {}),
        (DIET, [ago(30, "skipped"), ago(60)], {}),
        (DIET, [ago(1, question="size")], {}),
        (DIET, [ago(1, "answered")], {}),
        (NPS, [ago(90, "answered", question="nps.visit")], {}),
        (DIET, [], {"traits": {"diet": ""}}),
        (DIET, [], {"traits": {"diet": None}}),
        (NPS, [], {"traits": {"nps.visit": 9}}),
        (NPS, [], {"proven": False}),
        (NPS, [], {"shared": True}),
        (evolved(channels=("phone", "web")), [], {"channel": "web"}),
        (DIET, [ago()], {"here": {"diet": "checkout"}}),
        (DIET, [ago(), ago(31), ago(62)], {"here": {"diet": "checkout"}}),
        (evolved(alternatives=("allergies",)), [], {"traits": {"allergies": None}}),
    ],
    ids=str,
)
def test_what_does_not_speak_against_it(question: Question, askings: list[Asked], here: dict[str, Any]) -> None:
    assert left_out(question, *askings, **here) is None


def test_what_was_answered_or_skipped_in_this_scope_is_not_asked_in_it_again() -> None:
    assert left_out(here={"diet": ""}) == "elsewhere"


def test_what_is_sensitive_needs_more_than_what_a_policy_assumes() -> None:
    allergies = evolved(sensitive=True)
    assert left_out(allergies) == "consent"
    assert left_out(allergies, explicit={"personalization"}) is None
    assert left_out(allergies, explicit={"personalization"}, granted=set()) == "consent", "it was taken back since"


def test_a_clock_that_ran_ahead_is_no_reason_to_ask_again() -> None:
    assert left_out(DIET, ago(-1)) == "asked"


# --- order and room ---


def names(questions: list[Question], **here: Any) -> list[str]:
    found = choose(questions, attrs.evolve(HERE, **here), experience="a", holds=lambda _: True)
    return [one.name for one in found.questions]


def test_what_unlocks_most_for_the_least_is_asked_first_and_otherwise_in_order() -> None:
    questions = [
        evolved(name="plain"),
        evolved(name="hard", unlocks=("a", "b"), friction=4),
        evolved(name="other"),
        evolved(name="useful", unlocks=("a", "b", "c")),
    ]
    assert names(questions) == ["useful", "plain", "other"]
    assert names(questions[::-1]) == ["useful", "other", "plain"]


@pytest.mark.parametrize(("device", "room"), [("phone", 1), ("watch", 1), ("tablet", 3), (None, 3)])
def test_small_screens_have_room_for_one(device: Any, room: int) -> None:
    assert len(names([evolved(name=name) for name in "abcde"], device=device)) == room


def test_a_condition_is_looked_at_last_and_only_if_there_is_one() -> None:
    looked: list[str] = []

    def holds(question: Question) -> bool:
        looked.append(question.name)
        return True

    asked = [evolved(name="a"), evolved(name="b", when={"x": 1}), evolved(name="c", when={"x": 1}, sample=0)]
    assert choose(asked, HERE, experience="e", holds=holds).left_out == {"c": "sample"}
    assert looked == ["b"]


def test_an_answer_has_ended_until_its_question_is_asked_anew() -> None:
    lasting = evolved(lasts_s=86_400.0)
    assert ended(lasting, [ago(0.9, "answered")], now=NOON) is None
    assert ended(DIET, [ago(99, "answered")], now=NOON) is None
    assert ended(lasting, [ago(2), ago(1, "answered")], now=NOON) == ago(1, "answered")
    assert ended(lasting, [ago(2, "answered"), ago(1)], now=NOON) is None


# --- laws ---


@given(st.floats(0, 1), st.floats(0, 1), st.text())
def test_whoever_is_in_a_sample_is_in_each_larger_one(one: float, other: float, subject: str) -> None:
    small, large = (evolved(sample=share) for share in sorted((one, other)))
    assert sampled(large, subject) or not sampled(small, subject)


def test_samples_of_two_questions_are_not_of_the_same_people() -> None:
    both = [evolved(name=name, sample=0.5) for name in ("a", "b")]
    drawn = [tuple(sampled(one, str(number)) for one in both) for number in range(4000)]
    assert all(900 < drawn.count((one, other)) < 1100 for one in (True, False) for other in (True, False))


ASKINGS = st.lists(
    st.builds(
        Asked,
        question=st.sampled_from(["diet", "size"]),
        act=st.sampled_from(get_args(Act)),
        at=st.integers(0, 5).map(lambda days: NOON - timedelta(days=days * 20)),
        id=st.integers(0, 30).map("{:02d}".format),
    ),
    unique_by=lambda one: one.id,
    max_size=20,
)


@given(ASKINGS, ASKINGS, st.randoms())
def test_what_is_kept_does_not_depend_on_the_order_or_how_often_it_is_heard(
    one: list[Asked], other: list[Asked], random: Any
) -> None:
    shuffled = [*one, *other, *one]
    random.shuffle(shuffled)
    assert kept([*kept(one), *kept(other)]) == kept(shuffled)


@given(ASKINGS)
def test_what_is_kept_answers_as_all_of_it_would(askings: list[Asked]) -> None:
    for question in (DIET, evolved(name="size", scale="csat", cooldown_s=86_400.0 * 50, most_asks=2)):
        assert left_out(question, *kept(askings)) == left_out(question, *askings)
        lasting = attrs.evolve(question, scale=None, lasts_s=86_400.0 * 30)
        found = [ended(lasting, some, now=NOON) for some in (kept(askings), askings)]
        assert (found[0] is None) == (found[1] is None)


def test_no_more_is_kept_than_decides_and_never_without_bound() -> None:
    many = [ago(number / 1000, id=f"{number:05d}") for number in range(300)]
    assert kept(many) == many[:100][::-1]
    everything = [ago(number / 1000, question=f"q{number}", id=f"{number:05d}") for number in range(MOST_KEPT + 5)]
    assert kept(everything) == everything[:MOST_KEPT][::-1]
