"""Sessions: which run of a person's interactions with one application a row belongs to.

A session begins with an inbound interaction more than 30 minutes after the one before, and every
24 hours from its beginning another one does. What is outbound never begins a session; it belongs to
that of the inbound interaction before it, if that is not longer ago. What brings a session id of its
own takes no part.

They are written down, in ``session_began_ms``, as far as what is written changes them: a window over
all interactions at each reading took seconds (200,000 of them; SQLite 3.40).
"""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["CAP_MS", "GAP_MS", "Sessions"]

GAP_MS: Final = 30 * 60_000
CAP_MS: Final = 24 * 3_600_000

Place = tuple[int, str]
"""Where an interaction stands in the order of all: time and id."""

_BEFORE: Final = """
SELECT at_ms, session_began_ms FROM interactions
WHERE person = ? AND source = ? AND session IS NULL AND direction = 'inbound' AND (at_ms, id) < (?, ?)
ORDER BY at_ms DESC, id DESC LIMIT 1"""
_FROM: Final = """
SELECT at_ms, id, direction = 'inbound', session_began_ms FROM interactions
WHERE person = ? AND source = ? AND session IS NULL AND (at_ms, id) >= (?, ?)
ORDER BY at_ms, id"""
_SETTLE: Final = "UPDATE interactions SET session_began_ms = ? WHERE id = ?"


class Sessions:
    """Keeps sessions right within one transaction: first tell it of all that changed, then `settle`.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._disturbed: dict[tuple[str, str], tuple[Place, Place]] = {}

    def disturb(self, person: str, source: str, place: Place) -> None:
        """An interaction without a session of its own was added to a person's, or is gone from there, at this place."""
        first, last = self._disturbed.get((person, source), (place, place))
        self._disturbed[person, source] = min(first, place), max(last, place)

    def settle(self) -> None:
        """Write down the sessions of what was added, and of what belongs elsewhere because of it."""
        for (person, source), (first, last) in self._disturbed.items():
            self._connection.executemany(_SETTLE, self._changes(person, source, first, last))

    def _changes(self, person: str, source: str, first: Place, last: Place) -> list[tuple[int | None, str]]:
        """New beginning and id of each interaction whose session began at another time than is written."""
        before = self._connection.execute(_BEFORE, (person, source, *first)).fetchone()
        inbound_ms, began_ms = before or (None, 0)
        changes: list[tuple[int | None, str]] = []
        for at_ms, id, inbound, written in self._connection.execute(_FROM, (person, source, *first)):
            goes_on = inbound_ms is not None and at_ms - inbound_ms <= GAP_MS
            if inbound:
                if not goes_on and (at_ms, id) > last and written == at_ms:
                    break  # it begins one, as it did before: nothing is new from here on
                began_ms = at_ms - (at_ms - began_ms) % CAP_MS if goes_on else at_ms
                inbound_ms = at_ms
            belongs = began_ms if inbound or goes_on else None
            if belongs != written:
                changes.append((belongs, id))
        return changes
