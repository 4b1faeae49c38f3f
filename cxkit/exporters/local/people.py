"""Whose interactions are, in the local file: learnt from logins and links by the rules of identity."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import attrs
import msgspec

from cxkit.codec import decode
from cxkit.exporters.local.graph import Graph, moment
from cxkit.exporters.local.rows import OPERATED, Row, Seen, seen_in
from cxkit.exporters.local.sessions import Sessions
from cxkit.rules.identity import TYPES, Owned, Person, Resolution, Types, merge, resolve, unmerge, whose

__all__ = ["People"]

_TOGETHER: Final = "INSERT INTO together VALUES (?, ?) ON CONFLICT DO NOTHING"
_MOVED: Final = "SELECT source, at_ms, id FROM interactions WHERE person = ? AND session IS NULL"
_MOVE: Final = "UPDATE interactions SET person = ? WHERE person = ?"
_MOVE_ONE: Final = "UPDATE interactions SET person = ? WHERE id = ?"

_OF_SEVERAL: Final = """
SELECT id FROM interactions WHERE id IN (
    SELECT interaction FROM together WHERE subject IN (SELECT value FROM json_each(?)))"""
_OF_DEVICE: Final = "SELECT id FROM interactions WHERE person = ? AND subject = ?"
_OF_PERSON: Final = "SELECT id FROM interactions WHERE person = ?"
_ROW: Final = "SELECT person, session, source, at_ms, payload FROM interactions WHERE id = ?"


class People:
    """Resolves identifiers within one transaction.

    A person is called by the identifier it began with, so an identifier that nobody owns and the
    person it would begin have one name: a row is always its person's, known or not.

    Args:
        connection: In a transaction.
        sessions: Told of what moves from one person to another.
        types: What identifiers are worth.
    """

    def __init__(self, connection: sqlite3.Connection, sessions: Sessions, *, types: Types = TYPES) -> None:
        self._connection = connection
        self._types = types
        self._sessions = sessions
        self._graph = Graph(connection)
        self._met: set[frozenset[tuple[str, str]]] = set()

    def person(self, seen: Seen, *, id: str) -> str | None:
        """Whose an interaction is; of nobody known, its strongest identifier. None if it has none.

        Args:
            seen: Key to type and evidence, the strongest first.
            id: That of the interaction: one from before a device was contested still is its owner's.
        """
        owned = self._graph.owned(seen)
        if not owned:
            return next(iter(seen), None)
        then = {key: Owned(held.person) if held.vouches(id) else held for key, held in owned.items()}
        found = whose(seen, owned=then, people=self._graph.people(then), types=self._types)
        return found or next((key for key in seen if key not in owned), next(iter(seen)))

    def meet(self, row: Row) -> None:
        """Learn from an interaction that was added, if it shows whose its identifiers are.

        Not from commands alone: what a person is known by is not recorded again, and this file may be
        younger than that.
        """
        if row.columns["name"] in OPERATED:
            self._operate(row)
            return
        if row.ambiguous(self._types):
            self._connection.executemany(_TOGETHER, [(key, row.id) for key in row.seen])
        as_known = frozenset((key, evidence) for key, (_, evidence) in row.seen.items())
        if (as_known in self._met and not row.added) or not row.teaches:
            return
        owned = self._graph.owned(row.seen)
        people = self._graph.people(owned)
        found = resolve(
            row.seen,
            owned=owned,
            people=people,
            at=moment(row.place[0]),
            command=row.id,
            types=self._types,
            row=self._graph.merge(row.id),
            stitching=row.stitching,
            added=row.added,
        )
        if not found.refused:
            self._met.add(as_known)
        self._follow(found, people.get(found.person.id) if found.person else None, command=row.id)

    def _operate(self, row: Row) -> None:
        """Do as an operator said, as far as this file knows the same people."""
        if row.columns["name"] == OPERATED[1]:
            done = self._graph.latest_merge(str(row.said.get("merge")))
            if done is not None:
                self.unmerge(done, command=row.id)
            return
        keys = (row.subject or "", row.other or "")
        owned = self._graph.owned(keys)
        found = merge(
            *keys,
            owned=owned,
            people=self._graph.people(owned),
            at=moment(row.place[0]),
            command=row.id,
            actor=str(row.said.get("actor")),
            reason=str(row.said.get("reason")),
            force=row.said.get("force") is True,
            row=self._graph.merge(row.id),
            types=self._types,
        )
        self._follow(found, None, command=row.id)

    def unmerge(self, merge: str, *, command: str) -> str | None:
        """Undo what one interaction merged, if it was the latest merge of that person.

        Args:
            command: The id of the interaction by which an operator did.

        Returns:
            Why it cannot be undone; None if it was.
        """
        row = self._graph.merge(merge)
        survivor = self._graph.person(row.survivor) if row else None
        parting = unmerge(row, people={survivor.id: survivor} if survivor else {}, command=command)
        self._graph.part(parting)
        if parting.survivor is not None:
            self._settle(self._ids(_OF_PERSON, parting.survivor.id))
        return parting.refused

    def _follow(self, found: Resolution, before: Person | None, *, command: str) -> None:
        """Write a resolution down, and move the interactions of whom it concerns."""
        person = found.person
        if person is None or not (found.linked or found.merge or found.contested or (before and person != before)):
            return
        if found.new and found.linked:
            person = attrs.evolve(person, id=found.linked[0].key)
        self._graph.write(found, person, command=command)
        for name in (*(link.key for link in found.linked), *(one.id for one in found.absorbed)):
            self._move(name, person.id)
        keys = [link.key for link in person.links] if found.linked or found.merge else []
        if keys or found.contested:
            self._settle(self._ids(_OF_SEVERAL, msgspec.json.encode([*keys, *found.contested]).decode()))
        for key, held in self._graph.owned(found.contested).items():
            self._settle(id for id in self._ids(_OF_DEVICE, held.person, key) if not held.vouches(id))

    def _move(self, name: str, person: str) -> None:
        """All that is somebody's becomes another's."""
        if name != person:
            moved = self._connection.execute(_MOVED, (name,)).fetchall()
            self._connection.execute(_MOVE, (person, name))
            for source, at_ms, id in moved:
                self._sessions.disturb(person, source, (at_ms, id))

    def _ids(self, question: str, *which: str) -> list[str]:
        return [id for (id,) in self._connection.execute(question, which)]

    def _settle(self, interactions: Iterable[str]) -> None:
        """Ask again whose each of some interactions is."""
        for id in interactions:
            before, session, source, at_ms, payload = self._connection.execute(_ROW, (id,)).fetchone()
            person = self.person(seen_in(decode(payload.encode())), id=id)
            if person is not None and person != before:
                self._connection.execute(_MOVE_ONE, (person, id))
                if session is None:
                    self._sessions.disturb(before, source, (at_ms, id))
                    self._sessions.disturb(person, source, (at_ms, id))
