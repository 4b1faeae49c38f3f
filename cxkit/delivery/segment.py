"""A segment: a run of frames in a file, or in memory where no file can be had.

A segment starts with 20 bytes: magic, format version, the sequence number of its first record, and
a checksum of these; they mean the same in every version.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from cxkit.codec.frame import HEADER_BYTES as FRAME_BYTES
from cxkit.codec.frame import MAX_PAYLOAD_BYTES, Record, unpack
from cxkit.delivery.greenlets import beside

__all__ = [
    "HEADER_BYTES",
    "READ_BYTES",
    "FileSegment",
    "LaterVersionError",
    "MemorySegment",
    "Segment",
    "next_frame",
    "open_segments",
]

_HEADER: Final = struct.Struct(">4sHxxQ")
_CRC: Final = struct.Struct(">I")
_MAGIC: Final = b"CXSP"
_VERSION: Final = 1
HEADER_BYTES: Final = _HEADER.size + _CRC.size
READ_BYTES: Final = 2 * (FRAME_BYTES + MAX_PAYLOAD_BYTES)
"""How much to read at once, so that any whole frame fits."""

_fdatasync: Final[Any] = getattr(os, "fdatasync", os.fsync)  # macOS has only the other


class LaterVersionError(OSError):
    """A segment was written by a later version of cxkit: it is not ours to touch."""


class Segment(Protocol):
    """Appended to by one thread, read by many, unlinked whole."""

    number: int
    first: int
    """Sequence number of its first record."""
    end: int
    """Where its last whole write ends: readers go no further."""

    @property
    def written_at(self) -> float:
        """When it was last written, Unix seconds."""
        ...

    def append(self, data: bytes) -> None: ...

    def read(self, offset: int, size: int) -> bytes: ...

    def overwrite(self, places: Iterable[tuple[int, bytes]]) -> None: ...

    def sync(self) -> None: ...

    def unlink(self) -> None: ...

    def close(self) -> None: ...


class FileSegment:
    """A segment in a file ``NUMBER.seg``."""

    def __init__(self, path: Path, descriptor: int, *, first: int, end: int) -> None:
        self.path = path
        self.number = int(path.stem)
        self.first = first
        self.end = end
        self._descriptor = descriptor
        self._guard = threading.Lock()  # a closed descriptor's number may already be another file's

    @classmethod
    def create(cls, directory: Path, number: int, *, first: int) -> FileSegment:
        """A new file, readable by its owner only.

        Raises:
            OSError: It cannot be made.
        """
        path = directory / f"{number:08d}.seg"
        path.unlink(missing_ok=True)  # one that we were interrupted in making: the directory is ours, it holds nothing
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        segment = cls(path, os.open(path, flags, 0o600), first=first, end=0)
        try:
            segment.append(_header(first))
        except OSError:
            segment.unlink()
            raise
        return segment

    @classmethod
    def open(cls, path: Path) -> FileSegment | None:
        """One that another process wrote; None if it is gone, or nothing in it is a segment.

        A damaged header costs nothing: the first whole record tells its number too.

        Raises:
            LaterVersionError: A later version wrote it.
            OSError: It cannot be read now.
        """
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return None
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            first = _first_sequence(os.pread(descriptor, READ_BYTES, 0), path)
            end = os.fstat(descriptor).st_size
        except OSError:
            os.close(descriptor)
            raise
        if first is None:
            os.close(descriptor)
            return None
        return cls(path, descriptor, first=first, end=end)

    @property
    def written_at(self) -> float:
        with self._guard:
            return os.fstat(self._descriptor).st_mtime if self._descriptor >= 0 else time.time()

    def append(self, data: bytes) -> None:
        """All of it or, if the disk fails, none of it.

        Raises:
            OSError: Nothing was kept; what was written in part is cut off again.
        """
        view = memoryview(data)
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._descriptor, view[written:], self.end + written)
        except OSError:
            os.ftruncate(self._descriptor, self.end)
            raise
        self.end += written

    def read(self, offset: int, size: int) -> bytes:
        with self._guard:
            if self._descriptor < 0:
                return b""
            return os.pread(self._descriptor, max(0, min(size, self.end - offset)), offset)

    def overwrite(self, places: Iterable[tuple[int, bytes]]) -> None:
        """Put these bytes there, and that on disk; no reader of this process sees half of one.

        Raises:
            OSError: The disk fails, or somebody put another file there.
        """
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for offset, data in places:
                with self._guard:
                    if self._descriptor < 0:
                        return
                    if not os.path.samestat(os.fstat(descriptor), os.fstat(self._descriptor)):
                        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self.path))
                    os.pwrite(descriptor, data, offset)
            beside(_fdatasync, descriptor)
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        with self._guard:
            if self._descriptor < 0:
                return
            descriptor = os.dup(self._descriptor)  # readers need not wait for the disk
        try:
            beside(_fdatasync, descriptor)
        finally:
            os.close(descriptor)

    def unlink(self) -> None:
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        with self._guard:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class MemorySegment:
    """The same without a file: it does not survive the process."""

    def __init__(self, number: int, *, first: int) -> None:
        self.number = number
        self.first = first
        self._data = bytearray(_header(first))
        self.end = len(self._data)
        self.written_at = time.time()

    def append(self, data: bytes) -> None:
        self._data += data
        self.end = len(self._data)
        self.written_at = time.time()

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def overwrite(self, places: Iterable[tuple[int, bytes]]) -> None:
        for offset, data in places:
            self._data[offset : offset + len(data)] = data

    def sync(self) -> None:
        pass

    def unlink(self) -> None:
        self.close()

    def close(self) -> None:
        self._data = bytearray()


def open_segments(directory: Path) -> list[FileSegment]:
    """All segments in a spool's directory, in order; what else lies there is left alone.

    Raises:
        LaterVersionError: A later version wrote one.
        OSError: One cannot be read now.
    """
    found: list[FileSegment] = []
    try:
        for path in sorted(directory.glob(f"{'[0-9]' * 8}.seg")):
            segment = FileSegment.open(path)
            if segment is not None:
                found.append(segment)
    except OSError:
        for segment in found:
            segment.close()
        raise
    return found


def next_frame(data: bytes, offset: int, *, whole: bool) -> tuple[Record | None, int]:
    """The frame at ``offset`` and where to go on; at ``offset`` again if it may be whole after more is read.

    Args:
        whole: Whether nothing follows ``data``: then what is not whole yet will never be.
    """
    record, end = unpack(data, offset)
    return record, end if end > offset or not whole else offset + 1


def _header(first: int) -> bytes:
    fields = _HEADER.pack(_MAGIC, _VERSION, first)
    return fields + _CRC.pack(zlib.crc32(fields))


def _first_sequence(data: bytes, path: Path) -> int | None:
    """The sequence number a segment begins with; None if these are no bytes of a segment."""
    fields = data[: _HEADER.size]
    if len(data) >= HEADER_BYTES and _CRC.unpack_from(data, _HEADER.size) == (zlib.crc32(fields),):
        magic, version, first = _HEADER.unpack(fields)
        if magic == _MAGIC and version > _VERSION:
            raise LaterVersionError(f"{path.name} was written by a later version")
        if magic == _MAGIC:
            return int(first)
    offset = 0
    while offset < len(data):
        record, offset = next_frame(data, offset, whole=True)
        if record is not None:
            return record.sequence
    return None
