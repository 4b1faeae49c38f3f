"""The SQLite store among real processes: many at once, killed, forked, and short of rights or room."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from cxkit.roles import Document
from cxkit.stores.sqlite import Settings, SQLiteStore

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

def refused(call, code):
    try:
        call()
    except StoreError as error:
        assert error.code == code, error
    else:
        raise AssertionError("done")

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


def test_no_increment_of_any_process_is_lost(path: Path) -> None:
    script = """
        store = at(sys.argv[1])
        for _ in range(100):
            increment(store, "cup/1")
        store.close()
    """
    workers = [python(script, path) for _ in range(3)]
    for worker in workers:
        finish(worker)
    (found,) = cups(path)
    assert (found.version, found.body) == (300, {"n": 300})


def test_many_processes_may_be_the_first(tmp_path: Path) -> None:
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
        assert len(cups(fresh)) == 5
    for worker in workers:
        finish(worker)


def test_a_killed_writer_leaves_whole_commits_and_what_it_was_told(path: Path) -> None:
    script = """
        store = at(sys.argv[1])
        keys = [f"cup/{number}" for number in range(5)]
        start = store.get_many(keys[:1])
        number = start[keys[0]].version if start else 0
        while True:
            put = Put(body={"n": number + 1, "text": "x" * 100_000}, terms=frozenset({str(number + 1)}))
            number = store.commit(dict.fromkeys(keys, put), expected=dict.fromkeys(keys, number))[keys[0]]
            print(number, flush=True)
    """
    chance = random.Random(20)
    for _ in range(20):
        writer = python(script, path)
        told = [int(hear(writer)) for _ in range(chance.randint(1, 30))][-1]
        writer.kill()
        told = max([told, *(int(line) for line in writer.communicate()[0].split("\n")[:-1])])
        with closing(SQLiteStore(Settings(path=path))) as store:
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


def test_a_forked_child_commits_and_its_parents_close_takes_nothing_away(path: Path) -> None:
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
    assert [it.key for it in cups(path)] == ["cup/after", "cup/child", "cup/late", "cup/other", "cup/parent"]


def test_forks_amid_commits_of_threads_neither_hang_nor_lose(path: Path) -> None:
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
    assert {it.key: it.body for it in cups(path)}["cup/children"] == {"n": 25}


def test_a_child_of_a_hidden_fork_refuses_rather_than_lose(path: Path) -> None:
    script = """
        import ctypes
        store = at(sys.argv[1])
        put(store, "cup/1", {})

        def work():
            for inherited in (store, at(sys.argv[1])):
                refused(lambda: put(inherited, "cup/2", {}), "CX6011")
                inherited.close()

        ended_well(in_child(work, fork=ctypes.PyDLL(None).fork))
        put(store, "cup/3", {})
        store.close()
    """
    finish(python(script, path))
    assert [it.key for it in cups(path)] == ["cup/1", "cup/3"]


def test_a_child_forked_inside_a_commit_refuses_rather_than_lose(path: Path) -> None:
    script = """
        store = SQLiteStore(Settings(path=sys.argv[1], busy_timeout_s=0.05))

        def work():
            refused(lambda: put(store, "cup/2", {}), "CX6011")

        class Forking(dict):
            def items(self):
                ended_well(in_child(work))
                return super().items()

        store.commit({"cup/1": Put(body={})}, expected=Forking({"cup/1": 0}))
        put(store, "cup/3", {})
        store.close()
    """
    finish(python(script, path))
    assert [it.key for it in cups(path)] == ["cup/1", "cup/3"]


def test_a_full_quota_fails_commits_until_it_is_raised(path: Path) -> None:
    script = """
        import resource
        store = at(sys.argv[1])
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512 << 10, hard))
        written = 0
        def fill():
            global written
            while True:
                put(store, f"cup/{written:03}", {"text": "x" * 10_000})
                written += 1
        refused(fill, "CX6005")
        assert 0 < written == len(store.scan("cup/"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert put(store, "cup/more", {"text": "x" * 10_000}) == {"cup/more": 1}
        store.close()
    """
    finish(python(script, path))


def test_a_read_only_file_is_named_and_ends_with_the_right_to_write(tmp_path: Path) -> None:
    script = """
        path, elsewhere = sys.argv[1:]
        store = at(elsewhere)
        put(store, "cup/1", {})  # whatever Python imports late it may be unable to read in a moment
        store.close()
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        store = at(path)
        put(store, "cup/1", {})
        store.close()
        os.chmod(path, 0o400)
        os.chmod(os.path.dirname(path), 0o500)
        for may_not_be_written in (path, path + ".new"):
            store = at(may_not_be_written)
            refused(lambda: put(store, "cup/2", {}), "CX6007")
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o600)
        for may_be_written in (path, path + ".new"):
            store = at(may_be_written)
            assert put(store, "cup/2", {}) == {"cup/2": 1}
            store.close()
    """
    directory = Path(tempfile.mkdtemp())  # tmp_path is closed to the user that root becomes
    try:
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
        finish(python(script, directory / "state.db", tmp_path / "state.db"))
    finally:
        shutil.rmtree(directory)


# --- Means ---


def cups(path: Path) -> list[Document]:
    with closing(SQLiteStore(Settings(path=path))) as store:
        return store.scan("cup/")


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
