"""The readout of one experiment: whether it may be decided upon, and what each variation brought beside the control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, get_args

import attrs

from cxkit.rules.measure.readout.alarms import CROSSED_OVER, MISMATCH, holm, left_behind, ratio_mismatch
from cxkit.rules.measure.readout.comparing import Comparison, Sample, compare

__all__ = ["ALARMS", "REASONS", "Alarm", "Design", "Line", "Metric", "Readout", "Reason", "Tally", "read"]

Metric = Literal["share", "value"]
"""The share of units that reached the goal; what a unit was worth, in the minor unit of the currency."""
Reason = Literal["nobody", "mismatch", "planned_units", "no_goal", "too_few"]
"""Why nothing may be decided: nobody was exposed; the ratio of the units is not what it was to be; the planned number
of them is not reached; there is no goal; the primary goal was reached by too few."""
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
Alarm = Literal["ended", "crossed_over", "currencies", "left_behind"]
"""What must be known beside: an operator ended it; more crossed over than may be by chance; values in several
currencies, which nobody may add up; a group that gets personal decisions too seldom."""
ALARMS: Final[tuple[Alarm, ...]] = get_args(Alarm)


@attrs.frozen(kw_only=True)
class Tally:
    """Units that are the same in all that a readout looks at."""

    variation: str
    label: str
    """Of the dimension that is asked for; empty if that is not known."""
    crossed: int
    """1 if they were given another variation, too."""
    reached: int
    """1 if they reached the goal."""
    worth: int
    """Of each of them, in the minor unit."""
    low_currency: str
    high_currency: str
    """The first and the last of the currencies of that, by the alphabet; empty: there is none."""
    units: int


@attrs.frozen(kw_only=True)
class Design:
    """What was declared of the experiment."""

    experiment: str
    version: int
    shares: Mapping[str, float]
    """Of each variation, the control's first."""
    goals: Sequence[str]
    """The primary one first."""
    planned_units: int | None
    ended_ms: int | None = None
    """When an operator ended it, Unix time: what came after is nobody's doing. None: it goes on."""


@attrs.frozen(kw_only=True)
class Line:
    """One variation by one measure."""

    goal: str
    metric: Metric
    dimension: str | None = None
    """Of which the group is one; None: this is of everybody."""
    group: str | None = None
    variation: str
    units: int
    reached: int
    mean: float
    """A share, or an amount in minor units."""
    comparison: Comparison | None
    """With the control; None for the control itself, and where there is not enough."""
    adjusted_p: float | None = None
    """The p that counts, where there are several: adjusted by Holm's method for all groups and variations beside it."""


@attrs.frozen(kw_only=True)
class Readout:
    """What an experiment has shown."""

    experiment: str
    version: int
    reasons: tuple[Reason, ...]
    """Why nothing may be decided; empty: it may."""
    alarms: tuple[Alarm, ...]
    units: Mapping[str, int]
    """Exposed, of each variation; also of those that were not declared, and of who crossed over from it."""
    planned_units: int | None
    ended_ms: int | None
    fixed: bool
    """Whether the moment has come that was set before: then the values of the fixed horizon are given, too."""
    crossed_over: int
    """Units that were given two variations: they are in no line."""
    mismatch_p: float | None
    currencies: Mapping[str, tuple[str, ...]]
    """Of each goal, those of its values."""
    left_behind: Mapping[str, Mapping[str, float]]
    """Dimension to group to its share of personal decisions, as a part of that of the whole."""
    lines: tuple[Line, ...]

    @property
    def ready(self) -> bool:
        """Whether it may be decided upon."""
        return not self.reasons


_ABOUT: Final = 1.1
"""Up to so many times the planned units, what holds then alone is shown: later it would be one look of several."""
Tallies = Mapping[str, Sequence[Tally]]
"""Goal to its rows; an experiment without a goal has them under the empty name."""


def read(
    design: Design,
    tallies: Tallies,
    *,
    by: Mapping[str, Tallies] | None = None,
    personal: Mapping[str, Mapping[str, tuple[int, int]]] | None = None,
) -> Readout:
    """The readout.

    Args:
        tallies: Without a dimension.
        by: Dimension to the tallies by it.
        personal: Dimension to group to its persons, and to those of them that got a personal decision.

    Example:
        >>> design = Design(experiment="bolder", version=0, shares={"all": 0.5, "bold": 0.5}, goals=("order.paid",),
        ...     planned_units=None)
        >>> same = {"label": "", "crossed": 0, "worth": 0, "low_currency": "", "high_currency": ""}
        >>> rows = [Tally(variation=name, reached=reached, units=units, **same) for name, reached, units in
        ...     [("all", 0, 3600), ("all", 1, 400), ("bold", 0, 3300), ("bold", 1, 700)]]
        >>> found = read(design, {"order.paid": rows})
        >>> found.ready, round(found.lines[1].comparison.relative, 2), found.lines[1].comparison.sequential.p < 0.05
        (True, 0.75, True)
    """
    rows = next(iter(tallies.values()), ())
    units, crossed = _count(rows, design), sum(one.units for one in rows if one.crossed)
    total = sum(units.values())
    planned = design.planned_units
    fixed = planned is not None and planned <= total <= _ABOUT * planned
    mismatch_p = ratio_mismatch([*units.values()], [design.shares.get(name, 0.0) for name in units])
    lines: list[Line] = []
    for goal in design.goals:
        lines += _adjusted(_lines(design, goal, _kept(tallies.get(goal, ())), fixed=fixed))
        for dimension, grouped in (by or {}).items():
            lines += _grouped(design, goal, dimension, _kept(grouped.get(goal, ())), fixed)
    behind = {dimension: left_behind(groups) for dimension, groups in (personal or {}).items()}
    currencies = {goal: _currencies(tallies.get(goal, ())) for goal in design.goals}
    primary = [one for one in lines if one.goal == design.goals[0] and one.dimension is None] if design.goals else []
    reasons: dict[Reason, bool] = {
        "nobody": total == 0,
        "mismatch": mismatch_p is not None and mismatch_p < MISMATCH,
        "planned_units": planned is not None and total < planned,
        "no_goal": not design.goals,
        "too_few": bool(total and design.goals) and all(one.comparison is None for one in primary),
    }
    alarms: dict[Alarm, bool] = {
        "ended": design.ended_ms is not None,
        "crossed_over": crossed > CROSSED_OVER * total,
        "currencies": any(len(one) > 1 for one in currencies.values()),
        "left_behind": any(behind.values()),
    }
    return Readout(
        experiment=design.experiment,
        version=design.version,
        reasons=tuple(name for name, holds in reasons.items() if holds),
        alarms=tuple(name for name, holds in alarms.items() if holds),
        units=units,
        planned_units=design.planned_units,
        ended_ms=design.ended_ms,
        fixed=fixed,
        crossed_over=crossed,
        mismatch_p=mismatch_p,
        currencies=currencies,
        left_behind=behind,
        lines=tuple(lines),
    )


def _count(rows: Iterable[Tally], design: Design) -> dict[str, int]:
    found = Counter[str](dict.fromkeys(design.shares, 0))
    for one in rows:
        found[one.variation] += one.units
    return dict(found)


def _kept(rows: Iterable[Tally]) -> list[Tally]:
    """Without who crossed over: either variation may have brought about what they did."""
    return [one for one in rows if not one.crossed]


def _currencies(rows: Iterable[Tally]) -> tuple[str, ...]:
    return tuple(sorted({one for row in rows for one in (row.low_currency, row.high_currency)} - {""}))


def _lines(design: Design, goal: str, rows: Sequence[Tally], *, fixed: bool) -> list[Line]:
    metrics: tuple[Metric, ...] = ("share", "value") if len(_currencies(rows)) == 1 else ("share",)
    control = next(iter(design.shares))
    found = []
    for metric in metrics:
        samples = {name: _sample([one for one in rows if one.variation == name], metric) for name in design.shares}
        for name, sample in samples.items():
            comparison = None if name == control else compare(samples[control], sample, fixed=fixed)
            found.append(
                Line(
                    goal=goal,
                    metric=metric,
                    variation=name,
                    units=sample.units,
                    reached=sum(one.units for one in rows if one.variation == name and one.reached),
                    mean=sample.mean,
                    comparison=comparison,
                )
            )
    return found


def _sample(rows: Iterable[Tally], metric: Metric) -> Sample:
    values = [(one.reached if metric == "share" else one.worth, one.units) for one in rows]
    return Sample(
        units=sum(units for _, units in values),
        total=sum(value * units for value, units in values),
        squares=sum(value * value * units for value, units in values),
    )


def _grouped(design: Design, goal: str, dimension: str, rows: Sequence[Tally], fixed: bool) -> list[Line]:
    """By group."""
    return _adjusted(
        [
            attrs.evolve(line, dimension=dimension, group=label)
            for label in sorted({one.label for one in rows})
            for line in _lines(design, goal, [one for one in rows if one.label == label], fixed=fixed)
        ]
    )


def _adjusted(found: Sequence[Line]) -> list[Line]:
    """The p of all groups and variations by one measure, where there are several, are adjusted for each other."""
    adjusted: dict[int, float] = {}
    for metric in get_args(Metric):
        places = [place for place, one in enumerate(found) if one.metric == metric and one.comparison is not None]
        if len(places) < 2:
            continue
        values = [_p(comparison) for place in places if (comparison := found[place].comparison) is not None]
        adjusted |= dict(zip(places, holm(values), strict=True))
    return [attrs.evolve(one, adjusted_p=adjusted.get(place)) for place, one in enumerate(found)]


def _p(comparison: Comparison) -> float:
    return comparison.fixed.p if comparison.fixed is not None else comparison.sequential.p
