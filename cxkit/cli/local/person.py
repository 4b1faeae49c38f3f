"""One person as the local file knows them: everything they did, and the identifiers they are known by."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from typing import Final

import attrs

from cxkit.cli.language import count, say
from cxkit.cli.local import subjects
from cxkit.cli.local.seen import Seen, clock, seen_of
from cxkit.errors import LocalFileError
from cxkit.model import EVIDENCE, Evidence, Identifier
from cxkit.settings import Settings

__all__ = ["KnownBy", "Person", "read_person", "standing", "subject_of"]

_SEEN: Final = """
SELECT i.rowid, i.*, e.session_id FROM interactions AS i JOIN events AS e ON e.event_id = i.id
WHERE i.person = $person ORDER BY i.at_ms, i.id"""

_OWNERS: Final = "SELECT subject, person FROM identifiers WHERE subject IN (SELECT value FROM json_each($subjects))"

_REFUSED: Final = """
SELECT r.rowid, r.* FROM interactions AS c JOIN interactions AS r ON r.cause = c.id
WHERE c.person = $person AND c.kind = 'identity' AND r.name = 'identity.merge_refused' ORDER BY r.at_ms, r.id"""

_OTHERS: Final = "SELECT rowid, * FROM interactions WHERE kind = 'identity' AND person <> $person"


@attrs.frozen(kw_only=True)
class KnownBy:
    """An identifier that came with a person's interactions."""

    subject: str
    """``type:value``."""
    evidence: Evidence
    """The best it was known by."""
    joined_at: datetime | None
    """When it was first given together with who they are; None if it never was."""
    earlier: int
    """How many interactions with nothing better than it had come before that."""
    owner: str | None
    """The person it belongs to now; None if to nobody."""

    @property
    def identifier(self) -> Identifier:
        """As it is written in interactions."""
        type, _, value = self.subject.partition(":")
        return Identifier(type=type, value=value, evidence=self.evidence)

    def as_json(self) -> dict[str, object]:
        """For programs: what is true of it whoever asks."""
        return {
            "subject": self.subject,
            "evidence": self.evidence,
            "joined_at": self.joined_at,
            "earlier": self.earlier,
        }


@attrs.frozen(kw_only=True)
class Person:
    """A person in the local file."""

    id: str
    """``subject_id`` in ``events``: what they were first known by."""
    seen: tuple[Seen, ...]
    """Their interactions, in the order in which they happened."""
    sessions: tuple[str | None, ...]
    """Of each of these; None where it was outside of any."""
    known_by: tuple[KnownBy, ...]
    """The best evidence first."""
    others: int
    """How many other people signed in with one of their identifiers."""
    refusals: tuple[Seen, ...] = ()
    """What the graph refused of what was known of them."""

    @property
    def contested(self) -> tuple[KnownBy, ...]:
        """Identifiers that came with them and belong to somebody else."""
        return tuple(one for one in self.known_by if one.owner not in (None, self.id))

    @property
    def claimed(self) -> tuple[KnownBy, ...]:
        """Identifiers that nothing proves to be theirs: nothing was linked by them."""
        unproven = (one for one in self.known_by if not one.identifier.proven and one.owner != self.id)
        return tuple(one for one in unproven if one.subject != self.id)


def standing(known_by: KnownBy, person: Person, linked: Container[str] = ()) -> str:
    """How an identifier came to a person, in the operator's language.

    Args:
        linked: Those that the store's graph links to them.
    """
    if known_by in person.contested:
        return say("belongs to somebody else, and stays there: contested")
    if known_by.joined_at is None and known_by.subject in linked:
        return say("linked by the application")
    if known_by in person.claimed:
        return say("nothing proves that it is theirs: it links nothing")
    if known_by.joined_at is None:
        return say("all that is known: nobody has signed in with it")
    if known_by.evidence == "login":
        return say("signed in first on {time}", time=clock(known_by.joined_at))
    return count(
        "joined on {time}, with {number} earlier interaction",
        "joined on {time}, with {number} earlier interactions",
        known_by.earlier,
        time=clock(known_by.joined_at),
    )


def read_person(connection: sqlite3.Connection, text: str, settings: Settings) -> Person:
    """Who is meant on the command line.

    Raises:
        LocalFileError: The file knows nobody of that name, or nothing they did (any more).
    """
    (id,) = subjects(connection, text, settings)[:1]
    rows = connection.execute(_SEEN, {"person": id}).fetchall()
    if not rows:
        raise LocalFileError(
            "the local file holds no interaction of them any more",
            fix="raise max_age_days or max_rows of its exporter",
            code="CX6108",
        )
    seen = tuple(map(seen_of, rows))
    known_by = tuple(_known_by(connection, seen))
    return Person(
        id=id,
        seen=seen,
        sessions=tuple(row["session_id"] for row in rows),
        known_by=known_by,
        refusals=tuple(map(seen_of, connection.execute(_REFUSED, {"person": id}))),
        others=_others(connection, id, {one.subject for one in known_by if one.owner == id}),
    )


def _known_by(connection: sqlite3.Connection, seen: Sequence[Seen]) -> Iterator[KnownBy]:
    evidence: dict[str, Evidence] = {}
    joined_at: dict[str, datetime] = {}
    strongest: list[tuple[datetime, str]] = []
    for one in seen:
        at, known = one.interaction.occurred_at, one.interaction.identity.identifiers
        if known:
            strongest.append((at, subject_of(known[0])))
        for subject, identifier in {subject_of(one): one for one in known}.items():
            evidence[subject] = max(evidence.get(subject, EVIDENCE[0]), identifier.evidence, key=EVIDENCE.index)
            if any(one.evidence == "login" for one in known):
                joined_at.setdefault(subject, at)
    owners = dict(connection.execute(_OWNERS, {"subjects": json.dumps(list(evidence))}).fetchall())
    for subject, best in sorted(evidence.items(), key=lambda one: (-EVIDENCE.index(one[1]), one[0])):
        joined = joined_at.get(subject)
        earlier = sum(at < joined for at, by in strongest if by == subject) if joined else 0
        yield KnownBy(subject=subject, evidence=best, joined_at=joined, earlier=earlier, owner=owners.get(subject))


def _others(connection: sqlite3.Connection, person: str, own: set[str]) -> int:
    """How many other people there are in whose identifications one of these comes up."""
    found = map(seen_of, connection.execute(_OTHERS, {"person": person}))
    return len({one.person for one in found if own & set(map(subject_of, one.interaction.identity.identifiers))})


def subject_of(identifier: Identifier) -> str:
    """``type:value``, as the local file has it."""
    return f"{identifier.type}:{identifier.value}"
