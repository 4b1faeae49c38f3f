"""Paired rounds: everything that is compared takes its turn in each round, and ratios are of one round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from operator import ge, le

import attrs

__all__ = ["Row", "paired", "rated", "spent", "table"]


@attrs.frozen(kw_only=True)
class Row:
    """One thing that was measured."""

    name: str
    value: float
    """Median over the rounds."""
    unit: str
    ratio: float | None = None
    """Median of the ratios to the base, round by round."""
    low: float | None = None
    """First decile of the ratios."""
    high: float | None = None
    """Last decile of the ratios."""
    at_least: float | None = None
    """What the ratio should be, or more."""
    at_most: float | None = None
    """What the ratio should be, or less."""

    @property
    def target(self) -> str:
        """What the ratio should be, and whether its median met that; empty where there is no target."""
        for limit, words, meets in ((self.at_least, "or more", ge), (self.at_most, "or less", le)):
            if self.ratio is not None and limit is not None:
                return f"{limit:.2f} {words}: {'met' if meets(self.ratio, limit) else 'missed'}"
        return ""


def paired(
    subjects: Mapping[str, Callable[[int], object]],
    *,
    base: str,
    calls: int,
    rounds: int,
    unit: str = "us",
    after: Callable[[], object] = lambda: None,
) -> list[Row]:
    """What `spent` measures, against one of the subjects."""
    times = spent(subjects, calls=calls, rounds=rounds, after=after)
    return [rated(name, of, times[base], unit) for name, of in times.items()]


def spent(
    subjects: Mapping[str, Callable[[int], object]],
    *,
    calls: int,
    rounds: int,
    less: str | None = None,
    after: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Call each subject ``calls`` times a round; CPU time of the calling thread, per call, in microseconds.

    Args:
        less: A subject whose time is taken off every other, round by round ("what it adds").
        after: Done after each subject's turn, unmeasured.
    """
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(rounds + 1):
        for name, subject in subjects.items():
            began = time.thread_time()
            for number in range(calls):
                subject(number)
            if turn:  # the first round warms up
                found[name].append((time.thread_time() - began) / calls * 1e6)
            after()
    if less is not None:
        bare = found.pop(less)
        found = {name: [max(a - b, 0.01) for a, b in zip(times, bare, strict=True)] for name, times in found.items()}
    return found


def rated(name: str, values: list[float], base: list[float], unit: str) -> Row:
    """A row from the values of each round and those of the base."""
    ratios = sorted(value / of for value, of in zip(values, base, strict=True))
    edge = len(ratios) // 10
    return Row(
        name=name,
        value=statistics.median(values),
        unit=unit,
        ratio=statistics.median(ratios),
        low=ratios[edge],
        high=ratios[-1 - edge],
    )


def table(title: str, note: str, rows: list[Row]) -> str:
    """A section of the report, in Markdown; with a column on targets where there are any."""
    heads = ["what", "median", "ratio", "spread (10-90 %)", *(["target"] if any(row.target for row in rows) else [])]
    lines = [f"## {title}", "", note, "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        spread = "" if row.low is None or row.high is None else f"{row.low:.2f} - {row.high:.2f}"
        cells = [row.name, f"{row.value:,.2f} {row.unit}", ratio, spread, row.target]
        lines.append(f"| {' | '.join(cells[: len(heads)])} |")
    return "\n".join(lines) + "\n"
