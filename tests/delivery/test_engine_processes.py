"""The engine across real processes: kills, exits, signals, forks and neighbours; the sink is a real collector."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Answer, Receiver
from tests.delivery.processes import Run, configure, finish
from tests.faults.figures import figure
from tests.faults.world import progress, whole

EXIT_S = 6.0
"""Twice what the budget allows an exit to take with a collector that is away."""
AWAY = "cxkit: exporter sink cannot deliver (network); what it is owed waits in the spool\n"
KILLS = whole(200, 15)
SPAN = 500
"""What one attempt takes at most: as many may come twice after a kill."""


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, receiver: Receiver) -> None:
    configure(tmp_path, sink=receiver)


def duplicates(receiver: Receiver) -> int:
    return len(receiver.ids) - len(set(receiver.ids))


# --- Killed ---------------------------------------------------------------------------------------


def test_killed_at_any_moment_nothing_that_was_spooled_is_lost(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F1, F14: 15 times, or 200; byte for byte; at most one span twice for each kill."""
    # Every round is a process of its own, forked by one that has imported cxkit and never used it.
    child = run(
        f"""
import httpcore, random
signal.alarm(900)

def live(tell):
    file = os.open("reported", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        ids = capture(20)
        spool()
        os.write(file, ("\\n" + " ".join(ids) + " whole\\n").encode())  # the kill may tear a line, and another follow
        os.write(tell, b".")

moments = random.Random(20261121)
for turn in range({KILLS}):
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        live(tell)
    if turn % 5:  # else it may die before it has spooled anything
        os.read(hear, 1)
    time.sleep(moments.uniform(0, 0.15))  # the moment is what is tested
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL
    say("killed")
    sys.stdin.readline()
"""
    )
    before = 0
    for turn in range(KILLS):
        if turn % 20 == 19:
            progress(f"{turn + 1} kills")
        assert child.line() == ["killed"]
        assert duplicates(receiver) - before <= SPAN
        before = duplicates(receiver)
        child.tell()
    assert child.wait() == 0
    account = finish(run, tmp_path)
    lines = [line for line in (tmp_path / "reported").read_text().splitlines() if line.endswith(" whole")]
    assert len(lines) >= KILLS * 3 // 4
    assert {id for line in lines for id in line.split()[:-1]} <= set(receiver.ids)
    assert account.spooled == len(set(receiver.ids))
    assert account.exporters == {"sink": ExporterAccount(delivered=account.spooled)}
    assert len(set(receiver.payloads)) == len(set(receiver.ids)), "what came twice came as the same bytes"
    figure("F1", f"{KILLS} kills: spooled, lost, came twice", f"{account.spooled:,}, 0, {duplicates(receiver):,}")


def test_killed_while_the_collector_is_down(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F1, F18: orphans pile up, and the next start that can delivers them all."""
    receiver.stop()
    ids: list[str] = []
    for _ in range(2):
        child = run("ids = capture(100); spool(); say(*ids); signal.pause()")
        ids += child.line()
        child.end()
    receiver.start()
    account = finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)
    assert len(receiver.ids) == len(ids) + 1, "nothing was delivered before, so nothing comes twice"
    assert account.exporters == {"sink": ExporterAccount(delivered=201)}


def test_os_exit_without_a_flush(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F14: no handler runs; what was spooled is there."""
    receiver.stop()
    child = run("ids = capture(100); spool(); say(*ids); os._exit(3)")
    ids = child.line()
    assert child.wait() == 3
    receiver.start()
    finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)


def test_sigterm_by_default(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F14, F16: no handler is ours; what was spooled is there."""
    receiver.stop()
    child = run(
        """
before = [signal.getsignal(number) for number in signal.valid_signals()]
ids = capture(100)
spool()
assert [signal.getsignal(number) for number in signal.valid_signals()] == before
say(*ids)
signal.pause()
"""
    )
    ids = child.line()
    child.process.terminate()
    assert child.wait() == -signal.SIGTERM
    receiver.start()
    finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)


# --- Ended ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit(4)", 4),
        ("raise ValueError('the app itself')", 1),
        ("threading.Thread(target=time.sleep, args=(100,), daemon=True).start()", 0),
    ],
)
def test_an_end_without_a_flush_delivers_all(run: Run, tmp_path: Path, receiver: Receiver, end: str, code: int) -> None:
    """F13."""
    child = run(f"capture(250); say(time.monotonic()); {end}")
    began = float(child.line()[0])
    assert child.wait() == code
    assert time.monotonic() - began < EXIT_S
    assert len(set(receiver.ids)) == len(receiver.ids) == 250
    assert "cxkit" not in child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert account.exporters == {"sink": ExporterAccount(delivered=250)}
    assert list((tmp_path / ".cxkit" / "spool").iterdir()) == []


def test_what_a_process_only_dropped_is_in_the_account(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    configure(tmp_path, '[consent]\nbefore_choice = "drop"\n', sink=receiver)
    child = run("assert capture(7) == [None] * 7")
    assert child.wait() == 0, child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert (account.captured, sum(account.dropped.values())) == (7, 7)
    assert account.balanced


@pytest.mark.parametrize("how", ["refused", "hung", "throttled"])
def test_an_end_while_the_collector_is_away_is_quick_and_loses_nothing(
    run: Run, tmp_path: Path, receiver: Receiver, how: str
) -> None:
    """F13, F17, F19."""
    answers = {
        "hung": Answer(status=503, cut_bytes=0, end="hang"),
        "throttled": Answer(status=429, headers={"Retry-After": "1e9"}),
    }
    if how in answers:
        receiver.script(*[answers[how]] * 20)
    else:
        receiver.stop()
    child = run("say(*capture(250)); say(time.monotonic())")
    ids, began = child.line(), float(child.line()[0])
    assert child.wait() == 0
    assert time.monotonic() - began < EXIT_S
    assert child.stderr in (
        "",
        AWAY if how == "refused" else "",
    )  # it is said where there was time for an attempt before the end
    requests = len(receiver.requests)
    if how == "throttled":
        assert requests == 1, "0 requests within the window that was asked for"
    assert read_account(tmp_path / ".cxkit").exporters == {"sink": ExporterAccount(pending=250)}
    receiver.stop()
    receiver.start()
    receiver._script.clear()
    account = finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)
    assert duplicates(receiver) == 0
    assert account.exporters == {"sink": ExporterAccount(delivered=251)}


def test_close_and_flush_in_any_order(run: Run, receiver: Receiver) -> None:
    """F43: twice, captures after it, a flush during it; and the end is quiet."""
    child = run(
        """
capture(10)
closing = threading.Thread(target=cxkit.close)
closing.start()
cxkit.flush(timeout_s=5)
closing.join()
say(cxkit.close().complete, cxkit.close().complete)
assert capture(3) == [None] * 3
assert cxkit.flush(timeout_s=5).complete
account = cxkit.stats()
say(account.captured, account.dropped["after_close"], account.balanced)
"""
    )
    assert child.line() == ["True", "True"]
    assert child.line() == ["13", "3", "True"]
    assert child.wait() == 0
    assert child.stderr == ""
    assert len(receiver.ids) == 10


# --- Forked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before", ["", "capture(50)", "capture(50); spool()", "capture(50); cxkit.flush(timeout_s=10)"]
)
def test_a_child_captures_for_itself(run: Run, tmp_path: Path, receiver: Receiver, before: str) -> None:
    """F9: forked before the first capture, right after it, while it is delivered, and after that; ended both ways."""
    child = run(
        f"""
{before}
ends = [os.fork()]
if ends[0] == 0:
    capture(50)
    sys.exit(0)
ends.append(os.fork())
if ends[1] == 0:
    capture(50)
    os._exit(0 if cxkit.flush(timeout_s=10).complete else 1)
assert [ended(pid) for pid in ends] == [0, 0]
capture(50)
assert cxkit.flush(timeout_s=10).complete
"""
    )
    assert child.wait() == 0, child.stderr
    wanted = 200 if before else 150
    assert len(set(receiver.ids)) == len(receiver.ids) == wanted
    assert child.stderr == ""
    assert read_account(tmp_path / ".cxkit").exporters == {"sink": ExporterAccount(delivered=wanted)}


def test_a_fork_waits_for_an_import_that_delivery_began(run: Run, tmp_path: Path) -> None:
    """F9: else the module stays half imported in the child, and nobody there can ever use it."""
    (tmp_path / "slow.py").write_text("import sys, time\nsys.began.set()\ntime.sleep(0.3)\nREADY = True\n")
    child = run(
        """
from cxkit.kit import Kit, install
from cxkit.roles import Outcome

class Importing:
    purposes = frozenset({"analytics"})

    def export(self, batch, *, deadline_s):
        import slow
        assert slow.READY
        return Outcome.delivered()

    def close(self):
        pass

sys.path.append(os.getcwd())
sys.began = threading.Event()
install(Kit(exporters={"importing": Importing()}))
capture(1)
assert sys.began.wait(20)
pid = os.fork()
if pid == 0:
    capture(1)
    os._exit(0 if cxkit.flush(timeout_s=10).complete else 1)
assert ended(pid) == 0
"""
    )
    assert child.wait() == 0, child.stderr


def test_a_fork_waits_for_an_import_before_it_takes_the_lock_of_logging(tmp_path: Path) -> None:
    """F9: most of what is imported asks for a logger; who waits for an import and holds that lock waits in vain."""
    (tmp_path / "slow.py").write_text(
        "import logging, sys\nsys.began.set()\nassert sys.forking.wait(20)\nlogging.getLogger('a.new.one')\n"
    )
    script = """
import os, sys, threading
import cxkit.delivery.forks
sys.began, sys.forking = threading.Event(), threading.Event()
os.register_at_fork(before=sys.forking.set)  # what runs before ours, and after that of whoever comes later
import logging, signal
ours = {"__name__": "cxkit.of_a_test"}
exec("def begins_an_import():\\n    import slow", ours)
thread = threading.Thread(target=ours["begins_an_import"])
thread.start()
assert sys.began.wait(20)
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    import slow
    os._exit(0)
thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()


def test_forks_while_threads_capture(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F9: whatever lock a thread holds then."""
    child = run(
        """
stop, count = threading.Event(), []

def app():
    while not stop.is_set():
        count.append(SEEN.capture(by="parent"))
        stop.wait(0.0005)

threads = [threading.Thread(target=app) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        capture(10)
        os._exit(0 if cxkit.flush(timeout_s=20).complete else 1)
    assert ended(pid) == 0
stop.set()
for thread in threads:
    thread.join()
assert cxkit.flush(timeout_s=20).complete
say(len(count))
"""
    )
    wanted = int(child.line()[0]) + 60
    assert child.wait() == 0, child.stderr
    assert len(set(receiver.ids)) == len(receiver.ids) == wanted
    assert read_account(tmp_path / ".cxkit").exporters == {"sink": ExporterAccount(delivered=wanted)}


def test_twenty_forks_deep_and_wide(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F9: each generation captures and forks at once, in whatever state delivery is."""
    child = run(
        """
def generation(left):
    capture(2)
    if not left:
        return
    pid = os.fork()
    if pid == 0:
        generation(left - 1)
        os._exit(0 if cxkit.flush(timeout_s=20).complete else 1)
    assert ended(pid) == 0

generation(10)
for _ in range(10):
    generation(1)
assert cxkit.flush(timeout_s=20).complete
"""
    )
    assert child.wait() == 0, child.stderr
    wanted = 2 * (11 + 20)
    assert len(set(receiver.ids)) == len(receiver.ids) == wanted
    assert read_account(tmp_path / ".cxkit").balanced


@pytest.mark.parametrize("state", ["", "spool()", "time.sleep(0.01)", "time.sleep(0.02)"])
def test_a_living_child_holds_no_lock_of_its_dead_parent(
    run: Run, tmp_path: Path, receiver: Receiver, state: str
) -> None:
    """F30: forked at the very first capture, while delivery starts, too."""
    receiver.stop()
    child = run(
        f"""
capture(1)
{state}
if os.fork() == 0:
    say("child", os.getpid())
    sys.stdin.readline()
    os._exit(0)
ids = capture(50)
spool()
say(*ids)
os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    said = [child.line(), child.line()]
    ids = next(words for words in said if words[0] != "child")
    assert child.wait() == -signal.SIGKILL
    receiver.start()
    finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)
    assert len(receiver.ids) == 52
    child.tell()


# --- Neighbours -----------------------------------------------------------------------------------


def test_two_living_processes_on_one_directory(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F30: no record is sent by both."""
    script = """
sys.stdin.readline()
for _ in range(50):
    capture(10)
    cxkit.flush(timeout_s=10)
say("done")
sys.stdin.readline()
"""
    children = [run(script) for _ in range(2)]
    for child in children:
        child.tell()
    for child in children:
        assert child.line() == ["done"]
    account = read_account(tmp_path / ".cxkit")
    assert account.exporters == {"sink": ExporterAccount(delivered=1000)}
    for child in children:
        child.tell()
        assert (child.wait(), child.stderr) == (0, "")
    assert len(set(receiver.ids)) == len(receiver.ids) == 1000
    assert read_account(tmp_path / ".cxkit") == account


def test_starting_and_ending_together(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F30: nobody takes a spool that is being made or removed for an orphan."""
    children = [run("capture(20)") for _ in range(4)]
    for child in children:
        assert (child.wait(), child.stderr) == (0, "")
    assert len(set(receiver.ids)) == len(receiver.ids) == 80
    account = read_account(tmp_path / ".cxkit")
    assert account.exporters == {"sink": ExporterAccount(delivered=80)}
    assert list((tmp_path / ".cxkit" / "spool").iterdir()) == []


def test_an_exporter_of_one_process_is_not_robbed_by_another(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F32, F33: each delivers what is its own."""
    with Receiver() as other:
        receiver.stop()
        other.stop()
        configure(tmp_path, sink=receiver, other=other)
        first = run("capture(30)")
        assert first.wait() == 0
        receiver.start()
        other.start()
        configure(tmp_path, sink=receiver)
        finish(run, tmp_path)
        assert (len(receiver.ids), len(other.ids)) == (31, 0)
        configure(tmp_path, other=other)
        account = finish(run, tmp_path)
        assert duplicates(receiver) == duplicates(other) == 0
        assert (len(receiver.ids), len(other.ids)) == (31, 31)
    assert account.exporters == {
        "sink": ExporterAccount(delivered=31, before=1),
        "other": ExporterAccount(delivered=31, before=1),
    }


def test_a_dead_collector_leaves_the_others_untouched(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F27."""
    with Receiver() as hung:
        hung.script(*[Answer(status=503, cut_bytes=0, end="hang")] * 20)
        configure(tmp_path, sink=receiver, hung=hung)
        child = run("capture(200); say(len(cxkit.flush(timeout_s=1).pending)); capture(50); sys.stdin.readline()")
        assert child.line() == ["1"]
        assert receiver.wait_for(250, timeout_s=20)
        account = read_account(tmp_path / ".cxkit")
        assert account.exporters["hung"].pending >= 200
        child.tell()
        assert child.wait() == 0
    assert read_account(tmp_path / ".cxkit").exporters["sink"] == ExporterAccount(delivered=250)


# --- Disk -----------------------------------------------------------------------------------------


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    path.mkdir(exist_ok=True)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def test_a_full_disk_loses_nothing_and_what_is_there_goes_on(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F5: 2 MiB; then there is room again."""
    disk = tmp_path / "disk"
    with mounted(disk, "size=2m,mode=700"):
        configure(disk, sink=receiver)
        child = run(
            """
capture(100)
spool()
say("spooled")
sys.stdin.readline()
capture(2000)
cxkit.flush(timeout_s=2)
say(cxkit.stats().queued)
sys.stdin.readline()
say(cxkit.flush(timeout_s=20).complete, cxkit.stats().balanced)
""",
            folder=disk,
        )
        assert child.line() == ["spooled"]
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 65_536) == 65_536:
                    pass
                while file.write(b"x" * 512):
                    pass
            except OSError:
                pass
        child.tell()
        assert int(child.line()[0]) > 0
        assert receiver.wait_for(100, timeout_s=20), "what is on the disk is delivered while it is full"
        filler.unlink()
        child.tell()
        assert child.line() == ["True", "True"], child.stderr
        assert child.wait() == 0
        assert len(set(receiver.ids)) == len(receiver.ids) == 2100
        assert child.stderr.count("cannot be written") == 1
        account = read_account(disk / ".cxkit")
        assert account.exporters == {"sink": ExporterAccount(delivered=2100)}
        child.end()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder with a configuration in which nothing can be made."""
    folder = tmp_path / "closed"
    with mounted(folder, "size=2m,mode=700") if os.geteuid() == 0 else nullcontext():
        folder.mkdir(exist_ok=True)
        yield folder
        if os.geteuid() != 0:
            folder.chmod(0o700)


def test_a_directory_that_cannot_be_written_is_done_without(run: Run, closed: Path, receiver: Receiver) -> None:
    """F7: in memory, with one warning; and nothing is different for the app."""
    keys = '[keys]\nsigning = ["0123456789abcdef"]\nidentifier = "0123456789abcdef"\n\n[store]\ntype = "memory"\n'
    configure(closed, sink=receiver, extra=keys)
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", closed], check=True)
    else:
        closed.chmod(0o500)
    child = run(
        "capture(100); say(cxkit.flush(timeout_s=10).complete, cxkit.stats().balanced); capture(50)", folder=closed
    )
    assert child.line() == ["True", "True"], child.stderr
    assert child.wait() == 0
    assert len(set(receiver.ids)) == len(receiver.ids) == 150
    assert child.stderr.count("\n") == 1
    assert "cannot hold a spool" in child.stderr
    child.end()
