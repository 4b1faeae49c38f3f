"""The starter: whoever captures waits for a start at most once, and interrupted, leaves nothing behind."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from cxkit.capture.gate import Prepared
from cxkit.capture.intake import Captured, Intake
from cxkit.capture.redact import Redactor
from cxkit.capture.stamp import Stamper
from cxkit.kit import starter as room
from cxkit.kit.starter import Starter

ONE: Captured = (Prepared(refusal=None), "1", 1, b"", b"{}")


class StubEngine:
    """One that writes all it is given."""

    def __init__(self, fails: Exception | None = None, threads: int = 1) -> None:
        self.started = 0
        self.threads = threads
        self.written: list[Captured] = []
        self._fails = fails

    def start(self) -> None:
        self.started += self.threads
        if self._fails is not None:
            raise self._fails

    def write_now(self, item: Captured) -> bool:
        self.written.append(item)
        return True


class Maker:
    """Makes engines, and waits where a disk would hang."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.made: list[StubEngine] = []
        self.asked = threading.Event()
        self.disk = threading.Event()
        self.disk.set()
        self._fails = fails
        self.threads = 1

    def __call__(self) -> Any:
        self.asked.set()
        assert self.disk.wait(60)
        self.made.append(StubEngine(self._fails, self.threads))
        return self.made[-1]


@pytest.fixture
def maker() -> Iterator[Maker]:
    maker = Maker()
    yield maker
    maker.disk.set()


def starter_of(maker: Maker) -> Starter:
    return Starter(maker, lambda: None, at_end=lambda: None)


def test_while_a_start_hangs_one_capture_waits_and_the_rest_fall_back_at_once(maker: Maker) -> None:
    """F7: the thread of a request is not held up again and again; all is counted, and none is lost."""
    starter = starter_of(maker)
    intake = Intake(
        stamper=Stamper(),
        redactor=Redactor(extra=(), keep=()),
        prepare=lambda *_: ONE[0],
        started=starter.start,
        write_now=starter.write_now,
        max_bytes=100_000,
        strict=True,
    )
    maker.disk.clear()
    capturing = threading.Thread(target=lambda: [intake.put(ONE) for _ in range(100)], daemon=True)
    capturing.start()
    capturing.join(40)
    assert not capturing.is_alive(), "a second for each of them is more than that"
    assert (intake.noted["write_fell_back"], intake.queued) == (100, 100)
    maker.disk.set()
    assert starter.awaited(time.monotonic() + 30) is not None
    intake.put(ONE)
    assert (intake.noted["write_fell_back"], intake.queued) == (100, 100), "the start is over"
    assert len(maker.made) == 1
    assert maker.made[0].written == [ONE]


def test_what_is_captured_on_the_thread_of_the_start_does_not_wait_for_it(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finaliser, say, or a plugin's factory."""
    monkeypatch.setattr(room, "_HERE_S", 3600.0)
    written: list[bool] = []

    def make() -> Any:
        written.append(starter.write_now(ONE))
        return maker()

    starter = Starter(make, lambda: None, at_end=lambda: None)
    starter.start()
    assert starter.awaited(time.monotonic() + 30) is not None
    assert written == [False]


def test_threads_that_cannot_be_started_are_asked_for_again(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_AGAIN_S", 0.0)
    asked: list[None] = []
    maker.threads = 0
    starter = Starter(maker, lambda: asked.append(None), at_end=lambda: None)
    starter.start()
    engine: Any = starter.awaited(time.monotonic() + 30)
    assert (engine.started, len(asked)) == (0, 1), "whoever captures next asks again"
    engine.threads = 1
    starter.start()
    starter.start()
    assert (engine.started, len(maker.made)) == (1, 1)


def test_a_start_after_one_that_hung_is_waited_for_again(maker: Maker) -> None:
    starter = starter_of(maker)
    maker.disk.clear()
    assert not starter.write_now(ONE)
    maker.disk.set()
    assert starter.awaited(time.monotonic() + 30) is not None
    starter.engine = None  # as `Kit.stop` does
    assert starter.write_now(ONE)
    assert len(maker.made) == 2


def test_many_first_captures_make_one_engine(maker: Maker) -> None:
    starter = starter_of(maker)
    together = threading.Barrier(20)
    written: list[bool] = []

    def capture() -> None:
        together.wait()
        written.append(starter.write_now(ONE))

    threads = [threading.Thread(target=capture) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(maker.made) == maker.made[0].started == 1
    assert len(maker.made[0].written) == sum(written)


class Interruption(BaseException):
    """What a handler of the app's raises."""


def interrupted_at(line: int, work: Callable[[], object]) -> bool:
    """Do it, with an exception that comes before the so-many-th line of the starter's; whether there were so many."""
    before, left = sys.gettrace(), line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != room.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                raise Interruption
        return trace

    sys.settrace(trace)
    try:
        work()
    except Interruption:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("call", ["write_now", "start"])
def test_an_interruption_before_any_line_leaves_no_start_under_way_and_no_engine_to_nobody(call: str) -> None:
    """F15: whoever is next starts delivery, or finds it started."""
    line = 0
    while True:
        maker = Maker()
        starter = starter_of(maker)
        interrupted = interrupted_at(line, starter.start if call == "start" else partial(starter.write_now, ONE))
        starter.start()
        assert starter.awaited(time.monotonic() + 10) is not None, f"interrupted before line {line}"
        assert maker.made == [starter.engine]
        if not interrupted:
            break
        line += 1
    assert line > 5


def test_a_stranger_that_exits_where_an_engine_is_made_is_told_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F34: the thread is ours, and so is what it says."""
    asked: list[str] = []

    def exiting() -> Any:
        raise SystemExit

    starter = Starter(exiting, lambda: asked.append("again"), at_end=lambda: None)
    starter.start()
    assert starter.awaited(time.monotonic() + 30) is None
    assert not starter.write_now(ONE), "not before its time"
    assert asked == ["again", "again"]
    assert "delivery could not start (SystemExit)" in caplog.text


def test_an_engine_whose_threads_could_not_be_started_is_not_left_to_nobody() -> None:
    """F40: it holds a spool, which is to be closed."""
    maker = Maker(fails=MemoryError())
    starter = starter_of(maker)
    starter.start()
    assert starter.awaited(time.monotonic() + 30) is maker.made[0]
