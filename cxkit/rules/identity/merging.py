"""Merging people: what forbids it, what it makes of them, and how the latest is undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

from cxkit.rules.identity.graph import Merge, Owned, Person, Reason, Resolution, Rule, Tombstone, eldest
from cxkit.rules.identity.types import TYPES, IdentifierType, Types, type_of

__all__ = ["MOST_LINKS", "Parting", "crowded", "merge", "objection", "unite", "unmerge"]

MOST_LINKS: Final = 50
"""Identifiers that a merged person has at most: more are a machine's, or a mistake's."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def merge(
    one: str,
    other: str,
    *,
    owned: Mapping[str, Owned],
    people: Mapping[str, Person],
    at: datetime,
    command: str,
    actor: str,
    reason: str,
    force: bool = False,
    row: Merge | None = None,
    tombstones: Mapping[str, Tombstone] = _NONE,
    types: Types = TYPES,
) -> Resolution:
    """Make two people one because an operator says so.

    Whatever forbids it to a login forbids it to operators too, unless they force it. Nobody can force it where a key
    names nobody: it was erased, is nobody's, or is a device that several people use.

    Args:
        one: A key of somebody.
        other: A key of somebody else; the older of the two survives.
        owned: Key to its owner, of those that have one.
        people: Id to person: at least the owners.
        at: When the operator said so.
        command: Its id.
        actor: Who says so.
        reason: Why; without actor and reason nothing is merged (``unexplained``).
        force: Whether to merge whatever forbids it.
        row: What the ledger holds under this command: a command that comes twice merges once.
        tombstones: Of the keys that were erased.
        types: What types of identifiers are worth.

    Example:
        >>> from datetime import UTC
        >>> now = datetime(2025, 6, 1, tzinfo=UTC)
        >>> people = {id: Person(id=id, born_at=now) for id in ("p1", "p2")}
        >>> owned = {"k1": Owned("p1"), "k2": Owned("p2")}
        >>> said = {"actor": "desk 4", "reason": "she called"}
        >>> found = merge("k1", "k2", owned=owned, people=people, at=now, command="c3", **said)
        >>> found.person.id, found.pointing
        ('p1', ('p2',))
    """
    forbidden = _naming_nobody((one, other), owned, people, tombstones, at)
    if forbidden:
        return Resolution(dropped=forbidden)
    first, second = (people[owned[key].person] for key in (one, other))
    if first.id == second.id or row is not None:
        return Resolution(person=first)
    if not (actor.strip() and reason.strip()):
        forbidden = "unexplained"
    elif not force:
        forbidden = objection([first], second, types)
    if forbidden:
        return Resolution(dropped=forbidden)
    survivor, done = unite((first, second), command=command, at=at, rule="operator")
    return Resolution(person=survivor, merge=attrs.evolve(done, actor=actor, reason=reason, forced=force))


def _naming_nobody(
    keys: Sequence[str],
    owned: Mapping[str, Owned],
    people: Mapping[str, Person],
    tombstones: Mapping[str, Tombstone],
    at: datetime,
) -> Reason | None:
    """Why one of these keys says of nobody who they are; None if each does."""
    held = [owned.get(key) for key in keys]
    if any(key in tombstones and tombstones[key].forbids(at) for key in keys):
        return "tombstoned"
    if any(one is None or one.person not in people for one in held):
        return "nobody"
    return "contested" if any(one is not None and one.contested for one in held) else None


@attrs.frozen(kw_only=True)
class Parting:
    """What follows from undoing a merge, and how each document changes.

    ``person/ID`` of ``survivor`` and of each of ``restored`` is written whole; ``identifier/KEY`` of each of
    ``moved`` and ``person/ID`` of each of ``pointing`` name the person given; ``row`` replaces the ledger's.
    """

    survivor: Person | None = None
    restored: tuple[Person, ...] = ()
    row: Merge | None = None
    refused: Literal["not_merged", "superseded"] | None = None
    """Why nothing is undone. Without it and without a row it was undone already, by this command."""

    @property
    def moved(self) -> dict[str, str]:
        """Key to its owner from now on."""
        return {link.key: one.id for one in self.restored for link in one.links}

    @property
    def pointing(self) -> dict[str, str]:
        """Person to whom they are part of from now on."""
        return {id: one.id for one in self.restored for id in one.absorbed}


def unmerge(row: Merge | None, *, people: Mapping[str, Person], command: str) -> Parting:
    """Undo the latest merge of a person: everybody gets back what was theirs.

    What the survivor got since then stays with the survivor; what was erased since then stays erased, and what
    somebody else has proven theirs stays theirs. The people are parted from then on: no login merges them again.

    Args:
        row: What the ledger holds of the merge; None if nothing.
        people: At least the row's survivor, if still somebody.
        command: The id of the command that undoes it.

    Example:
        >>> unmerge(None, people={}, command="c4").refused
        'not_merged'
    """
    if row is not None and row.undone_by == command:
        return Parting()
    if row is None or row.undone_by is not None:
        return Parting(refused="not_merged")
    survivor = people.get(row.survivor)
    if survivor is None or survivor.merges[-1:] != (row.command,):
        return Parting(refused="superseded")
    ids = [survivor.id, *(one.id for one in row.absorbed)]
    links = {link.key: link for link in survivor.links}
    restored = tuple(
        attrs.evolve(
            one,
            links=tuple(links.pop(link.key) for link in one.links if link.key in links),
            apart=_parted(one.apart, [id for id in ids if id != one.id], command),
        )
        for one in row.absorbed
    )
    left = attrs.evolve(
        survivor,
        links=tuple(links.values()),
        absorbed=_less(survivor.absorbed, row.history),
        merges=_less(survivor.merges, [row.command, *chain.from_iterable(one.merges for one in row.absorbed)]),
        apart=_parted(_not_from(survivor.apart, row.absorbed), ids[1:], command),
    )
    return Parting(survivor=left, restored=restored, row=attrs.evolve(row, undone_by=command))


def unite(people: Sequence[Person], *, command: str, at: datetime, rule: Rule) -> tuple[Person, Merge]:
    """The one person they become, the eldest, and the row that says so."""
    survivor = eldest(people)
    others = tuple(one for one in people if one.id != survivor.id)
    row = Merge(command=command, at=at, survivor=survivor.id, absorbed=others, rule=rule)
    whole = (survivor, *others)
    ids = (*survivor.absorbed, *row.history)
    apart = {id: by for one in whole for id, by in one.apart.items() if id != survivor.id and id not in ids}
    person = attrs.evolve(
        survivor,
        links=tuple(chain.from_iterable(one.links for one in whole)),
        absorbed=ids,
        merges=(*chain.from_iterable(one.merges for one in whole), command),
        apart=apart,
    )
    return person, row


def objection(
    people: Sequence[Person],
    other: Person,
    types: Types,
    *,
    stranger: bool = False,
) -> Reason | None:
    """What forbids that these people, who are about to be one, and another become one; None if nothing does.

    Args:
        people: Whom the identifiers seen belong to so far.
        other: Who owns one more of them.
        types: What types of identifiers are worth.
        stranger: Whether only a cookie says that two who have logged in are one.
    """
    if _two_of_one_kind(people, other, types):
        return "unique_conflict"
    if stranger:
        return "source_already_identified"
    if parted_by(people, other):
        return "unmerged"
    if sum(len(one.links) for one in people) + len(other.links) > MOST_LINKS:
        return "fan_in"
    both = {link.type for one in people for link in one.links} & {link.type for link in other.links}
    over = any(crowded(times([*people, other], type), type_of(type, types)) for type in both)
    return "limit_exceeded" if over else None


def _two_of_one_kind(people: Iterable[Person], other: Person, types: Types) -> bool:
    """Whether together they would have two identifiers of a unique type."""
    held = {link.type: link.key for link in other.links if type_of(link.type, types).unique}
    return bool(held) and any(held.get(link.type, link.key) != link.key for one in people for link in one.links)


def parted_by(people: Iterable[Person], other: Person) -> str | None:
    """The latest command by which an operator parted them, if one did."""
    commands = [
        by
        for one in people
        for those, these in ((one.apart, other.ids), (other.apart, one.ids))
        for id, by in those.items()
        if id in these
    ]
    return max(commands, default=None)


def times(people: Iterable[Person], type: str) -> list[datetime]:
    """When their identifiers of a type were linked."""
    return [link.at for one in people for link in one.links if link.type == type]


def crowded(when: list[datetime], type: IdentifierType) -> bool:
    """Whether in some time of the type's length more were linked than may be."""
    if len(when) <= type.most:
        return False
    if type.within_s is None:
        return True
    when = sorted(when)
    pairs = zip(when, when[type.most :], strict=False)
    return any((last - first).total_seconds() < type.within_s for first, last in pairs)


def _parted(apart: Mapping[str, str], ids: Iterable[str], command: str) -> dict[str, str]:
    return {**apart, **dict.fromkeys(ids, command)}


def _not_from(apart: Mapping[str, str], people: Iterable[Person]) -> dict[str, str]:
    """Less what came with these people: whom they were parted from knows it as well."""
    theirs = {id for one in people for id in one.apart}
    return {id: by for id, by in apart.items() if id not in theirs}


def _less(all: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
    without = frozenset(gone)
    return tuple(one for one in all if one not in without)
