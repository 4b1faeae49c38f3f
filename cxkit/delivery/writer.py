"""The writer: the one way into this process's own spools, for the worker and for callers who do not wait for it.

A caller writes on its own thread in the modes ``write`` and ``sync`` of ``durability``, one record at
a time. It waits for other threads no longer than a stall (0.05 s to write, 0.5 s to sync), and not at all for
itself, when a signal handler or a finaliser captures in the middle of a write: then the queue has to
do. What the disk takes for the caller's own write (the first opens files) and sync, nothing cuts short;
once a write took longer than a stall, or failed, callers leave it to the worker for a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cxkit.codec.frame import Record
from cxkit.delivery.shelf import Shelf

__all__ = ["Writer"]

_STALL_S: Final = 0.05
"""What takes longer is a stalling disk."""
_STALLED_FOR_S: Final = 1.0
"""How long callers then leave it to the worker."""
_SYNC_STALL_S: Final = 0.5


class Writer:
    """Appends and syncs, one at a time.

    Args:
        synced: Whether `write_now` waits until the disk has it.
    """

    def __init__(self, shelf: Shelf, *, synced: bool) -> None:
        self._shelf = shelf
        self._synced = synced
        self._appending = threading.RLock()
        """Held to append, and by whoever opens, seals or removes segments: so no write meets a reused descriptor."""
        self.ended = False
        """Set, under `alone`, before the spools are closed."""
        self._syncing = threading.RLock()
        self._appended = 0
        """How many records, over all priorities."""
        self._synced_up_to = 0
        self._unknown_up_to = 0
        """Behind the last of what a failed sync may not have put on disk; no later sync tells."""
        self._stalled_until = 0.0
        self._here = threading.local()
        """Whether this thread is in the middle of a write: what interrupts it must not wait for it."""
        self.unsynced_since: float | None = None
        """When the oldest of what is not on disk for good was written."""

    def append(self, priority: int, records: Sequence[Record]) -> None:
        """All of these or, if the disk fails, none; for the worker.

        Raises:
            OSError: None was kept.
        """
        with self.alone():
            self._append(priority, records)
        self.unsynced_since = self.unsynced_since or time.monotonic()

    def write_now(self, record: Record) -> str | None:
        """Write it on the caller's thread; if that could not be done as promised, why.

        ``write_fell_back``: it is not written. ``sync_fell_back``: it is, and not yet synced.
        """
        if self._here.__dict__:
            return "write_fell_back"
        self.let_go()
        self._here.writing = True  # before the lock is asked for: a signal may come at any moment after
        try:
            return self._write_now(record)
        finally:
            del self._here.writing

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Append, or open, seal or remove segments; what a finaliser captures meanwhile takes the queue."""
        with self._within(), self._appending:
            yield

    @contextmanager
    def _within(self) -> Iterator[None]:
        """Say that this thread is at it: what a finaliser captures meanwhile must neither wait nor let go."""
        within = bool(self._here.__dict__)
        self._here.writing = True
        try:
            yield
        finally:
            if not within:
                del self._here.writing

    def let_go(self) -> None:
        """Give up what an exception of the app's own, between two lines below, left this thread holding."""
        for lock in (self._appending, self._syncing):
            while lock._is_owned():  # type: ignore[attr-defined]  # as threading.Condition asks it
                lock.release()

    def _write_now(self, record: Record) -> str | None:
        began = time.monotonic()
        try:
            if began < self._stalled_until or not self._appending.acquire(timeout=_STALL_S) or self.ended:
                return "write_fell_back"
            following = self._append(record.priority, [record])
        except (OSError, MemoryError):
            self._stalled_until = time.monotonic() + _STALLED_FOR_S
            return "write_fell_back"
        finally:
            self.let_go()
        if time.monotonic() - began > _STALL_S:
            self._stalled_until = time.monotonic() + _STALLED_FOR_S
        self.unsynced_since = self.unsynced_since or began
        return None if not self._synced or self._sync_up_to(following) else "sync_fell_back"

    def _append(self, priority: int, records: Sequence[Record]) -> int:
        self._shelf.own_of(priority).append(records)
        self._appended += len(records)
        return self._appended

    def sync(self) -> None:
        """Put on disk what was written.

        Raises:
            TimeoutError: Somebody else is at it, and does not come back.
            OSError: It is not known what is on disk; a new segment is used.
        """
        with self._within():
            if not self._syncing.acquire(timeout=_SYNC_STALL_S):
                raise TimeoutError("somebody else syncs, and does not come back")
            try:
                self._sync()
            finally:
                self._syncing.release()

    def _sync_up_to(self, count: int) -> bool:
        """Whether the first ``count`` are on disk: who comes first syncs for all who have written by then."""
        try:
            if not self._syncing.acquire(timeout=_SYNC_STALL_S):
                return False
            if self._synced_up_to < count:
                self._sync()
        except OSError:
            return False
        finally:
            self.let_go()
        return count > self._unknown_up_to

    def _sync(self) -> None:
        self.unsynced_since = None
        reached = self._appended
        try:
            for spool in self._shelf.own_spools:
                spool.sync()
        except OSError:
            self._unknown_up_to = self._appended  # what was appended meanwhile, too
            raise
        self._synced_up_to = reached
