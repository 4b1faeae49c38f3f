"""Whose identifiers are that were seen together, and what follows from it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import attrs

from cxkit.model import Evidence
from cxkit.rules.identity.graph import (
    Link,
    Merge,
    Owned,
    Person,
    Reason,
    Resolution,
    Rule,
    Tombstone,
)
from cxkit.rules.identity.merging import crowded, objection, parted_by, times, unite
from cxkit.rules.identity.sightings import (
    PROOF,
    Graph,
    Seen,
    buried,
    less,
    ordered,
    owners,
    target,
    typed,
    unproven,
    unstitched,
)
from cxkit.rules.identity.types import SESSIONS, TYPES, Types

__all__ = ["NOW", "resolve", "whose"]

NOW: Final = "\U0010ffff"
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
    added: Container[str] = frozenset(),
) -> Resolution:
    """Decide for identifiers seen together whose they are.

    Only what is proven, by a login or a cookie, finds a person, links or merges. The best evidence
    that is known finds the person; the rest is linked if it is nobody's, merged if its owner may be
    the same, and refused by name if not. A device that two people used is contested: from then on
    it is linked to nothing, and alone it is a person of its own.

    A cookie proves a device only. What else was given beside it was typed by whoever uses that: it is
    linked if it is nobody's, until somebody logs in with it, whose it is then; it makes nobody somebody else.

    What was added to the others, without a login of its own, belongs to whom they find: if it is nobody's, or
    somebody's who never logged in. Of anybody else it is refused.

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
        added: Keys of what was added.

    Example:
        >>> from datetime import UTC
        >>> now = datetime(2025, 6, 1, tzinfo=UTC)
        >>> seen = {"k1": ("user_id", "login"), "k2": ("visitor", "cookie")}
        >>> found = resolve(seen, owned={}, people={}, at=now, command="c1")
        >>> found.person.id, found.new, found.moved
        ('c1', True, ('k1', 'k2'))
    """
    order = ordered(seen, types, added)
    refused: dict[str, Reason] = {one.key: "illegal_id" for one in order if one.type in SESSIONS}
    graves = buried(less(order, refused), tombstones, at)
    if graves is None:
        return Resolution(refused=refused, dropped="tombstoned")
    refused.update(dict.fromkeys(graves, "tombstoned"))
    if not stitching:
        refused.update(dict.fromkeys(unstitched(less(order, refused)), "consent_denied"))
    order = less(order, refused)
    graph = Graph(owned, people, types, command)
    graph = attrs.evolve(graph, unproven=unproven(order, graph))
    refused.update(dict.fromkeys(typed(order, graph), "source_already_identified"))
    return _Case(graph, less(order, refused), at, refused, again=row is not None or graph.applied()).decide()


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
    graph = Graph(owned, people, types, NOW)
    order = ordered(seen, types)
    graph = attrs.evolve(graph, unproven=unproven(order, graph))
    order = less(order, typed(order, graph))
    proven = [one for one in order if one.evidence in PROOF]
    trusted = [one for one in proven if not graph.contested(one.key)]
    if trusted:
        found = target(trusted, graph)
        return found[0].id if found else None
    if proven:
        return graph.anonymous(proven[0].key)
    person = graph.meant(order)
    return person.id if person else None


@attrs.define
class _Case:
    """One command on its way to a resolution."""

    graph: Graph
    order: Sequence[Seen]
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
        proven = [one for one in self.order if one.evidence in PROOF]
        trusted = [one for one in proven if not graph.contested(one.key)]
        for one in self.order:
            if one.evidence not in PROOF and graph.owner(one.key) is None:
                self.refused[one.key] = "weak_evidence"
        if all(one.added for one in trusted):
            return self._nobody([one for one in proven if not one.added])
        found = target(trusted, graph)
        if self.again:
            return Resolution(person=found[0] if found else None, refused=self.refused)
        self.new = found is None
        person, self.rule = found or (Person(id=graph.command, born_at=self.at), "new_person")
        self.whole.append(person)
        self.logins = owners(trusted, graph)
        for one in trusted:
            reason = self._take(one)
            if reason:
                self.refused[one.key] = reason
        return self._done(proven)

    def _nobody(self, proven: Sequence[Seen]) -> Resolution:
        """Nothing says who it is: whoever uses a contested device, or whom a claim means."""
        reason: Reason = "contested" if proven else "source_already_identified"
        self.refused.update({one.key: reason for one in self.order if one.added and one.evidence in PROOF})
        if not proven:
            return Resolution(person=self.graph.meant(less(self.order, self.refused)), refused=self.refused)
        id = self.graph.anonymous(proven[0].key)
        known = self.graph.people.get(id)
        person = known or Person(id=id, born_at=self.at)
        return Resolution(person=person, new=known is None, refused=self.refused)

    def _take(self, one: Seen) -> Reason | None:
        """Link an identifier that is nobody's, or merge its owner; or why not."""
        owner = self.graph.owner(one.key)
        if owner is None:
            return self._link(one)
        if any(owner.id == part.id for part in self.whole):
            return None
        stranger = owner.logged_in if one.added else self._stranger(owner)
        reason = objection(self.whole, owner, self.graph.types, stranger=stranger)
        if reason is None and self.new:
            reason = "unique_conflict"  # with what was seen beside it: else the owner would have been found
        if reason is None:
            self.whole.append(owner)
        elif one.worth.kind == "device" and self._contests(one.key, reason, owner):
            self.contested.append(one.key)
        return reason

    def _link(self, one: Seen) -> Reason | None:
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

    def _done(self, proven: Sequence[Seen]) -> Resolution:
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
