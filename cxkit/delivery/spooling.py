"""Spooling: from the queue into the spools, what matters most first; a disk that fails for a while costs nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from cxkit.codec.frame import PRIORITIES, Record, pack
from cxkit.delivery.dead import MAX_LETTER_BYTES
from cxkit.delivery.queue import Queue
from cxkit.delivery.writer import Writer

__all__ = ["Spooling"]

_CHUNK: Final = 1000
_RETRY_WRITE_S: Final = 1.0

ItemT = TypeVar("ItemT")


class Spooling(Generic[ItemT]):
    """Holds what was taken from the queue until it is written, or given up. For one thread at a time.

    Args:
        chunk_bytes: About how much to append at once.
        written: Called after each append.
        trouble: Told of a disk that fails, and when it works again (None).
        unfit: Told why one could not be spooled although the disk works.
    """

    def __init__(
        self,
        queue: Queue[ItemT],
        writer: Writer,
        *,
        chunk_bytes: int,
        written: Callable[[], None],
        trouble: Callable[[Exception | None], None],
        unfit: Callable[[Exception], None],
    ) -> None:
        self._queue = queue
        self._dropped = queue.dropped
        self._writer = writer
        self._chunk_bytes = chunk_bytes
        self._written = written
        self._trouble = trouble
        self._unfit = unfit
        self._held: tuple[list[ItemT], ...] = tuple([] for _ in PRIORITIES)
        self._retry_at = 0.0
        self.released = 0
        """How many have been written or given up."""
        self.given_up = 0
        self.changed = threading.Condition()
        """Notified whenever some are released."""

    @property
    def held(self) -> bool:
        """Whether anything waits for the disk."""
        return any(self._held)

    @property
    def all_held(self) -> list[ItemT]:
        """What waits for the disk."""
        return [item for held in self._held for item in held]

    def gone(self, count: int, left: list[ItemT]) -> None:
        """So many were taken from the queue and will never be written; these are left."""
        with self.changed:
            self._queue.forget(count, left)
            self.released += count
            self.changed.notify_all()

    def write(self, taken: list[ItemT], *, insist: bool, last: bool) -> bool:
        """Write what was taken, and what is held from before; whether anything could be released.

        Args:
            insist: Do not wait after a failure before trying again.
            last: There will be no other time: give up what cannot be written.
        """
        for item in taken:
            self._held[self._queue.priority(item)].append(item)
        before = self.released
        if insist or last or time.monotonic() >= self._retry_at:
            for priority in reversed(range(len(PRIORITIES))):
                while self._held[priority]:
                    if not self._write_chunk(priority, last=last):
                        return self.released > before
        return self.released > before

    def _write_chunk(self, priority: int, *, last: bool, most: int = _CHUNK) -> bool:
        """Append some of those held; whether that could be done."""
        records, unfit = self._next_records(self._held[priority][:most])
        try:
            if records:
                self._writer.append(priority, records)
        except Exception as error:  # noqa: BLE001 - whatever it is, what can be written must be
            disk = isinstance(error, OSError | MemoryError)
            if not disk and most > 1:  # one of them may be at fault
                each = range(len(records) + sum(unfit.values()))
                return all(self._write_chunk(priority, last=last, most=1) for _ in each)
            if disk or _packs(records[0]):
                self._retry_at = time.monotonic() + _RETRY_WRITE_S
                self._trouble(error)
                if last:
                    self._give_up_all("disk_error" if disk else "internal_error")
                return False
            self._unfit(error)
            unfit["internal_error"] += 1
            records = []
        else:
            self._trouble(None)
        for reason, count in unfit.items():
            self._dropped[reason] += count
        self._release(self._held[priority], len(records) + sum(unfit.values()))
        self._written()
        return True

    def _next_records(self, held: list[ItemT]) -> tuple[list[Record], Counter[str]]:
        """What is to be spooled at once, no more than a segment holds, and why some of it is not."""
        records: list[Record] = []
        unfit: Counter[str] = Counter()
        room = self._chunk_bytes
        for item in held:
            if room <= 0:
                break
            try:
                record = self._queue.record(item)
            except Exception as error:  # noqa: BLE001 - one interaction must not stop all others
                self._unfit(error)
                unfit["internal_error"] += 1
                continue
            if len(record.payload) > MAX_LETTER_BYTES:
                unfit["oversize"] += 1
            else:
                records.append(record)
                room -= len(record.payload)
        return records, unfit

    def _give_up_all(self, reason: str) -> None:
        for held in filter(None, self._held):
            self._dropped[reason] += len(held)
            self.given_up += len(held)
            self._release(held, len(held))

    def _release(self, held: list[ItemT], count: int) -> None:
        """The first ``count`` of those held are written, or given up."""
        done = held[:count]
        del held[:count]
        with self.changed:
            self._queue.release(done)
            self.released += count
            self.changed.notify_all()


def _packs(record: Record) -> bool:
    try:
        return bool(pack(record))
    except Exception:  # noqa: BLE001 - which it is does not matter: this one is at fault
        return False
