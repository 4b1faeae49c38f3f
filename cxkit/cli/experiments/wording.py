"""A readout in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cxkit.cli.insights.answer import Table
from cxkit.cli.insights.drawing import Span
from cxkit.cli.language import say
from cxkit.cli.local.seen import clock
from cxkit.model import Money
from cxkit.rules.measure.readout import ALPHA, Comparison, Inference, Line, Readout

__all__ = ["alarms", "reasons", "sentences", "spans", "status", "tables"]

_LEAST_P: Final = 0.0001
_LEAST_REACH: Final = 0.05
_MOST_REACH: Final = 5.0


def status(readout: Readout) -> str:
    """What must be read first: whether anything is shown, and whether it may be decided upon."""
    if not readout.ready:
        return say("not decision-ready")
    if any(line.comparison is not None and _differs(line, line.comparison) for line in _compared(readout)):
        return say("decision-ready: a difference is shown")
    return say("it may be read, but no difference is shown")


def reasons(readout: Readout) -> list[str]:
    """Why nothing may be decided."""
    total = sum(readout.units.values())
    words = {
        "nobody": say("nobody was exposed to it yet, as far as the local file knows"),
        "mismatch": say(
            "units are not divided as they were to be (p = {p}): some are lost, or counted twice; or the weights were "
            "changed, which takes a new version",
            p=_p(readout.mismatch_p),
        ),
        "planned_units": say(
            "{units} units of the {planned} that were planned: the intervals as planned are shown once all have come",
            units=total,
            planned=readout.planned_units or 0,
        ),
        "no_goal": say("it has no goal: name one where it is declared, or by --goal"),
        "too_few": say("too few units, or too few that reached the first goal, to compare anything"),
    }
    return [words[one] for one in readout.reasons]


def alarms(readout: Readout) -> list[str]:
    """What must be known beside."""
    found = []
    if readout.ended_ms is not None:
        at = datetime.fromtimestamp(readout.ended_ms / 1000, UTC)
        found.append(say("it ended at {time}: what came after is not counted", time=clock(at)))
    if "crossed_over" in readout.alarms:
        found.append(
            say(
                "{number} units were given two variations, more than one in a hundred: they are left out",
                number=readout.crossed_over,
            )
        )
    found += [
        say(
            "{goal} was paid in several currencies ({currencies}): values are not compared",
            goal=goal,
            currencies=", ".join(currencies),
        )
        for goal, currencies in readout.currencies.items()
        if len(currencies) > 1
    ]
    found += [
        say(
            "{dimension} {group} gets personal decisions {share} as often as all together: less than four fifths",
            dimension=_dimension(dimension),
            group=group or "-",
            share=f"{100 * share:.0f} %",
        )
        for dimension, groups in readout.left_behind.items()
        for group, share in groups.items()
    ]
    return found


def sentences(readout: Readout) -> list[str]:
    """What each comparison says, of everybody; nothing, while nothing may be decided."""
    return [_sentence(one, readout) for one in _compared(readout)] if readout.ready else []


def _compared(readout: Readout) -> list[Line]:
    """Each variation beside the control, of everybody."""
    control = next(iter(readout.units))
    return [one for one in readout.lines if one.dimension is None and one.variation != control]


def _differs(line: Line, comparison: Comparison) -> bool:
    """Whether more is shown than chance alone shows once in twenty times."""
    return (_chosen(comparison).p if line.adjusted_p is None else line.adjusted_p) < ALPHA


def _sentence(line: Line, readout: Readout) -> str:
    goal = line.goal if line.metric == "share" else say("the value of {goal}", goal=line.goal)
    if line.comparison is None:
        return say("{variation}: not enough to say anything of {goal}.", variation=line.variation, goal=goal)
    where = _interval(line, _chosen(line.comparison), readout)
    if not _differs(line, line.comparison):
        return say(
            "{variation}: no difference in {goal} is shown; it may be anything in {interval}.",
            variation=line.variation,
            goal=goal,
            interval=where,
        )
    effect = _effect(line, readout)
    if line.comparison.difference > 0:
        return say(
            "{variation} raises {goal} by {effect} ({interval}).",
            variation=line.variation,
            goal=goal,
            effect=effect,
            interval=where,
        )
    return say(
        "{variation} lowers {goal} by {effect} ({interval}).",
        variation=line.variation,
        goal=goal,
        effect=effect,
        interval=where,
    )


# --- tables ---------------------------------------------------------------------------------------


def tables(readout: Readout) -> list[Table]:
    """Units, results, and results by group."""
    total = sum(readout.units.values())
    found = [
        Table(
            key="units",
            columns=["variation", "units"],
            rows=[],
            title=say("Units"),
            heads=[say("variation"), say("units"), say("share")],
            cells=[(name, units, _percent(units / total if total else 0.0)) for name, units in readout.units.items()],
        )
    ]
    for grouped in (False, True):
        lines = [one for one in readout.lines if (one.dimension is not None) == grouped]
        if lines:
            found.append(_results(readout, lines, grouped=grouped))
    return found


def _results(readout: Readout, lines: Sequence[Line], *, grouped: bool) -> Table:
    heads = [say("goal"), say("measure"), say("group")] if grouped else [say("goal"), say("measure")]
    heads += [say("variation"), say("units"), say("result"), say("effect"), say("95 % interval at any time"), say("p")]
    if readout.fixed:
        heads += [say("95 % interval as planned"), say("p as planned")]
    adjusted = any(one.adjusted_p is not None for one in lines)
    if adjusted:
        heads.append(say("adjusted p"))
    return Table(
        key="groups" if grouped else "results",
        columns=[],
        rows=[],
        title=say("By group") if grouped else say("Results"),
        heads=heads,
        cells=[_cells(readout, one, grouped=grouped, adjusted=adjusted) for one in lines],
    )


def _cells(readout: Readout, line: Line, *, grouped: bool, adjusted: bool) -> list[object]:
    cells: list[object] = [line.goal, say("share") if line.metric == "share" else say("value")]
    if grouped:
        cells.append(f"{_dimension(line.dimension or '')} {line.group or '-'}")
    cells += [line.variation, line.units, _result(line, readout)]
    comparison = line.comparison
    cells.append(None if comparison is None else _effect(line, readout))
    for told in (
        None if comparison is None else comparison.sequential,
        *([None if comparison is None else comparison.fixed] if readout.fixed else []),
    ):
        cells += [None, None] if told is None else [_interval(line, told, readout), _p(told.p)]
    if adjusted:
        cells.append(None if line.adjusted_p is None else _p(line.adjusted_p))
    return cells


def _dimension(name: str) -> str:
    return {"device": say("device"), "language": say("language"), "country": say("country")}.get(name, name)


# --- numbers --------------------------------------------------------------------------------------


def _chosen(comparison: Comparison) -> Inference:
    return comparison.fixed or comparison.sequential


def _result(line: Line, readout: Readout) -> str | None:
    if line.units == 0:
        return None
    return _percent(line.mean) if line.metric == "share" else _amount(line.mean, _currency(line, readout))


def _effect(line: Line, readout: Readout) -> str | None:
    if line.comparison is None:
        return None
    if line.comparison.relative is not None:
        return _percent(line.comparison.relative, signed=True)
    return _absolute(line, line.comparison.difference, readout)


def _interval(line: Line, told: Inference, readout: Readout) -> str:
    if told.relative_low is not None and told.relative_high is not None:
        ends = [_percent(end, signed=True) for end in (told.relative_low, told.relative_high)]
    else:
        ends = [_absolute(line, end, readout) for end in (told.low, told.high)]
    return say("{low} to {high}", low=ends[0], high=ends[1])


def _absolute(line: Line, difference: float, readout: Readout) -> str:
    """Where no share of the control's mean can be told: percentage points, or money."""
    if line.metric == "value":
        return _amount(difference, _currency(line, readout), signed=True)
    return say("{number} points", number=f"{100 * difference:+.2f}")


def _currency(line: Line, readout: Readout) -> str:
    return readout.currencies[line.goal][0]


def _amount(minor: float, currency: str, *, signed: bool = False) -> str:
    units = Money("1", currency).minor
    return f"{minor / units:{'+' if signed else ''},.{len(str(units)) - 1}f} {currency}"


def _percent(share: float, *, signed: bool = False) -> str:
    return f"{100 * share:{'+' if signed else ''}.1f} %"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return f"< {_LEAST_P:.4f}" if p < _LEAST_P else f"{p:.4f}"


# --- the picture ----------------------------------------------------------------------------------


def spans(readout: Readout) -> tuple[list[Span], float, float]:
    """Relative effects and how sure they are, and from where to where the axis goes."""
    rows, control = [], next(iter(readout.units), "")
    for line in readout.lines:
        if line.variation == control:
            continue
        told = None if line.comparison is None else _chosen(line.comparison)
        measure = say("share") if line.metric == "share" else say("value")
        group = "" if line.dimension is None else f", {_dimension(line.dimension)} {line.group or '-'}"
        rows.append(
            Span(
                f"{line.variation}: {line.goal}, {measure}{group}",
                None if told is None else told.relative_low,
                None if line.comparison is None else line.comparison.relative,
                None if told is None else told.relative_high,
                say("not enough") if told is None else f"{_effect(line, readout)} ({_interval(line, told, readout)})",
            )
        )
    ends = [end for one in rows for end in (one.low, one.value, one.high) if end is not None]
    return rows, min([-_LEAST_REACH, *ends]), min(_MOST_REACH, max([_LEAST_REACH, *ends]))
