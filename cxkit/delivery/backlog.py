"""The backlog: what waits for each exporter in a root, and since when; read from outside, changing nothing."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import attrs
import msgspec

from cxkit.delivery.account import read_cursors
from cxkit.delivery.cursor import Progress
from cxkit.delivery.files import LOCK
from cxkit.delivery.segment import FileSegment, open_segments
from cxkit.delivery.spool import Spool
from cxkit.delivery.walk import count_records

__all__ = ["Backlog", "Owed", "read_backlog"]


@attrs.frozen(kw_only=True)
class Owed:
    """What one exporter is owed."""

    pending: int
    since: float
    """Since when the oldest of it has waited and nothing was handled, Unix seconds."""
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


def read_backlog(root: Path) -> Backlog:
    """What waits for the exporters of a root; its own lanes, whose names begin with ``_``, left out."""
    backlog = Backlog()
    for path in sorted((root / "spool").glob("[!.]*/")):
        try:
            for name, owed in _of_spool(path):
                held = backlog.owed.get(name)
                backlog.owed[name] = _sum(held, owed) if held else owed
        except FileNotFoundError:  # the spool has just been removed
            pass
        except OSError as error:
            backlog.unreadable[path.name] = type(error).__name__
    return backlog


def _sum(one: Owed, other: Owed) -> Owed:
    return Owed(
        pending=one.pending + other.pending,
        since=min(one.since, other.since),
        delivering=one.delivering or other.delivering,
    )


def _of_spool(path: Path) -> Iterator[tuple[str, Owed]]:
    cursors = read_cursors(path)  # first: so none of them is ahead of the records
    segments = open_segments(path)
    try:
        spooled = count_records(segments)
        for name, progress in cursors.items():
            if name[0] != "_" and spooled > progress.sequence:
                moved_at = (path / f"{name}.cursor").stat().st_mtime
                # An import of what is long past is not late, and neither is the first capture after a quiet night.
                since = max(moved_at, _occurred_at(path, segments, progress))
                yield name, Owed(pending=spooled - progress.sequence, since=since, delivering=_is_owned(path))
    finally:
        for segment in segments:
            segment.close()


def _occurred_at(path: Path, segments: list[FileSegment], progress: Progress) -> float:
    """When the first record behind a position occurred, Unix seconds; 0 if that cannot be read."""
    spool = Spool(path, -1, segments, next_sequence=0, segment_bytes=0)
    for record in spool.read(progress, max_records=1, max_bytes=1).records:
        try:
            time = msgspec.json.decode(record.payload, type=_Timed).time
        except msgspec.MsgspecError:
            continue
        if time is not None and time.tzinfo is not None:
            return time.timestamp()
    return 0.0


def _is_owned(path: Path) -> bool:
    """Whether a process holds the spool. It is asked with a shared lock, for a moment."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
