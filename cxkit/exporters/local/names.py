"""Names: who is called what in the local file, and what of theirs it holds. Asked through `read`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from cxkit.codec import decode
from cxkit.errors import CodecError
from cxkit.model import Interaction

__all__ = ["called", "events_of", "linked_to", "names_from", "types_in"]

_LAST_CHARACTER: Final = "\U0010ffff"

_CALLED: Final = """
SELECT coalesce(
    (SELECT i.person FROM interactions AS i WHERE i.person = k.contested || '.' || k.subject LIMIT 1), k.person
) AS person FROM identifiers AS k WHERE k.subject BETWEEN $first AND $last
UNION SELECT person FROM interactions WHERE person BETWEEN $first AND $last
ORDER BY person LIMIT 1000"""
"""A contested device's is whoever uses it, once somebody does."""
_NAMES: Final = """
SELECT subject FROM identifiers WHERE subject BETWEEN $first AND $last
UNION SELECT person FROM interactions WHERE person BETWEEN $first AND $last LIMIT 2"""
_PEOPLE: Final = """
SELECT CASE WHEN contested IS NULL THEN person ELSE contested || '.' || subject END
FROM identifiers WHERE subject = $name UNION SELECT person FROM interactions WHERE person = $name"""
"""A contested device's is whoever uses it with no login."""
_THEIRS: Final = "SELECT payload FROM interactions WHERE person = ? ORDER BY at_ms, id"
_LINKED: Final = "SELECT subject FROM identifiers WHERE person = ? AND contested IS NULL ORDER BY subject"
_TYPES: Final = """
SELECT type FROM identifiers UNION SELECT substr(person, 1, instr(person, ':') - 1) FROM interactions
WHERE person IS NOT NULL"""


def called(connection: sqlite3.Connection, name: str, *, begins: bool = False) -> list[str]:
    """Whom a name (``type:value``), or each name that begins with it, means, as ``subject_id`` in ``events``."""
    return [person for (person,) in connection.execute(_CALLED, _range(name, begins=begins))]


def names_from(connection: sqlite3.Connection, beginning: str) -> list[str]:
    """Two of the names that begin like this, or the one, or none."""
    return [name for (name,) in connection.execute(_NAMES, _range(beginning, begins=True))]


def types_in(connection: sqlite3.Connection) -> frozenset[str]:
    """Of what types there are identifiers."""
    return frozenset(name.rpartition(".")[2] for (name,) in connection.execute(_TYPES))


def linked_to(connection: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """What else whoever is called by these names is called, by logins and links."""
    return [name for (name,) in _of(connection, names, _LINKED)]


def events_of(connection: sqlite3.Connection, names: Iterable[str]) -> list[Interaction]:
    """What there is of whoever is called by these names, in order; nothing of a later version."""
    found = []
    for (payload,) in _of(connection, names, _THEIRS):
        try:
            found.append(decode(payload.encode()))
        except CodecError:
            continue
    return found


def _of(connection: sqlite3.Connection, names: Iterable[str], question: str) -> Iterator[sqlite3.Row]:
    people = {person for name in names for (person,) in connection.execute(_PEOPLE, {"name": name})}
    for one in sorted(people):
        yield from connection.execute(question, (one,))


def _range(name: str, *, begins: bool) -> dict[str, str]:
    return {"first": name, "last": name + _LAST_CHARACTER if begins else name}
