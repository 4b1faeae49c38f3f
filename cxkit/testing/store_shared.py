"""What a store must do that others share: other processes, some of them killed, outages, and who waits for changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import ClassVar

import pytest

from cxkit.errors import ConflictError, StoreError
from cxkit.model import JSON
from cxkit.roles import Announcing, Put, Store
from cxkit.testing.store_elsewhere import Elsewhere, commit_on, increment_often, put_each, working

__all__ = ["SharedChecks"]


class SharedChecks:
    """Part of `cxkit.testing.store_suite.StoreSuite`."""

    patience_s: ClassVar[float] = 60.0
    """Far longer than anything takes; who waits in vain waits so long."""

    @pytest.fixture
    def where(self) -> Elsewhere:
        """How another process opens the store of ``store``."""
        pytest.skip("this store is one process's own")

    @pytest.fixture
    def outage(self) -> Callable[[], None]:
        """Breaks all connections, by a restart say, and comes back when the store can be reached again."""
        pytest.skip("this store has no connections to lose")

    # --- other processes ---

    def test_no_increment_of_any_process_is_lost(self, store: Store, where: Elsewhere) -> None:
        with working(increment_often, where, details=[("cup/1", 40)] * 3) as workers:
            for worker in workers:
                worker.end()
        found = store.get_many(["cup/1"])["cup/1"]
        assert (found.version, found.body) == (120, {"n": 120})

    def test_changes_of_other_processes_are_all_told(self, store: Store, where: Elsewhere) -> None:
        keys = [[f"cup/{writer}-{number}" for number in range(40)] for writer in range(3)]
        seen: list[str] = []
        with working(put_each, where, details=[(mine,) for mine in keys]) as workers:
            token, ended = 0, False
            while True:
                ended = ended or not any(worker.process.is_alive() for worker in workers)
                changes = store.changes_since(token, limit=2)
                seen += [change.key for change in changes]
                if ended and not changes:
                    break
                token = changes[-1].token if changes else token
            for worker in workers:
                worker.end()
        assert sorted(seen) == sorted(key for mine in keys for key in mine)

    def test_a_killed_process_leaves_whole_commits(self, store: Store, where: Elsewhere) -> None:
        for share in (0.2, 0.4, 0.6, 0.8):
            keys = [f"cup/{share}-{number:02}" for number in range(20)]
            with working(commit_on, where, details=[(keys,)]) as (worker,):
                began = monotonic()
                told = [worker.hear() for _ in range(6)]
                sleep((monotonic() - began) / len(told) * share)  # else each would die just when it has spoken
                told += worker.kill()
            version = _taken_over(store, keys)
            assert told[-1] <= version <= told[-1] + 1, "what it was told stands, and no more than one besides"
            assert store.lookup(f"{keys[0]} {version - 1}") == store.lookup(f"{keys[0]} {version}") == []
            assert store.lookup("taken over") == keys
            store.commit(dict.fromkeys(keys, Put(body=None)), expected=dict.fromkeys(keys, version + 1))

    # --- outages ---

    def test_what_was_acknowledged_survives_an_outage(
        self, store: Store, second: Store, outage: Callable[[], None]
    ) -> None:
        second.commit({"cup/1": Put(body={"n": 0})}, expected={"cup/1": 0})
        counter = _Counter(store, patience_s=self.patience_s)
        with ThreadPoolExecutor(1) as pool:
            counting = pool.submit(counter.count)
            try:
                counter.await_more(counting.done)
                outage()
                counter.await_more(counting.done)
            finally:
                counter.stop.set()
            counting.result()
        number = _patiently(lambda: second.get_many(["cup/1"])["cup/1"].body["n"], self.patience_s)
        assert counter.acknowledged <= number <= counter.attempted  # type: ignore[operator]

    # --- who waits for changes ---

    def test_who_waits_hears_of_a_commit(self, store: Store, second: Store) -> None:
        waiting = _announcing(store)
        with ThreadPoolExecutor(1) as pool:
            for version in range(5):
                heard = pool.submit(waiting.await_change, _newest(store), timeout_s=self.patience_s)
                second.commit({"cup/1": Put(body={})}, expected={"cup/1": version})
                assert heard.result() is True

    def test_a_wait_that_nothing_ends_is_in_vain(self, store: Store, second: Store) -> None:
        waiting = _announcing(store)
        assert [waiting.await_change(0, timeout_s=timeout_s) for timeout_s in (0.0, 0.05)] == [False, False]
        second.commit({"cup/1": Put(body={})}, expected={"cup/1": 0})
        for timeout_s in (0.05, 0.0):
            assert waiting.await_change(_newest(store), timeout_s=timeout_s) is False

    def test_what_changed_already_ends_a_wait(self, store: Store, second: Store) -> None:
        waiting = _announcing(store)
        tokens = [0]
        for key in ("cup/1", "cup/2"):
            second.commit({key: Put(body={})}, expected={key: 0})
            assert waiting.await_change(tokens[-1], timeout_s=self.patience_s) is True
            tokens.append(_newest(store))
        assert waiting.await_change(0, timeout_s=0.0) is True


class _Counter:
    """Adds to one document until it is stopped, and counts what the store said yes to."""

    def __init__(self, store: Store, *, patience_s: float) -> None:
        self.stop = threading.Event()
        self.attempted = self.acknowledged = 0
        self._store = store
        self._patience_s = patience_s

    def count(self) -> None:
        while not self.stop.is_set():
            try:
                found = self._store.get_many(["cup/1"])["cup/1"]
                number = found.body["n"]
                assert isinstance(number, int)
                self.attempted += 1
                self._store.commit({"cup/1": Put(body={"n": number + 1})}, expected={"cup/1": found.version})
                self.acknowledged += 1
            except StoreError:
                self.stop.wait(0.02)  # as whoever retries should

    def await_more(self, ended: Callable[[], bool]) -> None:
        before, deadline = self.acknowledged, monotonic() + self._patience_s
        while self.acknowledged < before + 5 and not ended():
            assert monotonic() < deadline, "no commit succeeds any more"
            self.stop.wait(0.01)


def _taken_over(store: Store, keys: list[str]) -> int:
    """Write to documents that somebody else may still be writing; the version they had, all of them."""
    while True:
        found = store.get_many(keys)
        assert len(found) == len(keys)
        (version,) = {it.version for it in found.values()}
        assert {it.body["n"] for it in found.values()} == {version - 1}
        put = Put(body={}, terms=frozenset({"taken over"}))
        try:
            store.commit(dict.fromkeys(keys, put), expected=dict.fromkeys(keys, version))
        except ConflictError:
            continue
        return version


def _patiently(ask: Callable[[], JSON], patience_s: float) -> JSON:
    deadline = monotonic() + patience_s
    while True:
        try:
            return ask()
        except StoreError:
            assert monotonic() < deadline, "it cannot be read any more"


def _newest(store: Store) -> int:
    return max((change.token for change in store.changes_since(0)), default=0)


def _announcing(store: Store) -> Announcing:
    if not isinstance(store, Announcing):
        pytest.skip("nobody can wait for changes of this store")
    return store
