"""The local file opened for one batch: made if there is none, checked, its troubles named.

Two decisions carry it.

1. **Checkpoints only under the write lock**, or by the last one who closes: SQLite 3.7.0 to 3.51.2 can
   corrupt a file when a checkpoint meets a commit that restarts the log (sqlite.org/wal.html, "The
   WAL-reset bug"). So automatic checkpoints are off. Closing makes one, except while somebody
   reads; a log that got long meanwhile is worked off by a second connection.
2. **Nothing is open across a fork.** A child inherits SQLite's table of the locks its parent holds, but
   not the locks: what it commits may vanish. So a fork waits until the batch is written. Where it
   cannot, or was hidden from Python, the child refuses.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from cxkit.exporters.local.schema import APPLICATION_ID, INDICES, MIGRATIONS, TABLES, VERSION
from cxkit.roles import Outcome

__all__ = ["TroubleError", "log_cleared", "opened"]

_MAX_LOG_BYTES: Final = 8 << 20
_FORK_WAIT_S: Final = 5.0
_CLEARING_S: Final = 1.0
_BEGUN_ANEW_BYTES: Final = 4 * 65_536
"""Room for the few pages of one commit, of whatever size."""
_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY

_PRAGMAS: Final = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0",
    # Once restarted the log shrinks to what is in it: its size tells when to checkpoint.
    "PRAGMA journal_size_limit = 0",
    # What was deleted leaves no bytes in free pages.
    "PRAGMA secure_delete = ON",
)
_SCHEMA: Final = (
    *TABLES,
    *INDICES,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


class TroubleError(Exception):
    """The file cannot be written; nothing was.

    Attributes:
        outcome: What that means for the batch.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


_LOCKED: Final = Outcome.retry("file_locked")
_FULL: Final = Outcome.retry("file_full")
_FAILING: Final = Outcome.retry("file_failing")
_REPLACED: Final = Outcome.retry("file_replaced")
_DAMAGED: Final = Outcome.pause("file_damaged")
_READ_ONLY: Final = Outcome.pause("file_read_only")
_CANNOT_OPEN: Final = Outcome.pause("file_cannot_open")
_FOREIGN: Final = Outcome.pause("file_foreign")
_NEWER: Final = Outcome.pause("file_newer")
_INHERITED: Final = Outcome.pause("file_inherited")

_OF_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_WRITE: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
}
_OF_SYSTEM: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EMFILE: _FAILING,
    errno.ENFILE: _FAILING,
    errno.EACCES: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
}

_guard = threading.Lock()
_opened_by: int | None = None
"""The process that has a file open at this moment."""


@contextmanager
def opened(path: Path, *, patience_s: float) -> Iterator[sqlite3.Connection]:
    """One transaction on the file at ``path``: committed in the end, undone if anything is raised.

    Args:
        patience_s: How long to wait for other threads and processes.

    Raises:
        TroubleError: It cannot be opened or written, or is not ours to write.
    """
    global _opened_by
    end = time.monotonic() + patience_s
    if _opened_by not in (None, os.getpid()):
        raise TroubleError(_INHERITED)
    if not _guard.acquire(timeout=patience_s):
        raise TroubleError(_LOCKED)
    try:
        _opened_by = os.getpid()
        file = _find(path)
        with closing(_connect(path, max(0.0, end - time.monotonic()))) as connection:
            _prepare(connection)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            _shorten_log(connection, path)
        if not os.path.lexists(path) or _find(path) != file:
            raise TroubleError(_REPLACED)  # and what was written went with the other one
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        raise TroubleError(_OF_SQLITE.get(code) or _OF_SQLITE.get(code & 0xFF, _FAILING)) from error
    except OSError as error:
        raise TroubleError(_OF_SYSTEM.get(error.errno or 0, _CANNOT_OPEN)) from error
    finally:
        _opened_by = None
        _guard.release()


def log_cleared(path: Path) -> bool:
    """Let the log hold nothing any more of what was deleted; whether it does not.

    Who closes the file last takes the log away. While another program has it open, all of the log is copied
    into the file, and a commit begins it anew: unless somebody reads at this moment.
    """
    log = Path(f"{path}-wal")
    try:
        if not log.exists():
            return True
        with opened(path, patience_s=_CLEARING_S), closing(_connect(path, 0.0)) as other:
            _, frames, copied = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        with opened(path, patience_s=_CLEARING_S) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        return bool(frames == copied) and (not log.exists() or log.stat().st_size <= _BEGUN_ANEW_BYTES)
    except (TroubleError, OSError, sqlite3.Error):
        return False


def _find(path: Path) -> tuple[int, int]:
    """Make sure that a plain file to write is there, for this user alone if it is new; tells it from others."""
    if not os.path.lexists(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Empty: SQLite itself then sees to it that one process fills it, and that no log of an older file is left.
        with suppress(FileExistsError):
            os.close(os.open(path, _NEW, 0o600))
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise TroubleError(_CANNOT_OPEN)
    if not os.access(path, os.W_OK):
        # SQLite would open it, and leave a log that is read-only even when the file no longer is.
        raise TroubleError(_READ_ONLY)
    return status.st_dev, status.st_ino


def _connect(path: Path, patience_s: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=patience_s, isolation_level=None)


def _prepare(connection: sqlite3.Connection) -> None:
    if _value(connection, "page_count") == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _value(connection, "schema_version") == 0:  # still; its first page exists by now
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")
    if _value(connection, "application_id") != APPLICATION_ID:
        raise TroubleError(_FOREIGN)
    if _value(connection, "user_version") > VERSION:
        raise TroubleError(_NEWER)
    if _value(connection, "user_version") < VERSION:
        _migrate(connection)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    with suppress(sqlite3.OperationalError):  # in use by another process just now: this batch does without
        connection.execute("PRAGMA journal_mode = WAL")


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # There is none if another process was faster.
    for statement in MIGRATIONS.get(_value(connection, "user_version"), ()):
        connection.execute(statement)
    connection.execute("COMMIT")


def _value(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def _shorten_log(connection: sqlite3.Connection, path: Path) -> None:
    # Whatever prevents it, the commit stands; the next one tries again.
    with suppress(OSError, sqlite3.Error):
        if os.stat(f"{path}-wal").st_size > _MAX_LOG_BYTES:
            with closing(_connect(path, 0.0)) as other:
                connection.execute("BEGIN IMMEDIATE")
                other.execute("PRAGMA wal_checkpoint(PASSIVE)")
                connection.execute("COMMIT")


# --- Forks ----------------------------------------------------------------------------------------

_fork = threading.local()


def _before_fork() -> None:
    _fork.waited = _guard.acquire(timeout=_FORK_WAIT_S)


def _after_fork() -> None:
    if _fork.waited:
        _guard.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
