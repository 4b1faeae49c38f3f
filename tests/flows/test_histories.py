"""What is held of remembered contacts is never older than what was heard of, and is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cxkit.errors import StoreError
from cxkit.flows import histories as room
from cxkit.flows.documents import history_doc, written
from cxkit.flows.histories import Histories
from cxkit.model import Recent
from cxkit.roles import Put, Store
from cxkit.rules.profile import History, fold
from cxkit.stores.memory import MemoryStore
from tests.flows.world import Faulty, Ticking

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Far(Faulty):
    """What is asked of it waits until it is let, one after the other."""

    remote = True

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.waiting: list[Callable[[Store], object]] = []

    def answer(self) -> None:
        """Do what was asked for, but for what is asked meanwhile."""
        asked, self.waiting = self.waiting, []
        for question in asked:
            question(self)


@pytest.fixture
def near() -> Faulty:
    return Faulty(MemoryStore())


def of(store: Faulty, clock: Ticking | None = None) -> Histories:
    def ask(question: Callable[[Store], Any], *, patience_s: float) -> Any:
        if isinstance(store, Far) and patience_s <= 0:
            store.waiting.append(question)
            return None
        return question(store)

    return Histories(ask, remote=lambda: store.remote, clock=clock or Ticking())


def happened(store: Faulty, key: str, *names: str) -> None:
    """In another process."""
    history = History()
    for number, name in enumerate(names):
        history = fold(history, Recent(id=str(number), at=NOON, name=name))
    held = store.inner.get_many([history_doc(key)])
    version = held[history_doc(key)].version if held else 0
    store.inner.commit({history_doc(key): Put(body=written(history))}, expected={history_doc(key): version})


def names(histories: Histories, *keys: str, patience_s: float = 1.0) -> Sequence[list[str]] | None:
    found = histories.of(keys, patience_s=patience_s)
    return None if found is None else [[one.name for one in found[key].recent] for key in keys]


def test_it_is_read_once_until_it_changes(near: Faulty) -> None:
    histories = of(near)
    happened(near, "k1", "a")
    for _ in range(3):
        assert names(histories, "k1", "k2") == [["a"], []]
    assert near.asked["get_many"] == 1
    happened(near, "k1", "a", "b")
    assert names(histories, "k1") == [["a"]]
    histories.changed(["identifier/k1", "history/other"])
    assert names(histories, "k1") == [["a"]]
    histories.changed(["history/k1"])
    assert names(histories, "k1", "k2") == [["a", "b"], []]
    assert near.asked["get_many"] == 2


def test_what_changes_while_it_is_read_is_read_again(near: Faulty) -> None:
    histories = of(near)

    def meanwhile() -> None:
        near.meanwhile = lambda: None
        happened(near, "k1", "a")
        histories.changed(["history/k1"])

    near.meanwhile = meanwhile
    assert names(histories, "k1") == [[]]  # as it was when it was asked
    assert names(histories, "k1") == [["a"]]


def test_a_store_that_has_lost_what_was_read_is_believed(near: Faulty) -> None:
    histories = of(near)
    happened(near, "k1", "a")
    assert names(histories, "k1") == [["a"]]
    near.inner.commit({"history/k1": Put(body=None)}, expected={"history/k1": 1})
    histories.changed(None)
    assert names(histories, "k1") == [[]]


def test_what_a_store_raises_is_raised_and_leaves_nothing_behind(near: Faulty) -> None:
    histories = of(near)
    near.broken = True
    with pytest.raises(StoreError):
        names(histories, "k1")
    near.broken = False
    assert names(histories, "k1") == [[]]
    assert histories._coming == set()


def test_who_may_not_wait_asks_once_and_finds_it_later() -> None:
    store = Far()
    histories = of(store)
    happened(store, "k1", "a")
    for _ in range(3):
        assert names(histories, "k1", patience_s=0.0) is None
    assert len(store.waiting) == 1
    store.answer()
    assert names(histories, "k1", patience_s=0.0) == [["a"]]


def test_what_changes_far_away_is_read_ahead_and_until_then_holds() -> None:
    store, clock = Far(), Ticking()
    histories = of(store, clock)
    happened(store, "k1", "a")
    assert names(histories, "k1") == [["a"]]
    happened(store, "k1", "a", "b")
    histories.changed(["history/k1"])
    assert names(histories, "k1", patience_s=0.0) == [["a"]]
    store.answer()
    assert names(histories, "k1", patience_s=0.0) == [["a", "b"]]
    clock.now_s += 301  # nobody has asked for it for so long
    histories.changed(["history/k1"])
    assert store.waiting == []
    assert names(histories, "k1", patience_s=0.0) is None


def test_to_be_read_ahead_is_not_to_be_asked_for() -> None:
    store, clock = Far(), Ticking()
    histories = of(store, clock)
    assert names(histories, "k1") == [[]]
    for _ in range(2):
        clock.now_s += 200
        histories.changed(["history/k1"])
        store.answer()
    histories.changed(["history/k1"])
    assert store.waiting == []


def test_so_many_people_are_held(near: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_HELD", 9)
    histories = of(near)
    happened(near, "k0", "a", "b")
    for number in range(9):
        names(histories, f"k{number}")
        names(histories, "k0")
    assert list(histories._held) == ["k3", "k4", "k5", "k6", "k7", "k8", "k0"]
    assert histories._contacts == 9
    happened(near, "k8", *map(str, range(9)))
    histories.changed(["history/k8"])
    assert len(names(histories, "k8") or ()) == 1
    assert histories._contacts == 0  # too much for one
    histories.changed(None)
    assert histories._contacts == 0


def test_who_is_read_ahead_is_known_at_once_where_somebody_asks_for_it_at_all() -> None:
    store = Far()
    histories = of(store)
    happened(store, "k2", "a")
    histories.ahead(store, ["k2"])
    assert store.asked["get_many"] == 0
    assert names(histories, "k1", patience_s=0.0) is None
    histories.ahead(store, ["k1", "k2"])
    histories.ahead(store, ["k1", "k2"])
    assert store.asked["get_many"] == 1
    assert names(histories, "k2", patience_s=0.0) == [["a"]]


def test_threads_do_not_get_in_each_others_way(near: Faulty) -> None:
    histories, failures = of(near), []

    def read() -> None:
        try:
            for number in range(300):
                names(histories, f"k{number % 7}", "k0")
                histories.changed([f"history/k{number % 5}"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    assert not histories._underway._meanwhile
