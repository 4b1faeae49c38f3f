"""The account: what became of everything captured, per exporter, across restarts and processes.

For each exporter ``spooled = before + delivered + dead + sum(dropped) + pending``, exactly, whatever was
killed in between: cursors carry the counts of live and orphaned spools, and the ledger those of
spools that are no more. What is lost before the spool (``dropped``) is exact at orderly exit.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Final

import attrs
import msgspec

from cxkit.delivery.cursor import Progress, read_slots
from cxkit.delivery.segment import FileSegment
from cxkit.delivery.spool import Spool, count_records

__all__ = ["Account", "ExporterAccount", "Ledger", "read_account"]

_FOLDED_KEPT: Final = 1000
_EARLY: Final = "dropped.json"


@attrs.frozen(kw_only=True)
class ExporterAccount:
    """What became of the spooled interactions at one exporter."""

    delivered: int = 0
    dead: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    """Reason to count."""
    pending: int = 0
    before: int = 0
    """Spooled before this exporter was configured; never meant for it."""


@attrs.frozen(kw_only=True)
class Account:
    """What became of everything captured.

    Example:
        >>> one = ExporterAccount(delivered=2, dropped={"consent": 1})
        >>> Account(spooled=3, exporters={"receiver": one}).balanced
        True
    """

    spooled: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    """Given up before the spool: reason to count."""
    queued: int = 0
    """Captured in this process and not yet spooled."""
    exporters: Mapping[str, ExporterAccount] = attrs.field(factory=dict)

    @property
    def captured(self) -> int:
        """All that the app captured."""
        return self.spooled + self.queued + sum(self.dropped.values())

    @property
    def balanced(self) -> bool:
        """Whether nothing is unaccounted for, at any exporter."""
        return all(
            self.spooled == one.before + one.delivered + one.dead + sum(one.dropped.values()) + one.pending
            for one in self.exporters.values()
        )


class _Sums(msgspec.Struct):
    spooled: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    exporters: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    folded: list[str] = msgspec.field(default_factory=list)

    def add(self, spooled: int, dropped: Mapping[str, int], cursors: Mapping[str, Progress]) -> None:
        # An exporter that is new here never saw what others counted before, and the other way round.
        for name in {*self.exporters, *cursors}:
            held = Counter(self.exporters.get(name, {"before": self.spooled}))
            progress = cursors.get(name, Progress(sequence=spooled, base=spooled))
            held.update(progress.counts)
            held.update({"before": progress.base, "pending": spooled - progress.sequence})
            self.exporters[name] = dict(held)
        self.spooled += spooled
        self.dropped = dict(Counter(self.dropped) + Counter(dropped))


class Ledger:
    """The sums of spools that are no more, in ``ledger.json``; shared by all processes of one root."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._memory = _Sums()

    def fold(self, spool: Spool, dropped: Mapping[str, int]) -> None:
        """Add a spool's sums, once however often it is tried.

        Raises:
            OSError: They could not be added; the spool must be kept.
        """
        with self._held() as sums:
            if spool.name not in sums.folded:
                early = {**dropped} if spool.live else read_early(spool.path)
                sums.add(spool.next_sequence, early, spool.positions())
                sums.folded = [*sums.folded, spool.name][-_FOLDED_KEPT:]

    def sums(self) -> _Sums:
        """What has been added so far; the caller's own."""
        return self._read() if self._root else deepcopy(self._memory)

    @contextmanager
    def _held(self) -> Iterator[_Sums]:
        if self._root is None:
            yield self._memory
            return
        lock = os.open(
            self._root / "ledger.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sums = self._read()
            yield sums
            write_whole(self._root / "ledger.json", msgspec.json.encode(sums))
        finally:
            os.close(lock)

    def _read(self) -> _Sums:
        assert self._root is not None
        try:
            return msgspec.json.decode((self._root / "ledger.json").read_bytes(), type=_Sums)
        except (OSError, msgspec.MsgspecError):
            return _Sums()


def read_account(
    root: Path | None,
    *,
    ledger: Ledger | None = None,
    own: Spool | None = None,
    dropped: Mapping[str, int] | None = None,
    queued: int = 0,
) -> Account:
    """The account of a root: the ledger, and every spool in it, live or orphaned.

    Args:
        ledger: The ledger, if this process has it open.
        own: The spool of this process, if it has one.
        dropped: What this process gave up before its spool.
    """
    sums = (ledger or Ledger(root)).sums()
    if own is not None and own.name not in sums.folded:
        sums.add(own.next_sequence, dropped or {}, own.positions())
    for path in sorted((root / "spool").glob("*/")) if root else ():
        if path.name not in sums.folded and (own is None or path.name != own.name):
            segments = [segment for one in sorted(path.glob("*.seg")) if (segment := FileSegment.open(one))]
            spooled = count_records(segments)
            for segment in segments:
                segment.close()
            sums.add(spooled, read_early(path), read_cursors(path))
    return Account(
        spooled=sums.spooled,
        dropped=sums.dropped,
        queued=queued,
        exporters={
            name: _exporter_account(counts)
            for name, counts in sorted(sums.exporters.items())
            if name[0] != "_"
        },
    )


def read_cursors(path: Path) -> dict[str, Progress]:
    """The positions that are kept in a spool's directory."""
    found = {}
    for one in path.glob("*.cursor"):
        generation, progress = read_slots(one.read_bytes())
        if generation:
            found[one.stem] = progress
    return found


def read_early(path: Path | None) -> dict[str, int]:
    """What the owner of a spool gave up before it, as of its last word."""
    try:
        return msgspec.json.decode((path / _EARLY).read_bytes(), type=dict[str, int]) if path else {}
    except (OSError, msgspec.MsgspecError):
        return {}


def write_early(path: Path, dropped: Mapping[str, int]) -> None:
    """Leave word of what was given up before the spool.

    Raises:
        OSError: It could not be written.
    """
    write_whole(path / _EARLY, msgspec.json.encode(dict(dropped)))


def write_whole(path: Path, data: bytes) -> None:
    """A small file, replaced as a whole.

    Raises:
        OSError: It is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    draft.replace(path)


def _exporter_account(counts: Mapping[str, int]) -> ExporterAccount:
    dropped = {
        name.removeprefix("dropped."): count for name, count in counts.items() if name.startswith("dropped.")
    }
    return ExporterAccount(
        delivered=counts.get("delivered", 0) + counts.get("skipped", 0),
        dead=counts.get("dead", 0),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        pending=counts.get("pending", 0),
        before=counts.get("before", 0),
    )
