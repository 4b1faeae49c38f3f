"""The readout of one experiment: what may be decided, what is said beside, and what is given when."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.readout import Design, Readout, Tally, read

GOAL = "order.paid"
DESIGN = Design(experiment="bolder", version=0, shares={"all": 0.5, "bold": 0.5}, goals=(GOAL,), planned_units=None)


def tally(variation: str, units: int, *, reached: int = 0, **more: Any) -> Tally:
    given = {"label": "", "crossed": 0, "worth": 0, "low_currency": "", "high_currency": ""}
    return Tally(variation=variation, units=units, reached=reached, **{**given, **more})


def arms(control: tuple[int, int], other: tuple[int, int], **more: Any) -> list[Tally]:
    """Two variations, each of so many units of which so many reached the goal."""
    pairs = [("all", *control), ("bold", *other)]
    rows = [tally(name, units - reached, **more) for name, units, reached in pairs]
    return rows + [tally(name, reached, reached=1, **more) for name, _, reached in pairs]


def readout(rows: list[Tally], **changes: Any) -> Readout:
    return read(attrs.evolve(DESIGN, **changes), {GOAL: rows})


SOUND = arms((1000, 100), (1000, 130))


def test_a_sound_experiment_may_be_decided_at_any_time() -> None:
    found = readout(SOUND)
    assert (found.ready, found.reasons, found.alarms) == (True, (), ())
    control, other = found.lines
    assert (control.variation, control.mean, control.reached, control.comparison) == ("all", 0.1, 100, None)
    assert (other.variation, other.mean, other.units) == ("bold", 0.13, 1000)
    assert other.comparison is not None
    assert other.comparison.relative == pytest.approx(0.3)
    assert other.comparison.fixed is None


@pytest.mark.parametrize(
    ("rows", "changes", "reasons"),
    [
        ([], {}, ("nobody",)),
        (SOUND, {"goals": ()}, ("no_goal",)),
        (SOUND, {"planned_units": 2001}, ("planned_units",)),
        (SOUND, {"planned_units": 2000}, ()),
        (arms((1000, 100), (800, 80)), {}, ("mismatch",)),
        (arms((1000, 100), (800, 80)), {"shares": {"all": 0.55, "bold": 0.45}}, ()),
        (arms((1, 0), (1, 1)), {}, ("too_few",)),
        (arms((1000, 0), (1000, 0)), {}, ("too_few",)),
        (arms((1000, 100), (0, 0)), {}, ("mismatch", "too_few")),
        ([*SOUND, tally("unheard of", 50)], {}, ("mismatch",)),
        (arms((1000, 100), (700, 80)), {"planned_units": 5000}, ("mismatch", "planned_units")),
    ],
)
def test_why_nothing_may_be_decided(rows: list[Tally], changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    found = readout(rows, **changes)
    assert found.reasons == reasons
    assert found.ready == (not reasons)


def test_the_values_of_a_fixed_horizon_are_not_given_before_it() -> None:
    for planned, shown in [(None, False), (2001, False), (2000, True)]:
        found = readout(SOUND, planned_units=planned)
        comparison = found.lines[1].comparison
        assert comparison is not None
        assert (comparison.fixed is not None) == found.fixed == shown


@pytest.mark.parametrize(("crossed", "many"), [(1, False), (20, False), (21, True)])
def test_who_crossed_over_is_left_out_and_more_than_one_in_a_hundred_are_told(crossed: int, many: bool) -> None:
    rows = [*arms((1000, 100), (1000 - crossed, 100)), tally("bold", crossed, crossed=1)]
    found = readout(rows)
    assert found.crossed_over == crossed
    assert found.units == {"all": 1000, "bold": 1000}
    assert found.alarms == (("crossed_over",) if many else ())
    assert found.lines[1].units == 1000 - crossed


def test_values_are_compared_in_their_currency() -> None:
    rows = [
        *arms((500, 0), (500, 0)),
        tally("all", 50, reached=1, worth=2000, low_currency="EUR", high_currency="EUR"),
        tally("bold", 50, reached=1, worth=3000, low_currency="EUR", high_currency="EUR"),
    ]
    found = readout(rows)
    assert found.currencies == {GOAL: ("EUR",)}
    assert [(one.metric, one.variation) for one in found.lines] == [
        ("share", "all"), ("share", "bold"), ("value", "all"), ("value", "bold"),
    ]  # fmt: skip
    assert [one.mean for one in found.lines[2:]] == pytest.approx([2000 * 50 / 550, 3000 * 50 / 550])


@pytest.mark.parametrize("pair", [("EUR", "USD"), ("USD", "USD")])
def test_values_of_several_currencies_are_added_up_by_nobody(pair: tuple[str, str]) -> None:
    rows = [
        *arms((500, 0), (500, 0)),
        tally("all", 50, reached=1, worth=2000, low_currency="EUR", high_currency="EUR"),
        tally("bold", 50, reached=1, worth=3000, low_currency=pair[0], high_currency=pair[1]),
    ]
    found = readout(rows)
    assert found.alarms == ("currencies",)
    assert {one.metric for one in found.lines} == {"share"}


def test_groups_are_adjusted_for_their_number() -> None:
    grouped = [
        *arms((500, 50), (500, 85), label="phone"),
        *arms((400, 40), (400, 45), label="desktop"),
        *arms((1, 0), (1, 0), label="tv"),
    ]
    found = read(attrs.evolve(DESIGN, planned_units=2000), {GOAL: SOUND}, by={"device": {GOAL: grouped}})
    adjusted = {one.group: one.adjusted_p for one in found.lines if one.group and one.variation == "bold"}
    plain = {
        one.group: one.comparison.fixed.p
        for one in found.lines
        if one.group and one.comparison is not None and one.comparison.fixed is not None
    }
    assert adjusted["phone"] == pytest.approx(2 * plain["phone"])
    assert adjusted["desktop"] == pytest.approx(plain["desktop"])
    assert adjusted["tv"] is None
    assert all(one.adjusted_p is None for one in found.lines if one.dimension is None)


def test_a_group_that_is_left_behind_is_told() -> None:
    found = read(DESIGN, {GOAL: SOUND}, personal={"language": {"en": (600, 300), "fr": (400, 80)}})
    assert found.alarms == ("left_behind",)
    assert found.left_behind == {"language": {"fr": pytest.approx(0.2 / 0.38)}}


TALLIES = st.lists(
    st.builds(
        Tally,
        variation=st.sampled_from(["all", "bold", "?"]),
        label=st.sampled_from(["", "fr", "de"]),
        crossed=st.integers(0, 1),
        reached=st.integers(0, 1),
        worth=st.integers(-(10**9), 10**9),
        low_currency=st.sampled_from(["", "EUR"]),
        high_currency=st.sampled_from(["", "EUR", "USD"]),
        units=st.integers(0, 10**12),
    ),
    max_size=8,
)


@given(TALLIES, st.none() | st.integers(0, 10**6), st.sampled_from([(), (GOAL,), (GOAL, "cart.paid")]))
def test_nothing_that_is_counted_raises(rows: list[Tally], planned: int | None, goals: tuple[str, ...]) -> None:
    found = read(
        attrs.evolve(DESIGN, goals=goals, planned_units=planned),
        dict.fromkeys(goals, rows),
        by={"language": dict.fromkeys(goals, rows)},
        personal={"language": {"fr": (3, 2)}},
    )
    for line in found.lines:
        assert math.isnan(line.mean) == (line.units == 0)
        assert line.comparison is None or math.isfinite(line.comparison.difference)


@given(st.sampled_from([{"all": 1.0}, {"all": 0.0, "bold": 0.0}, {"all": 0.5, "bold": 0.5, "calm": 0.0}]))
def test_no_design_raises(shares: dict[str, float]) -> None:
    assert readout(SOUND, shares=shares).units["bold"] == 1000
