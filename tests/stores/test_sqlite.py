"""The SQLite store: the suite, and what real files, processes, kills and forks add to it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
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
from cxkit.testing.store_suite import StoreSuite

PATIENCE_S = 120.0
PRELUDE = """
import os, signal, sys, threading, time, traceback
from cxkit.errors import ConflictError, StoreError
from cxkit.roles import Put
from cxkit.stores.sqlite import Settings, SQLiteStore

def at(path):
    return SQLiteStore(Settings(path=path, busy_timeout_s=30.0))

def put(store, key, body):
    found = store.get_many([key])
    return store.commit({key: Put(body=body)}, expected={key: found[key].version if found else 0})

def increment(store, key):
    while True:
        found = store.get_many([key])
        try:
            body = {"n": found[key].body["n"] + 1 if found else 1}
            return store.commit({key: Put(body=body)}, expected={key: found[key].version if found else 0})
        except ConflictError:
            pass

def in_child(work, fork=os.fork):
    child = fork()
    if child:
        return child
    signal.alarm(60)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def ended_well(child):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


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


def test_a_full_disk_fails_commits_until_there_is_room(handle: Handle, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted(disk):
        pytest.skip("only root may mount a small disk")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(1 << 20))
        store = handle(disk / "state.db")
        written = fill(store)
        put_fails = lambda: put(store, "cup/more", {"text": "x" * 100_000})  # noqa: E731
        fails(put_fails, "CX6005")
        assert len(store.scan("cup/")) == written > 0
        assert all(len(str(it.body["text"])) == 10_000 for it in store.scan("cup/"))
        ballast.unlink()
        assert put(store, "cup/more", {"text": "x" * 100_000}) == 1
        store.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_quota_fails_commits_until_it_is_raised(path: Path) -> None:
    script = """
        import resource
        store = at(sys.argv[1])
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512 << 10, hard))
        for number in range(1000):
            try:
                put(store, f"cup/{number:03}", {"text": "x" * 10_000})
            except StoreError as error:
                assert error.code == "CX6005", error
                break
        assert 0 < number == len(store.scan("cup/"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert put(store, "cup/more", {"text": "x" * 10_000}) == {"cup/more": 1}
        store.close()
    """
    finish(python(script, path))


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


def test_a_read_only_file_is_named_and_ends_with_the_right_to_write() -> None:
    script = """
        path = sys.argv[1]
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        store = at(path)
        put(store, "cup/1", {})
        store.close()
        os.chmod(path, 0o400)
        store = at(path)
        try:
            put(store, "cup/2", {})
        except StoreError as error:
            assert error.code == "CX6007", error
        else:
            raise AssertionError("written")
        os.chmod(path, 0o600)
        assert put(store, "cup/2", {}) == {"cup/2": 1}
        store.close()
    """
    directory = Path(tempfile.mkdtemp())  # tmp_path is closed to the user that root becomes
    try:
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
        finish(python(script, directory / "state.db"))
    finally:
        shutil.rmtree(directory)


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


# --- Processes ------------------------------------------------------------------------------------


def test_no_increment_of_any_process_is_lost(path: Path, handle: Handle) -> None:
    script = """
        store = at(sys.argv[1])
        for _ in range(100):
            increment(store, "cup/1")
        store.close()
    """
    workers = [python(script, path) for _ in range(3)]
    for worker in workers:
        finish(worker)
    found = handle().get_many(["cup/1"])["cup/1"]
    assert (found.version, found.body) == (300, {"n": 300})


def test_many_processes_may_be_the_first(tmp_path: Path, handle: Handle) -> None:
    script = """
        for line in sys.stdin:
            store = at(line.strip())
            put(store, f"cup/{os.getpid()}", {})
            print("done", flush=True)
            store.close()
    """
    workers = [python(script) for _ in range(5)]
    for number in range(10):
        fresh = tmp_path / f"{number}" / "state.db"
        for worker in workers:
            say(worker, str(fresh))
        assert [hear(worker) for worker in workers] == ["done"] * 5
        assert len(handle(fresh).scan("cup/")) == 5
    for worker in workers:
        finish(worker)


def test_a_killed_writer_leaves_whole_commits_and_what_it_was_told(path: Path, handle: Handle) -> None:
    script = """
        store = at(sys.argv[1])
        keys = [f"cup/{number}" for number in range(5)]
        start = store.get_many(keys[:1])
        number = start[keys[0]].version if start else 0
        while True:
            puts = {key: Put(body={"n": number + 1, "text": "x" * 100_000}, terms=frozenset({f"{number + 1}"})) for key in keys}
            number = store.commit(puts, expected=dict.fromkeys(keys, number))[keys[0]]
            print(number, flush=True)
    """
    chance = random.Random(20)
    for _ in range(20):
        writer = python(script, path)
        told = [int(hear(writer)) for _ in range(chance.randint(1, 30))][-1]
        writer.kill()
        told = max([told, *(int(line) for line in writer.communicate()[0].split("\n")[:-1])])
        with closing(handle()) as store:
            found = store.scan("cup/")
            (number,) = {it.version for it in found}
            assert len(found) == 5
            assert number >= told
            assert all(it.body["n"] == number for it in found)
            assert store.lookup(str(number)) == [it.key for it in found]
            assert store.lookup(str(number - 1)) == []
            assert len(store.changes_since(0)) == 5
        with closing(sqlite3.connect(path)) as foreign:
            assert foreign.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_forked_child_commits_and_its_parents_close_takes_nothing_away(path: Path, handle: Handle) -> None:
    script = """
        store = at(sys.argv[1])
        put(store, "cup/parent", {})
        store.scan("cup/")
        committed, go_on = os.pipe(), os.pipe()

        def work():
            put(store, "cup/child", {})
            os.write(committed[1], b"x")
            os.read(go_on[0], 1)
            put(store, "cup/late", {})

        child = in_child(work)
        os.read(committed[0], 1)
        put(store, "cup/after", {})
        store.close()
        other = at(sys.argv[1])
        put(other, "cup/other", {})
        other.close()
        os.write(go_on[1], b"x")
        ended_well(child)
    """
    finish(python(script, path))
    keys = [it.key for it in handle().scan("cup/")]
    assert keys == ["cup/after", "cup/child", "cup/late", "cup/other", "cup/parent"]


def test_forks_amid_commits_of_threads_neither_hang_nor_lose(path: Path, handle: Handle) -> None:
    script = """
        store = at(sys.argv[1])
        stop = threading.Event()

        def commit(key):
            while not stop.is_set():
                increment(store, key)
                count[key] += 1

        count = {f"cup/{number}": 0 for number in range(3)}
        threads = [threading.Thread(target=commit, args=(key,)) for key in count]
        for thread in threads:
            thread.start()
        for _ in range(25):
            ended_well(in_child(lambda: increment(store, "cup/children")))
        stop.set()
        for thread in threads:
            thread.join()
        assert {key: it.version for key, it in store.get_many(count).items()} == count
        store.close()
    """
    finish(python(script, path, "-W", "ignore::DeprecationWarning"))  # from Python 3.12 on, for such forks
    assert handle().get_many(["cup/children"])["cup/children"].body == {"n": 25}


def test_a_child_of_a_hidden_fork_refuses_rather_than_lose(path: Path, handle: Handle) -> None:
    script = """
        import ctypes
        store = at(sys.argv[1])
        put(store, "cup/1", {})

        def work():
            for inherited in (store, at(sys.argv[1])):
                try:
                    put(inherited, "cup/2", {})
                except StoreError as error:
                    assert error.code == "CX6011", error
                else:
                    raise AssertionError("written")
                inherited.close()

        ended_well(in_child(work, fork=ctypes.PyDLL(None).fork))
        put(store, "cup/3", {})
        store.close()
    """
    finish(python(script, path))
    assert [it.key for it in handle().scan("cup/")] == ["cup/1", "cup/3"]


def test_a_child_forked_inside_a_commit_refuses_rather_than_lose(path: Path, handle: Handle) -> None:
    script = """
        store = SQLiteStore(Settings(path=sys.argv[1], busy_timeout_s=0.05))

        def work():
            try:
                put(store, "cup/2", {})
            except StoreError as error:
                assert error.code == "CX6011", error
            else:
                raise AssertionError("written")

        class Forking(dict):
            def items(self):
                ended_well(in_child(work))
                return super().items()

        store.commit({"cup/1": Put(body={})}, expected=Forking({"cup/1": 0}))
        put(store, "cup/3", {})
        store.close()
    """
    finish(python(script, path))
    assert [it.key for it in handle().scan("cup/")] == ["cup/1", "cup/3"]


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


def mounted(directory: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Run it as a process of its own; arguments that start with a dash, and what follows, are Python's."""
    words = [str(argument) for argument in arguments]
    first = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    return subprocess.Popen(
        [sys.executable, *words[first:], "-c", PRELUDE + textwrap.dedent(script), *words[:first]],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
