"""What of a readout is told to others: nothing of few, not even by subtraction."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.readout import LEAST_GROUP, Design, Readout, Tally, read, shareable

GOAL = "order.paid"
DESIGN = Design(experiment="bolder", version=0, shares={"all": 1, "bold": 1}, goals=(GOAL,), planned_units=None)
Sizes = dict[str, tuple[int, int]]


def readout(sizes: Sizes) -> Readout:
    """By country: as many in each of both variations."""
    rows = [
        Tally(
            variation=name, label=label, reached=0, crossed=0, worth=0, low_currency="", high_currency="", units=units
        )
        for label, pair in sizes.items()
        for name, units in zip(DESIGN.shares, pair, strict=True)
    ]
    personal = {label: (1000, 500) if label == "FR" else (500, 0) for label in sizes}
    return read(DESIGN, {GOAL: rows}, by={"country": {GOAL: rows}}, personal={"country": personal})


def told(sizes: Sizes) -> set[str]:
    return {one.group for one in shareable(readout(sizes)).lines if one.group is not None}


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ({"FR": (10, 10), "DE": (10, 10)}, {"FR", "DE"}),
        ({"FR": (400, 400), "DE": (20, 20), "LI": (0, 1)}, {"FR"}),  # or LI is all but FR and DE
        ({"FR": (400, 400), "DE": (20, 20), "LI": (9, 9), "MC": (9, 9)}, {"FR", "DE"}),
        ({"FR": (400, 400), "LI": (10, 9)}, set()),
        ({"FR": (400, 400), "LI": (10, 0)}, {"FR", "LI"}),
    ],
)
def test_a_small_group_is_told_to_nobody(sizes: Sizes, groups: set[str]) -> None:
    assert told(sizes) == groups


def test_of_a_small_experiment_nothing_is_told_but_how_many_there_are() -> None:
    found = shareable(readout({"FR": (9, 500)}))
    assert (found.lines, found.units) == ((), {"all": 9, "bold": 500})


def test_a_small_group_is_not_said_to_be_left_behind() -> None:
    whole = readout({"FR": (400, 400), "LI": (4, 4)})
    assert whole.left_behind["country"].keys() == {"LI"}
    found = shareable(whole)
    assert (found.left_behind, found.alarms) == ({"country": {}}, ("left_behind",))


@given(st.dictionaries(st.sampled_from(["FR", "DE", "LI", "MC", ""]), st.tuples(*[st.integers(0, 30)] * 2), min_size=1))
def test_nothing_told_is_of_few_nor_what_is_left_of_all_without_it(sizes: Sizes) -> None:
    found = shareable(readout(sizes))
    rest = Counter({one.variation: one.units for one in found.lines if one.group is None})
    groups = [one for one in found.lines if one.group is not None]
    for one in groups:
        rest[one.variation] -= one.units
    for number in [*[one.units for one in groups], *(rest.values() if groups else ())]:
        assert number == 0 or number >= LEAST_GROUP
