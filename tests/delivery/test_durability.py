"""The modes ``write`` and ``sync``: what `capture()` has returned for is there, whatever comes next."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxkit
from cxkit.codec.frame import Record
from cxkit.delivery.account import read_account
from cxkit.delivery.writer import Writer
from cxkit.kit import Kit
from cxkit.settings import Settings, Spool
from cxkit.testing import RecordingExporter
from cxkit.testing.receiver import Receiver
from tests.delivery.processes import Run, configure, finish

SEEN = cxkit.touchpoint("durability.seen")
_TRIES = 15


@pytest.fixture(params=["write", "sync"])
def mode(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> str:
    configure(tmp_path, f'durability = "{request.param}"\n[spool]\nsegment_bytes = 20000\n', sink=receiver)
    return str(request.param)


# --- Killed as soon as it has returned ------------------------------------------------------------


@pytest.mark.parametrize(("threads", "each"), [(1, 1), (1, 500), (8, 60)])
def test_killed_right_after_a_capture_all_are_there(
    run: Run, tmp_path: Path, receiver: Receiver, mode: str, threads: int, each: int
) -> None:
    """F1, F14: the first one too, and across many segments. Again where the machine stalled: the queue took over."""
    receiver.stop()
    count, known = threads * each, 0
    for _ in range(_TRIES):
        child = run(
            f"""
sys.setswitchinterval(0.0005)  # else eight threads wait for each other as long as for a disk that stalls
found = []
def work():
    found.extend(capture({each}))
threads = [threading.Thread(target=work) for _ in range({threads} - 1)]
for one in threads: one.start()
work()
for one in threads: one.join()
say(fell_back(), *found)
os.kill(os.getpid(), signal.SIGKILL)
"""
        )
        fell_back, *ids = child.line()
        assert child.wait() == -9
        spooled = read_account(tmp_path / ".cxkit").spooled - known
        assert count - int(fell_back) <= spooled <= len(set(ids)) == count
        known += spooled
        if fell_back == "0":
            break
    assert fell_back == "0"
    receiver.start()
    finish(run, tmp_path)
    assert set(ids) < set(receiver.ids)


def test_a_child_writes_for_itself(run: Run, tmp_path: Path, receiver: Receiver, mode: str) -> None:
    """F9: whatever the parent's threads were in the middle of."""
    child = run(
        """
stop = threading.Event()
def busy():
    while not stop.is_set():
        SEEN.capture()
threads = [threading.Thread(target=busy) for _ in range(3)]
for one in threads: one.start()
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        ids = capture(2)
        say(fell_back(), *ids)
        os.kill(os.getpid(), signal.SIGKILL)
    assert ended(pid) == -9
stop.set()
for one in threads: one.join()
assert cxkit.flush(timeout_s=30).complete
"""
    )
    lines = [child.line() for _ in range(10)]
    exceptions = sum(int(line[0]) for line in lines)
    ids = {id for line in lines for id in line[1:]}
    assert child.wait() == 0, child.stderr
    finish(run, tmp_path)
    assert len(ids) == 20
    assert exceptions < 20, "of each child's two some were written"
    assert len(ids - set(receiver.ids)) <= exceptions


def test_handlers_of_signals_capture_in_the_middle_of_captures(
    run: Run, tmp_path: Path, receiver: Receiver, mode: str
) -> None:
    """F15: no deadlock, and none is lost."""
    child = run(
        """
cxkit.configure()
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(SEEN.capture()))
def send():
    for _ in range(200):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.001)
sender = threading.Thread(target=send)
sender.start()
own = []
while sender.is_alive():
    own.append(SEEN.capture())
sender.join()
assert None not in own + told
assert cxkit.flush(timeout_s=30).complete
say(len(own) + len(told))
"""
    )
    wanted = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert len(set(receiver.ids)) == len(receiver.ids) == wanted


# --- A disk that does not keep up -----------------------------------------------------------------


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[tuple[Kit, RecordingExporter]]:
    exporter = RecordingExporter()
    settings = Settings(
        directory=tmp_path / "kit", durability="write", spool=Spool(segment_bytes=20_000, max_bytes=10_000_000)
    )
    kit = Kit(settings, exporters={"sink": exporter})
    yield kit, exporter
    kit.close(timeout_s=10)


def test_while_the_disk_stalls_the_queue_takes_over_and_counts(kit: tuple[Kit, RecordingExporter]) -> None:
    one, exporter = kit
    with cxkit.scope(kit=one):
        SEEN.capture()
        engine = one._starter.engine
        assert engine is not None
        held, done = threading.Event(), threading.Event()

        def hang() -> None:
            with engine._writer.alone():
                held.set()
                done.wait(30)

        hanging = threading.Thread(target=hang)
        hanging.start()
        assert held.wait(30)
        assert SEEN.capture() is not None
        assert one.intake.queued == 1
        done.set()
        hanging.join()
    assert one.intake.noted["write_fell_back"] == 1
    assert one.flush(timeout_s=30).complete
    assert len(exporter.interactions) == 2
    assert one.account().balanced


def test_segments_that_are_sealed_expired_and_removed_never_meet_a_write(kit: tuple[Kit, RecordingExporter]) -> None:
    """No descriptor that was given back receives a frame: rotation, expiry and captures at the same time."""
    one, exporter = kit
    ids: list[str | None] = []
    with cxkit.scope(kit=one):
        for number in range(2000):
            ids.append(SEEN.capture(n=number))
    assert one.flush(timeout_s=30).complete
    if not one.intake.noted["write_fell_back"]:  # what went through the queue may come later than what did not
        assert [interaction.id for interaction in exporter.interactions] == ids
    assert sorted(interaction.id for interaction in exporter.interactions) == sorted(map(str, ids))


def test_captures_while_it_closes_are_kept_or_counted(tmp_path: Path, run: Run, receiver: Receiver, mode: str) -> None:
    """F43: the account knows each of them."""
    child = run(
        """
captured = []
def busy():
    while True:
        id = SEEN.capture()
        if id is None:
            return
        captured.append(id)
threads = [threading.Thread(target=busy) for _ in range(4)]
for one in threads: one.start()
time.sleep(0.05)
cxkit.close(timeout_s=10)
for one in threads: one.join()
say(len(captured))
"""
    )
    kept = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    account = finish(run, tmp_path)
    assert len(set(receiver.ids)) == account.spooled
    seen = {one.id for one in receiver.interactions if one.name == "shop.seen"}
    assert kept + 1 - len(seen) == 0, "and the one of finish()"


def test_a_full_disk_falls_back_to_memory_and_recovers(run: Run, tmp_path: Path, receiver: Receiver, mode: str) -> None:
    """F5: no file may grow beyond a limit; then it may."""
    child = run(
        """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
capture(1)
cxkit.flush(timeout_s=20)
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))
capture(100)
assert cxkit.stats().queued, "some of it waits in memory"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
capture(1)
assert cxkit.flush(timeout_s=30).complete
"""
    )
    assert child.wait() == 0, child.stderr
    assert len(set(receiver.ids)) == len(receiver.ids) == 102


# --- What is not certain is not promised ----------------------------------------------------------


class FailingShelf:
    """A shelf whose spool cannot be synced at the second try."""

    def __init__(self) -> None:
        self.own_spools = (self,)
        self.syncs = 0

    def own_of(self, priority: int) -> FailingShelf:
        return self

    def append(self, records: list[Record]) -> None:
        pass

    def sync(self) -> None:
        self.syncs += 1
        if self.syncs == 2:
            raise OSError(errno.EIO, "of the disk")


def test_after_a_sync_that_failed_nobody_is_told_that_it_is_on_disk() -> None:
    """F6: a later sync says nothing of what an earlier one lost."""
    shelf = FailingShelf()
    writer = Writer(shelf, synced=True)  # type: ignore[arg-type]
    assert writer.write_now(Record(b"{}")) is None
    assert writer.write_now(Record(b"{}")) == "sync_fell_back"
    assert not writer._sync_up_to(2), "whoever waited for the same"
    assert writer.write_now(Record(b"{}")) is None


def test_what_a_finaliser_captures_within_a_sync_takes_the_queue_and_the_sync_goes_on() -> None:
    """F15."""
    inner: list[str | None] = []

    class Finalising(FailingShelf):
        def sync(self) -> None:
            inner.append(writer.write_now(Record(b"{}")))

    writer = Writer(Finalising(), synced=True)  # type: ignore[arg-type]
    writer.sync()
    assert writer.write_now(Record(b"{}")) is None
    assert inner == ["write_fell_back"] * 2


def test_an_interruption_of_the_first_capture_costs_nothing(run: Run, receiver: Receiver, mode: str) -> None:
    """A signal's handler may raise while the engine is made on the app's own thread."""
    child = run(
        """
def interrupted(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGUSR1, interrupted)
cxkit.configure()
threading.Timer(0.005, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
returned = 0
try:
    for _ in range(200):
        SEEN.capture()
        returned += 1
        time.sleep(0.001)
except KeyboardInterrupt:
    pass
other = threading.Thread(target=capture, args=(5,))
other.start()
other.join()
assert cxkit.close(timeout_s=20).complete
say("closed", returned)
"""
    )
    said, returned = child.line()
    assert said == "closed", child.stderr
    assert child.wait() == 0, child.stderr
    assert len(receiver.ids) - 5 in (int(returned), int(returned) + 1)  # one may have been interrupted after its write


def test_what_a_finaliser_captures_within_the_workers_write_is_counted_once(
    kit: tuple[Kit, RecordingExporter],
) -> None:
    """F15: it runs on the worker's thread, in the middle of its append."""
    one, exporter = kit
    with cxkit.scope(kit=one):
        SEEN.capture()
        assert one.flush(timeout_s=30).complete
        engine = one._starter.engine
        assert engine is not None
        with engine._writer.alone():  # as the worker has it
            SEEN.capture()  # as a finaliser does it there
            assert engine._writer._appending._is_owned(), "it is still the worker's"  # type: ignore[attr-defined]
        assert one.flush(timeout_s=30).complete
    account = one.account()
    assert (account.captured, account.spooled, account.dropped) == (2, 2, {})
    assert len({each.id for each in exporter.interactions}) == len(exporter.interactions) == 2
