"""A store in a schema of PostgreSQL, for all machines; see ``schema`` for how it is safe."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, LiteralString

from cxkit.roles import Change, Document, Factory, Put, Store
from cxkit.stores import MAX_KEY_LENGTH, check_open, check_versions, document, encode_puts
from cxkit_postgres.settings import Settings

if TYPE_CHECKING:
    from cxkit_postgres.link import Link

__all__ = ["FACTORY", "PostgresStore"]

_LAST_CHARACTER: Final = "\U0010ffff"
_CLOSED_S: Final = 0.5
"""How soon whoever waits for a change sees that the store is closed."""


class PostgresStore:
    """A `cxkit.roles.Store` in PostgreSQL 14 or newer, and `cxkit.roles.Announcing`.

    Connects on first use. A forked child makes connections of its own.

    Example:
        >>> from cxkit.settings import Secret
        >>> store = PostgresStore(Settings(dsn=Secret("host=db.example dbname=shop")))
        >>> store.remote
        True
        >>> store.close()
    """

    remote = True

    def __init__(self, settings: Settings) -> None:
        from cxkit_postgres.link import (
            checked,
        )  # the client library takes a while, and only this kind of store needs it

        self._settings = settings
        self._dsn = checked(settings.dsn)
        self._listen_dsn = checked(settings.listen_dsn or settings.dsn)
        self._closed = False
        self._given = 0
        """The greatest token that was handed out, and may be lost."""
        self._inherited: list[object] = []
        self._begin()

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        """See `cxkit.roles.Store.get_many`."""
        rows = self._ask(_GET, (list(keys),))
        return {key: document(key, version, body) for key, version, body in rows}

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        """See `cxkit.roles.Store.commit`."""
        bodies = encode_puts(puts, expected=expected)
        terms = [(key, _digest(term)) for key, put in puts.items() if put.body is not None for term in put.terms]
        patience = f"{max(1, int(self._settings.timeout_s * 900))}ms"  # the server is to give up before we do
        parameters = (
            *(patience, list(expected), list(expected.values()), list(puts)),
            [None if body is None else body.decode() for body in bodies.values()],
            *([key for key, _ in terms], [term for _, term in terms]),
        )
        ((actual, versions),) = self._ask(_COMMIT, parameters)
        if versions is None:
            check_versions(expected, dict(zip(expected, actual, strict=True)))
        return dict(zip(puts, versions, strict=True))

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        """See `cxkit.roles.Store.lookup`."""
        return [key for (key,) in self._ask(_LOOKUP, (_digest(term), max(0, limit)))]

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        """See `cxkit.roles.Store.scan`."""
        # No key with the prefix is greater, as none is longer: exact where LIKE is not, and found in the index.
        last = prefix + _LAST_CHARACTER * MAX_KEY_LENGTH
        return [document(*row) for row in self._ask(_SCAN, (prefix, last, after, max(0, limit)))]

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        """See `cxkit.roles.Store.changes_since`.

        Raises:
            StoreError: CX9050, once: of what was read through this store some was lost by the server.
                Whoever remembers it must forget it.
        """
        from cxkit_postgres.trouble import GONE_BACK, failed

        (lost, *_), *_ = rows = self._ask(_CHANGES, (self._given, token, max(0, limit)))
        if lost:
            self._given = 0
            raise failed(GONE_BACK)
        changes = [
            Change(token=token, key=key, version=version, deleted=deleted)
            for _, token, key, version, deleted in rows
            if token is not None
        ]
        self._given = max([self._given, *(change.token for change in changes)])
        return changes

    def await_change(self, token: int, *, timeout_s: float) -> bool:
        """See `cxkit.roles.Announcing.await_change`. What is lost counts as a change."""
        with self._translated(), self._waiting:
            return self._awaited(token, monotonic() + timeout_s)

    def close(self) -> None:
        """See `cxkit.roles.Store.close`."""
        self._closed = True
        if self._pid == os.getpid():
            self._links.close()
            # Who waits at this moment notices soon, and closes it then.
            if self._waiting.acquire(blocking=False):
                self._hang_up()
                self._waiting.release()

    # --- inside ---

    def _begin(self) -> None:
        from cxkit_postgres.link import Links

        timeout_s = self._settings.timeout_s
        self._pid = os.getpid()
        self._waiting = threading.Lock()
        self._listener: Link | None = None
        self._links = Links(self._open, most=self._settings.connections, timeout_s=timeout_s)

    def _open(self) -> Link:
        from cxkit_postgres.link import Link
        from cxkit_postgres.schema import bring

        link = Link.to(self._dsn, timeout_s=self._settings.timeout_s)
        try:
            bring(link, self._settings.schema)
        except BaseException:
            link.close()
            raise
        return link

    def _ask(self, statement: LiteralString, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._translated(), self._links.one() as link:
            return self._asked(link, statement, parameters)

    def _asked(self, link: Link, statement: LiteralString, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        query = statement.replace("{schema}", self._settings.schema)  # letters, digits and _: see `Settings`
        return link.execute(query.encode(), parameters).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import psycopg

        from cxkit_postgres.trouble import store_error

        check_open(closed=self._closed)
        if self._pid != os.getpid():
            self._inherited += [self._links, self._listener]  # kept: collecting them would warn of what the parent uses
            self._begin()
        try:
            yield
        except (psycopg.Error, OSError, UnicodeError, OverflowError) as error:
            raise store_error(error) from error

    def _awaited(self, token: int, deadline: float) -> bool:
        from cxkit_postgres.link import has_input

        try:
            link = self._listening()
            while True:
                self._told = False
                ((changed,),) = self._asked(link, _CHANGED, (self._given, token))
                if changed:
                    return True
                # What was announced while we asked is told already, and would not be seen here.
                while not self._told and not has_input(link, timeout_s=min(_CLOSED_S, deadline - monotonic())):
                    check_open(closed=self._closed)
                    if monotonic() >= deadline:
                        return False
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()

    def _listening(self) -> Link:
        from cxkit_postgres.link import Link
        from cxkit_postgres.schema import bring, channel

        if self._listener is None or self._listener.closed:
            self._listener = Link.to(self._listen_dsn, timeout_s=self._settings.timeout_s)
            bring(self._listener, self._settings.schema)
            self._listener.add_notify_handler(self._tell)
            self._listener.execute(f"LISTEN {channel(self._settings.schema)}".encode())
        return self._listener

    def _tell(self, _: object) -> None:
        self._told = True


# --- SQL ------------------------------------------------------------------------------------------

_GET: Final = "SELECT key, version, body::text FROM {schema}.document WHERE key = ANY (%s) AND body IS NOT NULL"
_LOOKUP: Final = "SELECT key FROM {schema}.term WHERE term = %s ORDER BY key LIMIT %s"
_SCAN: Final = """SELECT key, version, body::text FROM {schema}.document
    WHERE key >= %s AND key <= %s AND key > %s AND body IS NOT NULL ORDER BY key LIMIT %s"""
_CHANGES: Final = """SELECT lost, changed.* FROM {schema}.lost(%s) AS lost LEFT JOIN LATERAL (
        SELECT token, key, version, body IS NULL FROM {schema}.document
        WHERE token > %s AND NOT lost ORDER BY token LIMIT %s
    ) AS changed ON true ORDER BY token"""
_CHANGED: Final = "SELECT {schema}.lost(%s) OR EXISTS (SELECT FROM {schema}.document WHERE token > %s)"
_COMMIT: Final = """SELECT actual, versions FROM {schema}.commit(
        %s, %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bytea[])"""


def _digest(term: str) -> bytes:
    return hashlib.sha256(term.encode("utf-8", "surrogatepass")).digest()


FACTORY: Final[Factory[Store]] = Factory(name="postgres", settings=Settings, build=PostgresStore)
"""The kit's way to it: ``type = "postgres"``."""
