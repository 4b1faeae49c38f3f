"""Stop, and start again: what is dropped is accounted for by one engine, whichever, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.delivery.account import Account, read_account
from cxkit.delivery.engine import Engine
from cxkit.kit import Kit
from cxkit.settings import Queue, Settings
from cxkit.testing import RecordingExporter

SEEN = cxkit.touchpoint("stopping.seen", purpose="necessary")


class Held:
    """A kit whose worker cannot write for a while."""

    def __init__(self, root: Path) -> None:
        self.exporter = RecordingExporter(purposes=frozenset({"necessary"}))
        self.kit = Kit(Settings(directory=root, queue=Queue(max_bytes=20_000)), exporters={"sink": self.exporter})
        self.captured = self.lost = 0
        self._release, self._held = threading.Event(), threading.Event()

    def capture(self, count: int) -> None:
        with cxkit.scope(kit=self.kit):
            ids = [SEEN.capture(text="x" * 500) for _ in range(count)]
        self.captured += count
        self.lost += ids.count(None)

    def engine(self) -> Engine[object]:
        assert self.kit.flush(timeout_s=30).complete
        engine = self.kit._starter.engine
        assert engine is not None
        return engine  # type: ignore[return-value]

    def hold(self, engine: Engine[object]) -> Callable[[], None]:
        """Have the disk, until what is returned is called."""

        def hang() -> None:
            with engine._writer.alone():
                self._held.set()
                self._release.wait(30)

        thread = threading.Thread(target=hang)
        thread.start()
        assert self._held.wait(30)

        def let_go() -> None:
            self._release.set()
            thread.join()

        return let_go

    def account(self) -> Account:
        """Once all is delivered, with the report of losses that may just have been written."""
        until = time.monotonic() + 30
        while (account := self.kit.account()).exporters["sink"].pending and time.monotonic() < until:
            self.kit.flush(timeout_s=1)
        return account

    def judge(self, account: Account) -> None:
        reports = sum(one.name == "cxkit.loss_report" for one in self.exporter.interactions)
        assert account.dropped == {"queue_full": self.lost}
        assert account.captured == self.captured + reports
        assert account.balanced


@pytest.mark.parametrize("noted", [True, False])
def test_drops_are_counted_once_though_the_worker_ends_after_stop_has_returned(tmp_path: Path, noted: bool) -> None:
    """F43: by the engine that is to end, and those after it by the next."""
    held = Held(tmp_path)
    held.capture(1)
    first = held.engine()
    if noted:
        held.kit.intake.dropped["queue_full"] += 1
        held.captured, held.lost = held.captured + 1, held.lost + 1
        first._shelf.note(first._queue.dropped)  # as the worker does when there is nothing else to do
    let_go = held.hold(first)
    held.capture(100)
    assert held.lost > 10
    assert not held.kit.stop(timeout_s=0.1).complete
    held.capture(100)
    let_go()
    first._worker.join(30)
    held.capture(1)
    assert held.kit.flush(timeout_s=30).complete
    held.judge(held.account())
    assert held.kit.close(timeout_s=30).complete
    held.judge(read_account(tmp_path))
    held.judge(held.kit.account())


def test_stop_and_start_again_and_again_loses_no_count(tmp_path: Path) -> None:
    """F43: from several threads at once."""
    held = Held(tmp_path)
    for _ in range(5):
        held.capture(60)
        threads = [threading.Thread(target=held.kit.stop, kwargs={"timeout_s": 20}) for _ in range(2)]
        for thread in threads:
            thread.start()
        held.capture(60)
        for thread in threads:
            thread.join()
    held.kit.close(timeout_s=30)
    held.judge(read_account(tmp_path))


def test_the_second_of_two_stops_does_not_forget_the_engine_that_came_between(tmp_path: Path) -> None:
    held = Held(tmp_path)
    held.capture(1)
    first = held.engine()
    let_go = held.hold(first)
    late = threading.Thread(target=held.kit.stop, kwargs={"timeout_s": 30})
    late.start()  # it waits for the worker, which waits for the disk
    held.kit.stop(timeout_s=0.05)
    held.capture(3)
    second = held.kit._starter.awaited(time.monotonic() + 30)
    let_go()
    late.join()
    assert second is not first
    assert held.kit._starter.engine is second
    assert held.kit.close(timeout_s=30).complete
    assert len(held.exporter.interactions) == 4
    assert read_account(tmp_path).balanced


def test_while_a_start_hangs_the_end_does_not_hang_with_it(tmp_path: Path) -> None:
    kit = Kit(Settings(directory=tmp_path), exporters={})
    disk, asked = threading.Event(), threading.Event()
    make = kit._starter._make

    def hanging() -> Engine[Any]:
        asked.set()
        assert disk.wait(60)
        return make()

    kit._starter._make = hanging
    with cxkit.scope(kit=kit):
        SEEN.capture()
    assert asked.wait(30)
    ended = threading.Thread(target=kit.close, kwargs={"timeout_s": 0.1})
    ended.start()
    ended.join(30)
    assert not ended.is_alive()
    disk.set()
    engine = kit._starter.awaited(time.monotonic() + 30)
    assert engine is not None
    assert engine.close(30).complete
