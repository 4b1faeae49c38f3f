"""Whose identifiers are that were seen together, and what follows from it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import attrs

from cxkit.model import EVIDENCE, Evidence
from cxkit.rules.identity.graph import (
    Link,
    Merge,
    Owned,
    Person,
    Reason,
    Resolution,
    Rule,
    Tombstone,
    anonymous,
    eldest,
)
from cxkit.rules.identity.merging import crowded, objection, parted_by, times, unite
from cxkit.rules.identity.types import SESSIONS, TYPES, IdentifierType, Types, proves, type_of

__all__ = ["resolve", "whose"]

_PROOF: Final = ("login", "cookie")
_NOW: Final = "\U0010ffff"
"""Later than any command."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def resolve(
    seen: Mapping[str, tuple[str, Evidence]],
    *,
    owned: Mapping[str, Owned],
    people: Mapping[str, Person],
    at: datetime,
    command: str,
    types: Types = TYPES,
    row: Merge | None = None,
    tombstones: Mapping[str, Tombstone] = _NONE,
    stitching: bool = True,
) -> Resolution:
    """Decide for identifiers seen together whose they are.

    Only what is proven, by a login or a cookie, finds a person, links or merges. The best evidence
    that is known finds the person; the rest is linked if it is nobody's, merged if its owner may be
    the same, and refused by name if not. A device that two people used is contested: from then on
    it is linked to nothing, and alone it is a person of its own.

    A cookie proves a device only. What else was given beside it was typed by whoever uses that: it is
    linked if it is nobody's, until somebody logs in with it, whose it is then; it makes nobody somebody else.

    The same command may come again, and late: once anything it did is seen, it does nothing more.

    Args:
        seen: Key to type and evidence.
        owned: Key to its owner, of those that have one.
        people: Id to person: at least those of `people_of`.
        at: When they were seen.
        command: The command's id, which grows with time; the id of a new person.
        types: What types of identifiers are worth.
        row: What the ledger holds under this command.
        tombstones: Of the keys that were erased.
        stitching: Whether the customer lets identifiers that recognise be joined to those that name.

    Example:
        >>> from datetime import UTC
        >>> now = datetime(2025, 6, 1, tzinfo=UTC)
        >>> seen = {"k1": ("user_id", "login"), "k2": ("visitor", "cookie")}
        >>> found = resolve(seen, owned={}, people={}, at=now, command="c1")
        >>> found.person.id, found.new, found.moved
        ('c1', True, ('k1', 'k2'))
    """
    order = _ordered(seen, types)
    refused: dict[str, Reason] = {one.key: "illegal_id" for one in order if one.type in SESSIONS}
    buried = _buried(_less(order, refused), tombstones, at)
    if buried is None:
        return Resolution(refused=refused, dropped="tombstoned")
    refused.update(dict.fromkeys(buried, "tombstoned"))
    if not stitching:
        refused.update(dict.fromkeys(_unstitched(_less(order, refused)), "consent_denied"))
    order = _less(order, refused)
    graph = _Graph(owned, people, types, command)
    graph = attrs.evolve(graph, unproven=_unproven(order, graph))
    refused.update(dict.fromkeys(_typed(order, graph), "source_already_identified"))
    return _Case(graph, _less(order, refused), at, refused, again=row is not None or graph.applied()).decide()


def whose(
    seen: Mapping[str, tuple[str, Evidence]],
    *,
    owned: Mapping[str, Owned],
    people: Mapping[str, Person],
    types: Types = TYPES,
) -> str | None:
    """Who identifiers seen together belong to now; None if they are nobody's. Changes nothing.

    Whoever was seen with proof is whom `resolve` would find. What is only claimed, or came with a
    message, is enough to look somebody up, unless there is proof of somebody else.

    Example:
        >>> from datetime import UTC, datetime
        >>> nancy = Person(id="p1", born_at=datetime(2025, 6, 1, tzinfo=UTC))
        >>> whose({"k1": ("phone", "claim")}, owned={"k1": Owned("p1")}, people={"p1": nancy})
        'p1'
    """
    graph = _Graph(owned, people, types, _NOW)
    order = _ordered(seen, types)
    graph = attrs.evolve(graph, unproven=_unproven(order, graph))
    order = _less(order, _typed(order, graph))
    proven = [one for one in order if one.evidence in _PROOF]
    trusted = [one for one in proven if not graph.contested(one.key)]
    if trusted:
        found = _target(trusted, graph)
        return found[0].id if found else None
    if proven:
        return graph.anonymous(proven[0].key)
    person = graph.meant(order)
    return person.id if person else None


class _Seen(NamedTuple):
    key: str
    type: str
    evidence: Evidence
    worth: IdentifierType


@attrs.frozen
class _Graph:
    """What is known of the identifiers, as one command sees it."""

    owned: Mapping[str, Owned]
    people: Mapping[str, Person]
    types: Types
    command: str
    unproven: frozenset[str] = frozenset()
    """Keys whose owner only typed them, of whoever logs in with them now."""

    def owner(self, key: str) -> Person | None:
        return None if key in self.unproven else self.holder(key)

    def holder(self, key: str) -> Person | None:
        held = self.owned.get(key)
        return self.people.get(held.person) if held else None

    def applied(self) -> bool:
        """Whether anything that the command did is seen: it was committed as a whole."""
        contested = any(held.contested == self.command for held in self.owned.values())
        return contested or any(link.by == self.command for one in self.people.values() for link in one.links)

    def contested(self, key: str) -> bool:
        """Whether a device says of nobody who they are; not yet for a command from before it was contested."""
        held = self.owned.get(key)
        return held is not None and held.contested is not None and self.command > held.contested

    def anonymous(self, key: str) -> str:
        return anonymous(key, self.owned[key].contested or "")

    def meant(self, order: Iterable[_Seen]) -> Person | None:
        """Whom a claim means: the first that is known."""
        for one in order:
            person = self.people.get(self.anonymous(one.key)) if self.contested(one.key) else self.owner(one.key)
            if person:
                return person
        return None


@attrs.define
class _Case:
    """One command on its way to a resolution."""

    graph: _Graph
    order: Sequence[_Seen]
    at: datetime
    refused: dict[str, Reason]
    again: bool
    """Whether the command was applied before."""
    whole: list[Person] = attrs.field(factory=list)
    """The person found, then those who turn out to be the same."""
    new: bool = False
    rule: Rule = "new_person"
    logins: frozenset[str] = frozenset()
    """Who owns what was seen with a login."""
    linked: list[Link] = attrs.field(factory=list)
    contested: list[str] = attrs.field(factory=list)
    parted: dict[str, Person] = attrs.field(factory=dict)
    """Who had typed in what is somebody else's, by id, without it."""

    def decide(self) -> Resolution:
        graph = self.graph
        proven = [one for one in self.order if one.evidence in _PROOF]
        trusted = [one for one in proven if not graph.contested(one.key)]
        for one in self.order:
            if one.evidence not in _PROOF and graph.owner(one.key) is None:
                self.refused[one.key] = "weak_evidence"
        if not trusted:
            return self._nobody(proven)
        found = _target(trusted, graph)
        if self.again:
            return Resolution(person=found[0] if found else None, refused=self.refused)
        self.new = found is None
        person, self.rule = found or (Person(id=graph.command, born_at=self.at), "new_person")
        self.whole.append(person)
        self.logins = _owners(trusted, graph)
        for one in trusted:
            reason = self._take(one)
            if reason:
                self.refused[one.key] = reason
        return self._done(proven)

    def _nobody(self, proven: Sequence[_Seen]) -> Resolution:
        """Nothing says who it is: whoever uses a contested device, or whom a claim means."""
        if not proven:
            return Resolution(person=self.graph.meant(self.order), refused=self.refused)
        id = self.graph.anonymous(proven[0].key)
        known = self.graph.people.get(id)
        person = known or Person(id=id, born_at=self.at)
        return Resolution(person=person, new=known is None, refused=self.refused)

    def _take(self, one: _Seen) -> Reason | None:
        """Link an identifier that is nobody's, or merge its owner; or why not."""
        owner = self.graph.owner(one.key)
        if owner is None:
            return self._link(one)
        if any(owner.id == part.id for part in self.whole):
            return None
        reason = objection(self.whole, owner, self.graph.types, stranger=self._stranger(owner))
        if reason is None and self.new:
            reason = "unique_conflict"  # with what was seen beside it: else the owner would have been found
        if reason is None:
            self.whole.append(owner)
        elif one.worth.kind == "device" and self._contests(one.key, reason, owner):
            self.contested.append(one.key)
        return reason

    def _link(self, one: _Seen) -> Reason | None:
        held = times(self.whole, one.type)
        if one.worth.unique and held:
            return "unique_conflict"
        if crowded([*held, self.at], one.worth):
            return "limit_exceeded"
        by = self.graph.command
        if one.key in self.graph.unproven:
            self._take_from(one.key)
        link = Link(key=one.key, type=one.type, evidence=one.evidence, at=self.at, by=by, rule=self.rule)
        self.linked.append(link)
        self.whole[0] = attrs.evolve(self.whole[0], links=(*self.whole[0].links, link))
        return None

    def _take_from(self, key: str) -> None:
        """Somebody typed in what another has proven now: it is theirs no longer."""
        holder = self.graph.holder(key)
        assert holder is not None, "it was somebody's"
        held = self.parted.get(holder.id, holder)
        self.parted[holder.id] = attrs.evolve(held, links=tuple(one for one in held.links if one.key != key))

    def _stranger(self, owner: Person) -> bool:
        """Whether only a cookie says that somebody who has logged in is somebody else who has, or does so now."""
        if not owner.logged_in or owner.id in self.logins:
            return False
        return any(part.logged_in for part in self.whole) or any(seen.evidence == "login" for seen in self.order)

    def _contests(self, key: str, reason: Reason, owner: Person) -> bool:
        """Whether a refusal shows that a device is shared; not what was settled since by an operator."""
        if self.graph.owned[key].contested:
            return False
        parted = parted_by(self.whole, owner)
        if parted:
            return self.graph.command > parted
        return reason in ("unique_conflict", "source_already_identified")

    def _done(self, proven: Sequence[_Seen]) -> Resolution:
        person, row = self.whole[0], None
        if len(self.whole) > 1:
            person, row = unite(self.whole, command=self.graph.command, at=self.at, rule=self.rule)
        for one in proven:
            if self.graph.contested(one.key) and self.graph.owned[one.key].person not in person.ids:
                self.refused[one.key] = "contested"
        return Resolution(
            person=person.proved({one.key: one.evidence for one in proven}),
            new=self.new,
            linked=tuple(self.linked),
            merge=row,
            contested=tuple(self.contested),
            parted=tuple(self.parted.values()),
            refused=self.refused,
        )


def _target(trusted: Sequence[_Seen], graph: _Graph) -> tuple[Person, Rule] | None:
    """Whom proof that is not contested finds: by the best evidence a strong identifier's owner, else the oldest."""
    logins = _owners(trusted, graph)
    here = any(one.evidence == "login" for one in trusted)
    unique: dict[str, str] = {}
    for proof in _PROOF:
        group = [one for one in trusted if one.evidence == proof]
        for one in group:
            if one.worth.unique:
                unique.setdefault(one.type, one.key)
        found = []
        for one in group:
            owner = graph.owner(one.key)
            if owner is None or any((held := owner.keys(type)) and key not in held for type, key in unique.items()):
                continue
            if here and owner.logged_in and owner.id not in logins:
                continue
            if one.worth.kind == "strong":
                return owner, "strong_owner"
            found.append(owner)
        if found:
            return eldest(found), "oldest_owner"
    return None


def _owners(trusted: Iterable[_Seen], graph: _Graph) -> frozenset[str]:
    found = (graph.owner(one.key) for one in trusted if one.evidence == "login")
    return frozenset(owner.id for owner in found if owner)


def _ordered(seen: Mapping[str, tuple[str, Evidence]], types: Types) -> list[_Seen]:
    """The strongest first: by evidence, then by the type's priority."""
    order = [_Seen(key, type, evidence, type_of(type, types)) for key, (type, evidence) in seen.items()]
    order.sort(key=lambda one: (-EVIDENCE.index(one.evidence), -one.worth.priority, one.type, one.key))
    return order


def _less(order: Sequence[_Seen], gone: Container[str]) -> list[_Seen]:
    return [one for one in order if one.key not in gone]


def _typed(order: Sequence[_Seen], graph: _Graph) -> list[str]:
    """What somebody typed in beside a cookie although it is another's: that makes nobody that other."""
    vouching = [one for one in order if one.evidence in _PROOF and proves(one.worth, one.evidence)]
    vouched = {owner.id for one in vouching if not graph.contested(one.key) and (owner := graph.owner(one.key))}
    found = []
    for one in order:
        owner = graph.holder(one.key)
        if one.evidence != "cookie" or proves(one.worth, one.evidence) or owner is None or owner.id in vouched:
            continue
        if owner.logged_in or vouching:
            found.append(one.key)
    return found


def _unproven(order: Sequence[_Seen], graph: _Graph) -> frozenset[str]:
    """What is proven by a login while its owner had only typed it in, if nothing else here says it is them."""
    logins = {one.key for one in order if one.evidence == "login"}
    found: dict[str, Person] = {}
    vouched = set()
    for one in order:
        holder = None if graph.contested(one.key) else graph.holder(one.key)
        if holder is None or one.evidence not in _PROOF:
            continue
        link = next((link for link in holder.links if link.key == one.key), None)
        if one.key in logins and link is not None and not proves(one.worth, link.evidence):
            found[one.key] = holder
        elif proves(one.worth, one.evidence):
            vouched.add(holder.id)
    return frozenset(
        key
        for key, holder in found.items()
        if holder.id not in vouched and not logins.issuperset(link.key for link in holder.links)
    )


def _buried(order: Sequence[_Seen], tombstones: Mapping[str, Tombstone], at: datetime) -> list[str] | None:
    """Keys that were erased and may not come back; None if the whole command may not.

    It may not if it is from before an erasure, nor if who was erased logs in. A new login beside the
    cookie of somebody who was erased is somebody's who uses the same device.
    """
    graves = {one.key: tombstones[one.key] for one in order if one.key in tombstones}
    if any(grave.covers(at) for grave in graves.values()):
        return None
    kept = {key for key, grave in graves.items() if grave.bars(at)}
    logins = {one.key for one in order if one.evidence == "login"}
    return list(kept) if not kept or (logins and not logins & kept) else None


def _unstitched(order: Sequence[_Seen]) -> list[str]:
    """What may not be joined to what names: all but the logins, or all but the strongest if there is none."""
    proven = [one for one in order if one.evidence in _PROOF]
    names = [one for one in proven if one.evidence == "login" and one.worth.kind != "device"] or proven[:1]
    return [one.key for one in proven if one not in names]
