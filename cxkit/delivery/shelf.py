"""The shelf: the spools one process looks after, its own (one for each priority) and those of owners who are gone.

A spool is adopted by whoever has something to do in it, and goes into the ledger when no exporter,
not even one of another configuration, is owed anything of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import attrs

from cxkit.delivery.account import Account, Ledger, read_account, read_early, write_early
from cxkit.delivery.adoption import adopt, sweep_drafts
from cxkit.delivery.clock import AgeClock
from cxkit.delivery.spool import NORMAL, Spool

__all__ = ["Shelf", "SpoolLimits"]

_MEMORY_BYTES: Final = 64 << 20
"""What a spool may take that has no disk."""
_SEGMENT_OF_AGE: Final = 0.1
"""For how much of the time that anything may wait one segment is written to: by so much it may wait longer."""
_LOOK_AGAIN_S: Final = 600.0
_FILES_OPEN: Final = 200
"""How many descriptors the spools of one process may hold before it adopts no more: they are the host's."""

logger = logging.getLogger("cxkit")


@attrs.frozen(kw_only=True)
class SpoolLimits:
    """How much the spools of a process may hold, and how soon it is safe from a power cut."""

    max_bytes: int
    max_records: int
    max_age_s: float
    segment_bytes: int
    sync_interval_s: float


class Shelf:
    """The spools of one process.

    Args:
        root: Where spools live; None keeps them in memory.
    """

    def __init__(self, root: Path | None, *, limits: SpoolLimits) -> None:
        self._limits = limits
        self._clock = AgeClock()
        self._guard = threading.RLock()
        self._exporters: frozenset[str] = frozenset()
        self._adopted: list[Spool] = []
        self._not_ours: dict[str, float] = {}
        self._warned: set[str] = set()
        self._left = False
        self.crowded = False
        """Whether more could be adopted once some is put away."""
        self._noted: Mapping[str, int] = {}
        try:
            self.root, self.own = root, self._create(root)
        except OSError as error:
            self._in_memory(root, error)
        self._more_own: tuple[Spool, ...] = ()
        self._ledger = Ledger(self.root)

    def begin(self, exporters: Iterable[str]) -> None:
        """Say who takes part, before anything is spooled."""
        self._exporters = frozenset(exporters)
        try:
            for name in self._exporters:
                self.own.begin(name)
        except OSError as error:
            self.own.close()
            self._in_memory(self.root, error)
            self._ledger = Ledger(None)
            self.begin(self._exporters)

    @property
    def own_spools(self) -> tuple[Spool, ...]:
        """Those of this process, the one for what is normal first."""
        return (self.own, *self._more_own)

    @property
    def spools(self) -> tuple[Spool, ...]:
        """All of them, its own first."""
        return (*self.own_spools, *self._adopted)

    def own_of(self, priority: int) -> Spool:
        """The spool of this process for a priority, made when it is first needed; for the writer, alone.

        Where it cannot be made, what is normal has to share its own.
        """
        for spool in self.own_spools:
            if spool.priority == priority:
                return spool
        try:
            spool = self._create(self.root, priority=priority)
            try:
                for name in self._exporters:
                    spool.begin(name)
            except OSError:
                spool.remove()
                raise
        except OSError as error:
            self._warn("priority", "cxkit: what differs in priority shares a spool (%s)", error)
            return self.own
        self._more_own += (spool,)
        return spool

    def pending(self, marks: Iterable[tuple[Spool, int]] | None = None) -> dict[str, int]:
        """Exporter to how many records it has not handled, of all or of those before these marks."""
        if marks is None:
            marks = [(spool, spool.next_sequence) for spool in self.spools]
        marks = list(marks)
        found = {name: sum(spool.pending(name, until=mark) for spool, mark in marks) for name in self._exporters}
        return {name: count for name, count in found.items() if count}

    def passed(self, spool: Spool) -> None:
        """A lane has moved on: remove what nobody needs any more."""
        with self._guard:
            spool.release()
            if spool in self._adopted and not any(spool.pending(name) for name in self._exporters):
                self._adopted.remove(spool)
                self._put_away(spool)

    # --- for the worker ---

    def within_limits(self) -> None:
        """Give up what is more than all spools may hold: of the lowest priority, the oldest first.

        Raises:
            OSError: The disk fails.
        """
        by_priority = sorted((*self._adopted, *self.own_spools), key=lambda spool: spool.priority)
        for place, spool in enumerate(by_priority):
            spare = any(one.records_held for one in by_priority[place:] if one.priority > spool.priority)
            while self._over_limits() and spool.give_up_oldest("spool_full", newest=spare):
                pass

    def _over_limits(self) -> bool:
        most = self._limits.max_bytes if self.root else min(self._limits.max_bytes, _MEMORY_BYTES)
        return (
            sum(spool.bytes_held for spool in self.spools) > most
            or sum(spool.records_held for spool in self.spools) > self._limits.max_records
        )

    def expire(self) -> None:
        """Give up what is older than anything may be.

        Raises:
            OSError: The disk fails.
        """
        for spool in self.spools:
            self._expire(spool)

    def adopt_orphans(self) -> bool:
        """Look for spools whose owner is gone; whether one was found.

        Raises:
            OSError: The directory cannot be read.
        """
        found = self.crowded = False
        if self.root is None or self._left:
            return False
        mine = {spool.name for spool in self.spools}
        for path in sorted((self.root / "spool").glob("[!.]*/")):
            if path.name in mine:
                continue
            self.crowded = sum(spool.files_open for spool in self.spools) >= _FILES_OPEN
            if self.crowded:
                break
            found |= self._adopt(path)
        sweep_drafts(self.root / "spool")
        return found

    def note(self, dropped: Mapping[str, int]) -> None:
        """Leave word of what was given up before the spool."""
        dropped = dict(dropped)  # one look: it may be counted on meanwhile
        if self.own.path is None or dropped == self._noted or self._left:
            return
        try:
            write_early(self.own.path, dropped)
            self._noted = dropped
        except Exception as error:  # noqa: BLE001 - whatever it is, spools must be written to, and closed
            self._warn("drops", "cxkit: what was dropped cannot be noted (%s)", error)

    # --- its account and its end ---

    def account(self, *, dropped: Mapping[str, int], queued: int) -> Account:
        """The account of the root, with this process's own counters.

        Raises:
            OSError: It cannot be read now.
        """
        with self._guard:
            own = () if self._left else self.own_spools
            if self._left:  # files say the rest
                dropped = Counter(dropped) - Counter(self._noted)
            return read_account(self.root, ledger=self._ledger, own=own, dropped=dropped, queued=queued)

    def leave(self, *, dropped: Mapping[str, int], written: bool) -> None:
        """Close the spools; what is settled to the last record goes into the ledger at once.

        Args:
            written: Whether all that was captured is in the spool.
        """
        with self._guard:
            if self._left:
                return
            self.note(dropped)
            for spool in self._adopted:
                spool.close()
            for spool in self.own_spools:
                self._leave_own(spool, dropped=dropped, written=written)
            self._left = self.root is not None or self.own.name in self._ledger.sums().folded

    # --- inside ---

    def _create(self, root: Path | None, *, priority: int = NORMAL) -> Spool:
        return Spool.create(
            root and root / "spool",
            segment_bytes=self._limits.segment_bytes,
            segment_s=self._limits.max_age_s * _SEGMENT_OF_AGE,
            priority=priority,
        )

    def _leave_own(self, spool: Spool, *, dropped: Mapping[str, int], written: bool) -> None:
        if written and not any(spool.pending(name) for name in self._exporters):
            if spool is self.own:
                self._noted = dict(dropped)
            self._put_away(spool)
        elif spool.path is not None:
            spool.close()

    def _in_memory(self, root: Path | None, error: OSError) -> None:
        logger.warning(
            "cxkit: %s cannot hold a spool (%s); interactions are kept in memory and end with the process",
            root, type(error).__name__,
        )  # fmt: skip
        self.root, self.own = None, self._create(None)

    def _adopt(self, path: Path) -> bool:
        """Adopt a spool if its owner is gone and any of our exporters has something to do there."""
        if time.monotonic() < self._not_ours.get(path.name, 0.0):
            return False
        spool = None
        try:
            spool = adopt(path, segment_bytes=self._limits.segment_bytes)
            if spool is None:
                return False
            if spool.positions().keys() <= self._exporters:
                for name in self._exporters:
                    spool.begin(name)
            self._expire(spool)
        except OSError as error:
            if spool is not None:
                spool.close()
            self._warn(path.name, f"cxkit: the spool {path.name} is left alone (%s)", error)
            return False
        with self._guard:
            self._adopted.append(spool)
        self.passed(spool)
        return True

    def _expire(self, spool: Spool) -> None:
        spool.expire(before=self._clock.now() - self._limits.max_age_s)
        if spool.given_up:
            for name in spool.positions().keys() - self._exporters:
                spool.count_lost(name)

    def _put_away(self, spool: Spool) -> None:
        """Into the ledger, unless somebody else is still owed something."""
        if any(spool.pending(name) for name in spool.positions()):
            self._not_ours[spool.name] = time.monotonic() + _LOOK_AGAIN_S
            spool.close()
            return
        dropped = self._noted if spool is self.own else read_early(spool.path)
        try:
            self._ledger.fold(spool, dropped)
        except OSError as error:
            self._warn("ledger", "cxkit: the ledger cannot be written (%s)", error)
            spool.close()
        else:
            spool.remove()

    def _warn(self, what: str, message: str, error: Exception) -> None:
        if what not in self._warned:
            self._warned.add(what)
            logger.warning(message, type(error).__name__)
