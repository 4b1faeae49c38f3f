"""Losses: what this process gave up, who was told, and the report that goes the way of all interactions.

A report counts what was lost since the one before, in this process alone: whoever adds them up has
it all, but for what is lost after the last. What a customer refused is no loss.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from cxkit.codec.frame import Record

__all__ = ["Cause", "Losses"]

_REPORT_EVERY_S: Final = 60.0
_NO_LOSS: Final = frozenset({"consent", "consent_refused", "consent_undecided", "own_thread"})

Cause = tuple[str, str | None]
"""A reason, and the exporter it was given up for; None: before the spool, for all."""


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
        more, self._told = counts - self._told, counts
        if self._tell is not None:
            for (reason, exporter), count in more.items():
                if reason != "own_thread":  # whoever is told and captures would be told of that, for ever
                    self._tell(reason, count, exporter)

    def due(self, counts: Counter[Cause], *, last: bool) -> Record | None:
        """The report to spool, if it is time for one and something was lost; `reported` once that is done."""
        if self._report is None or not (last or time.monotonic() >= self._report_at):
            return None
        lost = {cause: count for cause, count in (counts - self._reported).items() if cause[0] not in _NO_LOSS}
        return self._report(lost) if lost else None

    def reported(self, counts: Counter[Cause]) -> None:
        """All of this is in a report that was spooled."""
        self._reported = counts
        self._report_at = time.monotonic() + _REPORT_EVERY_S
