"""When to try again, and with how much: full jitter, Retry-After as a lower bound, and a breaker.

The breaker is nothing but the size of what is tried: it shrinks with each failure, to a single
record once the other side is taken to be down, and doubles with each success. What turned out to
be too large lowers the most that is tried; it grows again slowly.
Source of the jitter: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

__all__ = ["Backoff"]

_BASE_S: Final = 1.0
_CAP_S: Final = 300.0
_PAUSE_S: Final = 60.0
_RETRY_AFTER_CAP_S: Final = 3600.0
_OPEN_AFTER: Final = 5


class Backoff:
    """The patience of one lane. Times are of a monotonic clock, in seconds."""

    def __init__(self, *, max_records: int, random_float: random.Random | None = None) -> None:
        self.size = max_records
        """How many records the next attempt may hold."""
        self.failures = 0
        """Attempts that failed since one succeeded."""
        self.not_before = 0.0
        """When the next attempt may be made."""
        self.reason = ""
        """Why the last attempt failed."""
        self.asked_until = 0.0
        """Until when the other side itself asked us to wait."""
        self._max = self._most = max_records
        if random_float is None:
            from random import SystemRandom

            random_float = SystemRandom()  # never the shared generator: forked workers would wait in step
        self._random = random_float

    @property
    def open(self) -> bool:
        """Whether the other side is taken to be down, and only probed."""
        return self.failures >= _OPEN_AFTER

    def succeeded(self, *, now: float = 0.0, retry_after_s: float | None = None) -> None:
        """Go on; at once, unless the other side asked to wait with the rest."""
        self.failures = 0
        self.reason = ""
        self.asked_until = self.not_before = now + _asked_s(retry_after_s)
        self._most = min(self._max, self._most + max(1, self._most // 16))
        self.size = min(self._most, self.size * 2)

    def failed(self, reason: str, *, now: float, retry_after_s: float | None = None, pause: bool = False) -> None:
        """Count a failure and set the time of the next attempt."""
        self.failures += 1
        self.reason = reason
        self.size = 1 if self.open else max(1, self.size // 2)
        ceiling = min(_CAP_S, _BASE_S * 2 ** min(self.failures - 1, 16))
        wait = self._random.uniform(0, ceiling)
        if pause:
            wait += _PAUSE_S
        self.asked_until = now + _asked_s(retry_after_s)
        self.not_before = max(now + wait, self.asked_until)

    def too_large(self, *, accepted: int) -> None:
        """More than ``accepted`` at once was refused, and only for being more."""
        self.size = self._most = max(1, accepted)


def _asked_s(retry_after_s: float | None) -> float:
    # So written, what is no number is no wish either.
    return min(retry_after_s, _RETRY_AFTER_CAP_S) if retry_after_s and retry_after_s > 0 else 0.0
