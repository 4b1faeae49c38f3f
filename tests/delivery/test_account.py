"""The account: spooled = before + delivered + dead + dropped + pending, whatever is killed in between."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cxkit.codec.frame import Record
from cxkit.delivery.account import Account, ExporterAccount, Ledger, read_account
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.files import lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.judging import ForExporter
from cxkit.delivery.lane import Lane, LaneLimits
from cxkit.delivery.shelf import Shelf, SpoolLimits
from cxkit.delivery.spool import Spool
from cxkit.roles import Batch, Outcome

Make = Callable[..., list[Record]]

LIMITS = SpoolLimits(max_bytes=2500, max_records=10_000, max_age_s=3600, segment_bytes=500, sync_interval_s=1)
NAMES = ("left", "right")


class Sink:
    """An exporter whose other side is told what to do next; at any attempt the process may be killed."""

    purposes = frozenset({"analytics"})

    def __init__(self) -> None:
        self.seen: Counter[bytes] = Counter()
        self.script: list[str] = []
        self.killed: Callable[[], None] = lambda: None

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        kind = self.script.pop(0) if self.script else "delivered"
        if kind == "killed":
            self.killed()
        if kind in ("delivered", "killed"):
            self.seen.update(batch.payloads)
            return Outcome.delivered()
        if kind == "reject":
            self.seen.update(batch.payloads[1:])
            return Outcome.reject({0: "bad"})
        if kind == "again":
            self.seen.update(batch.payloads[1:])
            return Outcome.reject({}, again=[0])
        return {"split": Outcome.split("http_400"), "retry": Outcome.retry("network")}[kind]

    def close(self) -> None:
        pass


scripts = st.lists(st.sampled_from(["delivered", "retry", "reject", "again", "split", "killed"]), max_size=4)


class Life(RuleBasedStateMachine):
    """A process that captures, delivers, is killed and starts again. Killed: what is on disk then is copied."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.number = 0
        self.captured = 0
        self.sinks = {name: Sink() for name in NAMES}
        self.dead: list[Shelf] = []
        self.snapshot: Path | None = None

    def teardown(self) -> None:
        self._finish()
        for shelf in self.dead:
            for spool in shelf.spools:
                spool.close()
        shutil.rmtree(self.base)

    @initialize()
    def begin(self) -> None:
        self._start(self.base / "0")

    @rule(count=st.integers(1, 8))
    def capture(self, count: int) -> None:
        made = [Record(b"%060d" % number, purposes=4, own=2) for number in range(self.captured, self.captured + count)]
        self.shelf.own.append(made)
        self.captured += count
        self.shelf.within_limits()

    @rule(name=st.sampled_from(NAMES), script=scripts)
    def deliver(self, name: str, script: list[str]) -> None:
        self.sinks[name].script = [*script, "retry"]
        self._work(name)
        self.sinks[name].script = []
        if self.snapshot is not None:  # it was killed within an attempt, whatever came of it later
            self._restart(self.snapshot)

    @rule()
    def killed(self) -> None:
        self._restart(self._copied())

    @rule()
    def ended_in_order(self) -> None:
        for lane in self.lanes.values():
            lane.stop(at=-math.inf)
            lane.run()
        self.shelf.leave(dropped={}, written=True)
        self._start(self.root)

    @rule(reason=st.sampled_from(["spool_full", "expired"]))
    def give_up(self, reason: str) -> None:
        for spool in self.shelf.spools[1:]:
            spool.give_up_oldest(reason)

    @rule()
    def expire(self) -> None:
        for file in self.root.glob("spool/*/*.seg"):
            os.utime(file, (0, time.time() - 7200))
        self.shelf.expire()

    @rule()
    def adopt(self) -> None:
        self.shelf.adopt_orphans()

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "shelf"):
            return
        account = self.shelf.account(dropped={}, queued=0)
        assert account.spooled == self.captured
        assert account.balanced
        for name, one in account.exporters.items():
            assert one.before == 0
            assert min(one.pending, one.delivered, one.dead) >= 0
            # Each counted once, however often it came.
            assert one.delivered <= len(self.sinks[name].seen)
        assert read_account(self.root) == account, "the files alone say the same"

    def _finish(self) -> None:
        """In the end everything has become of everything."""
        if not hasattr(self, "shelf"):
            return
        self.shelf.adopt_orphans()
        for name in NAMES:
            self.sinks[name].script = []
            for _ in range(len(self.shelf.spools) + 1):  # a lane that waits for its next try does one thing at a time
                self._work(name)
        for name, one in self.shelf.account(dropped={}, queued=0).exporters.items():
            assert one.pending == 0
            assert one.delivered + one.dead + sum(one.dropped.values()) == self.captured
            assert len(self.sinks[name].seen) + one.dead + sum(one.dropped.values()) >= self.captured

    def _work(self, name: str) -> None:
        self.lanes[name].stop(at=math.inf)
        self.lanes[name].run()

    def _copied(self) -> Path:
        self.number += 1
        root = self.base / str(self.number)
        shutil.copytree(self.root, root)
        return root

    def _take_snapshot(self) -> None:
        if self.snapshot is None:
            self.snapshot = self._copied()

    def _restart(self, root: Path) -> None:
        self.dead.append(self.shelf)
        self.snapshot = None
        self._start(root)

    def _start(self, root: Path) -> None:
        self.root = root
        self.shelf = shelf = Shelf(root, limits=LIMITS)
        self.lanes = {}
        for name, sink in self.sinks.items():
            sink.killed = self._take_snapshot
            self.lanes[name] = Lane(
                name,
                sink,
                limits=LaneLimits(max_records=5),
                judging=ForExporter(purposes=4, verdict=lambda subject, purposes: ("allowed", None)),
                spools=lambda: shelf.spools,
                dead=DeadLetters(None, name, ""),
                now_text=lambda: "",
                passed=shelf.passed,
                muted=nullcontext,
                clock=lambda: 0.0,
            )
        shelf.begin(NAMES)
        shelf.adopt_orphans()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=25)


# --- The ledger -----------------------------------------------------------------------------------


def settled(root: Path, records: Make, count: int = 3) -> Spool:
    spool = Spool.create(root / "spool", segment_bytes=1 << 20)
    spool.append(records(count))
    spool.begin("sink")
    progress = spool.read(spool.cursor("sink").progress, max_records=100, max_bytes=100_000).progress
    spool.cursor("sink").commit(progress.__class__(sequence=count, counts={"delivered": count - 1, "dead": 1}))
    return spool


def test_folding_twice_changes_nothing(tmp_path: Path, records: Make) -> None:
    """F4: killed after the ledger was written and before the spool was removed."""
    spool = settled(tmp_path, records)
    before = read_account(tmp_path)
    for _ in range(3):
        Ledger(tmp_path).fold(spool, {"queue_full": 2})
    after = read_account(tmp_path)
    assert after == read_account(tmp_path)
    assert after.exporters == before.exporters == {"sink": ExporterAccount(delivered=2, dead=1)}
    assert (after.spooled, after.dropped, after.captured) == (3, {"queue_full": 2}, 5)
    spool.remove()
    assert read_account(tmp_path) == after


def test_a_ledger_that_cannot_be_written_is_as_it_was(
    tmp_path: Path, records: Make, files_limited: Callable[[int], AbstractContextManager[None]]
) -> None:
    """F5: at whatever byte the disk is full."""
    first, second = settled(tmp_path, records), settled(tmp_path, records)
    Ledger(tmp_path).fold(first, {})
    before = (tmp_path / "ledger.json").read_bytes()
    for room in range(0, len(before), 10):
        with files_limited(room), pytest.raises(OSError):  # noqa: PT011 - short, or refused
            Ledger(tmp_path).fold(second, {})
        assert (tmp_path / "ledger.json").read_bytes() == before
    Ledger(tmp_path).fold(second, {})
    first.remove()
    second.remove()
    assert read_account(tmp_path).spooled == 6


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"spooled": "x"}', b"\xff" * 100])
def test_a_damaged_ledger_is_set_aside_and_stops_nothing(tmp_path: Path, records: Make, bad: bytes) -> None:
    """F3."""
    spool = settled(tmp_path, records)
    (tmp_path / "ledger.json").write_bytes(bad)
    assert read_account(tmp_path).spooled == 3
    Ledger(tmp_path).fold(spool, {})
    spool.remove()
    assert (tmp_path / "ledger.damaged").read_bytes() == bad
    assert read_account(tmp_path).spooled == 3


def test_a_ledger_that_cannot_be_read_now_is_not_begun_anew(tmp_path: Path, records: Make) -> None:
    """A directory in its place, as any error but its absence."""
    spool = settled(tmp_path, records)
    (tmp_path / "ledger.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        Ledger(tmp_path).fold(spool, {})
    spool.close()
    assert (tmp_path / "spool" / spool.name).exists()


def test_a_stopped_process_that_holds_the_ledger_stops_nobody(tmp_path: Path, records: Make) -> None:
    """F13: not the exit of another either."""
    spool = settled(tmp_path, records)
    held = lock(tmp_path / "ledger.lock")
    assert held is not None
    with pytest.raises(TimeoutError):
        Ledger(tmp_path).fold(spool, {})
    let_go(held)
    Ledger(tmp_path).fold(spool, {})
    spool.remove()


def test_who_comes_later_never_saw_what_was_before(tmp_path: Path, records: Make) -> None:
    Ledger(tmp_path).fold(one := settled(tmp_path, records), {})
    one.remove()
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    spool.begin("newcomer")
    spool.append(records(2))
    account = read_account(tmp_path)
    assert account.exporters == {
        "newcomer": ExporterAccount(before=3, pending=2),
        "sink": ExporterAccount(delivered=2, dead=1, before=2),
    }
    assert account.balanced
    spool.close()


def test_an_account_that_does_not_add_up_says_so() -> None:
    assert not Account(spooled=3, exporters={"sink": ExporterAccount(delivered=2)}).balanced


def test_nothing_is_an_account_too(tmp_path: Path) -> None:
    assert read_account(tmp_path) == read_account(None) == Account()
    assert read_account(None, dropped={"consent_refused": 2}, queued=1).captured == 3


def test_what_is_planted_beside_a_spool_stops_no_account(tmp_path: Path, records: Make) -> None:
    spool = settled(tmp_path, records)
    os.mkfifo(tmp_path / "spool" / spool.name / "pipe.cursor")
    (tmp_path / "spool" / spool.name / "link.cursor").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "spool" / spool.name / "dropped.json")
    (tmp_path / "spool" / "file").write_text("x")
    (tmp_path / "spool" / "empty").mkdir()
    account: Any = read_account(tmp_path)
    assert (account.spooled, list(account.exporters)) == (3, ["sink"])
    spool.close()
