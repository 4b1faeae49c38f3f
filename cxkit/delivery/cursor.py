"""A cursor: how far one exporter has come in one spool, and what became of all before it.

Position and counts are written together, into one of two slots in turn, each with a generation
and a checksum. So after any crash the account and the position agree, and a damaged slot costs
duplicates, never a loss. Not synced: a power cut, too, costs duplicates only.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import attrs
import msgspec

from cxkit.delivery.greenlets import beside

__all__ = ["Cursor", "Progress", "Slot", "added", "read_slots"]

_SLOT_BYTES: Final = 4096
_HEADER: Final = struct.Struct(">IIQ")
_GENERATION: Final = struct.Struct(">Q")


@attrs.frozen(kw_only=True)
class Progress:
    """Where an exporter is in a spool."""

    segment: int = 0
    offset: int = 0
    sequence: int = 0
    """The sequence number of the next record to handle."""
    base: int = 0
    """The sequence number it began at."""
    counts: Mapping[str, int] = attrs.field(factory=dict)
    """What became of the records from ``base`` to ``sequence``: ``delivered``, ``dead``,
    ``dropped.REASON``. They sum up to the difference."""


_progress: Final = msgspec.json.Decoder(Progress)


class Cursor:
    """Keeps a `Progress` in a file, or in memory if there is none.

    Raises:
        OSError: The file cannot be opened or read.
    """

    def __init__(self, path: Path | None) -> None:
        self.progress = Progress()
        self.kept = 0
        """The sequence number that even the older slot has: what lies before is never asked for again."""
        self._descriptor = -1
        self._generation = 0
        self._written = 0
        if path is not None:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._load()
        self.new = self._generation == 0
        """Whether nothing was ever committed to it."""

    def commit(self, progress: Progress) -> None:
        """The new position and counts, together.

        Raises:
            OSError: They are not kept; the position in memory has moved on all the same.
        """
        try:
            if self._descriptor >= 0:
                self._write(progress)
            else:
                self._written = progress.sequence
        finally:  # not before it is written: whoever waits for a flush may end the process at once
            self.progress = progress
        self.kept, self._written = self._written, progress.sequence

    def sync(self) -> None:
        """Put on disk what was committed.

        Raises:
            OSError: It is not known what is on disk.
        """
        if self._descriptor >= 0:
            beside(os.fsync, self._descriptor)

    def close(self) -> None:
        """Nothing more will be kept."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, progress: Progress) -> None:
        body = msgspec.json.encode(attrs.asdict(progress))
        if len(body) > _SLOT_BYTES - _HEADER.size:
            raise OSError(errno.EFBIG, "a cursor does not fit its slot")
        generation = self._generation + 1
        slot = _HEADER.pack(len(body), _checksum(generation, body), generation) + body
        if os.pwrite(self._descriptor, slot, generation % 2 * _SLOT_BYTES) < len(slot):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._generation = generation  # only now: the next try must not touch the slot that is whole

    def _load(self) -> None:
        try:
            data = os.pread(self._descriptor, 2 * _SLOT_BYTES, 0)
        except OSError:
            self.close()
            raise
        try:  # so that both slots have their room when the disk is full one day
            os.pwrite(self._descriptor, bytes(2 * _SLOT_BYTES - len(data)), len(data))
        except OSError:
            pass
        older, newer = read_slots(data)
        self._generation, self.progress = newer
        self._written, self.kept = newer.progress.sequence, older.progress.sequence


class Slot(NamedTuple):
    """What one slot holds."""

    generation: int = 0
    """0 if nothing whole."""
    progress: Progress = Progress()


def read_slots(data: bytes) -> tuple[Slot, Slot]:
    """The older and the newer slot."""
    one, other = _read_slot(data, 0), _read_slot(data, _SLOT_BYTES)
    return (one, other) if one.generation < other.generation else (other, one)


def added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """The sum of two accounts, name by name.

    Example:
        >>> added({"delivered": 2}, {"delivered": 1, "dead": 1})
        {'delivered': 3, 'dead': 1}
    """
    return {**counts, **{name: counts.get(name, 0) + count for name, count in more.items()}}


def _read_slot(data: bytes, start: int) -> Slot:
    try:
        length, crc, generation = _HEADER.unpack_from(data, start)
        body = data[start + _HEADER.size : start + _HEADER.size + length]
        if generation and crc == _checksum(generation, body):
            return Slot(generation, _progress.decode(body))
    except (struct.error, msgspec.MsgspecError):
        pass
    return Slot()


def _checksum(generation: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_GENERATION.pack(generation)))
