"""The backlog: what waits for each exporter in a root, and since when; read from outside, changing nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs
import msgspec

from cxkit.delivery.account import read_cursors
from cxkit.delivery.cursor import Progress
from cxkit.delivery.files import LOCK, is_locked
from cxkit.delivery.segment import HEADER_BYTES, FileSegment, open_segments
from cxkit.delivery.spool import Spool
from cxkit.delivery.walk import count_records

__all__ = ["Backlog", "Owed", "read_backlog"]


@attrs.frozen(kw_only=True)
class Owed:
    """What one exporter is owed."""

    pending: int
    """As in the account."""
    removed: int
    """How many of these no file holds any more, for lack of room or for their age: the exporter has not come
    to the gap, which is when they are counted."""
    bytes: int
    """What the rest takes."""
    since: float
    """Since when the oldest of the rest has waited, Unix seconds; infinite if there is no rest."""
    written_at: float
    """When the file it is in was last written, which is what its age is counted from; likewise."""
    handled_at: float
    """When anything of these spools was last handled, Unix seconds; 0 if nothing was."""
    delivering: bool
    """Whether a process that captured some of it is running."""


@attrs.frozen(kw_only=True)
class Backlog:
    """What waits in a root."""

    owed: dict[str, Owed] = attrs.field(factory=dict)
    """By exporter; those that are owed nothing are left out."""
    unreadable: dict[str, str] = attrs.field(factory=dict)
    """Spools that could not be read: their name to the type of the error."""


class _Timed(msgspec.Struct):
    time: datetime | None = None


_timed: Final = msgspec.json.Decoder(_Timed)


def read_backlog(root: Path) -> Backlog:
    """What waits for the exporters of a root; its own lanes, whose names begin with ``_``, left out."""
    found: dict[str, Owed] = {}
    unreadable: dict[str, str] = {}
    for path in sorted((root / "spool").glob("[!.]*/")):
        try:
            for name, owed in _of_spool(path):
                found[name] = _sum(found[name], owed) if name in found else owed
        except FileNotFoundError:  # the spool has just been removed
            pass
        except OSError as error:
            unreadable[path.name] = type(error).__name__
    return Backlog(owed={name: owed for name, owed in found.items() if owed.pending}, unreadable=unreadable)


def _sum(one: Owed, other: Owed) -> Owed:
    return Owed(
        pending=one.pending + other.pending,
        removed=one.removed + other.removed,
        bytes=one.bytes + other.bytes,
        since=min(one.since, other.since),
        written_at=min(one.written_at, other.written_at),
        handled_at=max(one.handled_at, other.handled_at),
        delivering=one.delivering or other.delivering,
    )


def _of_spool(path: Path) -> Iterator[tuple[str, Owed]]:
    cursors = read_cursors(path)  # first: so none of them is ahead of the records
    segments = open_segments(path)
    try:
        spooled = max([count_records(segments), *(progress.sequence for progress in cursors.values())])
        for name, progress in cursors.items():
            if name[0] != "_":
                yield name, _owed(path, path / f"{name}.cursor", segments, progress, spooled)
    finally:
        for segment in segments:
            segment.close()


def _owed(path: Path, cursor: Path, segments: list[FileSegment], progress: Progress, spooled: int) -> Owed:
    moved_at = cursor.stat().st_mtime
    pending = spooled - progress.sequence
    removed = min(pending, max(0, segments[0].first - progress.sequence)) if segments else 0
    # Of the segments that are there, those that begin no later than the next record are behind it, but for the last.
    begun = sum(segment.first <= progress.sequence for segment in segments)
    left = segments[max(0, begun - 1) :] if pending > removed else []
    return Owed(
        pending=pending,
        removed=removed,
        bytes=sum(one.end - (progress.offset if one.number == progress.segment else HEADER_BYTES) for one in left),
        # An import of what is long past is not late: nothing has waited for longer than there has been a spool.
        since=max(_made_at(path, moved_at), _occurred_at(path, segments, progress)) if left else math.inf,
        written_at=left[0].written_at if left else math.inf,
        handled_at=moved_at if progress.sequence > progress.base else 0.0,
        delivering=pending > 0 and is_locked(path / LOCK),
    )


def _made_at(path: Path, otherwise: float) -> float:
    """When a spool was made, Unix seconds: what is given back has no owner before it is adopted."""
    try:
        return (path / LOCK).stat().st_mtime
    except FileNotFoundError:
        return otherwise


def _occurred_at(path: Path, segments: list[FileSegment], progress: Progress) -> float:
    """When the first record behind a position occurred, Unix seconds; 0 if that cannot be read."""
    spool = Spool(path, -1, segments, next_sequence=0, segment_bytes=0)
    for record in spool.read(progress, max_records=1, max_bytes=1).records:
        try:
            time = _timed.decode(record.payload).time
        except msgspec.MsgspecError:
            continue
        if time is not None and time.tzinfo is not None:
            return time.timestamp()
    return 0.0
