"""A cursor: how far one exporter has come in one spool, and what became of all before it.

Position and counts are written together, into one of two slots in turn, each with a generation
and a checksum. So after any crash the account and the position agree, and a damaged slot costs
duplicates, never a loss. Not synced: a power cut, too, costs duplicates only.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import msgspec

__all__ = ["Cursor", "Progress", "added", "read_slots"]

_SLOT_BYTES: Final = 4096
_HEADER: Final = struct.Struct(">IIQ")


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


class Cursor:
    """Keeps a `Progress` in a file, or in memory if there is none."""

    def __init__(self, path: Path | None) -> None:
        self._descriptor = -1
        self._generation = 0
        if path is not None:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.progress = self._load()
        self.new = self._generation == 0
        """Whether nothing was ever committed to it."""

    def commit(self, progress: Progress) -> None:
        """The new position and counts, together.

        Raises:
            OSError: They are not kept; the position in memory has moved on all the same.
        """
        self.progress = progress
        if self._descriptor < 0:
            return
        self._generation += 1
        body = msgspec.json.encode(attrs.asdict(progress))
        if len(body) > _SLOT_BYTES - _HEADER.size:
            raise OSError("a cursor does not fit its slot")
        crc = zlib.crc32(body, self._generation & 0xFFFFFFFF)
        slot = _HEADER.pack(len(body), crc, self._generation) + body
        os.pwrite(self._descriptor, slot, self._generation % 2 * _SLOT_BYTES)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _load(self) -> Progress:
        if self._descriptor < 0:
            return Progress()
        found = read_slots(os.pread(self._descriptor, 2 * _SLOT_BYTES, 0))
        self._generation, progress = found
        return progress


def added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """The sum of two accounts, name by name.

    Example:
        >>> added({"delivered": 2}, {"delivered": 1, "dead": 1})
        {'delivered': 3, 'dead': 1}
    """
    return {**counts, **{name: counts.get(name, 0) + count for name, count in more.items()}}


def read_slots(data: bytes) -> tuple[int, Progress]:
    """The newest generation that is whole, and what it says; ``(0, Progress())`` if neither is."""
    best = (0, Progress())
    for start in (0, _SLOT_BYTES):
        try:
            length, crc, generation = _HEADER.unpack_from(data, start)
            body = data[start + _HEADER.size : start + _HEADER.size + length]
            if zlib.crc32(body, generation & 0xFFFFFFFF) == crc and generation > best[0]:
                best = (generation, msgspec.json.decode(body, type=Progress))
        except (struct.error, msgspec.MsgspecError):
            continue
    return best
