"""Dead letters: what an exporter's other side refused for ever, kept for an operator to look at.

The same frames as a spool, one file per exporter and process under ``dead/``; each payload is a
JSON object ``{"exporter", "reason", "at", "interaction"}``.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from cxkit.codec.frame import Record, pack, unpack

__all__ = ["DeadLetters", "read_dead"]


class _Letter(msgspec.Struct):
    exporter: str
    reason: str
    at: str
    interaction: msgspec.Raw


class DeadLetters:
    """The dead letters of one exporter in one process; in a directory, or nowhere if that is None."""

    def __init__(self, directory: Path | None, exporter: str, token: str) -> None:
        self._path = directory and directory / f"{exporter}-{token}.dead"
        self._exporter = exporter

    def add(self, record: Record, *, reason: str, at: str) -> None:
        """Keep one.

        Raises:
            OSError: It could not be kept.
        """
        if self._path is None:
            return
        letter = _Letter(self._exporter, reason[:1024], at, msgspec.Raw(record.payload))
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, pack(record._replace(payload=msgspec.json.encode(letter))))
        finally:
            os.close(descriptor)


def read_dead(path: Path) -> list[dict[str, object]]:
    """The letters of one file, the oldest first; damaged ones are left out."""
    data, offset, found = path.read_bytes(), 0, []
    while offset < len(data):
        record, end = unpack(data, offset)
        if record is not None:
            found.append(msgspec.json.decode(record.payload))
        offset = end if end > offset else offset + 1
    return found
