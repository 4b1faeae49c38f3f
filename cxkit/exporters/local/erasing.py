"""Erasure in the local file: of whom ``privacy.erased`` names nothing is left, and what comes late brings nothing back.

What stays is, for each of their identifiers, a hash and a time: nobody's name, though whoever has the file
and a guess can check it. It goes when what comes late would be too old to keep.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from cxkit.exporters.local.graph import Graph
from cxkit.exporters.local.retention import delete, forget
from cxkit.exporters.local.rows import Row
from cxkit.rules.identity import anonymous

__all__ = ["Graves", "erases"]

_ANY: Final = "SELECT 1 FROM erased LIMIT 1"
_IS_ERASED: Final = "SELECT 1 FROM erased WHERE hash = ? AND at_ms >= ?"
_BURY: Final = """
INSERT INTO erased VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)"""
_PARTS: Final = "SELECT id FROM people WHERE part_of IN (SELECT value FROM json_each(?))"
_LINKED: Final = "SELECT subject FROM identifiers WHERE person IN (SELECT value FROM json_each(?))"
_ROWS: Final = """
SELECT id, person, at_ms, payload FROM interactions WHERE person IN (SELECT value FROM json_each(?))
ORDER BY at_ms, id"""
_TOLD_OF: Final = """
DELETE FROM merges WHERE id IN (
    SELECT merges.id FROM merges, json_each(merges.absorbed) AS one
    WHERE json_extract(one.value, '$.id') IN (SELECT value FROM json_each(?)))"""

_NAMED: Final = """
WITH theirs AS (SELECT value FROM json_each(?))
SELECT id FROM interactions WHERE name = 'identity.merged' AND
    json_extract(payload, '$.data.properties.with.type') || ':' || json_extract(payload, '$.data.properties.with.value')
    IN theirs
UNION SELECT interactions.id FROM interactions,
    json_each(payload, '$.data.properties.added') AS added, json_each(payload, '$.data.identity.identifiers') AS one
WHERE name = 'identity.linked' AND json_extract(one.value, '$.type') = added.value AND
    added.value || ':' || json_extract(one.value, '$.value') IN theirs"""
"""Merges of somebody else with them, which were undone since; and what is theirs that somebody else tried to add."""


def erases(row: Row) -> bool:
    """Whether it is the last that is heard of somebody."""
    return (row.columns["name"], row.columns["kind"]) == ("privacy.erased", "identity")


class Graves:
    """Who was erased. Within one transaction.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._any = connection.execute(_ANY).fetchone() is not None

    def hold(self, row: Row) -> bool:
        """Whether it is about somebody who was erased after it happened.

        A login says who it is about; a device that others use, too, only where nobody is logged in; a merge is about
        two. Who may not come back at all is not known here: they are not captured, and a merge with them names nobody.
        """
        if not self._any:
            return False
        names = [key for place, (key, (_, by)) in enumerate(row.seen.items()) if place == 0 or by == "login"]
        return any(self._erased(key, row.columns["at_ms"]) for key in (*names, row.other) if key is not None)

    def bury(self, row: Row) -> list[bytes]:
        """Erase whom a command names, with all that is known to be theirs; a contested device is nobody's.

        Returns:
            What they did since and which went with it: whoever came back is met anew.
        """
        at_ms = row.columns["at_ms"]
        given = [key for key in row.seen if not self._erased(key, at_ms)]  # else it comes again
        owned = Graph(self._connection).owned(given)
        people = {key for key in given if key not in owned}
        people |= {anonymous(key, one.contested) if one.contested else one.person for key, one in owned.items()}
        keys = {*given, *self._all(_LINKED, people)}
        self._connection.executemany(_BURY, [(_hash(key), at_ms) for key in keys])
        self._any = True
        found = self._connection.execute(_ROWS, (_list(people),)).fetchall()
        self._connection.execute(_TOLD_OF, (_list({*people, *self._all(_PARTS, people)}),))
        delete(self._connection, [*(id for id, *_ in found), *self._all(_NAMED, keys)])
        forget(self._connection, people)
        return [payload.encode() for *_, happened_ms, payload in found if happened_ms > at_ms]

    def _erased(self, key: str, at_ms: int) -> bool:
        return self._connection.execute(_IS_ERASED, (_hash(key), at_ms)).fetchone() is not None

    def _all(self, question: str, people: Iterable[str]) -> list[str]:
        return [one for (one,) in self._connection.execute(question, (_list(people),))]


def _hash(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, person=b"cxkit-erased").digest()


def _list(names: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(names)).decode()
