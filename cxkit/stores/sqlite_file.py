"""The file under the SQLite store: made whole, checked before it is touched, its troubles named."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from cxkit.errors import StoreError

__all__ = ["INHERITED", "LOCKED", "Trouble", "connect", "failed", "identity", "store_error"]

_APPLICATION: Final = int.from_bytes(b"cxkt", "big")
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    "BEGIN",
    # A deleted document keeps its row, without a body: versions and tokens go on counting.
    """CREATE TABLE document (
        token INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, body TEXT
    )""",
    "CREATE TABLE term (term TEXT, key TEXT, PRIMARY KEY (term, key)) WITHOUT ROWID",
    "CREATE INDEX term_by_key ON term (key)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
    "COMMIT",
    "PRAGMA journal_mode = WAL",
)
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0",
    # Once restarted the log shrinks to what is in it: its size tells when to checkpoint.
    "PRAGMA journal_size_limit = 0",
    # Who is erased leaves no bytes in free pages.
    "PRAGMA secure_delete = ON",
)


class Trouble(NamedTuple):
    """What can be wrong with the file, in the words of `cxkit.errors.CXError`.

    Example:
        >>> Trouble("CX6001", "burns", "call the fire brigade").code
        'CX6001'
    """

    code: str
    what: str
    """Follows "the store PATH"."""
    fix: str


LOCKED: Final = Trouble("CX6004", "is locked by another process or thread", "find out who holds it so long")
INHERITED: Final = Trouble(
    "CX6011", "was inherited through a fork that Python was not told of", "build the kit after the fork"
)
_WRONG_QUESTION: Final = Trouble("CX6003", "was asked for what no key, term or token can be", "check the arguments")
_FULL: Final = Trouble("CX6005", "cannot grow: the disk or a quota is full, or the disk fails", "free some space")
_CORRUPT: Final = Trouble("CX6006", "is damaged or not an SQLite file", "restore it from a backup or move it away")
_READ_ONLY: Final = Trouble(
    "CX6007", "may not be written", "give this user the right to write the file and its directory"
)
_CANNOT_OPEN: Final = Trouble(
    "CX6008", "cannot be opened", "name a plain file on a local disk, in a directory of this user"
)
_NEWER: Final = Trouble("CX6009", "is from a newer cxkit", "update cxkit")
_NOT_OURS: Final = Trouble("CX6010", "is not a store of cxkit", "name another path, or delete the file if it is empty")
_OTHER: Final = Trouble("CX6001", "cannot be read or written", "look at the cause below")

_SQLITE_CODES: Final = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_WRITE: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
}
_OS_CODES: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
}


def connect(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the store at ``path``, which is made first if there is none.

    Raises:
        StoreError: What is there is not a store that this cxkit may write.
        sqlite3.Error, OSError: See `store_error`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     connection = connect(Path(directory, "state.db"), busy_timeout_s=5.0)
        ...     rows = connection.execute("SELECT * FROM document").fetchall()
        ...     connection.close()
        >>> rows
        []
    """
    _find(path)
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",  # never creates
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _check(connection, path)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def identity(path: Path) -> tuple[int, int] | None:
    """What tells the file from another that takes its name later; None if there is none.

    Example:
        >>> identity(Path("/no/such/file")) is None
        True
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def store_error(path: Path, error: Exception) -> StoreError:
    """The error of the role for one of ``sqlite3``, of the system, or of an impossible argument.

    Example:
        >>> store_error(Path("state.db"), OSError(errno.ENOSPC, "No space left on device")).code
        'CX6005'
    """
    if isinstance(error, (UnicodeEncodeError, OverflowError)):
        return failed(path, _WRONG_QUESTION)
    if isinstance(error, OSError):
        return failed(path, _OS_CODES.get(error.errno or 0, _CANNOT_OPEN))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return failed(path, _SQLITE_CODES.get(code) or _SQLITE_CODES.get(code & 0xFF, _OTHER))


def failed(path: Path, trouble: Trouble) -> StoreError:
    """The error that names a trouble.

    Example:
        >>> failed(Path("state.db"), LOCKED).what
        'the store state.db is locked by another process or thread'
    """
    return StoreError(f"the store {path} {trouble.what}", fix=trouble.fix, code=trouble.code)


def _find(path: Path) -> None:
    """Make sure that a plain file to write is there, for this user alone if it is new."""
    if not os.path.lexists(path):
        _create(path)
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise failed(path, _CANNOT_OPEN)
    if not os.access(path, os.W_OK):
        # SQLite would open it, and leave a log that is read-only even when the file no longer is.
        raise failed(path, _READ_ONLY)


def _create(path: Path) -> None:
    # Whole under another name first: several processes and threads may be the first at once, and
    # SQLite does not wait for its turn to switch a file to the write-ahead log.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            for statement in _SCHEMA:
                connection.execute(statement)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not ours, before anything is changed."""
    if connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION,):
        raise failed(path, _NOT_OURS)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _SCHEMA_VERSION:
        raise failed(path, _NEWER)
