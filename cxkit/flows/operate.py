"""What operators do to the graph: two people are one, and the latest merge was none.

The rules are ``rules.identity.merge`` and ``unmerge``. What forbids a merge forbids it here, too, unless it is forced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import (
    Ledger,
    Life,
    consent_doc,
    consents_in,
    consents_written,
    identifier_doc,
    key_of,
    keys_of,
    ledger_doc,
    owned_in,
    person_doc,
    read,
    tombstone_doc,
    tombstone_in,
    written,
)
from cxkit.flows.known import Known
from cxkit.flows.people import read_lives, write_resolution
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import JSON, PURPOSES, Identifier, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.identity import TYPES, Merge, Parting, Resolution, Types, merge, people_of, unmerge
from cxkit.rules.profile import Traits, part_traits

__all__ = ["MERGED", "UNMERGED", "merge_people", "merged", "merging", "unmerge_people", "unmerged"]

MERGED = TouchpointSpec(name="identity.merged", kind="identity", purpose="necessary", priority="critical")
UNMERGED = TouchpointSpec(name="identity.unmerged", kind="identity", purpose="necessary", priority="critical")


def merge_people(
    desk: Desk, scope: Scope, *, other: Identifier, purposes: int, actor: str, reason: str, force: bool
) -> str | None:
    """Have the customer of the scope and somebody else be one from now on; what they are called stays with both.

    Args:
        purposes: Bits of those that both allow: who may have neither must not learn that they are one.
        force: Whether whatever forbids it is overridden.
    """
    said = merging(desk.keyring, other, actor=actor, reason=reason, force=force)
    return desk.command(MERGED, scope, identity=scope.identity, properties=said, purposes=purposes, shows=_as_it_is)


def merging(keyring: Keyring, other: Identifier, *, actor: str, reason: str, force: bool) -> dict[str, JSON]:
    """What the command of a merge says; by the key it is found, wherever it lies, once the other is erased."""
    named: dict[str, JSON] = {"type": other.type, "value": other.value, "key": key_of(keyring, other)}
    return {"with": named, "actor": actor, "reason": reason, "force": force}


def unmerge_people(desk: Desk, scope: Scope, *, merge: str, actor: str, reason: str) -> str | None:
    """Undo a merge by the command that made it. It names no customer, so whoever heard of that hears of this."""
    return desk.command(
        UNMERGED,
        scope,
        identity=Identity(),
        properties={"merge": merge, "actor": actor, "reason": reason},
        purposes=purpose_bits(PURPOSES),
        shows=_as_it_is,
        governed=False,
    )


def _as_it_is(known: Known, /, **_: object) -> Known:
    return known  # only the store can tell


def merged(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> Resolution:
    """What the command makes of the graph, of their traits and of what they chose.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no merge.
    """
    said = cast("Mapping[str, Any]", command.properties)
    other = Identifier(type=said["with"]["type"], value=said["with"]["value"], evidence="claim")
    keys = (next(iter(keys_of(keyring, command.identity))), key_of(keyring, other))
    bodies = reading.get(name(key) for key in keys for name in (identifier_doc, tombstone_doc))
    owned = {key: owned_in(bodies[name]) for key in keys if (name := identifier_doc(key)) in bodies}
    lives = read_lives(reading, people_of(owned))
    row = reading.get([ledger_doc(command.id)]).get(ledger_doc(command.id))
    found = merge(
        *keys,
        owned=owned,
        people={id: life.graph for id, life in lives.items()},
        at=command.occurred_at,
        command=command.id,
        actor=str(said["actor"]),
        reason=str(said["reason"]),
        force=said["force"] is True,
        row=None if row is None else read(row, Ledger).merge,
        tombstones={key: tombstone_in(bodies[name]) for key in keys if (name := tombstone_doc(key)) in bodies},
        types=types,
    )
    if found.merge is not None:
        write_resolution(reading, found, lives, types={}, command=command, traits={})
    return found


def unmerged(reading: Reading, keyring: Keyring, command: Interaction) -> Parting:
    """Give everybody back what was theirs before the merge.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It names no merge.
    """
    id = str(command.properties["merge"])
    body = reading.get([ledger_doc(id)]).get(ledger_doc(id))
    ledger = None if body is None else read(body, Ledger)
    lives = read_lives(reading, [ledger.merge.survivor]) if ledger else {}
    row = None if ledger is None else ledger.merge
    parting = unmerge(row, people={one: life.graph for one, life in lives.items()}, command=command.id)
    if ledger is not None and parting.survivor is not None and parting.row is not None:
        _part(reading, parting, ledger, lives[parting.survivor.id].traits)
        _settle_consent(reading, parting, ledger.merge)
        reading.put(ledger_doc(id), written(Ledger(merge=_emptied(parting.row))))
    return parting


def _part(reading: Reading, parting: Parting, ledger: Ledger, traits: Traits) -> None:
    survivor, restored = parting.survivor, parting.restored
    assert survivor is not None, "somebody is left"
    theirs = [ledger.traits.get(one.id, Traits()) for one in restored]
    kept = part_traits(traits, ledger.traits.get(survivor.id, Traits()), theirs, at=ledger.merge.at)
    names = [person_doc(id) for id in (survivor.id, *(one.id for one in restored), *parting.pointing)]
    owners = {identifier_doc(key): person for key, person in parting.moved.items()}
    bodies = reading.get([*names, *owners])
    reading.put(person_doc(survivor.id), written(Life(graph=survivor, traits=kept)))
    for one, own in zip(restored, theirs, strict=True):
        reading.put(person_doc(one.id), written(Life(graph=one, traits=own)))
    for id, whole in parting.pointing.items():
        reading.put(person_doc(id), {"part_of": whole})
    for name, person in owners.items():
        reading.put(name, {**bodies[name], "person": person})


def _settle_consent(reading: Reading, parting: Parting, merge: Merge) -> None:
    """They disagree no longer, for they are two: what the merge left open is closed."""
    people = (parting.survivor, *parting.restored)
    for name, body in reading.get(consent_doc(link.key) for one in people if one for link in one.links).items():
        made = consents_in([body])
        left = [one for one in made if (one.id, one.method) != (merge.command, "merge")]
        if left != made:
            reading.put(name, consents_written(left))


def _emptied(row: Merge) -> Merge:
    """The row without what the people had, which is theirs again, and the reason, which may name them."""
    return attrs.evolve(row, reason=None, absorbed=tuple(attrs.evolve(one, links=()) for one in row.absorbed))
