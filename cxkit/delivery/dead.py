"""Dead letters: what an exporter's other side refused for ever, kept for an operator to look at.

The same frames as a spool, one file per exporter and process under ``dead/``; each payload is a
JSON object ``{"exporter", "reason", "at", "interaction"}``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from cxkit.codec.frame import MAX_PAYLOAD_BYTES, Record, pack, unpack
from cxkit.delivery.files import check_directory

__all__ = ["MAX_LETTER_BYTES", "DeadLetters", "Letter", "read_dead", "read_letters"]

_REASON_CHARS: Final = 1024
MAX_LETTER_BYTES: Final = MAX_PAYLOAD_BYTES - 8192
"""The most an interaction may take, so that it still fits its frame with a letter around it."""
_MOST_BYTES: Final = 64 << 20
"""What the letters of one exporter may take in all; a file's last letter may reach beyond."""


class Letter(msgspec.Struct):
    """What was refused, by whom, when and why."""

    exporter: str
    reason: str
    """The exporter's own word."""
    at: str
    interaction: msgspec.Raw
    """A CloudEvent in JSON."""


class DeadLetters:
    """The dead letters of one exporter in one process; in a directory, or nowhere if that is None."""

    def __init__(self, directory: Path | None, exporter: str, token: str) -> None:
        self._path = directory and directory / f"{exporter}-{token}.dead"
        self._exporter = exporter
        self._others_bytes: int | None = None

    def add(self, record: Record, *, reason: str, at: str) -> None:
        """Keep one, as long as there is room.

        Raises:
            OSError: It could not be kept.
        """
        if self._path is None:
            return
        letter = Letter(self._exporter, reason[:_REASON_CHARS], at, msgspec.Raw(record.payload))
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_directory(self._path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size + self._bytes_of_others(self._path) < _MOST_BYTES:
                os.write(descriptor, pack(record._replace(payload=msgspec.json.encode(letter))))
        finally:
            os.close(descriptor)

    def _bytes_of_others(self, path: Path) -> int:
        if self._others_bytes is None:
            files = path.parent.glob(f"{self._exporter}-*.dead")
            self._others_bytes = sum(one.lstat().st_size for one in files if one != path)
        return self._others_bytes


def read_letters(path: Path) -> Iterator[Letter]:
    """The letters of one file, the oldest first; damaged ones are left out.

    Raises:
        OSError: It cannot be read.
    """
    data, offset = path.read_bytes(), 0
    while offset < len(data):
        record, end = unpack(data, offset)
        if record is not None:
            try:
                yield msgspec.json.decode(record.payload, type=Letter)
            except msgspec.MsgspecError:
                pass  # whole, and no letter
        offset = end if end > offset else offset + 1


def read_dead(path: Path) -> list[dict[str, object]]:
    """The same, each letter as plain JSON."""
    return [
        {
            "exporter": one.exporter,
            "reason": one.reason,
            "at": one.at,
            "interaction": msgspec.json.decode(one.interaction),
        }
        for one in read_letters(path)
    ]
