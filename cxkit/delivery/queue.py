"""The queue, as delivery sees it: where captures wait in memory. ``capture.intake`` is one."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol, TypeVar

from cxkit.codec.frame import Record

__all__ = ["Queue"]

ItemT = TypeVar("ItemT")


class Queue(Protocol[ItemT]):
    """Where the worker takes from."""

    dropped: defaultdict[str, int]
    """Another one, once somebody else is to account for what is dropped."""

    @property
    def queued(self) -> int:
        """How many were put in and not yet released."""
        ...

    def forget(self, count: int, left: list[ItemT]) -> None:
        """So many that were taken are gone; these are left."""
        ...

    def priority(self, item: ItemT) -> int: ...

    def record(self, item: ItemT) -> Record: ...

    def take(self, timeout_s: float | None) -> list[ItemT]: ...

    def release(self, taken: list[ItemT]) -> None: ...

    def nudge(self) -> None: ...
