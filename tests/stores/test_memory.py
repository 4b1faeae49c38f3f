"""The reference store: the suite, and what is peculiar to a store in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cxkit.errors import StateError
from cxkit.roles import Put, Store
from cxkit.stores.memory import FACTORY, MemoryStore, Settings
from cxkit.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = FACTORY.build(Settings())
        yield store
        store.close()


def test_two_stores_share_nothing() -> None:
    store, other = MemoryStore(), MemoryStore()
    store.commit({"cup/1": Put(body={})}, expected={"cup/1": 0})
    assert not other.scan("")
    assert not other.changes_since(0)


def test_a_closed_store_says_so() -> None:
    store = MemoryStore()
    store.close()
    with pytest.raises(StateError):
        store.get_many(["cup/1"])


def test_nobody_waits_for_it() -> None:
    assert MemoryStore.remote is False
