"""Feedback: each formula by hand, what an answer is about, and the SQL against the reference on two engines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import SCALES
from cxkit.rules.measure.events import EVER, Event
from cxkit.rules.measure.feedback import DIMENSIONS, SQL, Dimension, Row, Voice, reference, voices
from tests.relation import Engine, day, relations


def said(question: str, *scores: int) -> list[Voice]:
    return voices([Row(question, "", score, scores.count(score)) for score in sorted(set(scores))])


# --- the formulas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "scores", "value", "variance"),
    [
        ("nps", [10, 9, 8, 7, 6, 0], 0.0, 10_000 * (4 / 5)),
        ("nps", [10, 9, 9, 9, 0], 60.0, 10_000 * (5 - 9 / 5) / 4),
        ("csat", [5, 4, 3, 1], 0.5, 1 / 3),
        ("ces", [7, 5, 6], 6.0, 1.0),
        ("expectation", [1, 1, 0, -1], 0.25, (3 - 1 / 4) / 3),
        ("useful", [1, 5], 3.0, 8.0),
        ("usable", [2, 4, 3], 3.0, 1.0),
        ("enjoyable", [5, 5, 2], 4.0, 3.0),
    ],
)
def test_each_question_has_its_formula(question: str, scores: list[int], value: float, variance: float) -> None:
    (found,) = said(question, *scores)
    assert found.answers == len(scores)
    assert found.value == pytest.approx(value)
    assert found.variance == pytest.approx(variance)
    assert found.low is not None
    assert found.high is not None
    assert found.low < value < found.high


def test_the_interval_of_a_mean_is_by_student() -> None:
    (found,) = said("ces", 5, 3, 4)
    assert found.high == pytest.approx(4 + 4.302653 / math.sqrt(3), rel=1e-6)
    assert found.low == pytest.approx(4 - 4.302653 / math.sqrt(3), rel=1e-6)


def test_no_interval_goes_beyond_the_scale() -> None:
    for question, worst, best in [("nps", 0, 10), ("ces", 1, 7), ("expectation", -1, 1)]:
        (found,) = said(question, worst, best)
        assert (found.low, found.high) == {"nps": (-100, 100)}.get(question, SCALES[question])


def test_the_interval_of_a_share_is_the_one_of_wilson() -> None:
    (found,) = said("csat", *[5] * 8, *[1] * 2)
    # The roots of (p - 0.8)^2 = z^2 p (1 - p) / 10.
    z = 1.959964
    assert found.low is not None
    assert found.high is not None
    for root in (found.low, found.high):
        assert (root - 0.8) ** 2 == pytest.approx(z * z * root * (1 - root) / 10, rel=1e-5)


def test_a_share_has_an_interval_even_where_all_are_content() -> None:
    (found,) = said("csat", 5, 5, 5)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 / (1 + 1.959964**2 / 3), rel=1e-5)


@pytest.mark.parametrize("scores", [[9], [9, 10, 10]])
def test_where_nothing_varies_a_mean_has_no_interval(scores: list[int]) -> None:
    (found,) = said("nps", *scores)
    assert (found.value, found.low, found.high) == (100.0, None, None)


@pytest.mark.parametrize("row", [Row("mood", "", 3, 5), Row("csat", "", 9, 5), Row("nps", "", -1, 5)])
def test_what_is_on_no_scale_is_left_out(row: Row) -> None:
    assert voices([row]) == []


@given(st.sampled_from(sorted(SCALES)), st.data())
def test_no_answers_give_an_exception_and_all_values_are_in_range(question: str, data: st.DataObject) -> None:
    low, high = SCALES[question]
    scores = data.draw(st.lists(st.integers(low, high), max_size=20))
    for found in said(question, *scores):
        ends = {"nps": (-100, 100), "csat": (0, 1)}.get(question, (low, high))
        assert ends[0] <= found.value <= ends[1]
        if found.low is not None and found.high is not None:
            assert found.low <= found.value <= found.high


# --- what an answer is about ----------------------------------------------------------------------

VIEW = Event(event_id="1", ts_ms=0, local_day=20261121, name="page.viewed", kind="view", session_id="s", route="/cart")


def answer(score: int | None = 9, **more: Any) -> Event:
    made = attrs.evolve(VIEW, name="feedback.given", kind="feedback", route="/survey", scale="nps", score=score)
    return attrs.evolve(made, **more)


def walked(*events: Event) -> list[Event]:
    return [attrs.evolve(one, event_id=f"{place:03}", ts_ms=place * 1000) for place, one in enumerate(events)]


@pytest.mark.parametrize(
    ("events", "about"),
    [
        (walked(VIEW, answer()), "/cart"),
        (walked(VIEW, attrs.evolve(VIEW, name="cart.paid", kind="transaction"), answer()), "cart.paid"),
        (walked(VIEW, answer(5), answer()), "/cart"),
        (walked(VIEW, attrs.evolve(VIEW, name="experience.shown", kind="exposure"), answer()), "/cart"),
        (walked(VIEW, attrs.evolve(VIEW, route="/bot", is_bot=1), answer()), "/cart"),
        (walked(answer(), VIEW), ""),
        (walked(VIEW, answer(session_id="another")), ""),
        (walked(VIEW, answer(session_id=None)), ""),
        (walked(VIEW, attrs.evolve(VIEW, route="/"), answer(cause="000")), "/cart"),
        (walked(VIEW, answer(session_id=None, cause="000")), "/cart"),
        (walked(VIEW, answer(cause="of nobody known")), "/cart"),
    ],
)
def test_an_answer_is_about_its_cause_else_about_the_contact_before(
    events: list[Event], about: str, engine: Engine
) -> None:
    rows = engine(events, SQL, by="touchpoint", since_day=0, until_day=99_999_999)
    assert about in {label for _, label, score, _ in rows if score == 9}
    assert {label for _, label, score, _ in rows if score == 9} == {about}
    assert [Row(*row) for row in rows] == reference(events, by="touchpoint")


GOLDEN = [
    *walked(VIEW, answer(10, language="fr", country="FR"), answer(3, language="de", device_class="phone")),
    answer(0, event_id="bot", is_bot=1),
    answer(0, event_id="refused", consent_analytics=0),
    answer(None, event_id="unsaid"),
]


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("touchpoint", [("nps", "/cart", 3, 1), ("nps", "/cart", 10, 1)]),
        ("language", [("nps", "de", 3, 1), ("nps", "fr", 10, 1)]),
        ("device", [("nps", "", 10, 1), ("nps", "phone", 3, 1)]),
        ("country", [("nps", "", 3, 1), ("nps", "FR", 10, 1)]),
        ("channel", [("nps", "", 3, 1), ("nps", "", 10, 1)]),
    ],
)
def test_golden(by: Dimension, rows: list[tuple[Any, ...]], engine: Engine) -> None:
    assert engine(GOLDEN, SQL, by=by, since_day=0, until_day=99_999_999) == rows
    assert reference(GOLDEN, by=by) == [Row(*row) for row in rows]


@given(events=relations(), by=st.sampled_from(DIMENSIONS), days=st.tuples(day(), day()) | st.just(EVER))
def test_the_sql_gives_what_the_reference_gives(
    engine: Engine, events: Sequence[Event], by: Dimension, days: tuple[int, int]
) -> None:
    rows = engine(events, SQL, by=by, since_day=days[0], until_day=days[1])
    assert [Row(*row) for row in rows] == reference(events, by=by, days=days)
