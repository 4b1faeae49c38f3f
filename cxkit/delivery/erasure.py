"""Erasure: what is spooled of a person is overwritten where it lies, delivered or not.

What is left has the place and the length of what was there, and says nothing: so cursors and sequence
numbers hold, and each exporter counts what it did not get (``erased``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Literal, Protocol

import attrs
import msgspec

from cxkit.codec.frame import COMMAND, NOBODY, Record, erased, pack
from cxkit.delivery.segment import HEADER_BYTES, READ_BYTES, Segment, next_frame

__all__ = ["Erasures", "Meant", "erase_in", "find_in", "occurred_by", "tells_of_leaving"]

_LEAVING: Final = "io.cxkit.privacy.erased"
_MERGED: Final = b"io.cxkit.identity.merged"
_HEARD: Final = 10_000


@attrs.frozen
class Meant:
    """Which records are to go.

    Example:
        >>> Meant.about(frozenset([b"n" * 16]))(Record(b"{}", b"n" * 16))
        True
    """

    subjects: Mapping[bytes, datetime | None]
    """Whose, and up to when they occurred; None: whenever that was."""

    @classmethod
    def about(cls, subjects: frozenset[bytes], until: datetime | None = None) -> Meant:
        """All that is about these, and occurred by then."""
        return cls(dict.fromkeys(subjects - {NOBODY}, until))

    def __call__(self, record: Record) -> bool:
        for subject in (record.subject, merged_with(record)):
            if subject in self.subjects:
                until = self.subjects[subject]
                if until is None or occurred_by(record.payload, until):
                    return True
        return False


class _Other(msgspec.Struct):
    key: str


class _Said(msgspec.Struct):
    other: _Other = msgspec.field(name="with")


class _Properties(msgspec.Struct):
    properties: _Said


class _Merged(msgspec.Struct):
    type: Literal["io.cxkit.identity.merged"]
    data: _Properties


_merged: Final = msgspec.json.Decoder(_Merged)


def merged_with(record: Record) -> bytes:
    """Whom a merge that an operator asked for names beside its own subject; nobody, in all else.

    Since then they may have been parted.
    """
    if record.type != COMMAND or _MERGED not in record.payload:
        return NOBODY
    try:
        return bytes.fromhex(_merged.decode(record.payload).data.properties.other.key)
    except (msgspec.MsgspecError, ValueError):
        return NOBODY


class _Timed(msgspec.Struct):
    time: datetime


_timed: Final = msgspec.json.Decoder(_Timed)


def occurred_by(payload: bytes, until: datetime) -> bool:
    """Whether an interaction occurred by then; of one that does not say when, it is taken for granted."""
    try:
        return _timed.decode(payload).time <= until
    except (msgspec.MsgspecError, TypeError):  # no interaction; a time without a zone
        return True


class _Typed(msgspec.Struct):
    type: str


_typed: Final = msgspec.json.Decoder(_Typed)


def tells_of_leaving(record: Record) -> bool:
    """Whether it is the command that erases somebody: nobody's own, so it goes with nobody, and it names them."""
    if record.type != COMMAND or record.subject != NOBODY or record.governed:
        return False
    try:
        return _typed.decode(record.payload).type == _LEAVING
    except msgspec.MsgspecError:
        return False


class Erases(Protocol):
    """What something of a person can be erased in."""

    def erase(self, meant: Meant) -> int: ...


class Erasures:
    """What was asked for, until it is carried out; and what is to be carried out again in what is adopted later.

    Args:
        letters: Erases dead letters; returns False if somebody has them in hand just now.
    """

    def __init__(self, letters: Callable[[Meant], bool] = lambda meant: True) -> None:
        self._letters = letters
        self._asked: deque[tuple[Meant, threading.Event]] = deque()
        self._heard: dict[bytes, datetime] = {}

    def __bool__(self) -> bool:
        return bool(self._asked)

    def ask(self, meant: Meant) -> threading.Event:
        """Have these erased; what is returned is set once that is done. Any thread."""
        done = threading.Event()
        self._asked.append((meant, done))
        return done

    def carry_out(self, spools: Sequence[Erases], alone: Callable[[], AbstractContextManager[None]]) -> None:
        """Erase in all of these, and in the letters, what was asked for.

        Args:
            alone: Entered while spools are written to.

        Raises:
            OSError: The disk fails; what could not be erased is tried again the next time.
        """
        asked = list(self._asked)
        meant = _united(one for one, _ in asked)
        with alone():
            for spool in spools:
                spool.erase(meant)
        heard = _united((Meant(self._heard), meant)).subjects
        self._heard = {subject: until for subject, until in list(heard.items())[-_HEARD:] if until is not None}
        if self._letters(meant):
            for _, done in asked:
                self._asked.popleft()
                done.set()

    def again(self) -> None:
        """Spools were adopted: what was asked for before is to be erased there, too."""
        if self._heard:
            self.ask(Meant(self._heard))


def _united(several: Iterable[Meant]) -> Meant:
    """All that one of them means."""
    subjects: dict[bytes, datetime | None] = {}
    for meant in several:
        for subject, until in meant.subjects.items():
            before = subjects.get(subject, until)
            subjects[subject] = None if until is None or before is None else max(until, before)
    return Meant(subjects)


def erase_in(segments: Iterable[Segment], meant: Meant) -> int:
    """Overwrite the records that are meant; how many there were. For whoever owns the segments.

    Raises:
        OSError: The disk fails; what comes after is as it was.
    """
    count = 0
    for segment in segments:
        places = [(offset, pack(erased(record))) for offset, record in find_in(segment, meant)]
        if places:
            segment.overwrite(places)
            count += len(places)
    return count


def find_in(segment: Segment, meant: Meant) -> Iterator[tuple[int, Record]]:
    """Where in a segment records that are meant start, and what they are."""
    start = HEADER_BYTES
    while data := segment.read(start, READ_BYTES):
        offset, whole = 0, len(data) < READ_BYTES
        while offset < len(data):
            record, end = next_frame(data, offset, whole=whole)
            if end == offset:
                break  # the frame goes on behind what was read
            if record is not None and meant(record):
                yield start + offset, record
            offset = end
        start += offset
