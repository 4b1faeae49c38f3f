"""What the suite of stores draws at random: bodies, and walks of any store beside a trivial model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cxkit.errors import ConflictError
from cxkit.model import JSON
from cxkit.roles import Change, Put, Store

__all__ = ["all_changes", "json_objects", "machine"]

_IDS: Final = ("a/1", "a/2", "a/1%", "a/_1", "A/1", "é/1")
_TERMS: Final = ("x", "y")

_ids = st.sampled_from(_IDS)
_puts = st.dictionaries(
    _ids, st.tuples(st.none() | st.integers(0, 9), st.frozensets(st.sampled_from(_TERMS))), max_size=4
)


def all_changes(store: Store, token: int, *, limit: int = 1000) -> list[Change]:
    """The changes after ``token``, read page by page; each page must be in order.

    Example:
        >>> from cxkit.stores.memory import MemoryStore
        >>> all_changes(MemoryStore(), 0)
        []
    """
    changes: list[Change] = []
    while page := store.changes_since(changes[-1].token if changes else token, limit=limit):
        assert [it.token for it in page] == sorted({it.token for it in page})
        changes += page
    return changes


def json_objects() -> st.SearchStrategy[dict[str, JSON]]:
    """Any object of JSON whose numbers keep to 64 bits.

    Example:
        >>> json_objects().validate()
    """
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    leaves: st.SearchStrategy[Any] = st.none() | st.booleans() | numbers | st.text()
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
    return st.dictionaries(st.text(), values)


def machine(store: Store, second: Store) -> type[RuleBasedStateMachine]:
    """The machine for one store, given by two handles.

    Example:
        >>> from cxkit.stores.memory import MemoryStore
        >>> store = MemoryStore()
        >>> issubclass(machine(store, store), RuleBasedStateMachine)
        True
    """
    return type("Machine", (_Machine,), {"stores": (store, second), "names": itertools.count()})


class _Machine(RuleBasedStateMachine):
    """Each run keeps to keys and terms of its own, so one store serves them all."""

    stores: ClassVar[tuple[Store, Store]]
    names: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.namespace = f"m{next(self.names)}."
        self.start = max((it.token for it in all_changes(self.stores[0], 0)), default=0)
        self.versions: dict[str, int] = {}
        """Of deleted documents too."""
        self.living: dict[str, tuple[int, frozenset[str]]] = {}

    @rule(
        puts=_puts,
        read=st.frozensets(_ids, max_size=2),
        lies=st.sets(_ids, max_size=2),
        handle=st.integers(0, 1),
    )
    def commit(
        self,
        puts: Mapping[str, tuple[int | None, frozenset[str]]],
        read: set[str],
        lies: set[str],
        handle: int,
    ) -> None:
        named = {self.namespace + id: put for id, put in puts.items()}
        expected = {key: self._version(key) for key in {*named, *(self.namespace + id for id in read)}}
        lies = {self.namespace + id for id in lies} & expected.keys()
        expected |= {key: expected[key] + 1 for key in lies}
        wanted = {key: self._put(number, terms) for key, (number, terms) in named.items()}
        if lies:
            with pytest.raises(ConflictError):
                self.stores[handle].commit(wanted, expected=expected)
            return
        returned = self.stores[handle].commit(wanted, expected=expected)
        for key, (number, terms) in named.items():
            self.versions[key] = self.versions.get(key, 0) + 1
            self.living.pop(key, None)
            if number is not None:
                self.living[key] = (number, terms)
        assert returned == {key: self.versions[key] for key in wanted}

    @rule(prefix=st.sampled_from(["", "a", "a/1", "a/_", "A", "b"]), after=_ids, limit=st.integers(0, 4))
    def scan(self, prefix: str, after: str, limit: int) -> None:
        prefix, after = self.namespace + prefix, self.namespace + after
        found = sorted(key for key in self.living if key.startswith(prefix) and key > after)
        assert [it.key for it in self.stores[0].scan(prefix, after=after, limit=limit)] == found[:limit]

    @invariant()
    def documents_agree(self) -> None:
        found = self.stores[0].get_many(self.namespace + id for id in _IDS)
        assert {key: (it.version, it.body["n"]) for key, it in found.items()} == {
            key: (self.versions[key], number) for key, (number, _) in self.living.items()
        }

    @invariant()
    def terms_agree(self) -> None:
        for term in _TERMS:
            keys = sorted(key for key, (_, terms) in self.living.items() if term in terms)
            assert self.stores[1].lookup(self.namespace + term) == keys

    @invariant()
    def changes_agree(self) -> None:
        changes = all_changes(self.stores[0], self.start, limit=3)
        assert {it.key: it.version for it in changes} == self.versions
        assert {it.key for it in changes if not it.deleted} == self.living.keys()
        assert len(changes) == len(self.versions)

    def _version(self, key: str) -> int:
        return self.versions[key] if key in self.living else 0

    def _put(self, number: int | None, terms: frozenset[str]) -> Put:
        body = None if number is None else {"n": number}
        return Put(body=body, terms=frozenset(self.namespace + term for term in terms))
