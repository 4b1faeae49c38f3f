"""Reading the local file: never writing, never making one, every trouble a `LocalFileError`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cxkit.errors import LocalFileError
from cxkit.exporters.local.schema import APPLICATION_ID, SHOWN, VERSION

__all__ = ["read"]

_DAMAGED: Final = (
    "CX6102",
    "is damaged, cut off or no SQLite file",
    "move it away: the next interaction begins a new one",
)
_LOCKED: Final = ("CX6104", "is locked by another program", "wait, or end the program that holds it")
_UNREADABLE: Final = ("CX6107", "cannot be read", "give this user the right to read it and to write to its directory")
_FOREIGN: Final = ("CX6103", "is not one of cxkit", "name the file of an exporter of type local")
_NEWER: Final = ("CX6103", "was written by a newer cxkit", "update cxkit")

_TROUBLES: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _UNREADABLE,
    sqlite3.SQLITE_IOERR: _UNREADABLE,
    sqlite3.SQLITE_PERM: _UNREADABLE,
    sqlite3.SQLITE_READONLY: _UNREADABLE,
}
"""Anything else is a mistake in the question, and raised as it is."""


@contextmanager
def read(path: Path, *, patience_s: float = 5.0) -> Iterator[sqlite3.Connection]:
    """A connection that only reads; rows are `sqlite3.Row`.

    Each statement sees what is committed when it starts; ``BEGIN`` holds on to one moment.

    Args:
        path: The file of an exporter of type ``local``.
        patience_s: How long to wait for a lock.

    Raises:
        LocalFileError: There is no such file (CX6101), it is damaged (CX6102), another program's or a
            newer version's (CX6103), locked (CX6104), or cannot be read (CX6107). So is what a
            statement in the ``with`` block meets.

    Example:
        >>> try:
        ...     with read(Path("none.db")) as connection:
        ...         connection.execute("SELECT * FROM events")
        ... except LocalFileError as error:
        ...     print(error.code)
        CX6101
    """
    _find(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = _open(path, patience_s)
        yield connection
    except sqlite3.Error as error:
        trouble = _TROUBLES.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF)
        if trouble is None:
            raise
        raise _failed(path, trouble) from error
    finally:
        if connection is not None:
            connection.close()


def _find(path: Path) -> None:
    try:
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            raise _missing(path)
        if not path.is_file():
            raise _failed(path, _UNREADABLE)
    except PermissionError as error:
        raise _failed(path, _UNREADABLE) from error


def _open(path: Path, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=patience_s, isolation_level=None
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.text_factory = _decoded
        connection.execute("SELECT name FROM sqlite_master").fetchall()  # whether it can be read at all
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise _failed(path, _FOREIGN)
        if version > VERSION:
            raise _failed(path, _NEWER)
        for statement in SHOWN.get(version, ()):
            connection.execute(statement)
    except BaseException:  # whatever it is goes on its way
        connection.close()
        raise
    return connection


def _missing(path: Path) -> LocalFileError:
    return LocalFileError(
        f"there is no local file {path}, or nothing in it",
        fix='run your app with `cxkit dev -- COMMAND`, or add an exporter with type = "local" and its purposes',
        code="CX6101",
    )


def _failed(path: Path, trouble: tuple[str, str, str]) -> LocalFileError:
    code, what, fix = trouble
    return LocalFileError(f"the local file {path} {what}", fix=fix, code=code)


def _decoded(raw: bytes) -> str:
    """Text, whatever somebody else has written into the file."""
    return raw.decode("utf-8", "replace")
