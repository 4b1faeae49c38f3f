"""Stages: moves and their median, and the SQL against the reference on two engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.events import EVER, Event
from cxkit.rules.measure.stages import SQL, Move, reference
from tests.relation import Engine, day, relations

STAGES = {"a": "awareness", "p": "purchase", "l": "loyalty", "-": None}


def life(subject: str, *moments: tuple[int, str], **same: Any) -> list[Event]:
    """What somebody met: at which second, in which stage."""
    made = [
        Event(
            event_id=f"{subject}.{place:03}",
            ts_ms=second * 1000,
            local_day=20261121,
            subject_id=subject,
            name="thing.met",
            kind="action",
            stage=STAGES[stage],
        )
        for place, (second, stage) in enumerate(moments)
    ]
    return [attrs.evolve(one, **same) for one in reversed(made)]


def asked(engine: Engine, events: Sequence[Event], days: tuple[int, int] = EVER) -> list[Move]:
    return [Move(*row) for row in engine(events, SQL, since_day=days[0], until_day=days[1])]


GOLDEN = [
    *life("nancy", (0, "a"), (5, "a"), (7, "-"), (10, "p"), (40, "a"), (42, "p")),
    *life("paul", (0, "a"), (100, "p"), (101, "l")),
    *life("robot", (0, "a"), (1, "l"), is_bot=1),
    *life("silent", (0, "a"), (1, "l"), consent_analytics=0),
    *life("nobody", (0, "a"), (1, "l"), subject_id=None),
]


def test_golden(engine: Engine) -> None:
    found = asked(engine, GOLDEN)
    assert found == [
        Move("awareness", "purchase", moves=3, persons=2, median_ms=10_000),
        Move("purchase", "awareness", moves=1, persons=1, median_ms=30_000),
        Move("purchase", "loyalty", moves=1, persons=1, median_ms=1000),
    ]
    assert found == reference(GOLDEN)


@pytest.mark.parametrize(
    ("dwells", "median"),
    [([7], 7), ([7, 9], 7), ([9, 7, 8], 8), ([1, 2, 3, 4], 2), ([5, 5, 5, 9, 9], 5), ([0, 0], 0)],
)
def test_the_median_is_a_time_that_somebody_took(dwells: list[int], median: int, engine: Engine) -> None:
    events = [one for number, dwell in enumerate(dwells) for one in life(f"v{number}", (3, "a"), (3 + dwell, "p"))]
    (move,) = asked(engine, events)
    assert move.median_ms == median * 1000
    assert [move] == reference(events)


def test_a_move_counts_on_the_day_it_is_made(engine: Engine) -> None:
    after, before = life("nancy", (0, "a"), (1, "p"))
    events = [before, attrs.evolve(after, local_day=20261122)]
    assert asked(engine, events, (20261121, 20261121)) == []
    assert asked(engine, events, (20261122, 20261122)) == [Move("awareness", "purchase", 1, 1, 1000)]


@given(events=relations(), days=st.tuples(day(), day()) | st.just(EVER))
def test_the_sql_gives_what_the_reference_gives(engine: Engine, events: Sequence[Event], days: tuple[int, int]) -> None:
    assert asked(engine, events, days) == reference(events, days=days)
