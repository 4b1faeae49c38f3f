"""Intake: into the queue, bounded, in order, from wherever it is called; and out of it once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.capture.gate import Prepared
from cxkit.capture.intake import MAX_EVENT_BYTES, Intake
from cxkit.capture.redact import Redactor
from cxkit.capture.scope import Scope
from cxkit.capture.stamp import Stamper
from cxkit.codec import decode
from cxkit.codec.frame import PRIORITIES
from cxkit.codec.wire import circumstances, declaration
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit
from cxkit.model import Blocked, Context, Identity, TouchpointSpec
from cxkit.roles import Batch, Outcome
from cxkit.settings import Queue, Settings
from cxkit.testing import RecordingExporter, recorder

SEEN = TouchpointSpec(name="intake.seen")
LOW = TouchpointSpec(name="intake.low", priority="low")
CRITICAL = TouchpointSpec(name="intake.critical", priority="critical")
AROUND = circumstances(identity=Identity(), context=Context(), consent={})


def prepared(spec: TouchpointSpec, scope: Scope | None = None) -> Prepared:
    shared = declaration(spec, source="/bar", channel=None, plugin=None) + AROUND
    return Prepared(refusal=None, shared=shared, priority=PRIORITIES.index(spec.priority), spec=spec)


def intake_of(
    max_bytes: int = 1_000_000,
    *,
    strict: bool = False,
    prepare: Callable[[TouchpointSpec, Scope], Prepared] = prepared,
    started: Callable[[], None] = lambda: None,
) -> Intake:
    return Intake(
        stamper=Stamper(), redactor=Redactor(), prepare=prepare, started=started, max_bytes=max_bytes, strict=strict
    )  # fmt: skip


class Kitlike:
    """As much of a kit as a scope asks for."""

    intake: Any = None


def scope() -> Scope:
    return Scope(Kitlike())


def names_of(intake: Intake) -> list[str]:
    return [decode(intake.record(one).payload).name for one in intake.take(0)]


def test_what_goes_in_comes_out_in_order() -> None:
    intake, here = intake_of(), scope()
    ids = [intake.capture(here, SEEN, {"n": number}) for number in range(100)]
    taken = intake.take(0)
    records = [decode(intake.record(one).payload) for one in taken]
    assert [one.id for one in records] == ids
    assert [one.properties["n"] for one in records] == list(range(100))
    assert intake.queued == 100, "what is taken is still in memory"
    intake.release(taken)
    assert (intake.queued, intake.queued_bytes) == (0, 0)
    assert intake.take(0) == []


def test_whoever_waits_can_be_woken() -> None:
    intake = intake_of()
    woken = threading.Thread(target=intake.take, args=(None,))
    woken.start()
    intake.nudge()
    woken.join(30)
    assert not woken.is_alive()
    assert intake.queued == 0


def test_what_was_captured_does_not_change_any_more() -> None:
    """F36."""
    intake, here = intake_of(), scope()
    for known in range(2):  # by the walk, then by the scan
        inner = {"size": known, "more": {"deep": 1}}
        bag: dict[str, Any] = {"a": 1, "inner": inner}
        intake.capture(here, SEEN, bag)
        bag["a"] = bag["b"] = 2
        inner["size"] = -1
        inner["more"]["deep"] = -1  # type: ignore[index]
    found = [decode(intake.record(one).payload).properties for one in intake.take(0)]
    assert found == [{"a": 1, "inner": {"size": known, "more": {"deep": 1}}} for known in range(2)]


def test_a_touchpoint_is_prepared_once_for_each_version_of_a_scope() -> None:
    asked: list[str] = []

    def prepare(spec: TouchpointSpec, scope: Scope) -> Prepared:
        asked.append(spec.name)
        return prepared(spec)

    intake, here = intake_of(prepare=prepare), scope()
    for _ in range(3):
        intake.capture(here, SEEN, {})
    here.change()
    intake.capture(here, SEEN, {})
    assert asked == ["intake.seen"] * 2


def test_what_the_gate_refuses_is_counted_by_its_reason() -> None:
    intake = intake_of(prepare=lambda spec, scope: Prepared(refusal="consent_refused"))
    assert intake.capture(scope(), SEEN, {}) is None
    assert intake.dropped == {"consent_refused": 1}
    assert intake.queued == 0


def test_delivery_is_started_by_the_first_and_after_a_fork_again() -> None:
    started: list[int] = []
    intake, here = intake_of(started=lambda: started.append(1)), scope()
    for _ in range(3):
        intake.capture(here, SEEN, {})
    assert len(started) == 1
    intake.reset()
    assert (intake.queued, intake.queued_bytes, intake.take(0)) == (0, 0, [])
    intake.capture(here, SEEN, {})
    assert len(started) == 2


def test_the_queue_is_bounded_by_bytes_and_low_priority_goes_first() -> None:
    intake, here = intake_of(100_000), scope()
    full: dict[str, int] = {}
    for spec in (LOW, SEEN, CRITICAL):
        while intake.capture(here, spec, {"text": "x" * 1000}):
            pass
        full[spec.priority] = intake.queued_bytes
    assert 48_000 <= full["low"] <= 50_000
    assert 88_000 <= full["normal"] <= 90_000
    assert 98_000 <= full["critical"] <= 100_000
    assert intake.dropped == {"queue_full": 3}
    kept = names_of(intake)
    assert kept == sorted(kept, key=["intake.low", "intake.seen", "intake.critical"].index)


def test_room_is_made_by_what_is_written() -> None:
    intake, here = intake_of(10_000), scope()
    for _ in range(3):
        while intake.capture(here, SEEN, {"text": "x" * 1000}):
            pass
        intake.release(intake.take(0))
        assert intake.queued_bytes == 0
    assert intake.dropped == {"queue_full": 3}


def test_the_count_of_bytes_stays_right_while_many_threads_capture_and_one_releases() -> None:
    """Or the queue would grow without a bound, or shrink to nothing."""
    intake = intake_of(1 << 30)
    done = threading.Event()

    def write() -> None:
        while not done.is_set() or intake.queued:
            intake.release(intake.take(0.01))

    def capture() -> None:
        here = scope()
        for _ in range(5_000):
            intake.capture(here, SEEN, {"a": 1})

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        writer = threading.Thread(target=write)
        threads = [threading.Thread(target=capture) for _ in range(4)]
        for thread in (writer, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        writer.join()
    finally:
        sys.setswitchinterval(before)
    assert (intake.queued, intake.queued_bytes, intake.dropped) == (0, 0, {})


def test_after_closing_everything_is_counted_and_nothing_kept() -> None:
    intake = intake_of()
    intake.closed = True
    assert intake.capture(scope(), SEEN, {}) is None
    assert intake.dropped == {"after_close": 1}


def test_what_is_blocked_is_counted_under_a_text_that_can_be_written_and_is_no_longer_than_that() -> None:
    intake = intake_of()
    for channel in ("em\ud800", "em\udfff", "\ud800" * 10_000):
        intake.block(Blocked(gate="send", purpose="marketing", reason="invalid", destination=channel))
    one, long = intake.dropped
    assert (one, intake.dropped[one]) == ("send:marketing:invalid:em?", 2)
    assert len(long.encode()) == 256
    assert {Blocked.from_text(text).gate for text in intake.dropped} == {"send"}


def test_what_is_wrong_is_raised_in_strict_mode_and_counted_otherwise() -> None:
    def broken(spec: TouchpointSpec, scope: Scope) -> Prepared:
        raise KeyError(spec.name)

    lenient = intake_of(prepare=broken)
    assert lenient.capture(scope(), SEEN, {}) is None
    lenient.failed(InvalidInteractionError("a", fix="b"))
    assert lenient.dropped == {"internal_error": 1, "invalid": 1}
    with pytest.raises(KeyError):
        intake_of(prepare=broken, strict=True).capture(scope(), SEEN, {})


def test_marks_and_what_the_walk_found_go_along_together() -> None:
    intake = intake_of()
    intake.capture(scope(), SEEN, {"a": float("nan")}, marks={"": "invalid:TypeError"})
    (taken,) = intake.take(0)
    assert decode(intake.record(taken).payload).trimmed == {"a": "nan", "": "invalid:TypeError"}


def test_properties_over_the_limit_are_left_out_and_the_rest_is_kept() -> None:
    intake = intake_of()
    assert intake.capture(scope(), SEEN, {f"{'k' * 250}{number}": "x" * 380 for number in range(120)}) is not None
    (taken,) = intake.take(0)
    record = intake.record(taken)
    one = decode(record.payload)
    assert len(record.payload) < MAX_EVENT_BYTES
    assert (one.name, one.properties) == ("intake.seen", {})
    assert one.trimmed[""].startswith("oversize:")


# --- exporters ---


class Chatty:
    """An exporter that captures while it exports."""

    purposes = frozenset({"necessary"})

    def __init__(self, handle: Callable[[], object]) -> None:
        self._handle = handle
        self.seen: list[str] = []

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        self._handle()
        self.seen += [one.name for one in batch]
        return Outcome.delivered()

    def close(self) -> None:
        self._handle()


def test_what_an_exporter_captures_on_its_own_thread_is_muted() -> None:
    told = cxkit.touchpoint("intake.told")
    chatty = Chatty(lambda: told.capture(from_="exporter"))
    with recorder() as record:
        kit = Kit(Settings(), exporters={"chatty": chatty, "quiet": RecordingExporter()}, in_memory=True)
        with cxkit.scope(kit=kit):
            told.capture(from_="app")
        assert kit.flush(timeout_s=30).complete
        kit.close()
        assert chatty.seen == ["intake.told"]
        assert kit.intake.dropped == {"own_thread": 2}
        assert record.interactions == []


def test_captures_beyond_the_room_are_dropped_and_the_account_says_so() -> None:
    cup = cxkit.touchpoint("intake.cup")
    kit = Kit(Settings(queue=Queue(max_bytes=1)), exporters={"x": RecordingExporter()}, in_memory=True)
    with cxkit.scope(kit=kit):
        assert [cup.capture() for _ in range(3)] == [None] * 3
    assert kit.account().dropped == {"queue_full": 3}
    assert kit.account().captured == 3
    kit.close()


# --- re-entrancy: each in a process of its own, which is stopped if it stands still ---

PRELUDE = """
import faulthandler, gc, signal, sys, threading
faulthandler.dump_traceback_later(40, exit=True)
import cxkit
from cxkit.kit import Kit, install
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

exporter = RecordingExporter()
kit = Kit(Settings(strict=True), exporters={"x": exporter}, in_memory=True)
install(kit)
kit.start()  # before the storm: a start takes longer than handlers leave it, and they would pile up on it
kit.flush(timeout_s=30)
MAIN, INNER = cxkit.touchpoint("in.main"), cxkit.touchpoint("in.inner")
times = 0
outer = 0
"""
EPILOGUE = """
assert kit.close(timeout_s=30).complete
found = [one.name for one in exporter.interactions]
dropped = kit.account().dropped
# A finaliser may run on the exporter's thread, where nothing is captured; then it is counted.
assert dropped.keys() <= {"own_thread"}, dropped
inner = found.count("in.inner") + dropped.get("own_thread", 0)
assert (found.count("in.main"), inner) == (outer, times), (len(found), outer, times, dropped)
print(times, outer)
"""
SIGNALS = """
def handler(number, frame):
    global times
    times += 1
    INNER.capture(n=times, nested={"a": [1]})

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
while times < 2000:
    outer += 1
    MAIN.capture(n=outer, text="x", items=[outer])
signal.setitimer(signal.ITIMER_REAL, 0)
"""
FINALISERS = """
class Loop:
    def __init__(self):
        self.me = self

    def __del__(self):
        global times
        INNER.capture(n=times, nested={"a": [1]})
        times += 1

gc.set_threshold(7, 2, 2)
while times < 2000:
    outer += 1
    Loop()
    MAIN.capture(n=outer, text="x", items=[outer])
gc.disable()
while times < outer:  # a collection of another thread may still run: then collect() returns at once
    gc.collect()
"""


@pytest.mark.parametrize("program", [SIGNALS, FINALISERS], ids=["signal handler", "finaliser"])
def test_capture_interrupted_by_capture_does_not_stand_still(program: str) -> None:
    """F15: 2,000 times, by signals and by finalisers; none is lost."""
    command = [sys.executable, "-c", PRELUDE + program + EPILOGUE]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[0]) >= 2000


def test_an_interruption_while_delivery_is_started_leaves_it_to_the_next_capture() -> None:
    """A signal's handler may raise at any line."""
    asked: list[int] = []

    def started() -> None:
        asked.append(len(asked))
        if len(asked) == 1:
            raise KeyboardInterrupt

    intake, here = intake_of(started=started), scope()
    with pytest.raises(KeyboardInterrupt):
        intake.capture(here, SEEN, {"n": 1})
    for number in (2, 3):
        intake.capture(here, SEEN, {"n": number})
    assert asked == [0, 1]
    assert intake.queued == 3
