"""The local file among real processes: many at once, killed, forked, and short of rights or room."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from tests.exporters.happened import asked, batch, exporter_of, happened, is_sound, keep

PATIENCE_S = 120.0
PRELUDE = """
import os, signal, sys, threading, time, traceback
from datetime import UTC, datetime
from pathlib import Path
from cxkit.codec import encode
from cxkit.exporters.local import LocalExporter, Settings, read
from cxkit.model import Identifier, Identity, Interaction
from cxkit.roles import Batch

WHO = Identity(identifiers=(Identifier(type="visitor", value="a", evidence="cookie"),))

def at(path):
    return LocalExporter(Settings(path=path))

def contents(prefix, number, size):
    return Batch("b1", tuple(
        encode(Interaction(
            id=f"{prefix}-{number:05}-{place:03}", occurred_at=datetime.now(UTC), name="sweet.tasted", source="/shop",
            identity=WHO, properties={"text": "x" * 1000},
        ))
        for place in range(size)
    ))

def export(exporter, prefix, number, size=10, deadline_s=60.0):
    return exporter.export(contents(prefix, number, size), deadline_s=deadline_s)

def delivered(*arguments):
    outcome = export(*arguments)
    assert outcome.verdict == "delivered", outcome

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
    return tmp_path / "kept" / "local.db"


def python(script: str, *arguments: object, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    program = PRELUDE + textwrap.dedent(script)
    command = [sys.executable, *options, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    try:
        told, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, told
    return told


def kept(path: Path) -> list[str]:
    return [id for (id,) in asked(path, "SELECT id FROM interactions ORDER BY id")]


def test_processes_write_at_once_and_nothing_is_lost(path: Path) -> None:
    script = """
        exporter = at(sys.argv[1])
        for number in range(30):
            delivered(exporter, sys.argv[2], number)
    """
    for process in [python(script, path, name) for name in ("a", "b", "c")]:
        finish(process)
    assert len(kept(path)) == 3 * 30 * 10
    assert asked(path, "SELECT count(DISTINCT session_id) FROM events WHERE session_id IS NOT NULL") == [(1,)]
    assert is_sound(path)


def test_processes_that_are_the_first_at_once_agree_on_one_file(tmp_path: Path) -> None:
    script = """
        for place in sys.stdin:
            print(export(at(place.strip()), sys.argv[1], 0).verdict, flush=True)
    """
    workers = [python(script, name) for name in "abcd"]
    for number in range(15):
        fresh = tmp_path / str(number) / "local.db"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{fresh}\n")
            worker.stdin.flush()
        assert [worker.stdout and worker.stdout.readline() for worker in workers] == ["delivered\n"] * 4
        assert len(kept(fresh)) == 40
    for worker in workers:
        finish(worker)


def test_a_reader_is_never_in_the_way_nor_refused(path: Path) -> None:
    keep(path, happened())
    script = """
        exporter = at(sys.argv[1])
        for number in range(60):
            delivered(exporter, "a", number)
    """
    writer = python(script, path)
    counts = []
    while writer.poll() is None:
        counts.append(asked(path, "SELECT count(*) FROM events")[0][0])
    finish(writer)
    assert counts == sorted(counts)
    assert all(count % 10 == 1 for count in counts)  # whole batches only
    assert len(kept(path)) == 601


def test_a_killed_writer_leaves_whole_batches_and_redelivery_no_duplicates(path: Path) -> None:
    script = """
        exporter = at(sys.argv[1])
        for number in range(int(sys.argv[2]), 10**6):
            delivered(exporter, "a", number)
            print(number, flush=True)
    """
    chance, start, told = random.Random(20), 0, -1
    for _ in range(10):
        writer = python(script, path, start)
        assert writer.stdout is not None
        for _ in range(chance.randint(1, 12)):
            told = int(writer.stdout.readline())
        writer.kill()
        with writer:  # not `communicate`: that leaves out what was read ahead
            told = max([told, *(int(line) for line in writer.stdout.read().split())])
        found = kept(path)
        assert len(found) in ((told + 1) * 10, (told + 2) * 10)
        start = max(0, told - 1)  # as if the position of the lane had not been written
    assert is_sound(path)


def test_forked_children_write_too_and_take_nothing_away(path: Path) -> None:
    script = """
        exporter = at(sys.argv[1])
        delivered(exporter, "parent", 0)
        for number in range(10):
            child = in_child(lambda: delivered(exporter, f"child-{number}", 0))
            delivered(exporter, "parent", number + 1)
            ended_well(child)
    """
    finish(python(script, path))
    assert len(kept(path)) == 210
    assert is_sound(path)


def test_forks_amid_batches_of_a_thread_neither_hang_nor_lose(path: Path) -> None:
    script = """
        exporter, ended = at(sys.argv[1]), threading.Event()

        def keep_on():
            number = 0
            while not ended.is_set():
                delivered(exporter, "thread", number)
                number += 1
            print(number)

        thread = threading.Thread(target=keep_on)
        thread.start()
        children = [in_child(lambda: delivered(exporter, f"child-{number}", 0)) for number in range(20)]
        for child in children:
            ended_well(child)
        ended.set()
        thread.join()
    """
    options = ("-W", "ignore::DeprecationWarning")  # from Python 3.12 on, for such forks
    batches = int(finish(python(script, path, options=options)))
    assert len(kept(path)) == 10 * (batches + 20)
    assert is_sound(path)


def test_a_child_of_a_fork_that_was_hidden_amid_a_batch_refuses_rather_than_lose(path: Path) -> None:
    script = """
        import ctypes
        from cxkit.exporters.local.opening import opened
        exporter = at(sys.argv[1])
        delivered(exporter, "parent", 0)

        def work():
            for inherited in (exporter, at(sys.argv[1])):
                outcome = export(inherited, "child", 0)
                assert (outcome.verdict, outcome.reason) == ("pause", "file_inherited"), outcome

        with opened(Path(sys.argv[1]), patience_s=1.0):
            ended_well(in_child(work, fork=ctypes.PyDLL(None).fork))
        ended_well(in_child(lambda: delivered(exporter, "hidden", 0), fork=ctypes.PyDLL(None).fork))
        delivered(exporter, "parent", 1)
    """
    finish(python(script, path))
    assert {id.partition("-")[0] for id in kept(path)} == {"parent", "hidden"}
    assert len(kept(path)) == 30


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk of 1 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    return tmp_path


def test_a_full_disk_is_tried_again_until_there_is_room(disk: Path) -> None:
    try:
        ballast, path = disk / "ballast", disk / "local.db"
        ballast.write_bytes(bytes(600_000))
        exporter = exporter_of(path)
        big = batch(*[happened(properties={"text": "x" * 10_000}) for _ in range(30)])
        outcome = exporter.export(big, deadline_s=30.0)
        assert (outcome.verdict, outcome.reason) == ("retry", "file_full")
        assert asked(path, "SELECT count(*) FROM events") == [(0,)]
        ballast.unlink()
        assert exporter.export(big, deadline_s=30.0).verdict == "delivered"
        assert asked(path, "SELECT count(*) FROM events") == [(30,)]
        assert is_sound(path)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_quota_is_tried_again_until_it_is_raised(path: Path) -> None:
    script = """
        import resource
        exporter = at(sys.argv[1])
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512 << 10, hard))
        written = 0
        while (outcome := export(exporter, "a", written)).verdict == "delivered":
            written += 1
        assert (outcome.verdict, outcome.reason) == ("retry", "file_full"), outcome
        assert written > 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        delivered(exporter, "a", written)
        print(written)
    """
    written = int(finish(python(script, path)))
    assert len(kept(path)) == (written + 1) * 10
    assert is_sound(path)


def test_a_read_only_file_waits_for_somebody_to_mend_it(tmp_path: Path) -> None:
    script = """
        path, elsewhere = sys.argv[1:]
        delivered(at(elsewhere), "a", 0)  # whatever Python imports late it may be unable to read in a moment
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        exporter = at(path)
        delivered(exporter, "a", 0)

        def refused(exporter):
            outcome = export(exporter, "a", 1)
            assert (outcome.verdict, outcome.reason) == ("pause", "file_read_only"), outcome

        os.chmod(path, 0o400)
        refused(exporter)
        os.chmod(path, 0o600)
        delivered(exporter, "a", 1)
        os.chmod(path, 0o400)
        os.chmod(os.path.dirname(path), 0o500)
        refused(exporter)
        refused(at(path + ".new"))
        os.chmod(path, 0o000)
        try:
            with read(Path(path)):
                raise AssertionError("read")
        except OSError as error:
            assert error.code == "CX6107", error
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o600)
        delivered(exporter, "a", 2)
    """
    directory = Path(tempfile.mkdtemp())  # tmp_path is closed to the user that root becomes
    try:
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
        finish(python(script, directory / "local.db", tmp_path / "local.db"))
        assert len(kept(directory / "local.db")) == 30
    finally:
        shutil.rmtree(directory)
