"""Housekeeping: what the spool worker does besides writing, in the spools, the letters and for the lanes.

Whatever goes wrong in it is told, and tried again: what is captured must be written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cxkit.codec.frame import Record
from cxkit.delivery.erasure import Erasures, Meant
from cxkit.delivery.kept import Found, erase_letters, find_in_own
from cxkit.delivery.lanes import Lanes
from cxkit.delivery.losses import Cause, Losses
from cxkit.delivery.shelf import Shelf
from cxkit.delivery.troubles import Troubles
from cxkit.delivery.writer import Writer

__all__ = ["House"]

_EVERY_S: Final = 20.0


class House:
    """Keeps one process's part of a root in order. For the worker, but for what says otherwise.

    Args:
        dropped: What was given up before the spool, by reason.
        tell: Told of each reason for which something was given up, how many more, and the exporter.
        loss_report: Makes the interaction that reports losses.
        sync_interval_s: How long what is written may wait to be on disk.
    """

    def __init__(
        self,
        shelf: Shelf,
        writer: Writer,
        lanes: Lanes,
        troubles: Troubles,
        *,
        dropped: Mapping[str, int],
        tell: Callable[[str, int, str | None], None] | None,
        loss_report: Callable[[Mapping[Cause, int]], Record] | None,
        sync_interval_s: float,
    ) -> None:
        self._shelf = shelf
        self._writer = writer
        self._lanes = lanes
        self._troubles = troubles
        self._dropped = dropped
        self._losses = Losses(tell=tell, report=loss_report)
        self._sync_interval_s = sync_interval_s
        self.erasures = Erasures(self._erase_letters)
        """What was asked for, by any thread."""
        self.due_at = 0.0
        """When to look after everything again, by the monotonic clock."""

    def keep(self) -> None:
        """Look after everything, if it is time."""
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + _EVERY_S
        try:
            self._lanes.start()
            if self._shelf.adopt_orphans():
                self.erasures.again()
                self._lanes.wake()
            with self._writer.alone():
                self._shelf.expire()
            self.note()
            self.tell_losses()
            self._troubles.over("house")
        except Exception as error:  # noqa: BLE001 - whatever it is, what is captured must be written
            self._troubles.met("house", "the spool directory cannot be kept", error)

    def note(self) -> None:
        """Let others see what was dropped."""
        self._shelf.note(self._dropped)

    def within_limits(self) -> None:
        """Give up what is more than the spools may hold."""
        try:
            with self._writer.alone():
                self._shelf.within_limits()
        except OSError as error:
            self._troubles.met("limits", "the spool cannot be kept within its limits", error)

    def sync(self, *, now: bool = False) -> None:
        """Put on disk what was written, if it is time."""
        since = self._writer.unsynced_since
        if since is None or not (now or time.monotonic() - since >= self._sync_interval_s):
            return
        try:
            self._writer.sync()
            self._troubles.over("sync")
        except OSError as error:
            self._troubles.met("sync", "the spool cannot be synced; a power cut may cost what was just captured", error)

    def erase(self) -> None:
        """Carry out the erasures that were asked for, or leave them to the next time."""
        if not self.erasures:
            return
        try:
            self.erasures.carry_out(self._shelf.spools, self._writer.alone)
            self._troubles.over("erase")
        except Exception as error:  # noqa: BLE001 - whatever it is, what is captured must be written
            self._troubles.met("erase", "what is kept of somebody cannot be erased yet", error)

    def find(self, subjects: frozenset[bytes], until: datetime | None) -> Found:
        """What is kept about these subjects, here and by all other processes of the root. Any thread.

        Raises:
            OSError: The disk fails, or a directory is not ours alone.
        """
        return find_in_own(self._shelf.spools, self._shelf.root, Meant.about(subjects, until))

    def tell_losses(self, *, last: bool = False) -> None:
        """Tell what was given up, and report it if it is time.

        Raises:
            OSError: The report cannot be spooled.
        """
        counts, reports = self._lanes.losses()
        counts.update({(why, None): count for why, count in dict(self._dropped).items()})
        self._losses.tell(counts + reports)
        report = self._losses.due(counts, last=last)
        if report is not None:
            self._writer.append(report.priority, [report])
            self._losses.reported(counts)
            self.within_limits()
            self._lanes.wake()

    def _erase_letters(self, meant: Meant) -> bool:
        root = self._shelf.root
        return root is None or erase_letters(root, meant, wait_s=0.0) is not None
