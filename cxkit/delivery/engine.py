"""The engine: the threads of one process.

One spool worker takes what was captured from the queue and appends it to this process's spool; a
lane for each exporter reads it from there. Lanes read live and adopted spools in the same way,
from the file (that is, from the page cache): one path to test, and a lagging exporter costs no memory.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

import attrs

from cxkit.codec.frame import Record
from cxkit.delivery.account import Account
from cxkit.delivery.dead import MAX_LETTER_BYTES
from cxkit.delivery.erasure import Meant
from cxkit.delivery.greenlets import patiently
from cxkit.delivery.housekeeping import House
from cxkit.delivery.kept import Found
from cxkit.delivery.lane import Lane
from cxkit.delivery.lanes import Lanes
from cxkit.delivery.listener import Listener
from cxkit.delivery.losses import Cause
from cxkit.delivery.queue import Queue
from cxkit.delivery.receipts import Receipt, receipt
from cxkit.delivery.shelf import Shelf, SpoolLimits
from cxkit.delivery.spool import Spool
from cxkit.delivery.spooling import Spooling
from cxkit.delivery.troubles import Troubles
from cxkit.delivery.writer import Writer

__all__ = ["Engine", "Flushed", "SpoolLimits"]

_GATHER_S: Final = 0.02
_TRY_AGAIN_S: Final = 1.0
_IDLE_S: Final = 5.0
_BREATH_S: Final = 0.1
_CHUNK_BYTES: Final = 1 << 20
"""What is joined at once for one append: for a moment it is in memory three times."""

ItemT = TypeVar("ItemT")


LaneMaker = Callable[[Callable[[], Sequence[Spool]], Callable[[Spool], None], str], Sequence[Lane]]


@attrs.frozen(kw_only=True)
class Flushed:
    """How a flush ended: truthfully, within its time."""

    complete: bool
    """Whether every exporter has handled all that was captured before the call."""
    pending: Mapping[str, int]
    """Exporter to how many it has not."""


class Engine(Generic[ItemT]):
    """Lanes, the spool worker and their threads. Built in the process that uses it; never used across a fork.

    Args:
        root: Where spools live; None keeps them in memory.
        lanes: Makes the lanes, given what lanes need of the engine.
        synced: Whether `write_now` waits until it is on disk.
        on_drop: Told, every now and then, what was given up since.
        loss_report: Makes the interaction that reports losses.
    """

    def __init__(
        self,
        queue: Queue[ItemT],
        *,
        root: Path | None,
        limits: SpoolLimits,
        lanes: LaneMaker,
        synced: bool = False,
        muted: Callable[[], AbstractContextManager[object]],
        on_drop: Callable[[str, int, str | None], None] | None = None,
        loss_report: Callable[[Mapping[Cause, int]], Record] | None = None,
    ) -> None:
        self._queue = queue
        self.dropped = queue.dropped
        """What was given up before the spool, that this engine accounts for."""
        self._sync_interval_s = limits.sync_interval_s
        self._troubles = Troubles(muted=muted)
        self._listener = Listener(on_drop, muted=muted) if on_drop else None
        self._shelf = Shelf(root, limits=limits)
        self._writer = Writer(self._shelf, synced=synced)
        made = lanes(lambda: self._shelf.spools, self._passed, self._shelf.own.name)
        self.lanes = Lanes(made, no_thread=self._no_thread)
        self._shelf.begin(lane.name for lane in self.lanes)
        self._house = House(
            self._shelf,
            self._writer,
            self.lanes,
            self._troubles,
            dropped=self.dropped,
            tell=self._listener,
            loss_report=loss_report,
            sync_interval_s=limits.sync_interval_s,
        )
        self._spooling = Spooling(
            queue,
            self._writer,
            chunk_bytes=min(limits.segment_bytes, _CHUNK_BYTES),
            written=self._house.within_limits,
            trouble=self._disk,
            unfit=self._unfit,
        )
        self._hurry = threading.Event()
        self._closing = False
        self._deadline = 0.0
        self._nudged = False
        self._inline = threading.Lock()
        self._worker = threading.Thread(target=self._run, name="cxkit-spool", daemon=True)

    @property
    def started(self) -> bool:
        """Whether it has its threads."""
        return self._worker.ident is not None

    def start(self) -> None:
        """Start the threads; where none can be started (any more), `flush` and `close` do their work."""
        try:
            self._worker.start()  # which starts the lanes
        except RuntimeError as error:
            self._no_thread("the spool", error)

    # --- from other threads ---

    def flush(self, timeout_s: float) -> Flushed:
        """Wait until all that was captured is handled everywhere, or the time is up."""
        return self._flush(timeout_s, list(self.lanes))

    def settle(self, name: str, timeout_s: float) -> bool:
        """Wait until one lane has handled all that was captured; whether it has."""
        return self._flush(timeout_s, [lane for lane in self.lanes if lane.name == name]).complete

    def close(self, timeout_s: float) -> Flushed:
        """Deliver what can be delivered in that time and leave the rest to the next start. Idempotent."""
        self._deadline = deadline = time.monotonic() + timeout_s
        self._closing = True
        self._writer.let_go()
        written = self._await_written(deadline)
        if self._worker.ident is None:
            with self._inline:
                self._wind_up()
        elif not self._on_own_thread:
            self._queue.nudge()
            self._worker.join(max(0.0, deadline - time.monotonic()))
        pending = self._shelf.pending()
        return Flushed(complete=written and not pending, pending=pending)

    def write_now(self, item: ItemT) -> bool:
        """Write it on the caller's thread, past the queue; whether that was done. Any thread, at any moment."""
        record = self._queue.record(item)
        if self._closing or len(record.payload) > MAX_LETTER_BYTES:
            return False
        missed = self._writer.write_now(record)
        if missed == "sync_fell_back":
            self.dropped[f"noted:{missed}"] += 1
        if not self._nudged:  # no lane's event: its lock may be held by what we interrupt
            self._nudged = True
            self._queue.nudge()
        return missed != "write_fell_back"

    def erase(self, subjects: frozenset[bytes], timeout_s: float, *, until: datetime | None = None) -> bool:
        """Overwrite what is spooled here about these subjects, and remove dead letters; whether that is done in time.

        Any thread.

        Args:
            until: What occurred later stays.
        """
        done = self._house.erasures.ask(Meant.about(subjects, until))
        self._queue.nudge()
        if self._worker.ident is None:
            with self._inline:
                self._house.erase()
        return done.wait(0.0 if self._on_own_thread else timeout_s)

    def find(self, subjects: frozenset[bytes], *, until: datetime | None = None) -> Found:
        """What is kept about these subjects, here and by all other processes of this root.

        Args:
            until: What occurred later is not meant.

        Raises:
            OSError: The disk fails, or a directory is not ours alone.
        """
        return self._house.find(subjects, until)

    def receipts(self, command: str, *, timeout_s: float) -> dict[str, Receipt]:
        """What became of an erasure at each exporter, once all have it or the time is up. Any thread.

        Args:
            command: The id of an interaction captured in this process.
        """
        lanes = [lane for lane in self.lanes if lane.name[0] != "_"]

        def given() -> dict[str, Receipt]:
            return {one.name: receipt(command, one.exporter, one.fates, trouble=one.backoff.reason) for one in lanes}

        def ended() -> bool:
            return all(one.why != "not_delivered" for one in given().values())

        with self._spooling.changed:
            self._spooling.changed.wait_for(ended, self._left_of(time.monotonic() + timeout_s))
        return given()

    def account(self) -> Account:
        """The account of this root, with this process's own counters.

        Raises:
            OSError: It cannot be read now.
        """
        dropped = Counter(dict(self.dropped))
        if self._queue.dropped is not self.dropped:
            dropped.update(dict(self._queue.dropped))
        return self._shelf.account(dropped=dropped, queued=self._queue.queued)

    def _flush(self, timeout_s: float, lanes: Sequence[Lane]) -> Flushed:
        deadline = time.monotonic() + timeout_s
        written = self._await_written(deadline)
        # What is captured from here on is not waited for.
        marks = [(spool, spool.next_sequence) for spool in self._shelf.spools]
        for lane in lanes:
            lane.hurry()

        def pending() -> dict[str, int]:
            names = {lane.name for lane in lanes}
            return {name: count for name, count in self._shelf.pending(marks).items() if name in names}

        with self._spooling.changed:
            self._spooling.changed.wait_for(lambda: not pending(), self._left_of(deadline))
        left = pending()
        return Flushed(complete=written and not left, pending=left)

    def _await_written(self, deadline: float) -> bool:
        """Let the worker write what is queued, without gathering first; whether all of it is."""
        given_up = self._spooling.given_up
        if self._worker.ident is None:
            self._write_here()
        with self._spooling.changed:
            until = self._spooling.released + self._queue.queued
            self._hurry.set()
            self._queue.nudge()
            done = self._spooling.changed.wait_for(lambda: self._spooling.released >= until, self._left_of(deadline))
        self._hurry.clear()
        return done and self._spooling.given_up == given_up

    def _left_of(self, deadline: float) -> float:
        """How long to wait for the threads: not at all where there are none, or one of them asks."""
        if self._on_own_thread or not self._worker.is_alive():
            return 0.0
        return max(0.0, deadline - time.monotonic())

    @property
    def _on_own_thread(self) -> bool:
        listening = (self._listener.thread,) if self._listener else ()
        return threading.current_thread() in (self._worker, *listening, *self.lanes.threads)

    def _write_here(self) -> None:
        """Without a worker: straight from the queue to the spool."""
        with self._inline:
            self._write(self._queue.take(0))
            self._house.sync(now=True)

    # --- the worker ---

    def _run(self) -> None:
        interruption: BaseException | None = None
        while True:
            try:
                if interruption is not None:
                    self._recover(interruption)
                    interruption = None
                self._until_closed()
                break
            except BaseException as error:  # noqa: BLE001 - no memory, say: whatever it was, this thread goes on
                time.sleep(_BREATH_S)
                interruption = error
        self._wind_up()

    def _recover(self, error: BaseException) -> None:
        """What was on its way from the queue to the spool just then is gone: it is counted."""
        taken: list[ItemT] = []
        queued = -1
        while queued != self._queue.queued:  # nothing was captured while we looked
            queued = self._queue.queued
            taken += self._queue.take(0)
        left = [*taken, *self._spooling.all_held]
        lost = queued - len(left)
        if lost > 0:
            self.dropped["internal_error"] += lost
            self._spooling.gone(lost, left)
        self._write(taken)
        self._troubles.met("worker", "the spool worker was interrupted, and goes on", error)

    def _until_closed(self) -> None:
        while not (self._closing and self._queue.queued == 0 and not self._spooling.held):
            self._house.keep()
            taken = patiently(self._queue.take, self._patience())
            nudged, self._nudged = self._nudged, False
            if (taken or nudged) and not self._closing:
                self._hurry.wait(_GATHER_S)
                taken += self._queue.take(0)
            self._write(taken)
            self._house.erase()
            if nudged:  # what callers wrote themselves is for the lanes to read
                self._house.within_limits()
                self.lanes.wake()
            if not taken:  # nothing else to do: let others see what was dropped
                self._house.note()
            self._house.sync()

    def _wind_up(self) -> None:
        """Let the lanes end; then close the spools, so that they can be adopted."""
        self._house.note()  # first: a listener or a lane may hang, and the process end
        try:
            self._house.tell_losses(last=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest must come to its end
            self._troubles.met("losses", "what was lost cannot be told", error)
        if self._listener is not None:
            self._listener.end()
        self._house.sync(now=True)
        self.lanes.end(at=self._deadline)
        self._write(self._queue.take(0))  # captured by a thread that had not heard of the end
        self._house.erase()
        with self._writer.alone():
            self._writer.ended = True
        self._shelf.leave(dropped=dict(self.dropped), written=self._queue.queued == 0)

    def _patience(self) -> float:
        if self._closing:
            return _GATHER_S
        if self._spooling.held or self._house.erasures:
            return _TRY_AGAIN_S
        return _IDLE_S if self._writer.unsynced_since is None else self._sync_interval_s

    def _write(self, taken: list[ItemT]) -> None:
        if self._spooling.write(taken, insist=self._hurry.is_set(), last=self._closing):
            self.lanes.wake()

    def _disk(self, error: Exception | None) -> None:
        if error is None:
            self._troubles.over("write")
        else:
            self._troubles.met("write", "the spool cannot be written; interactions are kept in memory", error)

    def _unfit(self, error: Exception) -> None:
        self._troubles.met("unfit", "an interaction cannot be spooled, and is dropped as internal_error", error)

    def _no_thread(self, what: str, error: RuntimeError) -> None:
        if "shutdown" not in str(error):  # at the end of the interpreter that is nobody's trouble
            self._troubles.met("thread", f"no thread can be started for {what}", error)

    def _passed(self, spool: Spool) -> None:
        self._shelf.passed(spool)
        if self._shelf.crowded and spool not in self._shelf.spools:
            self._house.due_at = 0.0  # there is room for another orphan
            self._queue.nudge()
        with self._spooling.changed:
            self._spooling.changed.notify_all()
