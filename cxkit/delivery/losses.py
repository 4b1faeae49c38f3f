"""Losses: what this process gave up, who was told, and the report that goes the way of all interactions.

A report counts what was lost since the one before, in this process alone: whoever adds them up has
it all, but for what is lost after the last. What a customer refused is no loss.

What a gate stopped is counted with its purpose: ``consent_refused:analytics`` before the spool,
``consent:analytics:refused`` for one exporter. These are the reasons ``consent_refused`` and ``consent``, and a
`Blocked` each. What was no interaction, ``send:marketing:stopped:email``, is a `Blocked` alone. What went wrong
without costing an interaction is no loss, and counted as ``noted:store_failed``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, get_args

from cxkit.codec.frame import Record
from cxkit.model import Blocked
from cxkit.model.consent import Gate

__all__ = ["Cause", "Losses", "blocked_in", "noted_in", "reasons_in"]

_REPORT_EVERY_S: Final = 60.0
_GATES: Final = frozenset(get_args(Gate))
_NOTED: Final = "noted"
_NO_LOSS: Final = frozenset({"consent", "consent_refused", "consent_undecided", "own_thread"})

Cause = tuple[str, str | None]
"""A reason, and the exporter it was given up for; None: before the spool, for all."""


def reasons_in(counts: Mapping[str, int]) -> dict[str, int]:
    """Of what was counted, why interactions were given up."""
    reasons: Counter[str] = Counter()
    for text, count in counts.items():
        reason = text.partition(":")[0]
        if reason not in _GATES and reason != _NOTED:
            reasons[reason] += count
    return dict(reasons)


def noted_in(counts: Mapping[str, int]) -> dict[str, int]:
    """Of what was counted, what went wrong without costing an interaction: name to how often."""
    found = {text.partition(":"): count for text, count in sorted(counts.items())}
    return {name: count for (kind, _, name), count in found.items() if kind == _NOTED}


def blocked_in(counts: Mapping[str, int], *, exporter: str = "") -> dict[str, int]:
    """Of what was counted, what gates stopped: the text of a `Blocked` to how often.

    Args:
        exporter: For which it was counted; none: before the spool.
    """
    return {str(one): count for text, count in counts.items() if (one := _blocked(text, exporter)) is not None}


def _blocked(text: str, exporter: str) -> Blocked | None:
    reason, *detail = text.split(":")
    if reason in _GATES:
        return Blocked.from_text(text)
    if exporter and reason == "consent" and len(detail) == 2:
        return Blocked(gate="export", purpose=detail[0], reason=detail[1], destination=exporter)
    if reason.startswith("consent_") and len(detail) == 1:
        return Blocked(gate="capture", purpose=detail[0], reason=reason.removeprefix("consent_"))
    return None


def _summed(counts: Mapping[Cause, int]) -> Counter[Cause]:
    """By reason alone."""
    summed: Counter[Cause] = Counter()
    for (text, exporter), count in counts.items():
        summed.update({(reason, exporter): count for reason in reasons_in({text: count})})
    return summed


class Losses:
    """What has been told of what was given up.

    Args:
        tell: Told of each reason, how many more, and the exporter.
        report: Makes a report of causes and counts.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str, int, str | None], None] | None,
        report: Callable[[Mapping[Cause, int]], Record] | None,
    ) -> None:
        self._tell = tell
        self._report = report
        self._told: Counter[Cause] = Counter()
        self._reported: Counter[Cause] = Counter()
        self._report_at = time.monotonic() + _REPORT_EVERY_S

    def tell(self, counts: Counter[Cause]) -> None:
        """Tell of what has been added."""
        counts = _summed(counts)
        more, self._told = counts - self._told, counts
        if self._tell is not None:
            for (reason, exporter), count in more.items():
                if reason != "own_thread":  # whoever is told and captures would be told of that, for ever
                    self._tell(reason, count, exporter)

    def due(self, counts: Counter[Cause], *, last: bool) -> Record | None:
        """The report to spool, if it is time for one and something was lost; `reported` once that is done."""
        if self._report is None or not (last or time.monotonic() >= self._report_at):
            return None
        more = _summed(counts) - self._reported
        lost = {cause: count for cause, count in more.items() if cause[0] not in _NO_LOSS}
        return self._report(lost) if lost else None

    def reported(self, counts: Counter[Cause]) -> None:
        """All of this is in a report that was spooled."""
        self._reported = _summed(counts)
        self._report_at = time.monotonic() + _REPORT_EVERY_S
