"""A segment: a run of frames in a file, or in memory where no file can be had.

A segment starts with 16 bytes: magic, format version, and the sequence number of its first record.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path
from typing import Final, Protocol

__all__ = ["HEADER_BYTES", "FileSegment", "MemorySegment", "Segment"]

_HEADER: Final = struct.Struct(">4sHxxQ")
_MAGIC: Final = b"CXSP"
_VERSION: Final = 1
HEADER_BYTES: Final = _HEADER.size


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
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        segment = cls(path, os.open(path, flags, 0o600), first=first, end=0)
        try:
            segment.append(_HEADER.pack(_MAGIC, _VERSION, first))
        except OSError:
            segment.unlink()
            raise
        return segment

    @classmethod
    def open(cls, path: Path) -> FileSegment | None:
        """One that another process wrote; None if it is no segment of a version we know."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            magic, version, first = _HEADER.unpack(os.pread(descriptor, HEADER_BYTES, 0))
        except (struct.error, OSError):
            magic, version, first = b"", 0, 0
        if magic != _MAGIC or version != _VERSION:
            os.close(descriptor)
            return None
        return cls(path, descriptor, first=first, end=os.fstat(descriptor).st_size)

    @property
    def written_at(self) -> float:
        with self._guard:
            return os.fstat(self._descriptor).st_mtime if self._descriptor >= 0 else 0.0

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

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

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
        self._data = bytearray(_HEADER.pack(_MAGIC, _VERSION, first))
        self.end = len(self._data)
        self.written_at = time.time()

    def append(self, data: bytes) -> None:
        self._data += data
        self.end = len(self._data)
        self.written_at = time.time()

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def sync(self) -> None:
        pass

    def unlink(self) -> None:
        self.close()

    def close(self) -> None:
        self._data = bytearray()
