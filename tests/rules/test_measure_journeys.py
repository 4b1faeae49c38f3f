"""Journeys: edges and paths, and the SQL against the reference on two engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.events import EVER, Event
from cxkit.rules.measure.journeys import END, MAX_DEPTH, OTHER, SQL, Edge, Journeys, Path, reference
from tests.relation import Engine, day, relations

USUAL = {"depth": 5, "top": 7, "paths": 10, "collapse": 0, "since_day": 0, "until_day": 99_999_999}


def walk(session: str, names: str, **same: Any) -> list[Event]:
    """A session of one-letter steps, told in another order than they were taken."""
    made = [
        Event(
            event_id=f"{session}.{place:03}",
            ts_ms=place // 2,  # pairs are tied
            local_day=20261121,
            session_id=session,
            name=name,
            kind="action",
        )
        for place, name in enumerate(names)
    ]
    return [attrs.evolve(one, **same) for one in reversed(made)]


def asked(engine: Engine, events: Sequence[Event], **more: int) -> Journeys:
    parameters = USUAL | more
    return Journeys.of_rows(engine(events, SQL, **parameters), depth=parameters["depth"])


GOLDEN = [
    *walk("1", "abc"),
    *walk("2", "abc"),
    *walk("3", "ab"),
    *walk("4", "aab"),
    *walk("5", "xxxx", is_bot=1),
    *walk("6", "xxxx", consent_analytics=0),
    *walk("7", "x", kind="exposure"),
    *walk("8", "x", kind="consent"),
    *walk("9", "x", kind="identity"),
]


def test_golden(engine: Engine) -> None:
    found = asked(engine, GOLDEN)
    assert found.edges == (
        Edge(1, "a", "b", 3),
        Edge(1, "a", "a", 1),
        Edge(2, "b", "c", 2),
        Edge(2, "a", "b", 1),
        Edge(2, "b", END, 1),
        Edge(3, "c", END, 2),
        Edge(3, "b", END, 1),
    )
    assert found.paths == (
        Path(("a", "b", "c"), ended=True, sessions=2),
        Path(("a", "a", "b"), ended=True, sessions=1),
        Path(("a", "b"), ended=True, sessions=1),
    )
    assert found == reference(GOLDEN)


def test_repeats_are_one_step_where_that_is_asked(engine: Engine) -> None:
    found = asked(engine, [*GOLDEN, *walk("again", "abba")], collapse=1)
    assert [(one.steps, one.sessions) for one in found.paths] == [
        (("a", "b"), 2),
        (("a", "b", "c"), 2),
        (("a", "b", "a"), 1),
    ]


def test_names_beyond_the_most_frequent_are_other_in_edges_and_themselves_in_paths(
    engine: Engine,
) -> None:
    found = asked(engine, GOLDEN, top=1)
    assert {name for one in found.edges for name in (one.origin, one.target)} == {"a", OTHER, END}
    assert found.paths == reference(GOLDEN).paths


def test_what_goes_on_beyond_the_depth_has_not_ended(engine: Engine) -> None:
    found = asked(engine, [*walk("1", "abcd"), *walk("2", "abc")], depth=2)
    assert found.edges == (Edge(1, "a", "b", 2), Edge(2, "b", "c", 2))
    assert found.paths == (Path(("a", "b", "c"), True, 1), Path(("a", "b", "c"), False, 1))


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
def test_what_differs_beyond_the_depth_is_the_same_path(depth: int, engine: Engine) -> None:
    alike = "abcdefgh"[: depth + 1]
    found = asked(engine, [*walk("1", f"{alike}xz"), *walk("2", f"{alike}y"), *walk("3", alike)], depth=depth)
    assert found.paths == (Path(tuple(alike), False, 2), Path(tuple(alike), True, 1))
    assert [(one.step, one.sessions) for one in found.edges] == [(step, 3) for step in range(1, depth + 1)]


def test_a_page_goes_by_its_route(engine: Engine) -> None:
    pages = walk("1", "ab", name="page.viewed", kind="view", route="/products/{sku}")
    others = walk("2", "a", kind="view", route="/products/{sku}")
    found = asked(engine, [*pages, *others])
    assert {one.steps for one in found.paths} == {("/products/{sku}",) * 2, ("a",)}


def test_a_journey_counts_whole_and_on_the_day_of_its_first_step(engine: Engine) -> None:
    second, first = walk("night", "ab")
    events = [attrs.evolve(second, local_day=20261122), first]
    assert [one.steps for one in asked(engine, events, until_day=20261121).paths] == [("a", "b")]
    assert asked(engine, events, since_day=20261122).paths == ()


@given(
    events=relations(),
    depth=st.integers(1, MAX_DEPTH),
    top=st.integers(1, 5),
    paths=st.integers(0, 6),
    collapse=st.booleans(),
    days=st.tuples(day(), day()) | st.just(EVER),
)
def test_the_sql_gives_what_the_reference_gives(
    engine: Engine,
    events: Sequence[Event],
    depth: int,
    top: int,
    paths: int,
    collapse: bool,
    days: tuple[int, int],
) -> None:
    found = asked(
        engine, events, depth=depth, top=top, paths=paths, collapse=int(collapse), since_day=days[0], until_day=days[1]
    )
    assert found == reference(events, depth=depth, top=top, paths=paths, collapse=collapse, days=days)


@given(events=relations(), depth=st.integers(1, MAX_DEPTH))
def test_whoever_comes_to_a_step_goes_on_or_ends_there(events: Sequence[Event], depth: int) -> None:
    edges = reference(events, depth=depth, top=50).edges
    came = Counter[tuple[int, str]]()
    went = Counter[tuple[int, str]]()
    for one in edges:
        if one.step < depth and one.target != END:
            came[one.step + 1, one.target] += one.sessions
        if one.step > 1 and one.origin != END:  # a touchpoint of that name, in a file that is not ours
            went[one.step, one.origin] += one.sessions
    assert came == went
