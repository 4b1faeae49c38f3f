"""Limits for what anybody may send: how often from one address, and each thing once. In memory, bounded."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

__all__ = ["Rate", "Recent"]

_MOST: Final = 10_000


class Recent:
    """What came lately, so that it is known when it comes again: the last 10,000 in this process."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._guard = threading.Lock()

    def again(self, key: bytes) -> bool:
        """Whether this came before; from now on it has.

        Example:
            >>> recent = Recent()
            >>> recent.again(b"a"), recent.again(b"a")
            (False, True)
        """
        with self._guard:
            if key in self._seen:
                self._seen.move_to_end(key)
                return True
            self._seen[key] = None
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
            return False


class Rate:
    """A token bucket for each address: so many at once, and as many again in a minute.

    Addresses are kept as hashes under a salt that no other process knows and that dies with this one;
    of IPv6 it is the network of 64 bits, for a household has one. Of the 10,000 latest.

    Args:
        per_minute: How many; also how many at once.
        clock: Seconds that never jump.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        self._salt = os.urandom(16)
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._guard = threading.Lock()

    def allows(self, address: str | None) -> bool:
        """Whether one more may come from there now.

        Example:
            >>> rate = Rate(2, clock=lambda: 0.0)
            >>> [rate.allows("192.0.2.7") for _ in range(3)]
            [True, True, False]
            >>> rate.allows("192.0.2.8")
            True
        """
        return self._take(address, 1, least=1) >= 1

    def charge(self, address: str | None, count: int) -> None:
        """So many more came along with one that was allowed: those that follow wait for them, too.

        Example:
            >>> rate = Rate(10, clock=lambda: 0.0)
            >>> rate.allows("192.0.2.7"), rate.charge("192.0.2.7", 9), rate.allows("192.0.2.7")
            (True, None, False)
        """
        self._take(address, count, least=-math.inf)

    def _take(self, address: str | None, count: int, *, least: float) -> float:
        """What was left before so many were taken, if it was at least that; there may be debts."""
        key, now = self._key(address), self._clock()
        with self._guard:
            left, since = self._left.pop(key, (self._most, now))
            left = min(self._most, left + (now - since) * self._per_s)
            self._left[key] = (left - count if left >= least else left, now)
            if len(self._left) > _MOST:
                self._left.popitem(last=False)
            return left

    def _key(self, address: str | None) -> bytes:
        text = address or ""
        try:
            parsed = ipaddress.ip_address(text)
            network = parsed.packed[:8] if parsed.version == 6 and parsed.ipv4_mapped is None else parsed.packed
        except ValueError:
            network = text.encode("utf-8", "replace")
        return hashlib.blake2b(network, digest_size=8, key=self._salt).digest()
