"""Identifiers seen together: which of them take part, and whom they find."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import attrs

from cxkit.model import EVIDENCE, Evidence
from cxkit.rules.identity.graph import Owned, Person, Rule, Tombstone, anonymous, eldest
from cxkit.rules.identity.types import IdentifierType, Types, proves, type_of

__all__ = ["PROOF", "Graph", "Seen", "buried", "less", "ordered", "owners", "target", "typed", "unproven", "unstitched"]

PROOF: Final = ("login", "cookie")


class Seen(NamedTuple):
    """An identifier that was seen."""

    key: str
    type: str
    evidence: Evidence
    worth: IdentifierType
    added: bool = False
    """Whether it was given to be somebody's: it says of nobody who they are."""


@attrs.frozen
class Graph:
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
        return held is not None and not held.vouches(self.command)

    def anonymous(self, key: str) -> str:
        return anonymous(key, self.owned[key].contested or "")

    def meant(self, order: Iterable[Seen]) -> Person | None:
        """Whom a claim means: the first that is known."""
        for one in order:
            person = self.people.get(self.anonymous(one.key)) if self.contested(one.key) else self.owner(one.key)
            if person:
                return person
        return None


def target(trusted: Sequence[Seen], graph: Graph) -> tuple[Person, Rule] | None:
    """Whom proof that is not contested finds: by the best evidence a strong identifier's owner, else the oldest.

    What was added finds somebody only where nothing else does, and nobody who has logged in.
    """
    held = [one for one in trusted if not one.added]
    return _found(held, graph) or (_found(trusted, graph) if len(held) < len(trusted) else None)


def _found(trusted: Sequence[Seen], graph: Graph) -> tuple[Person, Rule] | None:
    logins = owners(trusted, graph)
    here = any(one.evidence == "login" for one in trusted)
    unique: dict[str, str] = {}
    for proof in PROOF:
        group = [one for one in trusted if one.evidence == proof]
        for one in group:
            if one.worth.unique:
                unique.setdefault(one.type, one.key)
        found = []
        for one in group:
            owner = graph.owner(one.key)
            if owner is None or any((held := owner.keys(type)) and key not in held for type, key in unique.items()):
                continue
            if owner.logged_in and (one.added or (here and owner.id not in logins)):
                continue
            if one.worth.kind == "strong":
                return owner, "strong_owner"
            found.append(owner)
        if found:
            return eldest(found), "oldest_owner"
    return None


def owners(trusted: Iterable[Seen], graph: Graph) -> frozenset[str]:
    """Who owns what was seen with a login."""
    found = (graph.owner(one.key) for one in trusted if one.evidence == "login" and not one.added)
    return frozenset(owner.id for owner in found if owner)


def ordered(seen: Mapping[str, tuple[str, Evidence]], types: Types, added: Container[str] = frozenset()) -> list[Seen]:
    """The strongest first: by evidence, then by the type's priority; last what was added, as sure as the best."""
    order = [Seen(key, type, evidence, type_of(type, types), key in added) for key, (type, evidence) in seen.items()]
    best: Evidence = max((one.evidence for one in order if not one.added), key=EVIDENCE.index, default="claim")
    order = [one._replace(evidence=best) if one.added else one for one in order]
    order.sort(key=lambda one: (one.added, -EVIDENCE.index(one.evidence), -one.worth.priority, one.type, one.key))
    return order


def less(order: Sequence[Seen], gone: Container[str]) -> list[Seen]:
    """The others."""
    return [one for one in order if one.key not in gone]


def typed(order: Sequence[Seen], graph: Graph) -> list[str]:
    """What somebody typed in beside a cookie although it is another's: that makes nobody that other."""
    vouching = [one for one in order if proves(one.worth, one.evidence) and not one.added]
    vouched = {owner.id for one in vouching if not graph.contested(one.key) and (owner := graph.owner(one.key))}
    found = []
    for one in order:
        owner = graph.holder(one.key)
        if one.evidence != "cookie" or proves(one.worth, one.evidence) or owner is None or owner.id in vouched:
            continue
        if any(link.key == one.key and link.by == graph.command for link in owner.links):
            continue  # by this command, which comes again
        if owner.logged_in or vouching:
            found.append(one.key)
    return found


def unproven(order: Sequence[Seen], graph: Graph) -> frozenset[str]:
    """What is proven by a login while its owner had only typed it in, if nothing else here says it is them."""
    logins = {one.key for one in order if one.evidence == "login"}
    found: dict[str, Person] = {}
    vouched = set()
    for one in order:
        holder = None if graph.contested(one.key) else graph.holder(one.key)
        if holder is None or one.evidence not in PROOF:
            continue
        link = next((link for link in holder.links if link.key == one.key), None)
        if one.key in logins and link is not None and not proves(one.worth, link.evidence):
            if not (one.added and holder.logged_in):
                found[one.key] = holder
        elif proves(one.worth, one.evidence) and not one.added:
            vouched.add(holder.id)
    return frozenset(
        key
        for key, holder in found.items()
        if holder.id not in vouched and not logins.issuperset(link.key for link in holder.links)
    )


def buried(order: Sequence[Seen], tombstones: Mapping[str, Tombstone], at: datetime) -> list[str] | None:
    """Keys that were erased and may not come back; None if the whole command may not.

    It may not if it is from before an erasure, nor if who was erased logs in; what was added may not alone. A new
    login beside the cookie of somebody who was erased is somebody's who uses the same device.
    """
    graves = {one: tombstones[one.key] for one in order if one.key in tombstones}
    if any(grave.covers(at) for one, grave in graves.items() if not one.added):
        return None
    added = [one.key for one, grave in graves.items() if one.added and grave.forbids(at)]
    kept = {one.key for one, grave in graves.items() if not one.added and grave.bars(at)}
    logins = {one.key for one in order if one.evidence == "login" and not one.added}
    return [*kept, *added] if not kept or (logins and not logins & kept) else None


def unstitched(order: Sequence[Seen]) -> list[str]:
    """What may not be joined to what names: all but the logins, or all but the strongest if there is none."""
    proven = [one for one in order if one.evidence in PROOF]
    names = [one for one in proven if one.evidence == "login" and one.worth.kind != "device"] or proven[:1]
    return [one.key for one in proven if one not in names]
