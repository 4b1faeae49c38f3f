"""The identity graph in the local file: its tables as the values that the rules know, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs
import msgspec

from cxkit.rules.identity import Link, Merge, Owned, Parting, Person, Resolution, anonymous, people_of

__all__ = ["Graph", "moment"]

_people: Final = msgspec.json.Decoder(tuple[Person, ...])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_OWNED: Final = "SELECT person, contested FROM identifiers WHERE subject = ?"
_BORN: Final = "SELECT born_ms FROM people WHERE id = ?"
_LINKS: Final = """
SELECT subject, type, evidence, linked_ms, linked_by, rule FROM identifiers WHERE person = ?
ORDER BY linked_ms, subject"""
_ABSORBED: Final = "SELECT id FROM people WHERE part_of = ? ORDER BY rowid"
_MERGES: Final = """
SELECT id FROM merges WHERE undone_by IS NULL AND survivor IN (SELECT value FROM json_each(?)) ORDER BY rowid"""
_WHOSE: Final = "SELECT person FROM interactions WHERE id = ? AND person IS NOT NULL"
_APART: Final = "SELECT other, parted_by FROM parted WHERE person = ?"
_MERGE: Final = """
SELECT id, at_ms, survivor, absorbed, rule, actor, reason, forced, undone_by FROM merges WHERE id = ?"""

_PUT_LINK: Final = """
INSERT INTO identifiers VALUES ($key, $type, $person, $evidence, $at_ms, $by, $rule, NULL)
ON CONFLICT (subject) DO UPDATE SET person = excluded.person, evidence = excluded.evidence"""
_PUT_PERSON: Final = """
INSERT INTO people VALUES (?, ?, NULL) ON CONFLICT (id) DO UPDATE SET part_of = NULL"""
_PART_OF: Final = "UPDATE people SET part_of = ? WHERE id = ?"
_CONTEST: Final = "UPDATE identifiers SET contested = ? WHERE subject = ?"
_PUT_MERGE: Final = "INSERT INTO merges VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_UNDONE: Final = "UPDATE merges SET undone_by = ? WHERE id = ?"
_TOGETHER_AGAIN: Final = "DELETE FROM parted WHERE person = ?"
_PARTED: Final = "INSERT INTO parted VALUES (?, ?, ?)"


class Graph:
    """Reads and writes within one transaction; what was read once is kept at hand.

    Keys are identifiers as ``type:value``, commands are ids of interactions, and a person is called by the
    identifier they began with.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._owned: dict[str, Owned | None] = {}
        self._people: dict[str, Person] = {}

    def owned(self, keys: Iterable[str]) -> dict[str, Owned]:
        """Whose they are, of those that are somebody's."""
        return {key: held for key in keys if (held := self._owner(key)) is not None}

    def people(self, owned: Mapping[str, Owned]) -> dict[str, Person]:
        """Whom the rules ask for: see `people_of`. Whoever uses a contested device always is somebody."""
        apart = {anonymous(key, held.contested) for key, held in owned.items() if held.contested}
        return {id: Person(id=id, born_at=_EPOCH) if id in apart else self._person(id) for id in people_of(owned)}

    def person(self, id: str) -> Person | None:
        """Somebody; None if nobody is called so, or they became part of another."""
        found = self._connection.execute("SELECT 1 FROM people WHERE id = ? AND part_of IS NULL", (id,)).fetchone()
        return self._person(id) if found else None

    def merge(self, command: str) -> Merge | None:
        """What one command merged."""
        found = self._connection.execute(_MERGE, (command,)).fetchone()
        if found is None:
            return None
        id, at_ms, survivor, absorbed, rule, actor, reason, forced, undone_by = found
        return Merge(
            command=id,
            at=moment(at_ms),
            survivor=survivor,
            absorbed=_people.decode(absorbed),
            rule=rule,
            actor=actor,
            reason=reason,
            forced=bool(forced),
            undone_by=undone_by,
        )

    def latest_merge(self, command: str) -> str | None:
        """The merge that undoes what a command merged in the store: that person's latest, for it came another way here.

        Commands come at least once, and in any order: here a merge may be due to an interaction beside them.
        """
        if self.merge(command) is not None:
            return command
        found = self._connection.execute(_WHOSE, (command,)).fetchone()
        person = self.person(found[0]) if found else None
        return person.merges[-1] if person and person.merges else None

    def write(self, found: Resolution, person: Person, *, command: str) -> None:
        """What a resolution changes.

        Args:
            person: Its person, by the name they have here.
        """
        self._put(person)
        for id in found.pointing:
            self._connection.execute(_PART_OF, (person.id, id))
            self._people.pop(id, None)
        for key in found.contested:
            self._connection.execute(_CONTEST, (command, key))
            self._owned.pop(key, None)
        if found.merge is not None:
            self._put_merge(found.merge)

    def part(self, parting: Parting) -> None:
        """What undoing a merge changes."""
        row, survivor = parting.row, parting.survivor
        if row is None or survivor is None:
            return
        for one in (survivor, *parting.restored):
            self._put(one)
        for id, whole in parting.pointing.items():
            self._connection.execute(_PART_OF, (whole, id))
        self._connection.execute(_UNDONE, (row.undone_by, row.command))

    def _owner(self, key: str) -> Owned | None:
        if key not in self._owned:
            found = self._connection.execute(_OWNED, (key,)).fetchone()
            self._owned[key] = found and Owned(found[0], contested=found[1])
        return self._owned[key]

    def _person(self, id: str) -> Person:
        if id not in self._people:
            ask = self._connection.execute
            (born_ms,) = ask(_BORN, (id,)).fetchone() or (0,)
            links = [
                Link(key=key, type=type, evidence=evidence, at=moment(at_ms), by=by, rule=rule)
                for key, type, evidence, at_ms, by, rule in ask(_LINKS, (id,))
            ]
            person = Person(
                id=id, born_at=moment(born_ms), links=tuple(links), apart=dict(ask(_APART, (id,)).fetchall())
            )
            self._people[id] = self._with_history(person)
        return self._people[id]

    def _with_history(self, person: Person) -> Person:
        absorbed = [id for (id,) in self._connection.execute(_ABSORBED, (person.id,))]
        if not absorbed:
            return person
        whole = msgspec.json.encode([person.id, *absorbed]).decode()
        merges = [id for (id,) in self._connection.execute(_MERGES, (whole,))]
        return attrs.evolve(person, absorbed=tuple(absorbed), merges=tuple(merges))

    def _put(self, person: Person) -> None:
        ask = self._connection.execute
        ask(_PUT_PERSON, (person.id, _ms(person.born_at)))
        held = self._people.get(person.id)
        before = frozenset(held.links) if held else frozenset()
        for link in person.links:
            if link not in before:
                row = {"key": link.key, "type": link.type, "evidence": link.evidence, "by": link.by, "rule": link.rule}
                ask(_PUT_LINK, {**row, "person": person.id, "at_ms": _ms(link.at)})
                self._owned.pop(link.key, None)
        if held is None or held.apart != person.apart:
            ask(_TOGETHER_AGAIN, (person.id,))
            self._connection.executemany(_PARTED, [(person.id, other, by) for other, by in person.apart.items()])
        self._people[person.id] = person

    def _put_merge(self, row: Merge) -> None:
        absorbed = msgspec.json.encode(row.absorbed).decode()
        values = (row.command, _ms(row.at), row.survivor, absorbed, row.rule, row.actor, row.reason, int(row.forced))
        self._connection.execute(_PUT_MERGE, values)


def moment(at_ms: int) -> datetime:
    """A time, as the file has it."""
    return _EPOCH + at_ms * _MILLISECOND


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
