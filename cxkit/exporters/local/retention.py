"""Retention: what is too old leaves the local file, and so does the oldest of what is too much."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

__all__ = ["Retention", "delete", "forget"]

_STEP_ROWS: Final = 5000
"""At most as many go at once, so that no batch waits for all of a large file."""
_DAY_MS: Final = 86_400_000

_OLD: Final = "SELECT id, person FROM interactions WHERE at_ms < ? ORDER BY at_ms, id LIMIT ?"
_OLDEST: Final = "SELECT id, person FROM interactions ORDER BY at_ms, id LIMIT ?"
_COUNT: Final = "SELECT count(*) FROM interactions"
_DELETE: Final = (
    "DELETE FROM interactions WHERE id = ?",
    "DELETE FROM together WHERE interaction = ?",
    "DELETE FROM exposures WHERE interaction = ?",
)
_LEFT: Final = "SELECT 1 FROM interactions WHERE person = ? LIMIT 1"
_FORGET: Final = (
    "DELETE FROM identifiers WHERE person = $person",
    "DELETE FROM merges WHERE survivor IN (SELECT id FROM people WHERE id = $person OR part_of = $person)",
    "DELETE FROM parted WHERE person IN (SELECT id FROM people WHERE id = $person OR part_of = $person)",
    "DELETE FROM parted WHERE other IN (SELECT id FROM people WHERE id = $person OR part_of = $person)",
    "DELETE FROM people WHERE id = $person OR part_of = $person",
)
"""Whom nothing is left of, and whoever became part of them."""
_GRAVES: Final = "DELETE FROM erased WHERE at_ms < ?"


class Retention:
    """Bounds the file, a step with each batch.

    Rows are counted again when as many came as are a hundredth of those allowed: counting reads them all.
    """

    def __init__(self, *, max_age_days: float, max_rows: int) -> None:
        self._max_age_ms = int(max_age_days * _DAY_MS)
        self._max_rows = max_rows
        self._uncounted = max_rows

    def apply(self, connection: sqlite3.Connection, *, added: int, now_ms: int) -> None:
        """Delete what has to go.

        Args:
            connection: In a transaction.
            added: How many rows came since the last time.
        """
        oldest_ms = now_ms - self._max_age_ms
        _expire(connection, connection.execute(_OLD, (oldest_ms, _STEP_ROWS)).fetchall())
        connection.execute(_GRAVES, (oldest_ms,))
        self._uncounted += added
        if self._uncounted > self._max_rows // 100:
            (count,) = connection.execute(_COUNT).fetchone()
            excess = min(max(0, count - self._max_rows), _STEP_ROWS)
            _expire(connection, connection.execute(_OLDEST, (excess,)).fetchall())
            self._uncounted = self._max_rows if excess == _STEP_ROWS else 0


def delete(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Delete interactions."""
    gone = [(id,) for id in ids]
    for statement in _DELETE:
        connection.executemany(statement, gone)


def forget(connection: sqlite3.Connection, people: Iterable[str]) -> None:
    """Delete what the graph knows of people."""
    gone = [{"person": one} for one in people]
    for statement in _FORGET:
        connection.executemany(statement, gone)


def _expire(connection: sqlite3.Connection, rows: list[tuple[str, str | None]]) -> None:
    """Delete rows, and forget those of whom none is left."""
    delete(connection, [id for id, _ in rows])
    people = {person for _, person in rows if person is not None}
    forget(connection, [one for one in people if connection.execute(_LEFT, (one,)).fetchone() is None])
