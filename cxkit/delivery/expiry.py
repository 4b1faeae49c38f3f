"""Expiry: letters leave when they are older than letters are kept; no operator should have to think of it."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cxkit.delivery.clock import AgeClock
from cxkit.delivery.dead import Letter, exporter_of, open_letters, pieces
from cxkit.delivery.removal import Removal, alone, letter_files, unfinished
from cxkit.errors import StateError

__all__ = ["KEPT_DAYS", "Expiry", "expire"]

KEPT_DAYS: Final = 30
"""How long letters are kept: they are what was captured, and nobody's to hoard."""
_EXPIRE_EVERY_S: Final = 3600.0

logger = logging.getLogger("cxkit")


def expire(root: Path, *, now: datetime) -> None:
    """Remove what is older than letters are kept, and finish what others were interrupted in; unless somebody is at it.

    Raises:
        OSError: The disk fails, or the directory is not ours alone.
    """
    before = now - timedelta(days=KEPT_DAYS)
    files = [path for path in letter_files(root) if path.parent.name == "dead"]
    old = {exporter_of(path) for path in files if _begins_before(path, before)}
    if not old and not unfinished(root):
        return
    try:
        with alone(root, wait_s=0.0):
            for exporter in sorted(old):
                removal = Removal(
                    root,
                    exporter,
                    lambda record, letter: _is_before(letter, before),
                    word="expired",
                    damaged_before=before.timestamp(),
                )
                found = removal.run()
                if found.letters:
                    logger.warning(
                        "cxkit: %d dead letters of exporter %s were removed, for they were older than %d days",
                        found.letters, exporter, KEPT_DAYS,
                    )  # fmt: skip
    except StateError:
        pass  # whoever is at it will be followed by somebody


class Expiry:
    """Expires letters once in an hour: no operator should have to think of it.

    Args:
        dead: Where they lie; None: nowhere.
        muted: Entered around it.
    """

    def __init__(
        self,
        dead: Path | None,
        *,
        muted: Callable[[], AbstractContextManager[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = dead and dead.parent
        self._muted = muted
        self._clock = clock
        self._ages = AgeClock()
        self._at = -math.inf

    def look(self) -> None:
        """Do it, if it is time."""
        if self._root is not None and self._clock() >= self._at:
            self._at = self._clock() + _EXPIRE_EVERY_S
            try:
                with self._muted():
                    expire(self._root, now=datetime.fromtimestamp(self._ages.now(), UTC))
            except OSError:
                pass  # it can be read by nobody, or next time it can


def _begins_before(path: Path, before: datetime) -> bool:
    """Whether the first letter of a file is older than that; of one without any, the file itself."""
    opened = open_letters(path)
    if opened is None:
        return False
    descriptor, end = opened
    try:
        first = next((piece.letter for piece in pieces(descriptor, end) if piece.letter), None)
        if first is not None:
            return _is_before(first, before)
        return end > 0 and datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC) < before
    finally:
        os.close(descriptor)


def _is_before(letter: Letter, before: datetime) -> bool:
    at = letter.refused_at
    return at is not None and at < before
