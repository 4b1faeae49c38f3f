"""The clock by which things grow old."""

from __future__ import annotations

import time

__all__ = ["AgeClock"]


class AgeClock:
    """The wall clock, but for jumps ahead since this was made: to set a clock forward makes nothing old.

    One that was ahead when this was made, and is set back, is believed at once.
    """

    def __init__(self) -> None:
        self._began, self._began_monotonic = time.time(), time.monotonic()

    def now(self) -> float:
        """Unix seconds."""
        return min(time.time(), self._began + time.monotonic() - self._began_monotonic)
