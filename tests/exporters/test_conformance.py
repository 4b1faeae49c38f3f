"""The built-in exporters, judged by the kit that judges everybody's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import attrs
import msgspec

from cxkit.codec import decode, split_batch
from cxkit.exporters import console, file, http, local
from cxkit.model import Interaction
from cxkit.testing.exporter_suite import Fault, HTTPBackend, LocalBackend, Received, exporter_suite
from cxkit.testing.receiver import Request

ALL_FIELDS = tuple(one.name for one in attrs.fields(Interaction))


def canonical(payload: bytes, *, key: str | None = None) -> Received:
    """A CloudEvent of cxkit: it carries every field."""
    id = str(msgspec.json.decode(payload)["id"])
    try:
        interaction = decode(payload)
    except ValueError:  # of a later version: it was passed on as it was
        return Received(id=id, key=key)
    return Received(id=id, key=key, fields={name: getattr(interaction, name) for name in ALL_FIELDS})


class CollectorBackend(HTTPBackend):
    fields = ALL_FIELDS

    def read(self, request: Request) -> Sequence[Received]:
        return [canonical(bytes(one)) for one in split_batch(request.content)]


class LinesBackend(LocalBackend):
    fields = ALL_FIELDS
    skips: ClassVar = {name: reason for name, reason in LocalBackend.skips.items() if name != "test_a_hang_is_bounded"}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.path = directory / "interactions.jsonl"
        self._locked: int | None = None

    def settings(self) -> Mapping[str, Any]:
        return {"path": str(self.path)}

    def read_back(self) -> Sequence[Received]:
        return list(lines(self.path.read_bytes())) if self.path.exists() else []

    def play(self, fault: Fault) -> None:
        if fault.name != "hang":
            super().play(fault)
        self._locked = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._locked, fcntl.LOCK_EX)  # as another process would that writes and never ends

    def heal(self) -> None:
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None


class DatabaseBackend(LocalBackend):
    """Read as anybody would: by SQLite itself, the file being what the reference says it is."""

    fields = ALL_FIELDS
    skips: ClassVar = LinesBackend.skips

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.path = directory / "local.db"
        self._locking: sqlite3.Connection | None = None

    def settings(self) -> Mapping[str, Any]:
        return {"path": str(self.path), "max_age_days": 36_525}  # or what is very old would go at once

    def read_back(self) -> Sequence[Received]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(self.path)) as connection:
            rows = connection.execute("SELECT id, payload FROM interactions ORDER BY rowid")
            found = [(id, canonical(payload.encode())) for id, payload in rows]
        assert [id for id, _ in found] == [one.id for _, one in found], "a column tells of another than its payload"
        return [one for _, one in found]

    def play(self, fault: Fault) -> None:
        if fault.name != "hang":
            super().play(fault)
        self._locking = sqlite3.connect(self.path, isolation_level=None)
        self._locking.execute("BEGIN EXCLUSIVE")

    def heal(self) -> None:
        if self._locking is not None:
            self._locking.close()
            self._locking = None


class StreamBackend(LocalBackend):
    """The standard output, while it is a file. There, it is the other side: what is on it was meant to be."""

    fields = ALL_FIELDS

    def start(self) -> None:
        self._file = (self.directory / "stdout").open("w+", encoding="utf-8")
        self._before: Any = None

    def settings(self) -> Mapping[str, Any]:
        if sys.stdout is not self._file:  # only now: between a fixture and its test pytest puts its own back
            self._before, sys.stdout = sys.stdout, self._file
        return {"stream": "stdout", "format": "json"}

    def stop(self) -> None:
        if sys.stdout is self._file:
            sys.stdout = self._before
        self._file.close()

    def read_back(self) -> Sequence[Received]:
        return list(lines((self.directory / "stdout").read_bytes()))


def lines(written: bytes) -> Iterator[Received]:
    for line in written.split(b"\n"):
        with contextlib.suppress(msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError):
            yield canonical(line)  # what cannot be read was garbage when it was handed over


TestHTTP = exporter_suite(http.FACTORY, backend=CollectorBackend)
TestFile = exporter_suite(file.FACTORY, backend=LinesBackend)
TestLocal = exporter_suite(local.FACTORY, backend=DatabaseBackend)
TestConsole = exporter_suite(
    console.FACTORY,
    backend=StreamBackend,
    skips={
        "test_personal_data_stays_out_of_reasons_and_logs": "people read the console: showing them is what it is for",
        "test_close_gives_up_what_is_open": "the standard output belongs to the process",
    },
)
