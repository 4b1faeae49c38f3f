"""Adoption: the spool of an owner who is gone becomes that of another process."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from cxkit.delivery.files import LOCK, check_directory, is_locked, lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.segment import open_segments
from cxkit.delivery.spool import Spool, cursor_names
from cxkit.delivery.walk import count_records

__all__ = ["adopt", "sweep_drafts"]

_LONG_BEGUN_S: Final = 60.0


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


def sweep_drafts(directory: Path) -> None:
    """Remove what a process was killed in the making of: spools begun long ago, without a record or an owner."""
    for draft in directory.glob(".*/"):
        with suppress(OSError):  # another was quicker, or there is something in it: then it is somebody's
            check_directory(draft)
            long_begun = time.time() - draft.stat().st_mtime > _LONG_BEGUN_S
            if long_begun and {one.name for one in draft.iterdir()} <= {LOCK} and not is_locked(draft / LOCK):
                (draft / LOCK).unlink(missing_ok=True)
                draft.rmdir()
