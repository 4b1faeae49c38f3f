"""The SQLite store: the suite, and what real files, processes, kills and forks add to it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cxkit.errors import StateError, StoreError
from cxkit.roles import Put, Store
from cxkit.stores.sqlite import FACTORY, Settings, SQLiteStore
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.store_suite import StoreSuite

PATIENCE_S = 120.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "state.db"


class Handle:
    """Makes stores, and closes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[SQLiteStore] = []

    def __call__(self, path: Path | None = None, *, busy_timeout_s: float = 20.0) -> SQLiteStore:
        self.made.append(SQLiteStore(Settings(path=path or self.path, busy_timeout_s=busy_timeout_s)))
        return self.made[-1]

    def close_all(self) -> None:
        for store in self.made:
            store.close()


@pytest.fixture
def handle(path: Path) -> Iterator[Handle]:
    handle = Handle(path)
    yield handle
    handle.close_all()


@pytest.fixture
def disk(tmp_path: Path, handle: Handle) -> Iterator[Path]:
    """A disk of 2 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    handle.close_all()
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


class TestSQLiteStore(StoreSuite):
    @pytest.fixture
    def store(self, handle: Handle) -> Store:
        return handle()

    @pytest.fixture
    def second(self, store: Store, handle: Handle) -> Store:
        return handle()

    @pytest.fixture
    def reopen(self, handle: Handle) -> Callable[[], Store]:
        return handle

    @pytest.fixture
    def where(self, path: Path) -> Elsewhere:
        return Elsewhere(factory="cxkit.stores.sqlite:FACTORY", table={"path": str(path), "busy_timeout_s": 20.0})


# --- The file -------------------------------------------------------------------------------------


def test_building_touches_nothing(path: Path) -> None:
    store = FACTORY.build(Settings(path=path))
    assert not path.parent.exists()
    assert store.remote is False
    store.close()
    assert not path.parent.exists()


def test_only_this_user_may_read_it(path: Path, handle: Handle) -> None:
    before = os.umask(0)
    try:
        store = handle()
        put(store, "cup/1")
        assert not store.scan("zz")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_relative_path_starts_where_the_store_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(SQLiteStore(Settings(path=Path("shop.db")))) as store:
        monkeypatch.chdir("/")
        put(store, "cup/1")
    assert (tmp_path / "shop.db").is_file()


def test_an_erased_body_leaves_no_bytes(path: Path, handle: Handle) -> None:
    store = handle()
    for number in range(50):
        put(store, f"cup/{number}", {"who": "nancy" * 200})
    for number in range(50):
        store.commit({f"cup/{number}": Put(body=None)}, expected={f"cup/{number}": 1})
    assert store.scan("cup/") == []
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
    assert b"nancy" not in path.read_bytes()


def test_the_log_stays_short(path: Path, handle: Handle) -> None:
    store = handle()
    log = path.with_name("state.db-wal")
    longest = 0
    for number in range(40):
        put(store, f"cup/{number}", {"text": "x" * (1 << 20)})
        longest = max(longest, log.stat().st_size)
    assert 5 << 20 < longest < 11 << 20, "automatic checkpoints, at 4 MiB, are off; ours are made"
    assert path.stat().st_size > 20 << 20


# --- What goes wrong, and ends --------------------------------------------------------------------


def test_a_lock_held_by_others_fails_commits_only_while_it_is_held(path: Path, handle: Handle) -> None:
    store = handle(busy_timeout_s=0.02)
    put(store, "cup/1")
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        foreign.execute("UPDATE document SET version = 9")
        fails(lambda: put(store, "cup/2"), "CX6004")
        assert store.get_many(["cup/1"])["cup/1"].version == 1, "readers do not wait"
        foreign.execute("ROLLBACK")
    assert put(store, "cup/2") == 1


def test_a_full_disk_fails_commits_until_there_is_room(disk: Path, handle: Handle) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    store = handle(disk / "state.db")
    written = fill(store)
    fails(lambda: put(store, "cup/more", {"text": "x" * 100_000}), "CX6005")
    assert len(store.scan("cup/")) == written > 0
    assert all(len(str(it.body["text"])) == 10_000 for it in store.scan("cup/"))
    ballast.unlink()
    assert put(store, "cup/more", {"text": "x" * 100_000}) == 1


def test_a_disk_full_from_the_start_leaves_nothing_behind(disk: Path, handle: Handle) -> None:
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(4 << 20))
    store = handle(disk / "state.db")
    fails(lambda: put(store, "cup/1"), "CX6005")
    assert [file.name for file in disk.iterdir()] == ["ballast"]
    ballast.unlink()
    assert put(store, "cup/1") == 1


def test_garbage_is_refused_and_left_alone(path: Path, handle: Handle) -> None:
    path.parent.mkdir()
    garbage = random.Random(1).randbytes(20_000)
    path.write_bytes(garbage)
    store = handle()
    for _ in range(2):
        fails(lambda: put(store, "cup/1"), "CX6006")
        fails(lambda: store.get_many(["cup/1"]), "CX6006")
    assert path.read_bytes() == garbage
    path.unlink()
    assert put(store, "cup/1") == 1


def test_damage_is_named_and_ends_with_a_restored_backup(path: Path, handle: Handle) -> None:
    store = handle()
    keys = [f"cup/{number:03}" for number in range(200)]
    put_all(store, keys, 0, "old" * 300)
    store.close()
    backup = path.read_bytes()
    put_all(handle(), keys, 1, "new" * 300)
    handle.close_all()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    store = handle()
    assert store.get_many(keys[:1])
    fails(lambda: store.get_many(keys), "CX6006")
    path.write_bytes(backup)
    assert {str(it.body["text"])[:3] for it in store.get_many(keys).values()} == {"old"}
    put_all(store, keys, 1, "new")
    with closing(sqlite3.connect(path)) as foreign:
        assert foreign.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_body_that_nobody_wrote_is_damage(path: Path, handle: Handle) -> None:
    store = handle()
    put(store, "cup/1")
    with closing(sqlite3.connect(path)) as foreign, foreign:
        foreign.execute("UPDATE document SET body = '{'")
    fails(lambda: store.get_many(["cup/1"]), "CX6006")
    fails(lambda: store.scan("cup/"), "CX6006")


def plant_link(path: Path) -> None:
    (path.parent / "target").write_bytes(b"")
    path.symlink_to("target")


def plant_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("plant", [plant_link, plant_dangling_link, Path.mkdir, os.mkfifo])
def test_what_is_planted_is_neither_followed_nor_waited_for(
    path: Path, handle: Handle, plant: Callable[[Path], None]
) -> None:
    path.parent.mkdir()
    plant(path)
    store = handle()
    fails(lambda: put(store, "cup/1"), "CX6008")
    fails(lambda: store.scan(""), "CX6008")
    assert not (path.parent / "nowhere").exists()
    assert not (path.parent / "target").exists() or not (path.parent / "target").read_bytes()


def test_a_planted_log_is_not_followed(path: Path, handle: Handle) -> None:
    store = handle()
    put(store, "cup/1")
    store.close()
    target = path.parent / "target"
    target.write_bytes(b"precious")
    path.with_name("state.db-wal").symlink_to("target")
    store = handle()
    fails(lambda: put(store, "cup/2"), "CX6008")
    assert target.read_bytes() == b"precious"
    path.with_name("state.db-wal").unlink()
    assert put(store, "cup/2") == 1


def test_a_newer_schema_is_refused_and_left_alone(path: Path, handle: Handle) -> None:
    store = handle()
    put(store, "cup/1")
    store.close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    store = handle()
    fails(lambda: store.get_many(["cup/1"]), "CX6009")
    fails(lambda: put(store, "cup/2"), "CX6009")
    assert path.read_bytes() == before


@pytest.mark.parametrize("schema", ["", "CREATE TABLE customers (name)"])
def test_what_is_not_ours_is_refused_and_left_alone(path: Path, handle: Handle, schema: str) -> None:
    path.parent.mkdir()
    path.touch()
    with closing(sqlite3.connect(path)) as foreign:
        foreign.executescript(schema)
    before = path.read_bytes()
    fails(lambda: put(handle(), "cup/1"), "CX6010")
    assert path.read_bytes() == before


def test_a_store_deleted_under_our_feet_starts_anew(path: Path, handle: Handle) -> None:
    store, other = handle(), handle()
    put(store, "cup/1")
    put(other, "cup/2")
    shutil.rmtree(path.parent)
    assert put(store, "cup/3") == 1
    assert put(other, "cup/4") == 1, "the one that notices later takes nothing from the new file"
    assert [it.key for it in store.scan("")] == [it.key for it in other.scan("")] == ["cup/3", "cup/4"]
    assert path.is_file()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get_many(["\ud800"]),
        lambda store: store.lookup("\ud800"),
        lambda store: store.scan("\ud800"),
        lambda store: store.changes_since(1 << 70),
    ],
)
def test_what_sqlite_cannot_be_asked_is_a_store_error(handle: Handle, ask: Callable[[Store], object]) -> None:
    fails(lambda: ask(handle()), "CX6003")


def test_a_closed_store_says_so(handle: Handle) -> None:
    store = handle()
    put(store, "cup/1")
    store.close()
    with pytest.raises(StateError):
        store.get_many(["cup/1"])
    with pytest.raises(StateError):
        put(store, "cup/2")


def test_threads_wait_for_each_other_only_so_long_and_reads_do_not(handle: Handle) -> None:
    class Slow(dict[str, int]):
        def items(self) -> Any:
            inside.set()
            go_on.wait(PATIENCE_S)
            return super().items()

    store = handle(busy_timeout_s=0.02)
    inside, go_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(store.commit, {"cup/1": Put(body={})}, expected=Slow({"cup/1": 0}))
        assert inside.wait(PATIENCE_S)
        fails(lambda: put(store, "cup/2"), "CX6004")
        assert store.scan("cup/") == []
        go_on.set()
        assert slow.result() == {"cup/1": 1}
    assert put(store, "cup/2") == 1


def test_many_threads_may_be_the_first(tmp_path: Path, handle: Handle) -> None:
    for number in range(30):
        fresh = tmp_path / f"{number}" / "state.db"
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(put, handle(fresh), f"cup/{thread}") for thread in range(4)]
            assert [call.result() for call in calls] == [1] * 4
        handle.close_all()
        assert [file.name for file in fresh.parent.iterdir()] == ["state.db"]


# --- Means ----------------------------------------------------------------------------------------


def put(store: Store, key: str, body: dict[str, str] | None = None) -> int:
    return store.commit({key: Put(body=dict(body or {}))}, expected={key: 0})[key]


def put_all(store: Store, keys: list[str], version: int, text: str) -> None:
    store.commit({key: Put(body={"text": text}) for key in keys}, expected=dict.fromkeys(keys, version))


def fails(call: Callable[[], object], code: str) -> None:
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.code == code


def fill(store: Store) -> int:
    """Commit until it fails; how many were written."""
    for number in range(1000):
        try:
            put(store, f"cup/{number:03}", {"text": "x" * 10_000})
        except StoreError as error:
            assert error.code == "CX6005"  # noqa: PT017
            return number
    raise AssertionError("the disk is larger than it should be")
