"""Experiments: who was exposed, who reached the goal since, and the SQL against the reference on two engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.events import Event
from cxkit.rules.measure.experiments import (
    DIMENSIONS,
    MOST_WORTH,
    NEVER_MS,
    PERSONAL_SQL,
    SQL,
    TRAFFIC_SQL,
    Dimension,
    Exposure,
    personal,
    reference,
    traffic,
)
from cxkit.rules.measure.readout import Tally
from tests.relation import Engine, relations

SHOWN = Event(
    event_id="000", ts_ms=0, local_day=20261121, name="experience.shown", kind="exposure", variant_key="home.hero"
)
PAID = Event(event_id="000", ts_ms=0, local_day=20261121, name="order.paid", kind="transaction")

Story = tuple[list[Event], list[Exposure]]


def story(*moments: Event | tuple[Event, Exposure]) -> Story:
    """Moments, a second apart; with an exposure, or without."""
    events, exposures = [], []
    for place, moment in enumerate(moments):
        event, exposure = moment if isinstance(moment, tuple) else (moment, None)
        events.append(attrs.evolve(event, event_id=f"{place:03}", ts_ms=place * 1000))
        if exposure is not None:
            exposures.append(attrs.evolve(exposure, interaction=events[-1].event_id))
    return events, exposures


def shown(
    unit: str, variation: str = "bold", *, who: str | None = "nancy", crossed_over: int = 0, **circumstances: Any
) -> tuple[Event, Exposure]:
    exposure = Exposure(
        interaction="",
        experiment="bolder",
        variation=variation,
        unit_type=unit.partition(":")[0],
        unit=unit,
        crossed_over=crossed_over,
    )
    return attrs.evolve(SHOWN, **{"subject_id": who, "session_id": "s", **circumstances}), exposure


def paid(who: str | None = "nancy", minor: int | None = None, **circumstances: Any) -> Event:
    given = {"subject_id": who, "session_id": "s", "value_minor": minor, "currency": minor and "EUR"}
    return attrs.evolve(PAID, **{**given, **circumstances})


def tallied(
    engine: Engine,
    told: Story,
    *,
    goal: str = "order.paid",
    by: Dimension | None = None,
    until_ms: int = NEVER_MS,
) -> list[Tally]:
    events, exposures = told
    asked: dict[str, Any] = {"experiment": "bolder", "version": 0, "goal": goal, "until_ms": until_ms}
    rows = engine(events, SQL, exposures, **asked, by=by or "")
    found = [Tally(**dict(zip([one.name for one in attrs.fields(Tally)], row, strict=True))) for row in rows]
    assert found == reference(exposures, events, **asked, by=by)
    return found


def one_unit(engine: Engine, told: Story) -> Tally:
    (found,) = tallied(engine, told)
    assert found.units == 1
    return found


# --- who reached the goal -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "reached"),
    [
        (story(shown("visitor:a"), paid()), 1),
        (story(shown("visitor:a")), 0),
        (story(paid(), shown("visitor:a")), 0),  # before
        (story(shown("visitor:a"), paid("bob")), 0),
        (story(shown("visitor:a"), paid(None)), 0),
        (story(shown("visitor:a"), paid(session_id="on the phone", channel="phone")), 1),
        (story(shown("visitor:a"), attrs.evolve(paid(), name="order.begun")), 0),
        (story(shown("visitor:a"), paid(is_bot=1)), 0),
        (story(shown("visitor:a"), paid(consent_analytics=0)), 0),
        (story(shown("visitor:a", who=None), paid(None)), 0),  # of nobody known
        (story(shown("session:s"), paid(None)), 1),
        (story(shown("session:s"), paid("bob")), 1),
        (story(shown("session:s"), paid(session_id="another")), 0),
        (story(shown("visitor:a"), paid(), shown("visitor:a")), 1),
        (story(shown("visitor:a"), shown("user_id:nancy", session_id="t"), paid(session_id="u")), 1),  # once
    ],
)
def test_a_goal_is_reached_by_whom_it_was_shown_to_and_afterwards(told: Story, reached: int, engine: Engine) -> None:
    assert one_unit(engine, told).reached == reached


def test_a_person_counts_once_however_many_identifiers_of_theirs_took_part(engine: Engine) -> None:
    """And so does their money: three units of one fate are no three that tell something."""
    told = story(shown("visitor:a"), shown("visitor:b", session_id="t"), shown("user_id:nancy"), paid(minor=2000))
    found = one_unit(engine, told)
    assert (found.reached, found.worth, found.crossed) == (1, 2000, 0)


def test_what_comes_after_the_end_is_not_counted(engine: Engine) -> None:
    told = story(shown("visitor:a"), paid(), shown("visitor:b", who="bob"), paid("bob"))
    assert [one.reached for one in tallied(engine, told, until_ms=2001)] == [0, 1]
    assert [one.reached for one in tallied(engine, told, until_ms=2000)] == [1]


def test_within_a_millisecond_the_order_of_all_decides(engine: Engine) -> None:
    events, exposures = story(shown("visitor:a"), paid())
    same = [attrs.evolve(one, ts_ms=0) for one in events]
    assert one_unit(engine, (same, exposures)).reached == 1
    late = [attrs.evolve(same[0], event_id="9"), same[1]]
    assert one_unit(engine, (late, [attrs.evolve(exposures[0], interaction="9")])).reached == 0


@pytest.mark.parametrize("told", [{"is_bot": 1}, {"consent_analytics": 0}])
def test_bots_and_whoever_refuses_are_never_units(told: dict[str, int], engine: Engine) -> None:
    assert tallied(engine, story(shown("visitor:a", **told), paid())) == []


def test_another_version_and_another_experiment_are_others(engine: Engine) -> None:
    event, exposure = shown("visitor:a")
    assert tallied(engine, story((event, attrs.evolve(exposure, version=1)))) == []
    assert tallied(engine, story((event, attrs.evolve(exposure, experiment="calmer")))) == []


def test_the_first_exposure_counts_with_its_circumstances(engine: Engine) -> None:
    told = story(
        shown("visitor:a", device_class="phone", language="fr", country="FR"),
        shown("visitor:a", device_class="desktop", language="de", country="DE"),
        shown("visitor:b", who="bob"),
    )
    labels = {by: [one.label for one in tallied(engine, told, by=by)] for by in DIMENSIONS}
    assert labels == {"device": ["", "phone"], "language": ["", "fr"], "country": ["", "FR"]}
    assert [(one.label, one.units) for one in tallied(engine, told)] == [("", 2)]


# --- what it was worth ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "worth"),
    [
        ([2490], 2490),
        ([2490, 100, None], 2590),
        ([2490, -2490], 0),
        ([None], 0),
        ([2**62], MOST_WORTH),
        ([2**62] * 5, MOST_WORTH),
        ([-(2**62)] * 5, -MOST_WORTH),
    ],
)
def test_a_unit_is_worth_all_that_it_brought_within_bounds(
    values: list[int | None], worth: int, engine: Engine
) -> None:
    assert one_unit(engine, story(shown("visitor:a"), *[paid(minor=one) for one in values])).worth == worth


def test_currencies_are_told_apart(engine: Engine) -> None:
    found = one_unit(engine, story(shown("visitor:a"), paid(minor=1), paid(minor=1, currency="USD")))
    assert (found.low_currency, found.high_currency) == ("EUR", "USD")


# --- who crossed over -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "crossed"),
    [
        (story(shown("visitor:a"), shown("visitor:a")), [0]),
        (story(shown("visitor:a"), shown("visitor:a", "all")), [1]),
        (story(shown("visitor:a", crossed_over=1)), [1]),
        (story(shown("visitor:a"), shown("visitor:b")), [0]),  # one person, two devices, one variation
        (story(shown("visitor:a"), shown("visitor:b", "all")), [1]),  # one person, two devices
        (story(shown("account:acme"), shown("account:acme", who="bob")), [0, 0]),  # two people
        (story(shown("visitor:a", who=None), shown("visitor:b", "all", who=None)), [0, 0]),  # of nobody known
        (story(shown("visitor:a"), shown("visitor:b", "all", who="bob")), [0, 0]),
        (story(shown("session:s"), shown("session:t", "all", session_id="t")), [0, 0]),  # as it is meant to be
    ],
)
def test_who_was_given_two_variations_crossed_over(told: Story, crossed: list[int], engine: Engine) -> None:
    assert [one.crossed for one in tallied(engine, told) for _ in range(one.units)] == crossed


# --- personal decisions ---------------------------------------------------------------------------


def persons(engine: Engine, events: Sequence[Event], by: Dimension | None = None) -> dict[str, tuple[int, int]]:
    rows = engine(events, PERSONAL_SQL, experience="home.hero", by=by or "")
    found = {label: (total, got) for label, total, got in rows}
    assert found == personal(events, experience="home.hero", by=by)
    return found


def test_who_was_ever_given_a_personal_decision(engine: Engine) -> None:
    events, _ = story(
        attrs.evolve(SHOWN, subject_id="nancy", depth=0, language="fr"),
        attrs.evolve(SHOWN, subject_id="nancy", depth=2, language="de"),
        attrs.evolve(SHOWN, subject_id="bob", depth=1, language="de"),
        attrs.evolve(SHOWN, subject_id="carl", depth=None),
        attrs.evolve(SHOWN, subject_id=None, depth=4),
        attrs.evolve(SHOWN, subject_id="robot", depth=4, is_bot=1),
        attrs.evolve(SHOWN, subject_id="silent", depth=4, consent_analytics=0),
        attrs.evolve(SHOWN, subject_id="dora", depth=4, variant_key="another"),
        attrs.evolve(SHOWN, subject_id="emil", depth=4, name="experiment.assigned"),
    )
    assert persons(engine, events) == {"": (3, 1)}
    assert persons(engine, events, "language") == {"": (1, 0), "de": (1, 0), "fr": (1, 1)}


# --- traffic --------------------------------------------------------------------------------------


def came(engine: Engine, events: Sequence[Event], **asked: Any) -> tuple[int, int]:
    asked = {"experience": "home.hero", "shown_variant": "bold", "goal": "order.paid", "since_ms": 0, **asked}
    ((total, reached),) = engine(events, TRAFFIC_SQL, **asked)
    assert (total, reached) == traffic(events, **asked)
    return total, reached


def test_how_many_came_and_reached_it(engine: Engine) -> None:
    bold = attrs.evolve(SHOWN, variant="bold")
    events, _ = story(
        *[attrs.evolve(bold, subject_id=who) for who in ("nancy", "nancy", "bob", None)],
        attrs.evolve(bold, subject_id="carl", variant="all"),
        attrs.evolve(bold, subject_id="robot", is_bot=1),
        paid("nancy"),
        paid("nancy"),
        paid("carl"),
        paid("robot"),
        attrs.evolve(bold, subject_id="dora"),
    )
    assert came(engine, events) == (3, 1)
    assert came(engine, events, since_ms=5000) == (1, 0)
    assert came(engine, events, goal="order.returned") == (3, 0)


# --- the law --------------------------------------------------------------------------------------


@st.composite
def exposed(draw: st.DrawFn) -> tuple[Sequence[Event], Sequence[Exposure]]:
    events = draw(relations())
    if not events:
        return [], []
    one = st.builds(
        Exposure,
        interaction=st.sampled_from([one.event_id for one in events]),
        experiment=st.sampled_from(["bolder", "bolder", "calmer"]),
        version=st.sampled_from([0, 0, 1]),
        variation=st.sampled_from(["all", "bold", "été"]),
        unit=st.sampled_from(["visitor:a", "visitor:b", "user_id:nancy", "session:s1", "session:S1"]),
        crossed_over=st.sampled_from([0, 0, 0, 1]),
    )
    drawn = draw(st.lists(one, max_size=12, unique_by=lambda one: (one.interaction, one.experiment, one.version)))
    return events, [attrs.evolve(one, unit_type=one.unit.partition(":")[0]) for one in drawn]


@given(
    told=exposed(),
    by=st.sampled_from([None, *DIMENSIONS]),
    goal=st.sampled_from(["page.viewed", "cart.paid", ""]),
    until_ms=st.sampled_from([0, 300_000, NEVER_MS]),
)
def test_the_sql_gives_what_the_reference_gives(
    engine: Engine, told: tuple[list[Event], list[Exposure]], by: Dimension | None, goal: str, until_ms: int
) -> None:
    tallied(engine, told, goal=goal, by=by, until_ms=until_ms)


@given(events=relations(), by=st.sampled_from([None, *DIMENSIONS]))
def test_the_sql_of_personal_decisions_gives_what_the_reference_gives(
    engine: Engine, events: Sequence[Event], by: Dimension | None
) -> None:
    persons(engine, [attrs.evolve(one, name="experience.shown") for one in events], by)


@given(events=relations(), since_ms=st.integers(0, 800_000), goal=st.sampled_from(["page.viewed", "experience.shown"]))
def test_the_sql_of_traffic_gives_what_the_reference_gives(
    engine: Engine, events: Sequence[Event], since_ms: int, goal: str
) -> None:
    came(engine, events, since_ms=since_ms, goal=goal)
    came(engine, [attrs.evolve(one, name="experience.shown") for one in events], since_ms=since_ms, goal=goal)
