"""The engine: the threads of one process, and the spools they share.

One spool worker takes what was captured from the queue and appends it to this process's spool; a
lane for each exporter reads it from there. Lanes read live and adopted spools in the same way,
from the file (that is, from the page cache): one path to test, and a lagging exporter costs no memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import attrs

from cxkit.codec.frame import MAX_PAYLOAD_BYTES, Record
from cxkit.delivery.account import Account, Ledger, read_account, read_cursors, write_early
from cxkit.delivery.lane import Lane
from cxkit.delivery.spool import Spool, adopt

__all__ = ["Engine", "Flushed", "SpoolLimits"]

_GATHER_S: Final = 0.02
_CHUNK: Final = 1000
_RETRY_WRITE_S: Final = 1.0
_ADOPT_EVERY_S: Final = 20.0
_IDLE_S: Final = 5.0

logger = logging.getLogger("cxkit")


ItemT = TypeVar("ItemT")


class Queue(Protocol[ItemT]):
    """Where the worker takes from: ``capture.intake`` as seen from here."""

    dropped: defaultdict[str, int]

    @property
    def queued(self) -> int:
        """How many were put in and not yet released."""
        ...

    def record(self, item: ItemT) -> Record: ...

    def take(self, timeout_s: float | None) -> list[ItemT]: ...

    def release(self, taken: list[ItemT]) -> None: ...

    def nudge(self) -> None: ...


LaneMaker = Callable[[Callable[[], Sequence[Spool]], Callable[[Spool], None], str], Sequence[Lane]]


@attrs.frozen(kw_only=True)
class SpoolLimits:
    """How much a spool may hold, and how soon it is safe from a power cut."""

    max_bytes: int
    max_age_s: float
    segment_bytes: int
    sync_interval_s: float


@attrs.frozen(kw_only=True)
class Flushed:
    """How a flush ended: truthfully, within its time."""

    complete: bool
    """Whether every exporter has handled all that was captured before the call."""
    pending: Mapping[str, int]
    """Exporter to how many it has not."""


class Engine(Generic[ItemT]):
    """Spools, lanes and their threads. Built in the process that uses it; never used across a fork.

    Args:
        root: Where spools live; None keeps them in memory.
        lanes: Makes the lanes, given what lanes need of the engine.
        on_drop: Told, about once a second, what was given up since.
    """

    def __init__(
        self,
        queue: Queue[ItemT],
        *,
        root: Path | None,
        limits: SpoolLimits,
        lanes: LaneMaker,
        muted: Callable[[], AbstractContextManager[object]],
        on_drop: Callable[[str, int, str | None], None] | None = None,
    ) -> None:
        self._queue = queue
        self._limits = limits
        self._muted = muted
        self._on_drop = on_drop
        self._guard = threading.RLock()
        self._adopted: list[Spool] = []
        self._root, self.spool = self._open(root)
        self._ledger = Ledger(self._root)
        self.lanes = lanes(lambda: (self.spool, *self._adopted), self._passed, self.spool.name)
        for lane in self.lanes:
            self.spool.cursor(lane.name)
        self._held: list[ItemT] = []
        self._hurry = threading.Event()
        self._closing = False
        self._written = threading.Condition()
        self._unsynced_since: float | None = None
        self._next_adoption = 0.0
        self._told: dict[tuple[str, str | None], int] = {}
        self._worker = threading.Thread(target=self._run, name="cxkit-spool", daemon=True)

    def start(self) -> None:
        """Start the threads.

        Raises:
            RuntimeError: No thread can be started (any more): use `drain_here`.
        """
        self._worker.start()
        for lane in self.lanes:
            lane.thread.start()

    # --- from other threads ---

    def flush(self, timeout_s: float) -> Flushed:
        """Wait until all that was captured is handled everywhere, or the time is up."""
        deadline = time.monotonic() + timeout_s
        self._await_written(deadline)
        for lane in self.lanes:
            lane.hurry()
        with self._written:
            self._written.wait_for(lambda: self._queue.queued == 0 and all(lane.idle for lane in self.lanes),
                                   max(0.0, deadline - time.monotonic()))  # fmt: skip
        pending = {
            lane.name: waiting
            for lane in self.lanes
            if (waiting := sum(spool.pending(lane.name) for spool in (self.spool, *self._adopted)))
        }
        return Flushed(complete=not pending and self._queue.queued == 0, pending=pending)

    def settle(self, name: str, timeout_s: float) -> bool:
        """Wait until one lane has handled all that was captured; whether it has."""
        deadline = time.monotonic() + timeout_s
        self._await_written(deadline)
        lane = next(lane for lane in self.lanes if lane.name == name)
        lane.hurry()
        with self._written:
            return self._written.wait_for(lambda: lane.idle, max(0.0, deadline - time.monotonic()))

    def close(self, timeout_s: float) -> Flushed:
        """Deliver what can be delivered in that time and leave the rest to the next start."""
        deadline = time.monotonic() + timeout_s
        self._closing = True
        if self._worker.ident is None:
            self._drain_here()
        else:
            self._await_written(deadline)
            self._worker.join(max(0.0, deadline - time.monotonic()))
        started = [lane for lane in self.lanes if lane.thread.ident is not None]
        for lane in started:
            lane.stop(at=deadline)
        for lane in started:
            lane.thread.join(max(0.0, deadline - time.monotonic()))
        pending = {lane.name: count for lane in self.lanes if (count := self.spool.pending(lane.name))}
        if not any(lane.thread.is_alive() for lane in started):
            self._leave()
        return Flushed(complete=not pending and self._queue.queued == 0, pending=pending)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's locks. Nothing else here may be touched."""
        for spool in (self.spool, *self._adopted):
            spool.abandon()

    def account(self) -> Account:
        """The account of this root, with this process's own counters."""
        with self._guard:
            return read_account(
                self._root,
                ledger=self._ledger,
                own=self.spool,
                dropped=dict(self._queue.dropped),
                queued=self._queue.queued,
            )

    # --- the worker ---

    def _run(self) -> None:
        with self._muted():
            self._keep_house()
            while not (self._closing and self._queue.queued == 0 and not self._held):
                taken = self._queue.take(self._patience())
                if taken and not self._closing:
                    self._hurry.wait(_GATHER_S)
                    taken += self._queue.take(0)
                self._write(taken)
                self._sync()
                self._keep_house()
            self._sync(now=True)

    def _patience(self) -> float:
        if self._closing:
            return 0
        if self._held:
            return _RETRY_WRITE_S
        return _IDLE_S if self._unsynced_since is None else self._limits.sync_interval_s

    def _write(self, taken: list[ItemT]) -> None:
        self._held += taken
        while self._held:
            chunk = self._held[:_CHUNK]
            records = [
                record for item in chunk if len((record := self._queue.record(item)).payload) <= MAX_PAYLOAD_BYTES
            ]
            try:
                if records:
                    self.spool.append(records)
            except OSError as error:
                if self._closing:
                    self._queue.dropped["disk_error"] += len(self._held)
                    self._queue.release(self._held)
                    self._held = []
                logger.warning(
                    "cxkit: the spool cannot be written (%s); kept in memory", type(error).__name__
                )
                break
            if len(records) < len(chunk):
                self._queue.dropped["oversize"] += len(chunk) - len(records)
            self._unsynced_since = self._unsynced_since or time.monotonic()
            del self._held[: len(chunk)]
            self._queue.release(chunk)
            self._within_limits()
        for lane in self.lanes if taken else ():
            lane.wake()
        with self._written:
            self._written.notify_all()

    def _within_limits(self) -> None:
        limit = self._limits.max_bytes
        while self.spool.bytes_held > limit and self.spool.give_up_oldest("spool_full"):
            pass

    def _sync(self, *, now: bool = False) -> None:
        since = self._unsynced_since
        if since is None or not (now or time.monotonic() - since >= self._limits.sync_interval_s):
            return
        self._unsynced_since = None
        try:
            self.spool.sync()
        except OSError as error:
            logger.warning(
                "cxkit: the spool cannot be synced (%s); a new segment is used", type(error).__name__
            )

    def _drain_here(self) -> None:
        """Without a thread: straight from the queue to the spool."""
        with self._muted():
            self._write(self._queue.take(0))
            self._sync(now=True)

    def _await_written(self, deadline: float) -> None:
        """Let the worker write what is queued, without gathering first."""
        self._hurry.set()
        self._queue.nudge()
        with self._written:
            self._written.wait_for(lambda: self._queue.queued == 0, max(0.0, deadline - time.monotonic()))
        self._hurry.clear()

    # --- housekeeping, on the worker ---

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now < self._next_adoption:
            return
        self._next_adoption = now + _ADOPT_EVERY_S
        try:
            self._adopt_orphans()
            for spool in (self.spool, *self._adopted):
                spool.expire(before=time.time() - self._limits.max_age_s)
            if self.spool.path is not None and self._queue.dropped:
                write_early(self.spool.path, self._queue.dropped)
        except OSError as error:
            logger.warning("cxkit: the spool directory cannot be kept (%s)", type(error).__name__)
        self._tell_drops()

    def _adopt_orphans(self) -> None:
        if self._root is None:
            return
        names = {lane.name for lane in self.lanes}
        for path in (self._root / "spool").iterdir():
            mine = {self.spool.name, *(spool.name for spool in self._adopted)}
            # Another configuration's exporters are owed these records: only it may settle them.
            if path.name in mine or not read_cursors(path).keys() <= names:
                continue
            spool = adopt(path, segment_bytes=self._limits.segment_bytes)
            if spool is not None:
                for lane in self.lanes:
                    spool.cursor(lane.name)
                with self._guard:
                    self._adopted.append(spool)
                self._passed(spool)
                for lane in self.lanes:
                    lane.wake()

    def _tell_drops(self) -> None:
        if self._on_drop is None:
            return
        found: dict[tuple[str, str | None], int] = {(why, None): n for why, n in self._queue.dropped.items()}
        for name, one in self.account().exporters.items():
            found.update({(why, name): count for why, count in one.dropped.items()})
        for cause, count in found.items():
            more = count - self._told.get(cause, 0)
            if more > 0:
                self._on_drop(cause[0], more, cause[1])
        self._told = found

    # --- spools ---

    def _open(self, root: Path | None) -> tuple[Path | None, Spool]:
        try:
            return root, Spool.create(root and root / "spool", segment_bytes=self._limits.segment_bytes)
        except OSError as error:
            logger.warning(
                "cxkit: %s cannot hold a spool (%s); interactions are kept in memory and end with the process",
                root, type(error).__name__,
            )  # fmt: skip
            return None, Spool.create(None, segment_bytes=self._limits.segment_bytes)

    def _passed(self, spool: Spool) -> None:
        """A lane has moved on: remove what nobody needs any more."""
        with self._guard:
            spool.release(min(spool.cursor(lane.name).progress.sequence for lane in self.lanes))
            if spool in self._adopted and not any(spool.pending(lane.name) for lane in self.lanes):
                self._adopted.remove(spool)
                self._fold(spool)
        with self._written:
            self._written.notify_all()

    def _leave(self) -> None:
        """Close the spools; what is settled to the last record goes into the ledger at once."""
        with self._guard:
            for spool in self._adopted:
                spool.close()
            self._adopted = []
            if self._queue.queued == 0 and not any(self.spool.pending(lane.name) for lane in self.lanes):
                self._fold(self.spool)
                return
            try:
                if self.spool.path is not None:
                    write_early(self.spool.path, self._queue.dropped)
            finally:
                self.spool.close()

    def _fold(self, spool: Spool) -> None:
        try:
            self._ledger.fold(spool, self._queue.dropped)
        except OSError:
            spool.close()
        else:
            spool.remove()
