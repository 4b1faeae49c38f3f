"""The lanes of one process, taken together: begun, woken and ended."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from cxkit.delivery.lane import Lane
from cxkit.delivery.losses import Cause

__all__ = ["Lanes"]


class Lanes:
    """A lane for each exporter, and the store's.

    Args:
        no_thread: Told which exporter has no thread, and why none can be started.
    """

    def __init__(self, lanes: Sequence[Lane], *, no_thread: Callable[[str, RuntimeError], None]) -> None:
        self._lanes = tuple(lanes)
        self._no_thread = no_thread

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    @property
    def threads(self) -> list[threading.Thread]:
        """Their threads, started or not."""
        return [lane.thread for lane in self]

    def start(self) -> None:
        """Start the threads of those that have none yet."""
        for lane in self:
            if lane.thread.ident is None:
                try:
                    lane.thread.start()
                except RuntimeError as error:
                    self._no_thread(f"exporter {lane.name}", error)

    def wake(self) -> None:
        """There may be something to do."""
        for lane in self:
            lane.wake()

    def end(self, *, at: float) -> None:
        """Let all end, by then if they can, and wait for it.

        Where no thread could be started, as when the interpreter ends, lanes share what time is left.
        """
        started = [lane for lane in self if lane.thread.ident is not None]
        for lane in started:
            lane.stop(at=at)
        unstarted = [lane for lane in self if lane not in started]
        for place, lane in enumerate(unstarted):
            now = time.monotonic()
            lane.stop(at=now + (at - now) / (len(unstarted) - place))
            lane.run()
        for lane in started:
            lane.thread.join()

    def losses(self) -> tuple[Counter[Cause], Counter[Cause]]:
        """What they have given up, and of that loss reports, which are not among the former."""
        counts: Counter[Cause] = Counter()
        reports: Counter[Cause] = Counter()
        for lane in self:
            counts.update({(why, lane.name): count for why, count in lane.dropped.copy().items()})
            reports.update({(why, lane.name): count for why, count in lane.dropped_reports.copy().items()})
        return counts, reports
