"""Which of a batch were refused, where the other side tells only how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Located", "locate"]


class Located(NamedTuple):
    """Places in a batch; all others were accepted."""

    refused: list[int]
    unnamed: list[int]
    """Some of them are refused, and it cannot be found out which: the answers contradict each other."""
    later: list[int]
    """Not found out yet, since an answer did not come."""


def locate(size: int, count: int, ask: Callable[[range], int | None]) -> Located:
    """Find those refused by sending parts of the batch again.

    Of each part that holds both kinds the first half is asked about; what is left of the count is
    in the second. So for one refused of 500, about 500 are sent again in all; for 50, about 1,500.

    Args:
        size: How many were sent.
        count: How many of them were refused.
        ask: Sends a part again, and tells how many of that are refused; None if nothing came of it.

    Example:
        >>> locate(500, 2, lambda part: sum(place in part for place in (7, 300))).refused
        [7, 300]
    """
    located = Located([], [], [])
    parts = [(range(size), min(count, size))]
    while parts:
        part, count = parts.pop()
        if count == len(part):
            located.refused.extend(part)
        elif count:
            half = len(part) // 2
            first, second = part[:half], part[half:]
            found = None if located.later else ask(first)  # where one did not come, no more are awaited
            if found is None:
                located.later.extend(part)
            elif max(0, count - len(second)) <= found <= min(count, len(first)):
                parts += [(second, count - found), (first, found)]
            else:
                located.unnamed.extend(part)
    return located
