"""The frame around each record of a spool.

Layout, big endian; the checksum covers all that follows it::

    magic 4 | length 4 | crc32 4 | sequence 8 | type 1 | priority 1 | own purpose 1 | flags 1
    | purposes 2 | subject 16 | payload (length bytes)

The magic is the sync marker: after damage the reader looks for the next one, so a flipped bit
costs one record. A torn tail is a frame whose length reaches past the end.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from cxkit.model import purpose_bits

__all__ = [
    "COMMAND",
    "ERASED",
    "HEADER_BYTES",
    "INTERACTION",
    "MAX_PAYLOAD_BYTES",
    "NOBODY",
    "PRIORITIES",
    "REPORT",
    "Record",
    "erased",
    "find_magic",
    "pack",
    "unpack",
]

_MAGIC: Final = b"\xc7CX\x01"
_HEADER: Final = struct.Struct(">4sIIQBBBBH16s")
_SEAL: Final = struct.Struct(">4sII")
_BODY: Final = struct.Struct(">QBBBBH16s")
_CRC_END: Final = 12
HEADER_BYTES: Final = _HEADER.size
MAX_PAYLOAD_BYTES: Final = 1 << 18

INTERACTION: Final = 1
COMMAND: Final = 2
"""An interaction that also changes the store: an identification, a consent, an answer."""
REPORT: Final = 3
"""An interaction that reports losses: were it lost itself, that is no reason for another."""
ERASED: Final = 4
"""What is left of one that was erased: its place, so that the account adds up."""

_UNGOVERNED: Final = 1
_CLICK, _POSITION = purpose_bits(["advertising"]), purpose_bits(["precise_location"])
_HOLDS: Final = (0, _CLICK, _POSITION, _CLICK | _POSITION)
"""By the flags' second and third bit."""

NOBODY: Final = bytes(16)
"""The subject of an interaction that names no persistent identifier."""

PRIORITIES: Final = ("low", "normal", "critical")


class Record(NamedTuple):
    """One spooled interaction with what delivery must know without decoding it."""

    payload: bytes
    """The canonical bytes."""
    subject: bytes = NOBODY
    """16 bytes: the keyed hash of the strongest persistent identifier."""
    purposes: int = 0
    """Bits of the purposes that were allowed at capture, in the order of ``PURPOSES``."""
    own: int = 0
    """Index of the touchpoint's own purpose."""
    priority: int = 1
    """Index into `PRIORITIES`."""
    type: int = INTERACTION
    sequence: int = 0
    """Position in the spool, from 0, without gaps."""
    governed: bool = True
    """Whether delivery asks for the subject's consent; a choice itself is always delivered to those who had it."""
    holds: int = 0
    """Bits of the purposes that it needs besides, for what its context holds: ``advertising``, ``precise_location``."""


def pack(record: Record, sequence: int | None = None) -> bytes:
    """The frame of a record, under another sequence number if one is given.

    Example:
        >>> unpack(pack(Record(b"{}"), 7), 0)[0].sequence
        7
    """
    payload, subject, purposes, own, priority, type, place, governed, holds = record
    flags = _HOLDS.index(holds) << 1 | (0 if governed else _UNGOVERNED)
    body = _BODY.pack(place if sequence is None else sequence, type, priority, own, flags, purposes, subject)
    crc = zlib.crc32(payload, zlib.crc32(body))
    return b"".join((_SEAL.pack(_MAGIC, len(payload), crc), body, payload))


def unpack(data: bytes, offset: int) -> tuple[Record | None, int]:
    """The record whose frame starts at ``offset``, and where the next one starts.

    Returns:
        ``(record, end)``; ``(None, offset)`` if the frame is not whole yet (a torn tail, or more
        to read); ``(None, next)`` with ``next > offset`` if it is damaged and ``next`` is where
        to go on.
    """
    if len(data) - offset < HEADER_BYTES:
        return None, offset
    magic, length, crc, sequence, type, priority, own, flags, purposes, subject = _HEADER.unpack_from(data, offset)
    if magic != _MAGIC or length > MAX_PAYLOAD_BYTES:
        return None, find_magic(data, offset + 1)
    start = offset + HEADER_BYTES
    end = start + length
    if end > len(data):
        return None, offset
    payload = data[start:end]
    if zlib.crc32(payload, zlib.crc32(data[offset + _CRC_END : start])) != crc:
        return None, find_magic(data, offset + 1)
    governed, holds = not flags & _UNGOVERNED, _HOLDS[flags >> 1 & 3]
    return Record(payload, subject, purposes, own, priority, type, sequence, governed, holds), end


def erased(record: Record) -> Record:
    """What may be left of a record: as long as it was, and about nobody."""
    return Record(b" " * len(record.payload), priority=record.priority, type=ERASED, sequence=record.sequence)


def find_magic(data: bytes, offset: int) -> int:
    """Where the next frame may start at or after ``offset``; short of the end by what may be half a marker."""
    found = data.find(_MAGIC, offset)
    return found if found >= 0 else max(offset, len(data) - len(_MAGIC) + 1)
