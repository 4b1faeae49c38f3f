"""Reading for one commit: what was read must still stand when it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cxkit.flows.documents import Body
from cxkit.roles import Put, Store

__all__ = ["Reading"]

_ALL: Final = 1_000_000


class Reading:
    """Documents of one store, read once each, and what they are to become."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bodies: dict[str, Body | None] = {}
        self._versions: dict[str, int] = {}
        self._turn: set[str] = set()
        self.puts: dict[str, Put] = {}

    def get(self, names: Iterable[str]) -> dict[str, Body]:
        """Those that there are.

        Raises:
            StoreError: They cannot be read now.
        """
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._bodies]
        if missing:
            found = self._store.get_many(missing)
            for name in missing:
                document = found.get(name)
                self._bodies[name] = document.body if document else None
                self._versions[name] = document.version if document else 0
        return {name: body for name in wanted if (body := self._bodies[name]) is not None}

    def under(self, term: str, *, limit: int = _ALL) -> list[str]:
        """The names of documents that carry a term, as they are now, so many at most; those are to be read, too.

        Raises:
            StoreError: They cannot be known now.
        """
        return self._store.lookup(term, limit=limit)

    def put(self, name: str, body: Body | None, *, terms: frozenset[str] = frozenset()) -> None:
        """It shall be so; None: it shall not be. For what was read before.

        Args:
            terms: Under which it is found, see `cxkit.roles.Put`; the same whenever it is put.
        """
        if self._bodies[name] != body:
            self.puts[name] = Put(body=body, terms=terms)
            self._turn.add(name)
            self._bodies[name] = body

    def turn(self) -> frozenset[str]:
        """The names of what was put since this was last asked: one reading may serve several commands."""
        put, self._turn = frozenset(self._turn), set()
        return put

    def commit(self) -> dict[str, int]:
        """Write it, all or nothing; the name of each document that was written, and its version now.

        Raises:
            ConflictError: Something that was read has changed.
            StoreError: Nothing was written.
        """
        return self._store.commit(self.puts, expected=self._versions) if self.puts else {}
