"""What every `cxkit.roles.Store` must do, as tests to inherit. Needs pytest and hypothesis.

::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self) -> Iterator[Store]:
            store = MyStore(...)      # empty
            yield store
            store.close()

More fixtures may be given, and what needs one that is not is skipped: ``second``, another handle of
the same documents, as another process would have it; ``reopen``, which gives a new handle after
``store`` was closed; ``where``, the `cxkit.testing.store_elsewhere.Elsewhere` by which another
process opens the same documents; ``outage``, which breaks all connections and comes back when the
store can be reached again.

``store_shared`` holds the checks among processes, ``store_model`` what is drawn at random.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import run_state_machine_as_test

from cxkit.errors import ConflictError, StoreError
from cxkit.model import JSON
from cxkit.roles import Put, Store
from cxkit.testing.store_elsewhere import increment
from cxkit.testing.store_model import all_changes, json_objects, machine
from cxkit.testing.store_shared import SharedChecks

__all__ = ["StoreSuite"]

_PATIENCE_S = 60.0
_NO_BODIES: tuple[Any, ...] = (
    {"x": object()},
    {"x": {1: object()}},
    {"x": "\ud800"},
    {"x": 1j},
    [1],
    "text",
    7,
)
_NO_KEYS: tuple[Any, ...] = ("", "cup", "cup/", "/1", "cup/" + "x" * 197, "cup/\ud800", 7)


class StoreSuite(SharedChecks):
    """Inherit it, and give the fixture ``store``; see the top of this file."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty store. To be given."""
        raise NotImplementedError("give the fixture `store`")

    @pytest.fixture
    def second(self, store: Store) -> Store:
        """Another handle of the same documents."""
        return store

    @pytest.fixture
    def reopen(self) -> Callable[[], Store]:
        """Gives a new handle after ``store`` was closed."""
        pytest.skip("this store forgets when it is closed")

    def test_fills_the_role(self, store: Store) -> None:
        assert isinstance(store, Store)
        assert isinstance(store.remote, bool)

    def test_get_many_leaves_out_what_does_not_exist(self, store: Store) -> None:
        _put(store, "cup/1", {"n": 1})
        _put(store, "cup/2", {"n": 2})
        found = store.get_many(iter(["cup/2", "cup/3", "cup/1", "cup/2", "x" * 500]))
        assert {key: (it.key, it.version, it.body) for key, it in found.items()} == {
            "cup/1": ("cup/1", 1, {"n": 1}),
            "cup/2": ("cup/2", 1, {"n": 2}),
        }
        assert store.get_many([]) == {}

    def test_many_documents_at_once(self, store: Store) -> None:
        keys = [f"cup/{number:05}" for number in range(2000)]
        puts = {key: Put(body={"key": key}) for key in keys}
        assert store.commit(puts, expected=dict.fromkeys(keys, 0)) == dict.fromkeys(keys, 1)
        found = store.get_many(keys)
        assert {key: it.body["key"] for key, it in found.items()} == {key: key for key in keys}
        assert len(store.scan("cup/")) == len(store.changes_since(0)) == 1000, "limit is 1000 unless told"

    def test_versions_count_from_one(self, store: Store) -> None:
        returned = [store.commit({"cup/1": Put(body={})}, expected={"cup/1": n})["cup/1"] for n in range(3)]
        assert returned == [1, 2, 3]
        assert store.get_many(["cup/1"])["cup/1"].version == 3

    @pytest.mark.parametrize("wrong", [0, 1, 3])
    def test_conflict_writes_nothing(self, store: Store, wrong: int) -> None:
        _put(store, "cup/1", {"n": 1}, "tea")
        _put(store, "cup/1", {"n": 2}, "tea")
        before = _everything(store, "tea", "milk")
        puts = {key: Put(body={"n": 9}, terms=frozenset({"milk"})) for key in ("cup/0", "cup/1", "cup/2")}
        with pytest.raises(ConflictError):
            store.commit(puts, expected={"cup/0": 0, "cup/1": wrong, "cup/2": 0})
        assert _everything(store, "tea", "milk") == before

    def test_expected_covers_what_was_only_read(self, store: Store) -> None:
        _put(store, "cup/1", {"n": 1})
        with pytest.raises(ConflictError):
            store.commit({"cup/2": Put(body={})}, expected={"cup/2": 0, "cup/1": 0})
        with pytest.raises(ConflictError):
            store.commit({}, expected={"cup/3": 1})
        assert store.commit({}, expected={"cup/1": 1, "cup/3": 0}) == {}
        assert store.commit({"cup/2": Put(body={})}, expected={"cup/2": 0, "cup/1": 1}) == {"cup/2": 1}
        assert _versions(store, "cup/1", "cup/2") == {"cup/1": 1, "cup/2": 1}, "a key only read is not written"

    def test_expected_must_name_every_put(self, store: Store) -> None:
        puts = {"cup/1": Put(body={}), "cup/2": Put(body={})}
        _refuses(store, puts, {"cup/1": 0})

    @pytest.mark.parametrize("body", _NO_BODIES)
    def test_refuses_what_is_not_json(self, store: Store, body: Any) -> None:
        puts = {"cup/1": Put(body={"n": 1}), "cup/2": Put(body=body)}
        _refuses(store, puts, {"cup/1": 0, "cup/2": 0})

    @pytest.mark.parametrize("key", _NO_KEYS, ids=ascii)
    def test_refuses_what_is_no_key(self, store: Store, key: Any) -> None:
        _refuses(store, {"cup/1": Put(body={}), key: Put(body={})}, {"cup/1": 0, key: 0})

    @pytest.mark.parametrize("letter", ["x", "é", "\U0010ffff"], ids=ascii)
    def test_a_key_has_up_to_200_characters(self, store: Store, letter: str) -> None:
        key = "cup/" + letter * 196
        _put(store, key, {"n": 1}, "tea")
        assert list(store.get_many([key])) == store.lookup("tea") == [it.key for it in store.scan("cup/")] == [key]
        assert [it.key for it in store.scan(key)] == [key]

    def test_any_json_comes_back(self, store: Store) -> None:
        @_settings()
        @given(json_objects())
        def comes_back(body: dict[str, JSON]) -> None:
            _put(store, "cup/1", body)
            assert store.get_many(["cup/1"])["cup/1"].body == body
            assert store.scan("cup/1")[0].body == body

        comes_back()

    def test_bodies_are_nobodys(self, store: Store) -> None:
        body: dict[str, Any] = {"list": [1], "deep": {"n": 1}}
        _put(store, "cup/1", body)
        body["deep"]["n"] = 2
        body["list"].append(2)
        for _ in range(2):
            for read in (store.get_many(["cup/1"])["cup/1"], store.scan("cup/")[0]):
                returned: Any = read.body
                assert returned == {"list": [1], "deep": {"n": 1}}
                returned["deep"]["n"] = 3
                returned["list"].append(3)

    def test_deleted_is_gone_from_every_read(self, store: Store) -> None:
        _put(store, "cup/1", {"n": 1}, "tea")
        assert _put(store, "cup/1", None, "tea") == 2
        assert store.get_many(["cup/1"]) == {}
        assert store.lookup("tea") == []
        assert store.scan("cup/") == []
        assert [(it.key, it.version, it.deleted) for it in store.changes_since(0)] == [("cup/1", 2, True)]

    def test_versions_go_on_after_a_deletion(self, store: Store) -> None:
        _put(store, "cup/1", {"n": 1})
        _put(store, "cup/1", None)
        for late in (1, 2):  # a deleted document has no version to expect
            with pytest.raises(ConflictError):
                store.commit({"cup/1": Put(body={"n": 9})}, expected={"cup/1": late})
        assert _put(store, "cup/1", {"n": 2}) == 3
        with pytest.raises(ConflictError):
            store.commit({"cup/1": Put(body={"n": 9})}, expected={"cup/1": 1})
        assert _put(store, "cup/2", None) == 1, "what never was may be deleted too"
        assert [(it.key, it.version, it.deleted) for it in store.changes_since(0)] == [
            ("cup/1", 3, False),
            ("cup/2", 1, True),
        ]

    def test_terms_are_replaced(self, store: Store) -> None:
        _put(store, "cup/1", {}, "tea", "hot")
        _put(store, "cup/1", {}, "tea", "cold")
        assert [store.lookup(term) for term in ("tea", "hot", "cold", "te", "TEA", "t%", "")] == [
            ["cup/1"], [], ["cup/1"], [], [], [], [],
        ]  # fmt: skip
        _put(store, "cup/1", {})
        assert store.lookup("tea") == []

    def test_lookup_is_sorted_and_limited(self, store: Store) -> None:
        for number in (3, 1, 2):
            _put(store, f"cup/{number}", {}, "tea")
        assert store.lookup("tea") == ["cup/1", "cup/2", "cup/3"]
        assert store.lookup("tea", limit=2) == ["cup/1", "cup/2"]
        assert store.lookup("tea", limit=0) == []

    @pytest.mark.parametrize(
        ("prefix", "keys"),
        [
            ("a_/", ["a_/1"]),
            ("a%", ["a%/1"]),
            ("A", ["A_/1"]),
            ("é", ["é/1"]),
            ("a*", ["a*/1"]),
            ("a[", ["a[/1"]),
            ("a\\", ["a\\/1"]),
            ("ab/\U0010ffff", ["ab/\U0010ffff\U0010ffff"]),
            ("ab/", ["ab/1", "ab/\uffff", "ab/\U0010ffff\U0010ffff"]),
            ("zz", []),
        ],
        ids=ascii,
    )
    def test_scan_takes_the_prefix_literally(self, store: Store, prefix: str, keys: list[str]) -> None:
        every = ("a_/1", "a%/1", "A_/1", "é/1", "É/1", "a*/1", "a[/1", "a\\/1", "ab/1", "ac/1")
        for key in (*every, "ab/\uffff", "ab/\U0010ffff\U0010ffff"):
            _put(store, key, {})
        assert [it.key for it in store.scan(prefix)] == keys

    def test_scan_is_ordered_and_goes_on_after(self, store: Store) -> None:
        keys = ["cup/" + text for text in ("1", "10", "2", "A", "a", "é", "\uffff", "\U00010000")]
        for key in reversed(keys):
            _put(store, key, {})
        assert [it.key for it in store.scan("")] == keys == sorted(keys), "by code points"
        assert [it.key for it in store.scan("cup/", after="cup/2", limit=2)] == ["cup/A", "cup/a"]
        assert [it.key for it in store.scan("cup/", after="cup/1~")] == keys[2:], "`after` need not exist"
        assert [it.key for it in store.scan("cup/", after="a")] == keys
        assert store.scan("cup/", after=keys[-1]) == store.scan("cup/", limit=0) == []

    def test_changes_tell_the_last_of_each_key_in_order(self, store: Store) -> None:
        for key in ("cup/1", "cup/2", "cup/1"):
            _put(store, key, {})
        changes = store.changes_since(0)
        assert [(it.key, it.version, it.deleted) for it in changes] == [
            ("cup/2", 1, False),
            ("cup/1", 2, False),
        ]
        assert 0 < changes[0].token < changes[1].token
        assert store.changes_since(changes[0].token) == changes[1:]
        assert store.changes_since(changes[1].token) == store.changes_since(0, limit=0) == []
        keys = ["cup/5", "cup/3", "cup/4"]
        store.commit({key: Put(body={}) for key in keys}, expected=dict.fromkeys(keys, 0))
        later = all_changes(store, changes[1].token, limit=1)
        assert sorted(it.key for it in later) == sorted(keys), "one page of one does not skip the rest of a commit"
        assert later == store.changes_since(changes[1].token)

    def test_tokens_are_never_used_again(self, store: Store) -> None:
        tokens = []
        for body in ({"n": 1}, None, {"n": 2}, None):
            _put(store, "cup/1", body)
            tokens += [it.token for it in store.changes_since(0)]
        assert tokens == sorted(set(tokens))

    def test_another_handle_sees_a_commit_at_once(self, store: Store, second: Store) -> None:
        _put(store, "cup/1", {"n": 1}, "tea")
        assert _everything(second, "tea") == _everything(store, "tea")
        _put(second, "cup/1", {"n": 2}, "milk")
        assert store.get_many(["cup/1"])["cup/1"].body == {"n": 2}
        assert _everything(store, "tea", "milk") == _everything(second, "tea", "milk")

    def test_no_increment_is_lost(self, store: Store, second: Store) -> None:
        def count(handle: Store) -> None:
            for _ in range(25):
                increment(handle, "cup/1")

        _at_once([partial(count, handle) for handle in (store, second) * 4])
        assert store.get_many(["cup/1"])["cup/1"].body == {"n": 200}
        assert _versions(store, "cup/1") == {"cup/1": 200}

    def test_a_read_shows_one_moment(self, store: Store, second: Store) -> None:
        keys = ["cup/1", "cup/2", "cup/3"]
        finished = threading.Semaphore(0)

        def write() -> None:
            readers = version = 0
            while readers < 2:
                puts = {key: Put(body={"n": version}) for key in keys}
                second.commit(puts, expected=dict.fromkeys(keys, version))
                version += 1
                readers += finished.acquire(blocking=False)

        def read() -> None:
            try:
                for _ in range(50):
                    for documents in (list(store.get_many(keys).values()), store.scan("cup/")):
                        assert len({it.version for it in documents}) <= 1
                        assert len(documents) in (0, 3)
            finally:
                finished.release()

        _at_once([write, read, read])

    def test_changes_miss_nothing_while_others_commit(self, store: Store, second: Store) -> None:
        keys = {f"cup/{writer}-{number}" for writer in range(4) for number in range(25)}
        seen: list[str] = []
        finished = threading.Semaphore(0)

        def write(handle: Store, writer: int) -> None:
            try:
                for number in range(25):
                    _put(handle, f"cup/{writer}-{number}", {})
            finally:
                finished.release()

        def follow() -> None:
            token = writers = 0
            while True:
                writers += finished.acquire(blocking=False)
                changes = store.changes_since(token, limit=2)
                for change in changes:
                    assert change.token > token
                    token = change.token
                seen.extend(change.key for change in changes)
                if writers == 4 and not changes:
                    return

        handles = (store, second, store, second)
        _at_once([follow, *(partial(write, handle, writer) for writer, handle in enumerate(handles))])
        assert sorted(seen) == sorted(keys)

    def test_closing_twice_is_closing_once(self, store: Store) -> None:
        _put(store, "cup/1", {})
        store.close()
        store.close()

    def test_what_is_committed_survives(self, store: Store, reopen: Callable[[], Store]) -> None:
        _put(store, "cup/1", {"n": 1}, "tea")
        _put(store, "cup/2", {"n": 1}, "tea")
        _put(store, "cup/2", None)
        before = _everything(store, "tea")
        store.close()
        again = reopen()
        assert _everything(again, "tea") == before
        assert _put(again, "cup/2", {}) == 3
        assert again.changes_since(before[-1][-1].token)[0].key == "cup/2"

    def test_does_what_the_model_does(self, store: Store, second: Store) -> None:
        run_state_machine_as_test(machine(store, second), settings=_settings())


def _settings() -> settings:
    """Made anew each time: what is not said here is the profile's."""
    return settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def _put(store: Store, key: str, body: Mapping[str, JSON] | None, *terms: str) -> int:
    expected = _versions(store, key) or {key: 0}
    return store.commit({key: Put(body=body, terms=frozenset(terms))}, expected=expected)[key]


def _versions(store: Store, *keys: str) -> dict[str, int]:
    return {key: it.version for key, it in store.get_many(keys).items()}


def _everything(store: Store, *terms: str) -> tuple[Any, ...]:
    return store.scan(""), [store.lookup(term) for term in terms], all_changes(store, 0)


def _refuses(store: Store, puts: Mapping[str, Put], expected: Mapping[str, int]) -> None:
    with pytest.raises(StoreError) as caught:
        store.commit(puts, expected=expected)
    assert not isinstance(caught.value, ConflictError), "no retry mends it"
    assert _everything(store) == ([], [], [])
    assert _put(store, "cup/1", {"n": 1}) == 1, "the store goes on"


def _at_once(calls: Iterable[Callable[[], None]]) -> None:
    """Run them in threads that start together; whatever one raises is raised."""
    calls = list(calls)
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        barrier.wait(_PATIENCE_S)
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(run, call) for call in calls]:
            future.result()
