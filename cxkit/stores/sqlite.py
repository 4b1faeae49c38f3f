"""A store in one SQLite file, for all threads and processes of one machine.

Four decisions carry it.

1. **Write-ahead log, one mode for every version of SQLite.** Readers never wait for a writer, and a
   commit costs no sync: an application that is killed loses nothing, a power cut may lose the last
   commits but never half of one. The rollback journal costs two or three syncs a commit (ten
   times as long on a fast disk, or more), and its readers wait meanwhile.
2. **Checkpoints only under the write lock.** SQLite 3.7.0 to 3.51.2 can corrupt a file when a
   checkpoint meets a commit that restarts the log (sqlite.org/wal.html, "The WAL-reset bug").
   Automatic checkpoints are off; a commit that leaves a long log takes the write lock again and
   lets a second connection checkpoint meanwhile, so that no commit of any process can meet it. A
   FULL checkpoint is no substitute: it goes on without the lock if it cannot get it. The one that
   the last connection makes when it closes is safe: it has the file to itself. What remains: a
   *foreign* program that writes to the file with an affected version. Choosing the rollback journal
   for affected versions was weighed: one of two modes would go untested wherever the tests run,
   and most of today's installations would pay for a race that can be locked out.
3. **Nothing is open across a fork.** A child inherits SQLite's table of the locks the parent holds,
   but not the locks: a connection it opens itself believes them held, the parent's close then
   takes the log away, and the child's commits vanish without an error (seen with 3.40.1). So
   every connection is given up before a fork, in the parent, where that is allowed.
   Where the fork was hidden from Python, the child refuses.
4. **Two connections, a lock each**: one reads, one writes, so reads of this process do not wait for
   its commits. What failed is closed, and what was deleted or replaced under our feet is
   noticed by its inode: the next call opens anew, so every failure ends with its cause.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs

from cxkit.errors import StateError, StoreError
from cxkit.roles import Change, Document, Factory, Put, Store
from cxkit.stores import MAX_KEY_LENGTH, check_open, check_versions, document, encode_puts
from cxkit.stores.sqlite_file import INHERITED, LOCKED, connect, failed, identity, store_error

__all__ = ["FACTORY", "SQLiteStore", "Settings"]

_MAX_LOG_BYTES: Final = 8 << 20
_LAST_CHARACTER: Final = "\U0010ffff"


@attrs.frozen(kw_only=True)
class Settings:
    """Where the file is and how patient to be.

    Example:
        >>> Settings(path="shop.db").path.name
        'shop.db'
    """

    path: Path = attrs.field(default=Path("state.db"), converter=Path)
    """Created for this user alone, its directory too; a relative one starts at the working directory."""
    busy_timeout_s: float = attrs.field(default=5.0, validator=attrs.validators.ge(0.0))
    """Seconds to wait for another process or thread before giving up."""


class _Link:
    """One connection, for one thread at a time, opened when it is needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None

    def drop(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class SQLiteStore:
    """A `cxkit.roles.Store` in one SQLite file; see the top of this file for how it is safe.

    Opens nothing before its first use. Whatever goes wrong with the file is a `StoreError`, never
    an error of ``sqlite3``: CX6004 locked, CX6005 disk full, CX6006 damaged, CX6007 read-only,
    CX6008 not to be opened, CX6009 from a newer cxkit, CX6010 not ours, CX6011 inherited through
    a hidden fork, CX6001 anything else.

    Example:
        >>> import tempfile
        >>> from cxkit.roles import Put
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     store = SQLiteStore(Settings(path=Path(directory, "state.db")))
        ...     store.commit({"cup/1": Put(body={"full": True})}, expected={"cup/1": 0})
        ...     store.close()
        {'cup/1': 1}
    """

    remote = False

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path.absolute()
        self._busy_timeout_s = settings.busy_timeout_s
        self._closed = False
        self._begin()
        _stores.add(self)
        _watch_forks()

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        """See `cxkit.roles.Store.get_many`."""
        wanted = list(keys)
        with self._using(self._reader, "BEGIN") as connection:
            rows = [row for key in wanted for row in connection.execute(_GET, (key,))]
        return {row[0]: document(*row) for row in rows}

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        """See `cxkit.roles.Store.commit`."""
        bodies = encode_puts(puts, expected=expected)
        with self._using(self._writer, "BEGIN IMMEDIATE") as connection:
            counts = _counts(connection, expected)
            check_versions(expected, {key: version for key, (version, deleted) in counts.items() if not deleted})
            versions = {key: counts.get(key, (0, True))[0] + 1 for key in puts}
            _write(connection, puts, bodies, versions)
        self._checkpoint()
        return versions

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        """See `cxkit.roles.Store.lookup`."""
        return [key for (key,) in self._query(_LOOKUP, term, max(0, limit))]

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        """See `cxkit.roles.Store.scan`."""
        # No key with the prefix is greater, as none is longer: exact where LIKE and GLOB are not.
        last = prefix + _LAST_CHARACTER * MAX_KEY_LENGTH
        return [document(*row) for row in self._query(_SCAN, prefix, last, after, max(0, limit))]

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        """See `cxkit.roles.Store.changes_since`."""
        return [
            Change(token=token, key=key, version=version, deleted=bool(deleted))
            for token, key, version, deleted in self._query(_CHANGES, token, max(0, limit))
        ]

    def close(self) -> None:
        """See `cxkit.roles.Store.close`."""
        self._closed = True
        if self._pid == os.getpid():
            _stores.discard(self)
            self._drop()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._reader, self._writer = _Link(), _Link()

    def _is_open(self) -> bool:
        return self._reader.connection is not None or self._writer.connection is not None

    def _query(self, sql: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        with self._using(self._reader, "BEGIN") as connection:
            return connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _using(self, link: _Link, begin: str) -> Iterator[sqlite3.Connection]:
        """One transaction: committed, or undone if anything is raised."""
        if self._pid != os.getpid():
            raise failed(self._path, INHERITED)
        try:
            with self._locked(link):
                check_open(closed=self._closed)
                connection = self._connect(link)
                try:
                    connection.execute(begin)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    connection.rollback()
                    raise
        except (sqlite3.Error, OSError, UnicodeEncodeError, OverflowError) as error:
            self._drop()
            raise store_error(self._path, error) from error

    @contextmanager
    def _locked(self, link: _Link) -> Iterator[None]:
        if not link.lock.acquire(timeout=self._busy_timeout_s):
            raise failed(self._path, LOCKED)
        try:
            yield
        finally:
            link.lock.release()

    def _drop(self) -> None:
        # Both: neither may go on with pages it remembers of a file that somebody has to mend.
        for link in (self._reader, self._writer):
            with link.lock:
                link.drop()

    def _connect(self, link: _Link) -> sqlite3.Connection:
        if link.connection is not None and link.file != identity(self._path):
            link.drop()
        if link.connection is None:
            link.connection = self._open()
            link.file = identity(self._path)
        return link.connection

    def _open(self) -> sqlite3.Connection:
        if any(store._pid != self._pid and store._is_open() for store in list(_stores)):
            raise failed(self._path, INHERITED)
        return connect(self._path, busy_timeout_s=self._busy_timeout_s)

    def _checkpoint(self) -> None:
        # Whatever prevents it, the commit stands; the next one tries again.
        with suppress(OSError, StoreError, StateError):
            if os.stat(f"{self._path}-wal").st_size > _MAX_LOG_BYTES:
                with self._using(self._writer, "BEGIN IMMEDIATE"), closing(self._open()) as other:
                    other.execute("PRAGMA wal_checkpoint(PASSIVE)")


# --- SQL ------------------------------------------------------------------------------------------

_GET: Final = "SELECT key, version, body FROM document WHERE key = ? AND body IS NOT NULL"
_LOOKUP: Final = "SELECT key FROM term WHERE term = ? ORDER BY key LIMIT ?"
_SCAN: Final = """SELECT key, version, body FROM document
    WHERE key >= ? AND key <= ? AND key > ? AND body IS NOT NULL ORDER BY key LIMIT ?"""
_CHANGES: Final = """SELECT token, key, version, body IS NULL FROM document
    WHERE token > ? ORDER BY token LIMIT ?"""
_COUNT: Final = "SELECT key, version, body IS NULL FROM document WHERE key = ?"
_PUT: Final = """INSERT INTO document (key, version, token, body)
    VALUES (?, ?, (SELECT coalesce(max(token), 0) + 1 FROM document), ?)
    ON CONFLICT (key) DO UPDATE
    SET version = excluded.version, token = excluded.token, body = excluded.body"""
_DROP_TERMS: Final = "DELETE FROM term WHERE key = ?"
_PUT_TERM: Final = "INSERT INTO term (term, key) VALUES (?, ?)"


def _counts(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, tuple[int, bool]]:
    rows = [row for key in keys for row in connection.execute(_COUNT, (key,))]
    return {key: (version, bool(deleted)) for key, version, deleted in rows}


def _write(
    connection: sqlite3.Connection,
    puts: Mapping[str, Put],
    bodies: Mapping[str, bytes | None],
    versions: Mapping[str, int],
) -> None:
    for key, body in bodies.items():
        connection.execute(_PUT, (key, versions[key], None if body is None else body.decode()))
        connection.execute(_DROP_TERMS, (key,))
        if body is not None:
            connection.executemany(_PUT_TERM, [(term, key) for term in puts[key].terms])


# --- Forks ----------------------------------------------------------------------------------------

_stores: weakref.WeakSet[SQLiteStore] = weakref.WeakSet()
_held: list[threading.Lock] = []


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _before_fork() -> None:
    for store in list(_stores):
        for link in (store._reader, store._writer):
            # In vain if this very thread is inside the store: then the child refuses.
            if link.lock.acquire(timeout=store._busy_timeout_s):
                _held.append(link.lock)
                link.drop()


def _after_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    for store in list(_stores):
        if store._reader.lock in _held and store._writer.lock in _held:
            store._begin()
    _held.clear()


FACTORY: Factory[Store] = Factory(name="sqlite", settings=Settings, build=SQLiteStore)
"""The kit's way to it: ``type = "sqlite"``."""
