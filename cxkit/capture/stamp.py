"""Ids and times: UUIDv7 (RFC 9562), growing within a process, and microseconds since 1970.

The 48 bits of milliseconds are followed by the microseconds as three digits, twelve bits drawn
once per process, and 48 random bits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["Stamper", "clock_text", "micros", "moment"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
_DRAWN_AT_ONCE: Final = 256
_ALWAYS_13_DIGITS: Final = 1 << 48


class Stamper:
    """Gives each interaction its id and time. Used by all threads without a lock.

    Args:
        time_ns: The wall clock.
        entropy: ``os.urandom`` or, in tests, something that repeats.
    """

    def __init__(
        self, *, time_ns: Callable[[], int] = time.time_ns, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.time_ns = time_ns
        self._entropy = entropy
        self.reseed()

    def reseed(self) -> None:
        """Forget what was drawn; a forked child must, or it repeats its parent's ids."""
        self._process = "b" + self._entropy(2).hex()[:3]
        self._drawn: Iterator[str] = iter(())

    def stamp(self) -> tuple[str, int]:
        """A new id and the time in microseconds."""
        us = max(0, self.time_ns() // 1000)
        milliseconds = hex(_ALWAYS_13_DIGITS + us // 1000)
        try:
            tail = next(self._drawn)
        except StopIteration:
            tail = self._draw()
        return (
            f"{milliseconds[3:11]}-{milliseconds[11:]}-7{_DIGITS[us % 1000]}-{self._process}-{tail}",
            us,
        )

    def stamp_past(self, us: int, tail: bytes | None = None) -> tuple[str, int]:
        """An id and time for what happened at ``us``.

        Args:
            us: Microseconds since 1970.
            tail: 8 bytes that make the id the same each time; random if None.
        """
        bits = int.from_bytes(tail or self._entropy(8)) & (1 << 62) - 1 | 1 << 63
        milliseconds, rest = f"{us // 1000:012x}", f"{bits:016x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7{_DIGITS[us % 1000]}-{rest[:4]}-{rest[4:]}", us

    def now(self) -> datetime:
        """The time, aware."""
        return moment(self.time_ns() // 1000)

    def _draw(self) -> str:
        # An iterator over a list hands each item to one thread only; two threads that both draw
        # waste a list, nothing more.
        drawn = iter(self._entropy(6 * _DRAWN_AT_ONCE).hex("-", 6).split("-"))
        tail = next(drawn)
        self._drawn = drawn
        return tail


def moment(us: int) -> datetime:
    """Microseconds since 1970 as a time, aware."""
    return _EPOCH + timedelta(0, us // 1_000_000, us % 1_000_000)  # in parts, it costs a third


def micros(at: datetime) -> int:
    """A time in microseconds since 1970; 0 for all before.

    Example:
        >>> micros(moment(1_795_257_000_000_001))
        1795257000000001
    """
    return max(0, (at - _EPOCH) // timedelta(microseconds=1))


def clock_text(us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC.

    Example:
        >>> clock_text(1_795_257_000_000_001)
        '2026-11-21T10:30:00.000001Z'
    """
    seconds = us // 1_000_000
    return f"{_second_text(seconds)}.{_DIGITS[us // 1000 % 1000]}{_DIGITS[us % 1000]}Z"


_last: tuple[int, str] = (-1, "")


def _second_text(seconds: int) -> str:
    global _last  # one second's text, remembered; replaced as a whole, so threads never mix two
    remembered = _last
    if remembered[0] != seconds:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        remembered = _last = (seconds, text)
    return remembered[1]
