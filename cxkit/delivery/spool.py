"""A spool: one process's records on disk, in segments, until every exporter is through with them.

``root/spool/TOKEN/`` belongs to the process that holds the lock on ``owner.lock`` in it; when that
process is gone, however it went, the lock is free and another adopts the directory. Nothing is
ever decided by a process id. A child must close its copy of the lock, or the orphan could never
be adopted (`abandon`).
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import attrs

from cxkit.codec.frame import HEADER_BYTES as FRAME_BYTES
from cxkit.codec.frame import MAX_PAYLOAD_BYTES, Record, pack, unpack
from cxkit.delivery.cursor import Cursor, Progress, added
from cxkit.delivery.segment import HEADER_BYTES, FileSegment, MemorySegment, Segment

__all__ = ["Read", "Spool", "adopt", "check_directory", "count_records"]

_LOCK: Final = "owner.lock"
_READ_BYTES: Final = 2 * (FRAME_BYTES + MAX_PAYLOAD_BYTES)
"""So that any whole frame fits in one read."""


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
        self, path: Path | None, lock: int, segments: list[Segment], *, next_sequence: int, segment_bytes: int
    ) -> None:
        self.path = path
        self.next_sequence = next_sequence
        """The sequence number of the next record; so many were spooled here."""
        self.live = True
        """Whether more may be appended."""
        self.lost = "corrupt"
        """Why what cannot be read of it any more was lost."""
        self._lock = lock
        self._segments = segments
        self._segment_bytes = segment_bytes
        self._removed: dict[int, str] = {}
        self._cursors: dict[str, Cursor] = {}

    @classmethod
    def create(cls, root: Path | None, *, segment_bytes: int) -> Spool:
        """A new spool under ``root``, or in memory if that is None.

        Raises:
            OSError: The directory cannot be made, or is not ours alone.
        """
        if root is None:
            return cls(None, -1, [], next_sequence=0, segment_bytes=segment_bytes)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_directory(root)
        path = root / os.urandom(8).hex()
        path.mkdir(mode=0o700)
        lock = _try_lock(path)
        assert lock is not None, "nobody else knows this name"
        return cls(path, lock, [], next_sequence=0, segment_bytes=segment_bytes)

    @property
    def name(self) -> str:
        """Its token."""
        return self.path.name if self.path else "memory"

    @property
    def bytes_held(self) -> int:
        """What its segments take."""
        return sum(segment.end for segment in self._segments)

    def append(self, records: Sequence[Record]) -> None:
        """All of these or, if the disk fails, none.

        Raises:
            OSError: None was kept.
        """
        first = self.next_sequence
        data = b"".join([pack(record, first + place) for place, record in enumerate(records)])
        self._room_for(len(data)).append(data)
        self.next_sequence += len(records)

    def sync(self) -> None:
        """Put on disk what was appended.

        Raises:
            OSError: It is not known what is on disk: the segment is sealed, the next append opens a new one.
        """
        if self._segments:
            try:
                self._segments[-1].sync()
            except OSError:
                self._open_next()
                raise

    def seal(self) -> None:
        """No more will be appended here."""
        self.live = False

    def read(self, progress: Progress, *, max_records: int, max_bytes: int) -> Read:
        """The next records from a position on, in order; none if there are none yet.

        What is missing in between (damaged, or removed for lack of room) is counted by the gap it
        leaves in the sequence.
        """
        walk = _Walk(progress)
        while len(walk.found) < max_records and walk.size < max_bytes:
            segment = self._segment_at(walk)
            data = segment.read(walk.offset, _READ_BYTES) if segment else b""
            if segment is None or not data:
                break
            walk.through(data, walk.offset + len(data) >= segment.end, max_records, max_bytes)
        return Read(walk.found, walk.progress())

    def cursor(self, exporter: str) -> Cursor:
        """The cursor of that exporter, which begins at what is still there."""
        cursor = self._cursors.get(exporter)
        if cursor is None:
            cursor = self._cursors[exporter] = Cursor(self.path / f"{exporter}.cursor" if self.path else None)
            if cursor.new:
                first = self._segments[0].first if self._segments else self.next_sequence
                cursor.commit(Progress(sequence=first, base=first))
        return cursor

    def positions(self) -> dict[str, Progress]:
        """How far each exporter has come."""
        return {name: cursor.progress for name, cursor in list(self._cursors.items())}

    def pending(self, exporter: str) -> int:
        """How many records that exporter has not handled."""
        return self.next_sequence - self.cursor(exporter).progress.sequence

    def release(self, passed: int) -> None:
        """Remove segments whose records all exporters have handled: those before sequence ``passed``."""
        while len(self._segments) > 1 and self._segments[1].first <= passed:
            self._segments.pop(0).unlink()

    def give_up_oldest(self, reason: str) -> bool:
        """Remove the oldest segment but the last, handled or not; each lane counts what it misses under ``reason``."""
        if len(self._segments) < 2:
            return False
        oldest = self._segments.pop(0)
        self._removed[oldest.number] = reason
        oldest.unlink()
        return True

    def expire(self, *, before: float) -> None:
        """Give up segments last written before that time (Unix seconds); of a dead spool, the last one too."""
        while self._segments and self._segments[0].written_at < before:
            if len(self._segments) == 1:
                if not self.live:
                    self.lost = "expired"
                    self._segments.pop().unlink()
                return
            self.give_up_oldest("expired")

    def remove(self) -> None:
        """Remove it altogether: everything in it has been accounted for elsewhere."""
        self.close()
        if self.path is not None:
            import shutil

            shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Let others adopt it."""
        for cursor in self._cursors.values():
            cursor.close()
        for segment in self._segments:
            segment.close()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the lock, and of nothing else: what a forked child does with its parent's spool."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _room_for(self, size: int) -> Segment:
        last = self._segments[-1] if self._segments else None
        if last is None or (last.end > HEADER_BYTES and last.end + size > self._segment_bytes):
            return self._open_next()
        return last

    def _open_next(self) -> Segment:
        number = self._segments[-1].number + 1 if self._segments else 1
        segment: Segment
        if self.path is None:
            segment = MemorySegment(number, first=self.next_sequence)
        else:
            segment = FileSegment.create(self.path, number, first=self.next_sequence)
        self._segments.append(segment)
        return segment

    def _segment_at(self, walk: _Walk) -> Segment | None:
        """The segment to read next, the walk moved to where it starts."""
        for segment in list(self._segments):
            if segment.number == walk.segment and walk.offset < segment.end:
                return segment
            if segment.number > walk.segment and segment.end > HEADER_BYTES:
                walk.skip_to(segment.first, self._removed.get(segment.number - 1, "spool_full"))
                walk.segment, walk.offset = segment.number, HEADER_BYTES
                return segment
        return None


def adopt(path: Path, *, segment_bytes: int) -> Spool | None:
    """The spool of an owner who is gone; None if the owner lives, or it is not ours to touch."""
    try:
        check_directory(path)
        lock = _try_lock(path)
        if lock is None:
            return None
        if not path.exists():  # removed by its last owner while we reached for the lock
            os.close(lock)
            return None
    except OSError:
        return None
    opened = [FileSegment.open(one) for one in sorted(path.glob("[0-9]*.seg")) if one.stem.isdigit()]
    segments: list[Segment] = [segment for segment in opened if segment is not None]
    if len(segments) < len(opened):  # written by a later version: leave it for one that knows it
        for segment in segments:
            segment.close()
        os.close(lock)
        return None
    spool = Spool(path, lock, segments, next_sequence=count_records(segments), segment_bytes=segment_bytes)
    spool.seal()
    return spool


def check_directory(path: Path) -> None:
    """Refuse a directory that is a link, or that others may write to.

    Raises:
        OSError: It is one.
    """
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path.name} is a link, or others may write to it")


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def count_records(segments: Sequence[Segment]) -> int:
    """The sequence number behind the last whole record."""
    if not segments:
        return 0
    last = segments[-1]
    data, offset, following = last.read(0, last.end), HEADER_BYTES, last.first
    while offset + FRAME_BYTES <= len(data):
        record, end = unpack(data, offset)
        if record is not None:
            following = record.sequence + 1
        offset = end if end > offset else offset + 1
    return following


class _Walk:
    """A position on its way through the segments."""

    def __init__(self, progress: Progress) -> None:
        self.found: list[Record] = []
        self.size = 0
        self.segment = progress.segment
        self.offset = progress.offset
        self.sequence = progress.sequence
        self._began = progress
        self._missing: dict[str, int] = {}

    def through(self, data: bytes, whole: bool, max_records: int, max_bytes: int) -> None:
        """Take records from ``data``, which starts at the position; ``whole`` if nothing follows it."""
        offset = 0
        while offset < len(data) and len(self.found) < max_records and self.size < max_bytes:
            record, end = unpack(data, offset)
            if record is None and end == offset:
                if not whole:
                    break  # the frame goes on behind what was read
                end = offset + 1  # damaged: nothing more of it will come
            elif record is not None and record.sequence >= self.sequence:
                self.skip_to(record.sequence, "corrupt")
                self.found.append(record)
                self.size += len(record.payload)
                self.sequence += 1
            offset = end
        self.offset += offset

    def skip_to(self, sequence: int, reason: str) -> None:
        """Count what is missing before ``sequence``."""
        if sequence > self.sequence:
            self._missing[reason] = self._missing.get(reason, 0) + sequence - self.sequence
            self.sequence = sequence

    def progress(self) -> Progress:
        return attrs.evolve(
            self._began,
            segment=self.segment,
            offset=self.offset,
            sequence=self.sequence,
            counts=added(
                self._began.counts, {f"dropped.{why}": count for why, count in self._missing.items()}
            ),
        )
