"""Erasure: what is spooled of a person is overwritten where it lies, delivered or not.

The owner of a spool does that in its own; in those of owners who are gone, whoever erases. What is
left has the place and the length of what was there, and says nothing: so cursors and sequence numbers
hold, and each exporter counts what it did not get (``erased``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from cxkit.codec.frame import NOBODY, Record, erased, pack
from cxkit.delivery.files import LOCK, check_directory, lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.segment import HEADER_BYTES, READ_BYTES, Segment, next_frame, open_segments

__all__ = ["Erasures", "Left", "erase_abandoned", "erase_in", "find_in"]


@attrs.frozen(kw_only=True)
class Left:
    """What an erasure in the spools of others came to."""

    erased: int = 0
    """Records."""
    held: tuple[str, ...] = ()
    """Spools with something to erase whose owner lives: it hears of it and does it."""
    unread: tuple[str, ...] = ()
    """Spools that could not be read, or are of a later version."""


class Erases(Protocol):
    """What something of a person can be erased in."""

    def erase(self, subjects: frozenset[bytes]) -> int: ...


class Erasures:
    """What was asked for, until it is carried out."""

    def __init__(self) -> None:
        self._asked: deque[tuple[frozenset[bytes], threading.Event]] = deque()

    def __bool__(self) -> bool:
        return bool(self._asked)

    def ask(self, subjects: frozenset[bytes]) -> threading.Event:
        """Have these erased; what is returned is set once that is done. Any thread."""
        done = threading.Event()
        self._asked.append((subjects, done))
        return done

    def carry_out(self, spools: Sequence[Erases]) -> None:
        """Erase in all of these what was asked for.

        Raises:
            OSError: The disk fails; what could not be erased is tried again the next time.
        """
        for _ in range(len(self._asked)):
            subjects, done = self._asked[0]
            for spool in spools:
                spool.erase(subjects)
            self._asked.popleft()
            done.set()


def erase_in(segments: Iterable[Segment], subjects: frozenset[bytes]) -> int:
    """Overwrite the records of these subjects; how many there were. For whoever owns the segments.

    Raises:
        OSError: The disk fails; what comes after is as it was.
    """
    count = 0
    for segment in segments:
        places = [(offset, pack(erased(record))) for offset, record in find_in(segment, subjects)]
        if places:
            segment.overwrite(places)
            count += len(places)
    return count


def find_in(segment: Segment, subjects: frozenset[bytes]) -> Iterator[tuple[int, Record]]:
    """Where in a segment records of these subjects start, and what they are."""
    start = HEADER_BYTES
    while data := segment.read(start, READ_BYTES):
        offset, whole = 0, len(data) < READ_BYTES
        while offset < len(data):
            record, end = next_frame(data, offset, whole=whole)
            if end == offset:
                break  # the frame goes on behind what was read
            if record is not None and record.subject in subjects and record.subject != NOBODY:
                yield start + offset, record
            offset = end
        start += offset


def erase_abandoned(root: Path, subjects: frozenset[bytes]) -> Left:
    """Erase in the spools under ``root`` whose owners are gone, and tell which are left.

    Raises:
        OSError: The directory is not ours alone.
    """
    count, held, unread = 0, [], []
    check_directory(root / "spool")
    for path in sorted((root / "spool").glob("[!.]*/")):
        try:
            done, left = _erase_abandoned(path, subjects)
        except FileNotFoundError:
            continue  # removed just now: all of it was delivered
        except OSError:
            unread.append(path.name)
            continue
        count += done
        held += [path.name] if left else []
    return Left(erased=count, held=tuple(held), unread=tuple(unread))


def _erase_abandoned(path: Path, subjects: frozenset[bytes]) -> tuple[int, bool]:
    """How many records were erased, and whether there are some that their owner has to erase."""
    owned = lock(path / LOCK)
    try:
        segments = open_segments(path)
        try:
            if owned is not None:
                return erase_in(segments, subjects), False
            return 0, any(True for segment in segments for _ in find_in(segment, subjects))
        finally:
            for segment in segments:
                segment.close()
    finally:
        if owned is not None:
            let_go(owned)
