"""The engine within one process: flush and close tell the truth in time, whatever its threads and disk do."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import attrs
import pytest

from cxkit.capture.gate import Prepared
from cxkit.capture.intake import Intake
from cxkit.capture.redact import Redactor
from cxkit.capture.stamp import Stamper
from cxkit.codec.frame import PRIORITIES, Record
from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.engine import Engine, SpoolLimits
from cxkit.delivery.judging import ForExporter
from cxkit.delivery.lane import Lane, LaneLimits
from cxkit.delivery.losses import Cause
from cxkit.delivery.spool import Spool
from cxkit.roles import Batch, Exporter, Outcome
from cxkit.testing import RecordingExporter

Make = Callable[..., list[Record]]

LIMITS = SpoolLimits(max_bytes=1 << 20, max_records=10_000, max_age_s=3600, segment_bytes=10_000, sync_interval_s=0)


PREPARED = Prepared(refusal=None)


class StubQueue:
    """A queue of records; what stands for one that cannot be joined is None in its place."""

    def __init__(self) -> None:
        self.dropped: defaultdict[str, int] = defaultdict(int)
        self.put_in = self.released = 0
        self._queue: SimpleQueue[Any] = SimpleQueue()

    def put(self, *records: Record | str) -> None:
        self.put_in += len(records)
        for record in records:
            self._queue.put(record)

    @property
    def queued(self) -> int:
        return self.put_in - self.released

    def priority(self, item: Record | str) -> int:
        return item.priority if isinstance(item, Record) else 1

    def record(self, item: Record | str) -> Record:
        if isinstance(item, str):
            raise ValueError(item)
        return item

    def take(self, timeout_s: float | None) -> list[Any]:
        taken = []
        try:
            taken.append(self._queue.get(timeout=timeout_s) if timeout_s != 0 else self._queue.get_nowait())
            while True:
                taken.append(self._queue.get_nowait())
        except Empty:
            return [one for one in taken if one is not None]

    def release(self, taken: list[Any]) -> None:
        self.released += len(taken)

    def forget(self, count: int, left: list[Any]) -> None:
        self.released += count

    def nudge(self) -> None:
        self._queue.put(None)


@attrs.frozen(kw_only=True)
class Process:
    queue: StubQueue
    engine: Engine[Any]


@contextmanager
def process(
    root: Path | None,
    *,
    limits: SpoolLimits = LIMITS,
    start: bool = True,
    on_drop: Callable[[str, int, str | None], None] | None = None,
    loss_report: Callable[[Mapping[Cause, int]], Record] | None = None,
    **exporters: Exporter,
) -> Iterator[Process]:
    queue = StubQueue()

    def lanes(spools: Callable[[], Sequence[Spool]], passed: Callable[[Spool], None], token: str) -> list[Lane]:
        make = partial(
            Lane,
            limits=LaneLimits(),
            judging=ForExporter(purposes=4, verdict=lambda subject, purposes: ("allowed", None)),
            spools=spools,
            passed=passed,
            now_text=lambda: "",
            muted=nullcontext,
        )
        return [make(name, one, dead=DeadLetters(None, name, token)) for name, one in exporters.items()]

    engine = Engine(
        queue, root=root, limits=limits, lanes=lanes, muted=nullcontext, on_drop=on_drop, loss_report=loss_report
    )
    if start:
        engine.start()
    try:
        yield Process(queue=queue, engine=engine)
    finally:
        engine.close(10)


class Gate(RecordingExporter):
    """One whose other side does not answer until it is told to."""

    def __init__(self) -> None:
        super().__init__(purposes=frozenset({"analytics"}))
        self.asked = threading.Event()
        self.answer = threading.Event()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        self.asked.set()
        assert self.answer.wait(30)
        return super().export(batch, deadline_s=deadline_s)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.answer.set()


def refusing() -> RecordingExporter:
    return RecordingExporter(outcomes=[Outcome.retry("network", retry_after_s=3600)] * 100)


# --- Erasure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [True, False])
def test_what_is_spooled_of_somebody_goes_while_it_waits_and_is_counted(
    tmp_path: Path, records: Make, start: bool
) -> None:
    nancy = b"n" * 16
    with process(tmp_path, start=start, bad=refusing()) as one:
        one.queue.put(*records(3, subject=nancy), *records(2, first=3))
        one.engine.flush(0.2)
        assert one.engine.erase(frozenset([nancy]), 10)
        assert b"n" * 16 not in b"".join(file.read_bytes() for file in (tmp_path / "spool").glob("**/*.seg"))
    sink = RecordingExporter()
    with process(tmp_path, bad=sink) as again:
        again.queue.put(*records(1, first=5))  # written after the orphan was adopted
        assert again.engine.flush(10).complete
        assert len(sink.interactions) == 3
        account = again.engine.account().exporters["bad"]
    assert (account.delivered, dict(account.dropped)) == (3, {"erased": 3})


# --- Flush ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_flush_that_says_complete_is(tmp_path: Path, records: Make, on_disk: bool) -> None:
    """F43."""
    sink = RecordingExporter()
    with process(tmp_path if on_disk else None, sink=sink) as one:
        for first in range(0, 50, 5):
            one.queue.put(*records(5, first=first))
            flushed = one.engine.flush(10)
            assert (flushed.complete, flushed.pending) == (True, {})
            assert len(sink.interactions) == first + 5
        account = one.engine.account()
        assert account.exporters == {"sink": ExporterAccount(delivered=50)}
        assert not on_disk or read_account(tmp_path) == account, "the files alone say the same"


def test_a_flush_that_is_not_complete_says_of_whom(tmp_path: Path, records: Make) -> None:
    """F27, F43: within its time."""
    with process(tmp_path, good=RecordingExporter(), bad=refusing()) as one:
        one.queue.put(*records(5))
        assert one.engine.settle("good", 60)
        flushed = one.engine.flush(0.2)
        assert (flushed.complete, dict(flushed.pending)) == (False, {"bad": 5})
        assert not one.engine.settle("bad", 0)


def test_a_flush_does_not_wait_for_what_is_captured_after_it(tmp_path: Path, records: Make) -> None:
    """F43: an app that never stops capturing can be flushed, though something is always pending."""
    stop = threading.Event()

    class Slow(RecordingExporter):
        def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
            stop.wait(0.05)
            return super().export(batch, deadline_s=deadline_s)

    with process(tmp_path, sink=Slow()) as one:

        def capture() -> None:
            while not stop.wait(0.0005):
                one.queue.put(*records(1))

        capturing = threading.Thread(target=capture)
        capturing.start()
        try:
            for _ in range(5):
                one.queue.put(*records(1))
                assert one.engine.flush(10).complete
        finally:
            stop.set()
            capturing.join()


def test_flushes_from_many_threads(tmp_path: Path, records: Make) -> None:
    """F43."""
    sink = RecordingExporter()
    results: list[bool] = []
    with process(tmp_path, sink=sink) as one:

        def capture_and_flush(number: int) -> None:
            for turn in range(10):
                one.queue.put(*records(1, first=number * 10 + turn))
                results.append(one.engine.flush(30).complete)

        threads = [threading.Thread(target=capture_and_flush, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 80
        assert len({record.id for record in sink.interactions}) == len(sink.interactions) == 80


def test_a_flush_from_a_lane_or_the_worker_waits_for_nobody(tmp_path: Path, records: Make) -> None:
    """F43: it would wait for itself."""
    found: list[bool] = []

    class Flushing(RecordingExporter):
        def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
            found.append(one.engine.flush(60).complete)
            return super().export(batch, deadline_s=deadline_s)

    dropped = threading.Event()

    def on_drop(reason: str, count: int, exporter: str | None) -> None:
        found.append(one.engine.flush(60).complete)
        dropped.set()

    with process(tmp_path, start=False, on_drop=on_drop, sink=Flushing()) as one:
        one.queue.dropped["queue_full"] = 1
        one.engine.start()
        assert dropped.wait(10)
        one.queue.put(*records(3))
        assert one.engine.flush(10).complete
    assert found == [True, False]


def test_drops_are_told_once(tmp_path: Path) -> None:
    told: list[tuple[str, int, str | None]] = []
    heard = threading.Event()

    def on_drop(*drop: Any) -> None:
        told.append(drop)
        heard.set()

    with process(tmp_path, start=False, on_drop=on_drop, sink=RecordingExporter()) as one:
        one.queue.dropped["queue_full"] = 2
        one.engine.start()
        assert heard.wait(10)
    assert told == [("queue_full", 2, None)]


def test_a_reason_that_cannot_be_written_is_written_otherwise(tmp_path: Path, records: Make) -> None:
    """Whatever text of a caller's it is: the worker goes on, and its spool is put away."""
    with process(tmp_path, sink=RecordingExporter()) as one:
        for number, text in enumerate(("em\ud800", "em\udfff"), start=1):
            one.queue.dropped[f"send:marketing:invalid:{text}"] = number
        one.queue.put(*records(3))
        assert one.engine.flush(10).complete
        assert one.engine.close(10).complete
    assert list((tmp_path / "spool").iterdir()) == []
    assert read_account(tmp_path).blocked == {"send:marketing:invalid:em?": 3}


def test_a_note_that_fails_keeps_nothing_from_its_end(
    tmp_path: Path, records: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("cxkit.delivery.shelf.write_early", fails)
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as one:
        one.queue.dropped["queue_full"] = 1
        one.queue.put(*records(3))
        assert one.engine.close(10).complete
    assert len(sink.interactions) == 3
    assert list((tmp_path / "spool").iterdir()) == []
    assert [one.getMessage() for one in caplog.records] == ["cxkit: what was dropped cannot be noted (RuntimeError)"]


# --- Close ----------------------------------------------------------------------------------------


def test_close_delivers_and_leaves_nothing(tmp_path: Path, records: Make) -> None:
    """F13."""
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as one:
        one.queue.put(*records(250))
        closed = one.engine.close(10)
    assert (closed.complete, closed.pending, len(sink.interactions)) == (True, {}, 250)
    assert list((tmp_path / "spool").iterdir()) == []
    assert read_account(tmp_path).exporters == {"sink": ExporterAccount(delivered=250)}
    assert not one.engine._worker.is_alive()


def test_close_twice_and_what_comes_after(tmp_path: Path, records: Make) -> None:
    """F43: idempotent; a flush afterwards is true and does not wait."""
    with process(tmp_path, sink=refusing()) as one:
        one.queue.put(*records(3))
        for _ in range(2):
            closed = one.engine.close(5)
            assert (closed.complete, dict(closed.pending)) == (False, {"sink": 3})
        flushed = one.engine.flush(60)
        assert (flushed.complete, dict(flushed.pending)) == (False, {"sink": 3})
        one.queue.dropped["after_close"] += 2
        account = one.engine.account()
        assert (account.captured, account.dropped) == (5, {"after_close": 2})
        assert account.balanced


def test_close_from_many_threads(tmp_path: Path, records: Make) -> None:
    """F43: and flushes between them."""
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as one:
        one.queue.put(*records(100))
        calls = [one.engine.close, one.engine.flush] * 4
        threads = [threading.Thread(target=call, args=(20,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(sink.interactions) == 100
    assert read_account(tmp_path).exporters == {"sink": ExporterAccount(delivered=100)}


def test_close_while_the_other_side_hangs_says_what_is_left(tmp_path: Path, records: Make, gate: Gate) -> None:
    """F13: and when it answers after all, that counts; the spool is free for the next."""
    with process(tmp_path, sink=gate) as one:
        one.queue.put(*records(3))
        one.queue.dropped["queue_full"] = 1
        assert gate.asked.wait(10)
        closed = one.engine.close(0.1)
        assert (closed.complete, dict(closed.pending)) == (False, {"sink": 3})
        assert read_account(tmp_path).dropped == {"queue_full": 1}, "noted although a lane still hangs"
        one.queue.dropped = defaultdict(int, queue_full=7)  # another engine counts from here on
        gate.answer.set()
        one.engine._worker.join(10)
    account = read_account(tmp_path)
    assert account.exporters == {"sink": ExporterAccount(delivered=3)}
    assert account.dropped == {"queue_full": 1}
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_is_given_up_at_the_very_end_is_written_down(tmp_path: Path, records: Make, gate: Gate) -> None:
    """F13: it came while a lane was waited for, and cannot be joined."""
    with process(tmp_path, sink=gate) as one:
        one.queue.put(*records(3))
        assert gate.asked.wait(10)
        one.queue.dropped["queue_full"] = 1
        one.engine.close(0.1)
        one.queue.put("bad")
        gate.answer.set()
        one.engine._worker.join(10)
        assert one.engine.account().dropped == {"queue_full": 1, "internal_error": 1}
    assert read_account(tmp_path).dropped == {"queue_full": 1, "internal_error": 1}


def test_what_is_left_is_delivered_by_the_next(tmp_path: Path, records: Make) -> None:
    """F13, F25."""
    with process(tmp_path, sink=refusing()) as one:
        one.queue.put(*records(5))
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as two:
        two.queue.put(*records(5, first=5))
        assert two.engine.close(10).complete
    assert sorted(int(one.id[-12:]) for one in sink.interactions) == list(range(10))
    assert read_account(tmp_path).exporters == {"sink": ExporterAccount(delivered=10)}


def test_an_orphan_is_adopted_while_it_lives(tmp_path: Path, records: Make) -> None:
    """F30: not at the start only."""
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as one:
        one.queue.put(*records(1))
        assert one.engine.flush(10).complete
        with process(tmp_path, start=False, sink=refusing()) as other:
            other.queue.put(*records(5, first=1))
            other.engine.flush(0)
        one.engine._house.due_at = 0.0  # the time for it has come
        for first in (6, 7):  # the worker does that between two writes
            one.queue.put(*records(1, first=first))
            assert one.engine.flush(10).complete
        assert sorted(int(record.id[-12:]) for record in sink.interactions) == list(range(8))


def test_many_orphans_do_not_take_all_descriptors_of_the_host(tmp_path: Path, records: Make) -> None:
    """F41: a service that crashed again and again while its collector was down."""
    root = tmp_path / "spool"
    for first in range(100):
        spool = Spool.create(root, segment_bytes=1 << 20)
        spool.begin("sink")
        spool.append(records(1, first=first))
        spool.close()
    open_files: list[int] = []

    def in_spool(descriptor: str) -> bool:
        try:
            return str(root) in os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # closed meanwhile
            return False

    class Counting(RecordingExporter):
        def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
            open_files.append(sum(map(in_spool, os.listdir("/proc/self/fd"))))
            return super().export(batch, deadline_s=deadline_s)

    sink = Counting()
    with process(tmp_path, sink=sink) as one:
        while len(sink.interactions) < 100:
            assert one.engine.flush(10).complete
    assert max(open_files) <= 200 + 4
    assert sorted(int(record.id[-12:]) for record in sink.interactions) == list(range(100))
    assert read_account(tmp_path).exporters == {"sink": ExporterAccount(delivered=100)}


# --- No threads -----------------------------------------------------------------------------------


def test_where_no_thread_was_started_flush_spools_and_close_delivers(tmp_path: Path, records: Make) -> None:
    """F13, F40: as at the end of an interpreter."""
    sink = RecordingExporter()
    with process(tmp_path, start=False, bad=refusing(), sink=sink) as one:
        one.queue.put(*records(3))
        flushed = one.engine.flush(60)
        assert (flushed.complete, dict(flushed.pending)) == (False, {"bad": 3, "sink": 3})
        assert read_account(tmp_path).spooled == 3
        one.queue.put(*records(2, first=3))
        closed = one.engine.close(5)
        assert dict(closed.pending) == {"bad": 5}
        assert one.engine.close(5) == closed
    assert len(sink.interactions) == 5
    account = read_account(tmp_path)
    assert account.exporters == {"bad": ExporterAccount(pending=5), "sink": ExporterAccount(delivered=5)}


def test_a_thread_that_could_not_be_started_is_started_later(
    tmp_path: Path, records: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F40: at the limit of threads; the worker is there, a lane is not."""
    sink = RecordingExporter()
    with process(tmp_path, start=False, sink=sink) as one:
        lane = next(iter(one.engine.lanes))
        start, refusals = lane.thread.start, [RuntimeError("can't start new thread")]

        def starting() -> None:
            if refusals:
                raise refusals.pop()
            start()

        monkeypatch.setattr(lane.thread, "start", starting)
        one.engine.start()
        one.queue.put(*records(3))
        assert one.engine.flush(0.2).pending == {"sink": 3}
        assert "no thread can be started for exporter sink" in caplog.text
        one.engine._house.due_at = 0.0
        assert one.engine.flush(10).complete
        assert len(sink.interactions) == 3


# --- Disk -----------------------------------------------------------------------------------------


def test_while_the_disk_takes_nothing_it_is_kept_in_memory_and_said_once(
    tmp_path: Path,
    records: Make,
    caplog: pytest.LogCaptureFixture,
    files_limited: Callable[[int], AbstractContextManager[None]],
) -> None:
    """F5: and written when it takes something again."""
    sink = RecordingExporter()
    with process(tmp_path, sink=sink) as one:
        with files_limited(4096):
            for first in range(0, 60, 20):
                one.queue.put(*records(20, first=first))
                assert not one.engine.flush(0.2).complete
            assert one.queue.queued == 60
        assert one.engine.flush(10).complete
        assert [int(record.id[-12:]) for record in sink.interactions] == list(range(60))
        assert sum("cannot be written" in record.message for record in caplog.records) == 1
        with files_limited(4096):
            one.queue.put(*records(20, first=60))
            assert not one.engine.flush(0.2).complete
        assert one.engine.flush(10).complete
        assert sum("cannot be written" in record.message for record in caplog.records) == 2, "a new trouble"
        assert one.engine.account().exporters == {"sink": ExporterAccount(delivered=80)}


@pytest.mark.parametrize("threads", [True, False])
def test_what_no_disk_takes_at_the_end_is_counted(
    tmp_path: Path, records: Make, files_limited: Callable[[int], AbstractContextManager[None]], threads: bool
) -> None:
    """F5, F13: and no close is complete with it."""
    with process(tmp_path, start=threads, sink=RecordingExporter()) as one:
        one.queue.put(*records(3))
        one.engine.flush(10)
        with files_limited(4096):
            one.queue.put(*records(20, first=3))
            assert not one.engine.close(5).complete
        account = one.engine.account()
        assert (account.spooled, account.dropped, account.queued) == (3, {"disk_error": 20}, 0)
        assert account.balanced


def test_one_that_cannot_be_joined_costs_itself_alone(
    tmp_path: Path, records: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted once, though its chunk is written at the second try; and so is one that cannot be packed."""
    sink = RecordingExporter()
    good = records(4)
    with process(tmp_path, start=False, sink=sink) as one:
        one.queue.put(good[0], "bad", good[1], Record(b"x" * (1 << 18)))
        one.queue.put(good[2], Record(b"{}", purposes=1 << 20), good[3])
        one.engine.start()
        assert one.engine.flush(10).complete
        account = one.engine.account()
        assert (account.spooled, account.dropped) == (4, {"internal_error": 2, "oversize": 1})
        assert [record.id for record in sink.interactions] == [f"0198c0de-0000-7000-8000-{n:012}" for n in range(4)]
    assert sum("cannot be spooled, and is dropped" in record.message for record in caplog.records) == 1


def test_a_fault_that_is_not_the_interactions_costs_none(
    tmp_path: Path, records: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised on the way to the spool: they wait in memory, as while a disk fails."""
    sink = RecordingExporter()
    with process(tmp_path, start=False, sink=sink) as one:
        append, faults = one.engine._writer.append, [AssertionError(), AssertionError(), AssertionError()]

        def faulty(priority: int, batch: Sequence[Record]) -> None:
            if faults:
                raise faults.pop()
            append(priority, batch)

        monkeypatch.setattr(one.engine._writer, "append", faulty)
        one.engine.start()
        one.queue.put(*records(5))
        eventually(lambda: one.engine.flush(0.1).complete and not faults)
        assert (one.engine.account().dropped, len(sink.interactions)) == ({}, 5)
    assert sum("cannot be written" in record.message for record in caplog.records) == 1


def test_a_sync_that_somebody_else_holds_up_is_said_as_it_is(
    tmp_path: Path, records: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """F6: no new segment is used for that."""
    # As a caller in mode ``sync`` has it whose disk hangs.
    with process(tmp_path, sink=RecordingExporter()) as one, one.engine._writer._syncing:
        one.queue.put(*records(1))
        eventually(lambda: "cannot be synced" in caplog.text)
    assert "a power cut may cost what was just captured (TimeoutError)" in caplog.text
    assert "segment" not in caplog.text


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "it never did"
        time.sleep(0.005)


def test_a_report_of_losses_takes_the_room_of_something_else(tmp_path: Path, records: Make, gate: Gate) -> None:
    """F29: limits are kept though nothing is captured after it."""

    def report(losses: Mapping[Cause, int]) -> Record:
        return records(1, first=99)[0]._replace(priority=PRIORITIES.index("critical"))

    limits = attrs.evolve(LIMITS, max_records=10)
    with process(tmp_path, limits=limits, loss_report=report, sink=gate) as one:
        one.queue.put(*records(10))
        assert gate.asked.wait(10)
        one.queue.dropped["queue_full"] = 1
        one.engine._house._losses._report_at = one.engine._house.due_at = 0.0  # the time for it has come
        one.queue.nudge()
        eventually(lambda: sum(spool.next_sequence for spool in one.engine._shelf.own_spools) == 11)
        eventually(lambda: sum(spool.records_held for spool in one.engine._shelf.own_spools) <= 10)
        gate.answer.set()


def bytes_in(root: Path) -> int:
    size = 0
    for file in root.glob("spool/*/*.seg"):
        with suppress(FileNotFoundError):  # just given up
            size += file.stat().st_size
    return size


def test_a_quota_is_kept(tmp_path: Path, records: Make, gate: Gate) -> None:
    """F29: nothing is delivered meanwhile."""
    limits = attrs.evolve(LIMITS, max_bytes=50_000)
    with process(tmp_path, limits=limits, sink=gate) as one:
        for first in range(0, 1000, 10):
            one.queue.put(*records(10, first=first))
            one.engine.flush(0)
            assert bytes_in(tmp_path) <= 50_000 + 2 * 10_000
        gate.answer.set()
        assert one.engine.flush(10).complete
        account = one.engine.account()
    dropped = account.exporters["sink"].dropped["spool_full"]
    assert account.exporters == {"sink": ExporterAccount(delivered=1000 - dropped, dropped={"spool_full": dropped})}
    assert len(gate.interactions) == 1000 - dropped


def test_after_an_interruption_the_queue_has_all_its_room_again() -> None:
    """F40: what was on its way is given up, and so is its room."""
    intake = Intake(
        stamper=Stamper(), redactor=Redactor(extra=(), keep=()), prepare=lambda *_: PREPARED, started=lambda: None,
        max_bytes=100_000, strict=True,
    )  # fmt: skip
    for _ in range(100):
        intake.put((PREPARED, "1", 1, b"", b"{}"))
    taken = intake.take(0)
    full = intake.queued_bytes
    assert full > 0
    intake.forget(90, taken[90:])
    assert (intake.queued, intake.queued_bytes) == (10, full // 10)
