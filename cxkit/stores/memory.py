"""The reference store: short enough to see that it is right; what it does, every store does.

Its documents are one process's and end with it. It searches by walking, which is fine for tests
and for a small site's state, not for a large one's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import attrs

from cxkit.roles import Change, Document, Factory, Put, Store
from cxkit.stores import check_open, check_versions, document, encode_puts

__all__ = ["FACTORY", "MemoryStore", "Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """There is nothing to set.

    Example:
        >>> Settings()
        Settings()
    """


class _Row(NamedTuple):
    version: int = 0
    token: int = 0
    body: bytes | None = None
    """As JSON, so that nobody holds a reference into the store; None: deleted, or never written."""
    terms: frozenset[str] = frozenset()


class MemoryStore:
    """A `cxkit.roles.Store` in a dictionary, for tests and trials.

    Example:
        >>> from cxkit.roles import Put
        >>> store = MemoryStore()
        >>> store.commit({"cup/1": Put(body={"full": True}, terms=frozenset({"tea"}))}, expected={"cup/1": 0})
        {'cup/1': 1}
        >>> store.lookup("tea")
        ['cup/1']
    """

    remote = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._token = 0
        self._closed = False

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        """See `cxkit.roles.Store.get_many`."""
        wanted = list(keys)
        with self._locked() as rows:
            return {key: document(key, version, body) for key, version, body in _living(rows, wanted)}

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        """See `cxkit.roles.Store.commit`."""
        bodies = encode_puts(puts, expected=expected)
        with self._locked() as rows:
            check_versions(expected, {key: version for key, version, _ in _living(rows, expected)})
            for key, body in bodies.items():
                self._token += 1
                terms = frozenset() if body is None else frozenset(puts[key].terms)
                rows[key] = _Row(rows.get(key, _Row()).version + 1, self._token, body, terms)
            return {key: rows[key].version for key in puts}

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        """See `cxkit.roles.Store.lookup`."""
        with self._locked() as rows:
            return sorted(key for key, row in rows.items() if term in row.terms)[:limit]

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        """See `cxkit.roles.Store.scan`."""
        with self._locked() as rows:
            found = sorted(key for key in rows if key.startswith(prefix) and key > after)
            return [document(key, version, body) for key, version, body in _living(rows, found)][:limit]

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        """See `cxkit.roles.Store.changes_since`."""
        with self._locked() as rows:
            later = [
                Change(token=row.token, key=key, version=row.version, deleted=row.body is None)
                for key, row in rows.items()
                if row.token > token
            ]
        return sorted(later, key=lambda change: change.token)[:limit]

    def close(self) -> None:
        """Forget everything; idempotent."""
        with self._lock:
            self._closed = True
            self._rows.clear()

    @contextmanager
    def _locked(self) -> Iterator[dict[str, _Row]]:
        with self._lock:
            check_open(closed=self._closed)
            yield self._rows


def _living(rows: Mapping[str, _Row], keys: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
    for key in keys:
        row = rows.get(key)
        if row is not None and row.body is not None:
            yield key, row.version, row.body


FACTORY: Factory[Store] = Factory(name="memory", settings=Settings, build=lambda settings: MemoryStore())
"""The kit's way to it: ``type = "memory"``."""
