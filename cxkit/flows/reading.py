"""Reading for one commit: what was read must still stand when it is written."""

from __future__ import annotations

from collections.abc import Iterable

from cxkit.flows.documents import Body
from cxkit.roles import Put, Store

__all__ = ["Reading"]


class Reading:
    """Documents of one store, read once each, and what they are to become."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bodies: dict[str, Body | None] = {}
        self._versions: dict[str, int] = {}
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

    def put(self, name: str, body: Body | None) -> None:
        """It shall be so; None: it shall not be. For what was read before."""
        if self._bodies[name] != body:
            self.puts[name] = Put(body=body)
            self._bodies[name] = body

    def commit(self) -> frozenset[str]:
        """Write it, all or nothing; the names of what was written.

        Raises:
            ConflictError: Something that was read has changed.
            StoreError: Nothing was written.
        """
        if self.puts:
            self._store.commit(self.puts, expected=self._versions)
        return frozenset(self.puts)
