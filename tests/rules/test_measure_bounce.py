"""Bounce: what each verdict needs, and the SQL against the reference on two engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.bounce import DIMENSIONS, SQL, Dimension, Row, reference, verdict
from cxkit.rules.measure.events import CONTACTS, EVER, Event, counted
from tests.relation import Engine, day, relations

VIEW = Event(event_id="1", ts_ms=0, local_day=20261121, name="page.viewed", kind="view", session_id="s")


def visit(session: str, *events: Event, **same: Any) -> list[Event]:
    """The events as one session, a second apart."""
    return [
        attrs.evolve(one, event_id=f"{session}.{place:03}", session_id=session, ts_ms=place * 1000, **same)
        for place, one in enumerate(events)
    ]


def act(kind: str, direction: str = "inbound") -> Event:
    return attrs.evolve(VIEW, kind=kind, name="thing.done", direction=direction)


def looked(ms: int) -> Event:
    return attrs.evolve(VIEW, engaged_ms=ms)


def measured(ms: int | None) -> Event:
    return attrs.evolve(act("measurement"), engaged_ms=ms)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ([VIEW], "unknown"),
        ([VIEW, act("exposure"), act("consent"), act("identity")], "unknown"),
        ([VIEW, act("message", "outbound")], "unknown"),
        ([VIEW, VIEW], "engaged"),
        ([VIEW, act("action")], "engaged"),
        ([act("transaction")], "engaged"),
        ([act("service")], "engaged"),
        ([act("feedback")], "engaged"),
        ([act("message")], "engaged"),
        ([looked(10_000)], "engaged"),
        ([looked(9999)], "bounced"),
        ([looked(0)], "bounced"),
        ([looked(5000), attrs.evolve(act("message", "outbound"), engaged_ms=5000)], "engaged"),
        ([looked(5000), attrs.evolve(act("exposure"), engaged_ms=5000)], "bounced"),
        ([looked(12_000), attrs.evolve(act("message", "outbound"), engaged_ms=-9000)], "engaged"),
        ([act("message", "outbound")], "none"),
        ([VIEW, measured(None), measured(None)], "unknown"),
        ([VIEW, measured(0), measured(9999)], "bounced"),
        ([VIEW, measured(4000), measured(6000)], "engaged"),
        ([measured(9000), VIEW, measured(1000)], "engaged"),
        ([act("message", "outbound"), measured(0)], "bounced"),
    ],
)
def test_a_session_is_judged_by_what_it_holds(session: list[Event], expected: str, engine: Engine) -> None:
    events = visit("s", *session)
    assert verdict(counted(events, kinds=CONTACTS | {"measurement"})) == expected
    ((_, bounced, engaged, unknown, none),) = engine(events, SQL, by="device", since_day=0, until_day=99_999_999)
    assert {"bounced": bounced, "engaged": engaged, "unknown": unknown, "none": none}[expected] == 1


GOLDEN = [
    *visit("a", looked(100), device_class="phone", country="FR", channel="web"),
    *visit("b", VIEW, act("action"), device_class="phone", country="DE", channel="web"),
    *visit("c", attrs.evolve(VIEW, device_class="desktop", route="/cart"), attrs.evolve(VIEW, device_class="phone")),
    *visit("d", VIEW),
    *visit("shown", act("exposure"), act("consent"), act("identity")),
    *visit("bot", looked(100), device_class="phone", is_bot=1),
    *visit("refused", looked(100), device_class="phone", consent_analytics=0),
    attrs.evolve(looked(100), event_id="nowhere", session_id=None, device_class="phone"),
]


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("device", [("", 0, 0, 1, 0), ("desktop", 0, 1, 0, 0), ("phone", 1, 1, 0, 0)]),
        ("country", [("", 0, 1, 1, 0), ("DE", 0, 1, 0, 0), ("FR", 1, 0, 0, 0)]),
        ("channel", [("", 0, 1, 1, 0), ("web", 1, 1, 0, 0)]),
        ("entry", [("/cart", 0, 1, 0, 0), ("page.viewed", 1, 1, 1, 0)]),
    ],
)
def test_golden(by: Dimension, rows: list[tuple[Any, ...]], engine: Engine) -> None:
    assert engine(GOLDEN, SQL, by=by, since_day=0, until_day=99_999_999) == rows
    assert reference(GOLDEN, by=by) == [Row(*row) for row in rows]


def test_measurements_alone_are_no_visit_and_never_its_first_contact(engine: Engine) -> None:
    early = attrs.evolve(measured(0), device_class="tv", local_day=20261120)
    events = [*visit("alone", measured(60_000)), *visit("one", early, attrs.evolve(VIEW, device_class="phone"))]
    assert reference(events, by="device") == [Row("phone", bounced=1, engaged=0, unknown=0, no_visit=0)]
    assert engine(events, SQL, by="device", since_day=20261121, until_day=20261121) == [("phone", 1, 0, 0, 0)]


def test_a_session_counts_whole_and_on_its_first_day(engine: Engine) -> None:
    before, after = visit("night", VIEW, VIEW)
    events = [before, attrs.evolve(after, local_day=20261122)]
    for first, last, found in [(20261121, 20261121, 1), (20261122, 20261122, 0)]:
        rows = engine(events, SQL, by="device", since_day=first, until_day=last)
        assert sum(row[2] for row in rows) == found


@pytest.mark.parametrize(
    ("bounced", "engaged", "per_mille"),
    [(220, 280, 440), (50, 450, 100), (1, 2, 333), (2, 1, 667), (1, 1999, 1), (1, 2000, 0), (5, 0, 1000), (0, 0, None)],
)
def test_the_rate_is_rounded_without_floats(bounced: int, engaged: int, per_mille: int | None) -> None:
    assert Row("phone", bounced, engaged, 30, 9).per_mille == per_mille


@given(events=relations(), by=st.sampled_from(DIMENSIONS), days=st.tuples(day(), day()) | st.just(EVER))
def test_the_sql_gives_what_the_reference_gives(
    engine: Engine, events: Sequence[Event], by: Dimension, days: tuple[int, int]
) -> None:
    rows = engine(events, SQL, by=by, since_day=days[0], until_day=days[1])
    assert [Row(*row) for row in rows] == reference(events, by=by, days=days)
