"""Whose identifiers are, in the local file: learnt from logins by the rules of identity, and by nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

from cxkit.exporters.local.sessions import Sessions
from cxkit.model import Evidence
from cxkit.rules.identity import UNIQUE
from cxkit.rules.identity.earlier import Owner, resolve

__all__ = ["People"]

_PERSON: Final = "SELECT person FROM identifiers WHERE subject = ?"
_IDENTIFIERS: Final = "SELECT type, subject FROM identifiers WHERE person = ?"
_LINK: Final = "INSERT INTO identifiers (subject, type, person) VALUES (?, ?, ?)"
_MOVED: Final = "SELECT source, at_ms, id FROM interactions WHERE person = ? AND session IS NULL"
_MOVE: Final = "UPDATE interactions SET person = ? WHERE person = ?"


class People:
    """Resolves identifiers within one transaction.

    A person is called by the identifier it began with, so an identifier that nobody owns and the
    person it would begin have one name: a row is always its person's, known or not.

    Args:
        connection: In a transaction.
        sessions: Told of what moves from one person to another.
    """

    def __init__(self, connection: sqlite3.Connection, sessions: Sessions) -> None:
        self._connection = connection
        self._sessions = sessions
        self._owners: dict[str, str | None] = {}
        self._met: set[tuple[str, ...]] = set()

    def person(self, subject: str | None) -> str | None:
        """Whose an identifier is; its own person as long as nobody's."""
        return subject and (self._owner(subject) or subject)

    def meet(self, seen: Mapping[str, tuple[str, Evidence]]) -> None:
        """Learn from identifiers that were seen together, if a login is among them.

        Not from commands alone: what a person is known by is not recorded again, and this file may be
        younger than that.

        Args:
            seen: Key to type and evidence, the strongest first.
        """
        keys = tuple(seen)
        if keys in self._met or "login" not in {evidence for _, evidence in seen.values()}:
            return
        self._met.add(keys)
        owners = dict(self._known(keys))
        newcomer = next((key for key in keys if key not in owners), "")
        resolution = resolve(seen, owners, newcomer=newcomer)
        if resolution.person is not None:
            for key in resolution.linked:
                self._link(key, seen[key][0], resolution.person)

    def _owner(self, subject: str) -> str | None:
        if subject not in self._owners:
            found = self._connection.execute(_PERSON, (subject,)).fetchone()
            self._owners[subject] = found and found[0]
        return self._owners[subject]

    def _known(self, keys: tuple[str, ...]) -> Iterator[tuple[str, Owner]]:
        for key in keys:
            person = self._owner(key)
            if person is not None:
                held = self._connection.execute(_IDENTIFIERS, (person,))
                unique = {type: subject for type, subject in held if type in UNIQUE}
                yield key, Owner(person=person, unique=unique, logged_in=True)

    def _link(self, key: str, type: str, person: str) -> None:
        self._connection.execute(_LINK, (key, type, person))
        self._owners[key] = person
        if key != person:
            moved = self._connection.execute(_MOVED, (key,)).fetchall()
            self._connection.execute(_MOVE, (person, key))
            for source, at_ms, id in moved:
                self._sessions.disturb(person, source, (at_ms, id))
