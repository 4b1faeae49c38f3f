"""Paired rounds: everything that is compared takes its turn in each round, and ratios are of one round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import attrs

__all__ = ["Row", "paired", "table"]


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


def paired(
    subjects: Mapping[str, Callable[[int], object]],
    *,
    base: str,
    calls: int,
    rounds: int,
    unit: str = "us",
    less: str | None = None,
    after: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Call each subject ``calls`` times a round; CPU time of the calling thread, per call.

    Args:
        less: A subject whose time is taken off every other, round by round ("what it adds").
        after: Done after each subject's turn, unmeasured.
    """
    spent: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(rounds + 1):
        for name, subject in subjects.items():
            began = time.thread_time()
            for number in range(calls):
                subject(number)
            if turn:  # the first round warms up
                spent[name].append((time.thread_time() - began) / calls * 1e6)
            after()
    if less is not None:
        bare = spent.pop(less)
        spent = {name: [max(a - b, 0.01) for a, b in zip(times, bare, strict=True)] for name, times in spent.items()}
    return [rated(name, times, spent[base], unit) for name, times in spent.items()]


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
    """A section of the report, in Markdown."""
    lines = [f"## {title}", "", note, "", "| what | median | ratio | spread (10-90 %) |", "|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        spread = "" if row.low is None or row.high is None else f"{row.low:.2f} - {row.high:.2f}"
        lines.append(f"| {row.name} | {row.value:,.2f} {row.unit} | {ratio} | {spread} |")
    return "\n".join(lines) + "\n"
