"""The account: what became of everything captured, per exporter, across restarts and processes.

For each exporter ``spooled = before + delivered + dead + sum(dropped) + pending``, exactly, whatever was
killed in between: cursors carry the counts of live and orphaned spools, and the ledger those of
spools that are no more. What is lost before the spool (``dropped``) is exact at orderly exit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Final

import attrs
import msgspec

from cxkit.delivery.cursor import Progress, read_slots
from cxkit.delivery.files import lock, read_small, write_whole
from cxkit.delivery.forks import let_go
from cxkit.delivery.losses import blocked_in, noted_in, reasons_in
from cxkit.delivery.segment import LaterVersionError, open_segments
from cxkit.delivery.spool import Spool, cursor_names
from cxkit.delivery.walk import count_records

__all__ = ["Account", "ExporterAccount", "Ledger", "read_account", "read_cursors", "read_early", "write_early"]

_FOLDED_KEPT: Final = 1000
_LEDGER: Final = "ledger.json"
_EARLY: Final = "dropped.json"
_TRIES: Final = 5
_LOCK_WAIT_S: Final = 0.5
"""A process that was stopped while it held the ledger must not stop the others."""


@attrs.frozen(kw_only=True)
class ExporterAccount:
    """What became of the spooled interactions at one exporter, cxkit's own loss reports among them."""

    delivered: int = 0
    dead: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    """Reason to count."""
    pending: int = 0
    before: int = 0
    """Spooled before this exporter was configured; never meant for it."""
    unkept: Mapping[str, int] = attrs.field(factory=dict)
    """Of the dead, those that nobody can read any more: reason (``no_room``, ``disk_error``, ``purged``,
    ``expired``, ``erased``) to count."""


@attrs.frozen(kw_only=True)
class Account:
    """What became of everything captured, by the app and by cxkit itself: its loss reports.

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
    blocked: Mapping[str, int] = attrs.field(factory=dict)
    """What consent and preferences stopped: the text of a `cxkit.Blocked` (``gate:purpose:reason:destination``) to how
    often. Interactions among it are in ``dropped``, too, here or at their exporter."""
    noted: Mapping[str, int] = attrs.field(factory=dict)
    """What went wrong without costing an interaction, a store or a plugin that failed say: name to how often."""
    directory: Path | None = attrs.field(default=None, eq=False)
    """Whose account it is: that of all processes that share the directory. None: of this process alone."""

    @property
    def captured(self) -> int:
        """All that the app captured, and the loss reports that were spooled."""
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
        self.dropped = dict(Counter(self.dropped) + _writable(dropped))


_sums: Final = msgspec.json.Decoder(_Sums)


class Ledger:
    """The sums of spools that are no more, in ``ledger.json``; shared by all processes of one root."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._memory = _Sums()

    def fold(self, spool: Spool, dropped: Mapping[str, int]) -> None:
        """Add a spool's sums, once however often it is tried.

        Args:
            dropped: What its owner gave up before it.

        Raises:
            OSError: They could not be added; the spool must be kept.
        """
        self._add_once(spool.name, spool.next_sequence, dropped, spool.positions())

    def correct(self, name: str, exporter: str, *, spooled: int, counts: Mapping[str, int]) -> None:
        """Count otherwise what became of some records at one exporter, once however often it is tried.

        Args:
            name: That of the correction; no two share one, nor one with a spool.
            spooled: By how many the records spooled differ, here and at all other exporters.
            counts: By how many what became of them differs; the sum is ``spooled``.

        Raises:
            OSError: It could not be written.
        """
        self._add_once(name, spooled, {}, {exporter: Progress(sequence=spooled, counts=counts)})

    def sums(self) -> _Sums:
        """What has been added so far; the caller's own.

        Raises:
            OSError: It cannot be read now.
        """
        return self._read() if self._root else deepcopy(self._memory)

    def _add_once(self, name: str, spooled: int, dropped: Mapping[str, int], cursors: Mapping[str, Progress]) -> None:
        with self._held() as sums:
            if name not in sums.folded:
                sums.add(spooled, dropped, cursors)
                sums.folded = [*sums.folded, name][-_FOLDED_KEPT:]

    @contextmanager
    def _held(self) -> Iterator[_Sums]:
        if self._root is None:
            yield self._memory
            return
        held = lock(self._root / "ledger.lock", wait_s=_LOCK_WAIT_S)
        if held is None:
            raise TimeoutError("another process holds the ledger")
        try:
            sums = self._read(set_aside=True)
            yield sums
            write_whole(self._root / _LEDGER, msgspec.json.encode(sums))
        finally:
            let_go(held)

    def _read(self, *, set_aside: bool = False) -> _Sums:
        assert self._root is not None
        path = self._root / _LEDGER
        try:
            return _sums.decode(read_small(path))
        except FileNotFoundError:
            return _Sums()
        except msgspec.MsgspecError:  # not as we wrote it: begin anew, and let somebody look at it
            if set_aside:
                path.replace(path.with_suffix(".damaged"))
            return _Sums()


def read_account(
    root: Path | None,
    *,
    ledger: Ledger | None = None,
    own: Sequence[Spool] = (),
    dropped: Mapping[str, int] | None = None,
    queued: int = 0,
) -> Account:
    """The account of a root: the ledger, and every spool in it, live or orphaned.

    Args:
        ledger: The ledger, if this process has it open.
        own: The spools of this process, if it has any.
        dropped: What this process gave up before its spool, as far as no file says so.

    Raises:
        OSError: It cannot be read now.
    """
    ledger = ledger or Ledger(root)
    sums = _Sums()
    for _ in range(_TRIES):
        before = ledger.sums()
        sums = deepcopy(before)
        sums.add(0, dropped or {}, {})
        for spool in own:
            if spool.name not in sums.folded:
                sums.add(spool.next_sequence, {}, spool.positions())
        counted = {*sums.folded, *(spool.name for spool in own)}
        for path in sorted((root / "spool").glob("[!.]*/")) if root else ():
            if path.name not in counted:
                _add_spool(sums, path)
        if ledger.sums().folded == before.folded:
            break  # else a spool became part of the ledger meanwhile
    return Account(
        spooled=sums.spooled,
        dropped=reasons_in(sums.dropped),
        queued=queued,
        blocked=_blocked(sums),
        noted=noted_in(sums.dropped),
        exporters={
            name: _exporter_account(counts) for name, counts in sorted(sums.exporters.items()) if name[0] != "_"
        },
        directory=root,
    )


def read_early(path: Path | None) -> dict[str, int]:
    """What the owner of a spool gave up before it, as of its last word."""
    try:
        return msgspec.json.decode(read_small(path / _EARLY), type=dict[str, int]) if path else {}
    except (OSError, msgspec.MsgspecError):
        return {}


def write_early(path: Path, dropped: Mapping[str, int]) -> None:
    """Leave word of what was given up before the spool.

    Raises:
        OSError: It could not be written.
    """
    write_whole(path / _EARLY, msgspec.json.encode(dict(_writable(dropped))))


def _writable(dropped: Mapping[str, int]) -> Counter[str]:
    """The same under names that can be written, whatever text of a caller's is among them."""
    counts: Counter[str] = Counter()
    for name, count in dropped.items():
        counts[name.encode("utf-8", "replace").decode()] += count
    return counts


def _add_spool(sums: _Sums, path: Path) -> None:
    cursors = read_cursors(path)  # first: so none of them is ahead of the records
    try:
        segments = open_segments(path)
    except LaterVersionError:
        return
    spooled = max([count_records(segments), *(progress.sequence for progress in cursors.values())])
    for segment in segments:
        segment.close()
    sums.add(spooled, read_early(path), cursors)


def read_cursors(path: Path) -> dict[str, Progress]:
    """How far each exporter has come in a spool, whoever has it open."""
    found = {}
    for name in cursor_names(path):
        try:
            _, newer = read_slots(read_small(path / f"{name}.cursor"))
        except FileNotFoundError:  # the spool has just been removed
            continue
        if newer.generation:
            found[name] = newer.progress
    return found


def _exporter_account(counts: Mapping[str, int]) -> ExporterAccount:
    unkept = _below("unkept.", counts)
    dead, pending = counts.get("dead", 0) + sum(unkept.values()), counts.get("pending", 0)
    # Letters may be given back before the span they are from is closed: then they are pending twice, and not dead yet.
    twice = min(pending, max(0, -dead))
    return ExporterAccount(
        delivered=counts.get("delivered", 0) + counts.get("skipped", 0),
        dead=dead + twice,
        dropped=reasons_in(_below("dropped.", counts)),
        pending=pending - twice,
        before=counts.get("before", 0),
        unkept=unkept,
    )


def _blocked(sums: _Sums) -> dict[str, int]:
    found = Counter(blocked_in(sums.dropped))
    for name, counts in sums.exporters.items():
        found.update(blocked_in(_below("dropped.", counts), exporter=name))
    return dict(sorted(found.items()))


def _below(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    found = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
    return {reason: count for reason, count in sorted(found.items()) if count}
