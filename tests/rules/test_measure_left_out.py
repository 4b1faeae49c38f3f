"""Who is not counted: in numbers; and that every text keeps to the portable subset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure import bounce, experiments, feedback, journeys, left_out, stages
from cxkit.rules.measure.events import COLUMNS, EVER, Event
from cxkit.rules.measure.experiments import Exposure
from tests.relation import Engine, day, relations

EXPOSED = {one.name for one in attrs.fields(Exposure)}
TEXTS = pytest.mark.parametrize(
    "sql",
    [
        *(one.SQL for one in (bounce, experiments, feedback, journeys, left_out, stages)),
        experiments.PERSONAL_SQL,
        experiments.TRAFFIC_SQL,
    ],
)


def test_golden(engine: Engine) -> None:
    def one(number: int, **more: Any) -> Event:
        return Event(event_id=str(number), ts_ms=0, local_day=20261121, name="x", kind="view", **more)

    events = [
        one(1, is_bot=1, consent_analytics=0),
        one(2, consent_analytics=0),
        one(3),
        one(4, session_id="s", subject_id="nancy", stage="loyalty"),
        one(5, session_id="s", subject_id="nancy"),
    ]
    expected = left_out.LeftOut(total=5, bots=1, refused=1, sessionless=1, nobodies=1, stageless=1)
    assert left_out.reference(events) == expected
    assert [left_out.LeftOut(*row) for row in engine(events, left_out.SQL, since_day=0, until_day=99_999_999)] == [
        expected
    ]


@given(events=relations(), days=st.tuples(day(), day()) | st.just(EVER))
def test_the_sql_gives_what_the_reference_gives(engine: Engine, events: Sequence[Event], days: tuple[int, int]) -> None:
    (row,) = engine(events, left_out.SQL, since_day=days[0], until_day=days[1])
    assert left_out.LeftOut(*row) == left_out.reference(events, days=days)


# --- the subset in which all engines agree ---


@TEXTS
def test_every_window_is_in_total_order_and_has_a_frame_of_rows(sql: str) -> None:
    windows = re.findall(r"OVER\s*\(([^)]*)\)", sql)
    assert len(windows) == len(re.findall(r"\bOVER\b", sql))
    assert all(re.search(r"ORDER BY (dwell_ms, )?ts_ms, event_id\s+ROWS BETWEEN", one) for one in windows)


@TEXTS
def test_nothing_is_in_it_that_engines_take_differently(sql: str) -> None:
    assert not re.search(r"/|\.\d|IS NULL(?! (THEN|AND))|\bSELECT \*|SELECT DISTINCT|COUNT\(DISTINCT [^)]*,", sql)
    functions = {name.upper() for name in re.findall(r"\b(\w+)\s*\(", sql)} - {
        "AS",
        "OVER",
        "IN",
        "AND",
        "WHERE",
        "JOIN",
    }
    assert functions <= {"CASE", "COALESCE", "COUNT", "LAG", "MAX", "MIN", "ROW_NUMBER", "SUM"}


@TEXTS
def test_no_alias_is_the_name_of_a_column(sql: str) -> None:
    assert not set(re.findall(r"\bAS (\w+)", sql)) & {*COLUMNS, *EXPOSED, "source"}


@TEXTS
def test_the_rows_come_in_an_order(sql: str) -> None:
    assert re.search(r"\nORDER BY [^()]*(\bEND\b[^()]*)?\Z", sql)
