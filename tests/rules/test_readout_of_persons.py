"""Readouts of people with several devices, all the way from exposures: what holds of units is to hold of persons."""

from __future__ import annotations

import random
from collections import Counter

import attrs

from cxkit.rules.measure.events import Event
from cxkit.rules.measure.experiments import NEVER_MS, SQL, Exposure
from cxkit.rules.measure.readout import MISMATCH, Design, Tally, read
from tests.relation import on_sqlite
from tests.rules.test_readout import at_most

GOAL = "order.paid"
PERSONS, RUNS = 120, 300
DESIGN = Design(
    experiment="bolder", version=0, shares={"all": 0.5, "bold": 0.5}, goals=(GOAL,), planned_units=PERSONS
)  # fmt: skip
FIELDS = [one.name for one in attrs.fields(Tally)]


def lives(source: random.Random) -> tuple[list[Event], list[Exposure]]:
    """People of one to six devices, which all go on with what the first was given; two in five pay, whatever it was."""
    events, exposures = [], []

    def happened(who: str, name: str) -> str:
        id = f"{len(events):06}"
        events.append(
            Event(event_id=id, ts_ms=len(events), local_day=20261123, name=name, kind="exposure", subject_id=who)
        )
        return id

    for number in range(PERSONS):
        who, variation = f"user_id:{number}", source.choice(["all", "bold"])
        for device in range(source.randint(1, 6)):
            shown = happened(who, "experience.shown")
            unit = f"visitor:{number}-{device}"
            exposures.append(Exposure(interaction=shown, experiment="bolder", variation=variation, unit=unit))
        for _ in range(source.choice([0, 0, 0, 1, 2])):
            happened(who, GOAL)
    return events, exposures


def test_where_nothing_differs_alarms_and_effects_are_no_more_frequent_than_is_said() -> None:
    """Each device as a unit of its own would raise the alarm in one experiment of ten."""
    source, false = random.Random(20261123), Counter[str]()
    for _ in range(RUNS):
        events, exposures = lives(source)
        rows = on_sqlite(
            events, SQL, exposures, experiment="bolder", version=0, goal=GOAL, by="", until_ms=NEVER_MS
        )  # fmt: skip
        found = read(DESIGN, {GOAL: [Tally(**dict(zip(FIELDS, row, strict=True))) for row in rows]})
        assert sum(found.units.values()) == PERSONS
        assert found.mismatch_p is not None
        comparison = found.lines[1].comparison
        assert comparison is not None
        assert comparison.fixed is not None
        false["mismatch"] += found.mismatch_p < MISMATCH
        false["as planned"] += comparison.fixed.p < 0.05
        false["at any time"] += comparison.sequential.p < 0.05
    assert false["mismatch"] <= at_most(0.001, RUNS)
    assert RUNS - at_most(0.95, RUNS) <= false["as planned"] <= at_most(0.05, RUNS)
    assert false["at any time"] <= at_most(0.05, RUNS)
