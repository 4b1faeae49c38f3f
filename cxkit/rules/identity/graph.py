"""What the graph is made of: identifiers with one owner each, people, and the merges between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import attrs

from cxkit.model import EVIDENCE, Evidence

__all__ = ["Link", "Merge", "Owned", "Person", "Reason", "Resolution", "Rule", "Tombstone", "anonymous", "people_of"]

Rule = Literal["new_person", "strong_owner", "oldest_owner", "operator"]
"""How the person was found to whom something was linked: none was known, a strong identifier
says so, the oldest of several owners, or an operator said so."""

Reason = Literal[
    "illegal_id",
    "blocked_value",
    "tombstoned",
    "weak_evidence",
    "consent_denied",
    "contested",
    "unique_conflict",
    "source_already_identified",
    "limit_exceeded",
    "fan_in",
    "unmerged",
    "unexplained",
    "nobody",
]
"""Why an identifier was not linked, or two people not merged."""


@attrs.frozen(kw_only=True)
class Link:
    """That an identifier is a person's, and why."""

    key: str
    type: str
    evidence: Evidence
    """The best that was ever seen."""
    at: datetime
    """When it was linked first, as the command said."""
    by: str
    """The command that linked it."""
    rule: Rule


@attrs.frozen(kw_only=True)
class Person:
    """Somebody, as far as identifiers tell: the graph's part of ``person/ID``."""

    id: str
    born_at: datetime
    links: tuple[Link, ...] = ()
    absorbed: tuple[str, ...] = ()
    """Everybody who ever became part of this person: their documents point here, in one hop."""
    merges: tuple[str, ...] = ()
    """The ledger's rows behind that; the last is the latest and the only one that can be undone."""
    apart: Mapping[str, str] = attrs.field(factory=dict)
    """People an operator parted from this one, with the command that did: only force merges them again."""

    @property
    def logged_in(self) -> bool:
        """Whether the person was ever reached by a login."""
        return any(link.evidence == "login" for link in self.links)

    @property
    def ids(self) -> tuple[str, ...]:
        """Its id and those it absorbed."""
        return (self.id, *self.absorbed)

    def keys(self, type: str) -> frozenset[str]:
        """The keys of its identifiers of one type."""
        return frozenset(link.key for link in self.links if link.type == type)

    def proved(self, evidence: Mapping[str, Evidence]) -> Person:
        """The same person, its links raised to better evidence by key."""
        better = {
            link.key: attrs.evolve(link, evidence=new)
            for link in self.links
            if (new := evidence.get(link.key, link.evidence)) != link.evidence
            and EVIDENCE.index(new) > EVIDENCE.index(link.evidence)
        }
        if not better:
            return self
        return attrs.evolve(self, links=tuple(better.get(link.key, link) for link in self.links))


@attrs.frozen
class Owned:
    """Whose an identifier is: what ``identifier/KEY`` says besides its type."""

    person: str
    contested: str | None = None
    """The command that showed that others use this device too; from then on it says of nobody who they are."""

    def vouches(self, id: str) -> bool:
        """Whether what was recorded under it with this id is its owner's: not any more what showed that others use it.

        Example:
            >>> [Owned("p1", contested="c2").vouches(id) for id in ("c1", "c2", "c3")], Owned("p1").vouches("c3")
            ([True, False, False], True)
        """
        return self.contested is None or id < self.contested


@attrs.frozen(kw_only=True)
class Tombstone:
    """That an identifier was erased."""

    erased_at: datetime
    suppress: bool = False
    """Whether it may not come back either."""
    until: datetime | None = None
    """... before then; None for ever."""

    def covers(self, at: datetime) -> bool:
        """Whether what is of that moment went with it."""
        return at <= self.erased_at

    def bars(self, at: datetime) -> bool:
        """Whether the identifier may not have come back by that moment.

        Example:
            >>> from datetime import UTC
            >>> monday, friday = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC)
            >>> grave = Tombstone(erased_at=monday, suppress=True, until=friday)
            >>> grave.covers(monday), grave.bars(monday), grave.bars(friday)
            (True, True, False)
        """
        return self.suppress and (self.until is None or at < self.until)

    def forbids(self, at: datetime) -> bool:
        """Whether nothing of that moment may be the identifier's: it went with it, or it may not have come back."""
        return self.covers(at) or self.bars(at)


@attrs.frozen(kw_only=True)
class Merge:
    """One row of the ledger, ``ledger/COMMAND``: people who became one by one command."""

    command: str
    at: datetime
    survivor: str
    absorbed: tuple[Person, ...]
    """Whole, as they were when they became part of the survivor."""
    rule: Rule
    actor: str | None = None
    reason: str | None = None
    forced: bool = False
    undone_by: str | None = None
    """The command that undid it."""

    @property
    def history(self) -> tuple[str, ...]:
        """Everybody who is the survivor since: those absorbed, and those they had absorbed before."""
        return tuple(id for one in self.absorbed for id in one.ids)


@attrs.frozen(kw_only=True)
class Resolution:
    """What follows from seeing identifiers together, and how each document changes.

    ``person/ID`` of ``person`` is written whole (its traits apart); ``identifier/KEY`` of each of
    ``moved`` names that person; of each of ``contested`` it names the command; ``person/ID`` of each of
    ``pointing`` points to the person; ``merge`` becomes ``ledger/COMMAND``.
    """

    person: Person | None = None
    """Whom they belong to, after it; None if they are nobody's and no new person may be made."""
    new: bool = False
    """Whether nobody knew this person before."""
    linked: tuple[Link, ...] = ()
    """New links of that person."""
    merge: Merge | None = None
    """The row for the ledger, if other people became part of that person."""
    contested: tuple[str, ...] = ()
    """Keys of devices that are contested from now on."""
    parted: tuple[Person, ...] = ()
    """People who had typed in what that person has proven to be theirs, without it: ``person/ID`` is written whole."""
    refused: Mapping[str, Reason] = attrs.field(factory=dict)
    """Key to the reason why it took no part, or was not linked or merged."""
    dropped: Reason | None = None
    """Why the command as a whole changes nothing."""

    @property
    def absorbed(self) -> tuple[Person, ...]:
        """The people who became part of that person, as they were."""
        return self.merge.absorbed if self.merge else ()

    @property
    def moved(self) -> tuple[str, ...]:
        """Keys that have that person as their owner from now on."""
        keys = [link.key for link in self.linked] + [link.key for one in self.absorbed for link in one.links]
        return tuple(dict.fromkeys(keys))

    @property
    def pointing(self) -> tuple[str, ...]:
        """People who are that person from now on."""
        return self.merge.history if self.merge else ()


def anonymous(key: str, contested: str) -> str:
    """The person of a contested device while nobody has logged in: whoever that is, of nobody known.

    Args:
        key: The device's.
        contested: The command that contested it.

    Example:
        >>> anonymous("d41d8cd9", "0190c0de")
        '0190c0de.d41d8cd9'
    """
    return f"{contested}.{key}"


def people_of(owned: Mapping[str, Owned]) -> frozenset[str]:
    """The people to load before `resolve`.

    Example:
        >>> sorted(people_of({"k1": Owned("p1"), "k2": Owned("p1", contested="c9")}))
        ['c9.k2', 'p1']
    """
    apart = (anonymous(key, held.contested) for key, held in owned.items() if held.contested)
    return frozenset([*(held.person for held in owned.values()), *apart])


def eldest(people: Iterable[Person]) -> Person:
    """Who was there first; the id decides between people of one moment."""
    return min(people, key=lambda one: (one.born_at, one.id))
