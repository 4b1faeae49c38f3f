"""Under which identifiers an act may allow something; refusing is open to anybody under any."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from cxkit.model import EVIDENCE, Evidence
from cxkit.rules.identity.graph import Owned, Person
from cxkit.rules.identity.resolving import NOW, whose
from cxkit.rules.identity.sightings import PROOF, Graph, Seen, ordered, unproven
from cxkit.rules.identity.types import TYPES, Types, proves, type_of

__all__ = ["opens"]


def opens(
    seen: Mapping[str, tuple[str, Evidence]],
    *,
    owned: Mapping[str, Owned],
    people: Mapping[str, Person],
    types: Types = TYPES,
) -> frozenset[str]:
    """The keys under which whoever was seen with these may allow something, or lift what was refused.

    Those that are theirs, and that they proved or were written to at; while nothing as good says who they are, also
    those that are nobody's. Never what is somebody else's, whatever vouches for what it was typed in beside.

    Example:
        >>> from datetime import UTC, datetime
        >>> now = datetime(2025, 6, 1, tzinfo=UTC)
        >>> people = {id: Person(id=id, born_at=now) for id in ("p1", "p2")}
        >>> seen = {"k1": ("user_id", "claim"), "k2": ("email", "claim")}
        >>> sorted(opens(seen, owned={"k1": Owned("p1"), "k2": Owned("p2")}, people=people))
        ['k1']
    """
    order = ordered(seen, types)
    graph = Graph(owned, people, types, NOW)
    graph = attrs.evolve(graph, unproven=unproven(order, graph))
    person = whose(seen, owned=owned, people=people, types=types)
    theirs = [one for one in order if _belongs(one, graph, person)]
    known = max((EVIDENCE.index(one.evidence) for one in theirs), default=-1)
    free = [one for one in order if not graph.contested(one.key) and graph.owner(one.key) is None]
    own = [one.key for one in theirs if graph.contested(one.key) or _vouched(one, graph, types)]
    return frozenset([*own, *(one.key for one in free if EVIDENCE.index(one.evidence) > known)])


def _belongs(one: Seen, graph: Graph, person: str | None) -> bool:
    if graph.contested(one.key):
        return person == graph.anonymous(one.key)
    owner = graph.owner(one.key)
    return owner is not None and owner.id == person


def _vouched(one: Seen, graph: Graph, types: Types) -> bool:
    """Not of what was only ever typed in, though it is kept beside a proof."""
    owner = graph.owner(one.key)
    links = owner.links if owner else ()
    proven = any(link.key == one.key and proves(type_of(link.type, types), link.evidence) for link in links)
    return proven or one.evidence not in PROOF
