"""Adoption: the spool of an owner who is gone becomes that of another process."""

from __future__ import annotations

from pathlib import Path

from cxkit.delivery.files import LOCK, check_directory, lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.segment import open_segments
from cxkit.delivery.spool import Spool, cursor_names
from cxkit.delivery.walk import count_records

__all__ = ["adopt"]


def adopt(path: Path, *, segment_bytes: int) -> Spool | None:
    """The spool of an owner who is gone, all its exporters taking part; None if the owner lives.

    Raises:
        LaterVersionError: A later version wrote it.
        OSError: It is not ours to touch, or cannot be read now.
    """
    try:
        check_directory(path)
        held = lock(path / LOCK)
    except FileNotFoundError:
        return None
    if held is None:
        return None
    try:
        segments = open_segments(path)
    except OSError:
        let_go(held)
        raise
    spool = Spool(path, held, segments, next_sequence=count_records(segments), segment_bytes=segment_bytes)
    spool.seal()
    try:
        for name in cursor_names(path):
            spool.begin(name)
    except OSError:
        spool.close()
        raise
    if not path.exists():  # removed by its last owner while we reached for the lock
        spool.close()
        return None
    # A power cut may have kept a cursor's last word and not the records it speaks of.
    spool.next_sequence = max([spool.next_sequence, *(one.sequence for one in spool.positions().values())])
    return spool
