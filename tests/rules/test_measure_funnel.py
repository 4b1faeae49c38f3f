"""Funnel: runs, steps and their median, and the SQL against the reference on two engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import JourneySpec
from cxkit.rules.measure.events import EVER, Event
from cxkit.rules.measure.funnel import SQL, Step, parameters, reference
from tests.relation import Engine, day, relations

SPEC = JourneySpec(
    name="checkout",
    steps=["cart.item_added", "/checkout", "paid"],
    places={"paid": ["order.paid", "call.order_taken"]},
    stalled_after_s=10,
    ends_after_s=1000,
)
PLACES = {"c": "cart.item_added", "a": "/checkout", "p": "order.paid", "t": "call.order_taken", "x": "home.viewed"}


def life(subject: str, *moments: tuple[int, str], **same: Any) -> list[Event]:
    """What somebody did: at which second, where."""
    made = [
        Event(
            event_id=f"{subject}.{number:03}",
            ts_ms=second * 1000,
            local_day=20261121,
            subject_id=subject,
            name="page.viewed" if PLACES[letter].startswith("/") else PLACES[letter],
            kind="action",
            route=PLACES[letter] if PLACES[letter].startswith("/") else None,
        )
        for number, (second, letter) in enumerate(moments)
    ]
    return [attrs.evolve(one, **same) for one in reversed(made)]


def asked(
    engine: Engine, events: Sequence[Event], days: tuple[int, int] = EVER, spec: JourneySpec = SPEC
) -> list[Step]:
    return [Step(*row) for row in engine(events, SQL, since_day=days[0], until_day=days[1], **parameters(spec))]


GOLDEN = [
    *life("nancy", (0, "c"), (5, "c"), (10, "a"), (12, "x"), (40, "t")),  # by phone in the end
    *life("paul", (0, "c"), (30, "a"), (31, "c"), (900, "c")),  # went back, and is still there
    *life("otto", (0, "a"), (7, "p"), (8, "p"), (9, "a"), (20, "c"), (26, "p")),  # skipped the first; then again
    *life("late", (0, "c"), (1000, "a")),  # in two runs
    *life("ruth", (5, "x")),
    *life("robot", (0, "c"), (1, "p"), is_bot=1),
    *life("silent", (0, "c"), (1, "p"), consent_analytics=0),
    *life("nobody", (0, "c"), (1, "p"), subject_id=None),
]


def test_golden(engine: Engine) -> None:
    found = asked(engine, GOLDEN)
    assert found == [
        Step(1, reached=6, persons=4, ended=1, median_ms=10_000),  # 6, 10 and 30 seconds
        Step(2, reached=5, persons=4, ended=2, median_ms=7000),
        Step(3, reached=3, persons=2, ended=3, median_ms=None),
    ]
    assert found == reference(GOLDEN, spec=SPEC)


@pytest.mark.parametrize(
    ("moments", "runs"),
    [
        ([(0, "c"), (999, "c")], 1),
        ([(0, "c"), (1000, "c")], 2),
        ([(0, "c"), (999, "a"), (1998, "p")], 1),  # each pause is short
        ([(0, "p"), (1, "p")], 1),
        ([(0, "p"), (1, "a"), (2, "a")], 1),  # what follows belongs to it
        ([(0, "p"), (1, "a"), (2, "c")], 2),  # until the first step
        ([(0, "p"), (1, "c"), (2, "c")], 2),
        ([(0, "c"), (1, "p"), (2000, "a"), (2001, "c")], 3),
        ([(0, "x"), (1, "x")], 0),
    ],
)
def test_where_a_run_ends(moments: list[tuple[int, str]], runs: int, engine: Engine) -> None:
    events = life("nancy", *moments)
    assert asked(engine, events) == reference(events, spec=SPEC)
    assert asked(engine, events)[0].reached == runs


def test_of_one_moment_the_lower_id_is_first(engine: Engine) -> None:
    paid, begun = life("nancy", (0, "c"), (0, "p"))
    assert [one.ended for one in asked(engine, [paid, begun])] == [0, 0, 1]
    swapped = [attrs.evolve(paid, event_id="0"), attrs.evolve(begun, event_id="1")]
    assert [one.ended for one in asked(engine, swapped)] == [1, 0, 1]


def test_a_run_counts_on_the_day_it_begins(engine: Engine) -> None:
    after, before = life("nancy", (0, "c"), (1, "p"))
    events = [before, attrs.evolve(after, local_day=20261122)]
    assert [one.reached for one in asked(engine, events, (20261121, 20261121))] == [1, 1, 1]
    assert [one.reached for one in asked(engine, events, (20261122, 20261122))] == [0, 0, 0]


def test_a_journey_of_the_most_places(engine: Engine) -> None:
    names = [f"a.b{number}" for number in range(20)]
    wide = JourneySpec(name="wide", steps=["one", "two"], places={"one": names[:10], "two": names[10:]})
    events = [attrs.evolve(one, name=name) for name in names for one in life(name, (0, "c"))]
    assert [one.reached for one in asked(engine, events, spec=wide)] == [20, 10]


tried = st.builds(
    JourneySpec,
    name=st.just("a"),
    steps=st.permutations(["page.open", "cart.item_added", "cart.paid", "/", "/cart"]).flatmap(
        lambda names: st.integers(2, 5).map(lambda length: names[:length])
    ),
    stalled_after_s=st.just(1.0),
    ends_after_s=st.sampled_from([60.0, 120.0, 300.0, 1e6]),
)


@given(events=relations(), spec=tried, days=st.tuples(day(), day()) | st.just(EVER))
def test_the_sql_gives_what_the_reference_gives(
    engine: Engine, events: Sequence[Event], spec: JourneySpec, days: tuple[int, int]
) -> None:
    assert asked(engine, events, days, spec) == reference(events, spec=spec, days=days)


@given(events=relations(), spec=tried)
def test_law_it_narrows_and_adds_up(events: Sequence[Event], spec: JourneySpec) -> None:
    found = reference(events, spec=spec)
    reached = [one.reached for one in found]
    assert reached == sorted(reached, reverse=True)
    assert sum(one.ended for one in found) == reached[0]
    assert all(one.persons <= one.reached for one in found)
