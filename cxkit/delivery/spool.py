"""A spool: one process's records on disk, in segments, until every exporter is through with them.

``root/spool/TOKEN/`` belongs to the process that holds the lock on ``owner.lock`` in it; when that
process is gone, however it went, the lock is free and another adopts the directory. Nothing is
ever decided by a process id.

A spool holds one priority: ``TOKEN`` what is normal, ``TOKEN-low`` and ``TOKEN-critical`` the rest.
So what matters less can be given up first, and a backlog of it holds up nothing.
"""

from __future__ import annotations

import math
import secrets
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import attrs

from cxkit.codec.frame import COMMAND, NOBODY, PRIORITIES, Record, pack
from cxkit.delivery.cursor import Cursor, Progress, added
from cxkit.delivery.erasure import Meant, erase_in, find_in, tells_of_leaving
from cxkit.delivery.files import LOCK, check_directory, lock, sync_directory
from cxkit.delivery.forks import let_go
from cxkit.delivery.segment import (
    HEADER_BYTES,
    READ_BYTES,
    FileSegment,
    MemorySegment,
    Segment,
)
from cxkit.delivery.walk import Walk

__all__ = ["NORMAL", "Read", "Spool", "cursor_names"]

NORMAL: Final = PRIORITIES.index("normal")


class Read(NamedTuple):
    """What was found from a position on."""

    records: list[Record]
    progress: Progress
    """Behind them; ``counts`` grown by what was missing in between."""


class Spool:
    """Segments that are appended to (by the owner's worker) and read (by its lanes).

    Made by `create` or `adopt`.
    """

    def __init__(
        self,
        path: Path | None,
        held: int,
        segments: Sequence[Segment],
        *,
        next_sequence: int,
        segment_bytes: int,
        segment_s: float = math.inf,
        name: str = "in memory",
    ) -> None:
        self.path = path
        self.name = path.name if path else name
        """No two spools share one, for batches are named after it."""
        self.priority = PRIORITIES.index(suffix) if (suffix := self.name.partition("-")[2]) in PRIORITIES else NORMAL
        """Of its records: an index into `PRIORITIES`."""
        self.next_sequence = next_sequence
        """The sequence number of the next record; so many were spooled here."""
        self.live = True
        """Whether more may be appended."""
        self.given_up: str | None = None
        """Why all that is left of it is to be dropped, if it is."""
        self._lock = held
        self._segments = list(segments)
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._opened_at = time.monotonic()
        self._unsynced: list[Segment] = []
        self._unsynced_names: list[Path] = [path, path.parent] if path else []
        self._suspect = False
        self._removed: dict[int, str] = {}
        self._cursors: dict[str, Cursor] = {}
        self._last_for_store = -1
        self._end = (0, 0, 0)
        self._guard = threading.RLock()  # which segments there are: the worker and all lanes change that

    @classmethod
    def create(
        cls, root: Path | None, *, segment_bytes: int, segment_s: float = math.inf, priority: int = NORMAL
    ) -> Spool:
        """A new spool under ``root``, or in memory if that is None.

        Args:
            segment_bytes: How much goes into one segment.
            segment_s: For how long; as a segment is as old as the last that was written to it.

        Raises:
            OSError: The directory cannot be made, or is not ours alone.
        """
        name = secrets.token_hex(8) + (f"-{PRIORITIES[priority]}" if priority != NORMAL else "")
        if root is None:
            return cls(None, -1, [], next_sequence=0, segment_bytes=segment_bytes, segment_s=segment_s, name=name)
        for directory in (root.parent, root):  # a parent made on the way would have another mode
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_directory(root)
        draft = root / f".{name}"  # until it is locked, others would take it for an orphan
        draft.mkdir(mode=0o700)
        try:
            held = lock(draft / LOCK)
            assert held is not None, "nobody else knows this name"
            path = draft.rename(root / name)
        except BaseException:  # the app's own, too: tried again and again, drafts would add up
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return cls(path, held, [], next_sequence=0, segment_bytes=segment_bytes, segment_s=segment_s)

    @property
    def bytes_held(self) -> int:
        """What its segments take, but for what is given up."""
        return 0 if self.given_up else sum(segment.end for segment in list(self._segments))

    @property
    def records_held(self) -> int:
        """How many records its segments began with, but for what is given up."""
        segments = list(self._segments)
        return self.next_sequence - segments[0].first if segments and not self.given_up else 0

    @property
    def files_open(self) -> int:
        """How many descriptors it holds."""
        return len(self._segments) + len(self._cursors) + 1

    # --- for the owner's worker ---

    def append(self, records: Sequence[Record]) -> None:
        """All of these or, if the disk fails, none.

        Raises:
            OSError: None was kept.
        """
        first = self.next_sequence
        data = b"".join([pack(record, first + place) for place, record in enumerate(records)])
        segment = self._room_for(len(data))
        # First: an exception of the app's own may come in between, and then a number is missing, not there twice.
        self.next_sequence = first + len(records)
        try:
            segment.append(data)
        except (OSError, MemoryError):
            self.next_sequence = first
            raise
        if segment not in self._unsynced:
            self._unsynced.append(segment)
        if any(record.type == COMMAND or record.subject != NOBODY for record in records):
            self._last_for_store = first + len(records) - 1
        self._end = (segment.number, segment.end, self.next_sequence)
        if any(map(tells_of_leaving, records)):
            with self._guard, suppress(OSError):  # the one that holds their names can go once all have had it
                self._open_next()

    def sync(self) -> None:
        """Put on disk what was appended.

        Raises:
            OSError: It is not known what is on disk: nothing more is appended to that segment.
        """
        unsynced, self._unsynced = self._unsynced, []
        directories, self._unsynced_names = self._unsynced_names, []
        try:
            for segment in unsynced:
                segment.sync()
            for directory in directories:
                sync_directory(directory)
        except OSError:
            self._suspect = True
            raise

    def give_up_oldest(self, reason: str, *, newest: bool = False) -> bool:
        """Remove the oldest segment, handled or not; each lane counts what it misses, under ``reason``.

        The only one left of a dead spool is given up, and removed when all have counted it.

        Args:
            newest: Whether even the one that a live spool is appending to may go.

        Returns:
            Whether anything was done.

        Raises:
            OSError: The disk fails.
        """
        with self._guard:
            if newest and self.live and len(self._segments) == 1 and self._segments[0].end > HEADER_BYTES:
                self._open_next()
            if len(self._segments) > 1:
                oldest = self._segments.pop(0)
                self._removed[oldest.number] = reason
                oldest.unlink()
            elif self._segments and not self.live and not self.given_up:
                self.given_up = reason
            else:
                return False
            return True

    def expire(self, *, before: float) -> None:
        """Give up segments last written before that time (Unix seconds)."""
        with self._guard:
            while self._segments and not self.given_up and self._segments[0].written_at < before:
                if not self.give_up_oldest("expired", newest=True):
                    return

    def erase(self, meant: Meant) -> int:
        """Overwrite what is meant, delivered or not; how many records that were.

        Raises:
            OSError: The disk fails; some of it may be left.
        """
        with self._guard:
            return erase_in(self._segments, meant)

    def find(self, meant: Meant) -> int:
        """How many records are meant."""
        return sum(1 for segment in list(self._segments) for _ in find_in(segment, meant))

    # --- for lanes ---

    def begin(self, exporter: str) -> None:
        """Let an exporter take part: from where it was, else from what is still there.

        Raises:
            OSError: Its cursor cannot be opened.
        """
        if exporter in self._cursors:
            return
        cursor = Cursor(self.path / f"{exporter}.cursor" if self.path else None)
        if cursor.new:
            first = self._segments[0].first if self._segments else self.next_sequence
            try:
                cursor.commit(Progress(sequence=first, base=first))
            except OSError:
                pass  # it begins there all the same
        self._cursors[exporter] = cursor

    def cursor(self, exporter: str) -> Cursor:
        """The cursor of an exporter that takes part."""
        return self._cursors[exporter]

    def positions(self) -> dict[str, Progress]:
        """How far each exporter that takes part has come."""
        return {name: cursor.progress for name, cursor in list(self._cursors.items())}

    def pending(self, exporter: str, *, until: int | None = None) -> int:
        """How many records an exporter has not handled, of all or of those before sequence ``until``."""
        cursor = self._cursors.get(exporter)
        end = self.next_sequence if until is None else until
        return max(0, end - cursor.progress.sequence) if cursor else 0

    def past_the_stores(self, progress: Progress) -> Progress:
        """The end, if all this process has spooled from that position on is about nobody; else the position.

        For the store's lane: it need not read what others are to deliver.
        """
        segment, offset, sequence = self._end  # before asking: what comes now is behind it
        if not self.live or sequence <= progress.sequence or self._last_for_store >= progress.sequence:
            return progress
        return attrs.evolve(progress, segment=segment, offset=offset, sequence=sequence)

    def read(self, progress: Progress, *, max_records: int, max_bytes: int) -> Read:
        """The next records from a position on, in order; none if there are none yet.

        What is missing in between (damaged, or removed for lack of room) is counted by the gap it
        leaves in the sequence.

        Raises:
            OSError: The disk fails.
        """
        walk = Walk(progress)
        while len(walk.found) < max_records and walk.size < max_bytes:
            segment = self._segment_at(walk)
            if segment is None:
                break
            end = segment.end  # before reading: what is appended in between must not be passed over
            data = segment.read(walk.offset, READ_BYTES)
            if data:
                walk.through(data, len(data) < READ_BYTES, max_records, max_bytes)
            elif walk.offset < end and segment in self._segments:
                walk.offset = end  # cut off beneath us
        return Read(walk.found, walk.progress())

    def release(self) -> None:
        """Remove the segments that every exporter is through with, even by its older slot."""
        with self._guard:
            kept = min((cursor.kept for cursor in self._cursors.values()), default=0)
            passed = sum(segment.first <= kept for segment in self._segments[1:])
            try:
                for cursor in self._cursors.values() if passed else ():
                    cursor.sync()  # or after a power cut it could be older than what is left
                for segment in self._segments[:passed]:
                    segment.unlink()
                    self._segments.remove(segment)
            except OSError:
                pass  # the next time, perhaps

    # --- its end ---

    def seal(self) -> None:
        """No more will be appended here."""
        self.live = False

    def count_lost(self, exporter: str) -> None:
        """Count all that an exporter without a lane has not handled of a spool that is given up.

        Raises:
            OSError: It is not kept.
        """
        progress, lost = self.cursor(exporter).progress, self.pending(exporter)
        if lost:
            counts = added(progress.counts, {f"dropped.{self.given_up}": lost})
            self.cursor(exporter).commit(attrs.evolve(progress, sequence=self.next_sequence, counts=counts))

    def remove(self) -> None:
        """Remove it altogether: everything in it has been accounted for elsewhere."""
        with self._guard:
            try:
                for segment in self._segments:
                    segment.unlink()  # before the cursors, or a crash in between would repeat everything
                for file in self.path.iterdir() if self.path else ():
                    file.unlink(missing_ok=True)
                if self.path is not None:
                    self.path.rmdir()
            except OSError:
                pass  # whoever finds it again removes it again
            self.close()  # and only now the lock

    def close(self) -> None:
        """Let others adopt it."""
        with self._guard:
            for cursor in self._cursors.values():
                cursor.close()
            for segment in self._segments:
                segment.close()
            let_go(self._lock)

    def _room_for(self, size: int) -> Segment:
        with self._guard:
            last = self._segments[-1] if self._segments else None
            full = (
                last is not None
                and last.end > HEADER_BYTES
                and (last.end + size > self._segment_bytes or time.monotonic() - self._opened_at > self._segment_s)
            )
            return self._open_next() if last is None or full or self._suspect else last

    def _open_next(self) -> Segment:
        number = self._segments[-1].number + 1 if self._segments else 1
        segment: Segment
        if self.path is None:
            segment = MemorySegment(number, first=self.next_sequence)
        else:
            segment = FileSegment.create(self.path, number, first=self.next_sequence)
            self._unsynced_names.append(self.path)
        self._segments.append(segment)
        self._suspect = False
        self._opened_at = time.monotonic()
        return segment

    def _segment_at(self, walk: Walk) -> Segment | None:
        """The segment to read next, the walk moved to where it starts."""
        why = "spool_full"
        for segment in list(self._segments):
            if segment.number == walk.segment and walk.offset < segment.end:
                return segment
            if segment.number > walk.segment:
                walk.skip_to(segment.first, self._removed.get(segment.number - 1, why))
                walk.segment, walk.offset = segment.number, HEADER_BYTES
                return segment
            why = "corrupt"  # what is missing behind a segment that is there was not removed
        return None


def cursor_names(path: Path) -> frozenset[str]:
    """The exporters that take part in a spool."""
    return frozenset(one.stem for one in path.glob("*.cursor") if one.is_file() and not one.is_symlink())
