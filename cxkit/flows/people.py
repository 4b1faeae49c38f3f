"""People: what the graph decided, written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from cxkit.flows.documents import (
    Ledger,
    Life,
    consent_doc,
    consents_in,
    identifier_doc,
    keys_of,
    ledger_doc,
    life_in,
    owned_in,
    person_doc,
    seen_in,
    tombstone_doc,
    tombstone_in,
    with_consent,
    written,
)
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import JSON, Interaction, Trait
from cxkit.rules.consent import merged
from cxkit.rules.identity import TYPES, Person, Resolution, Types, opens, people_of
from cxkit.rules.profile import Traits, merge_traits, with_traits

__all__ = ["alive", "opened_by", "read_ahead", "read_lives", "write_resolution"]


def alive(reading: Reading, keys: Iterable[str], at: datetime) -> list[str]:
    """Those that were not erased after that moment, nor so that they may not come back."""
    names = {tombstone_doc(key): key for key in keys}
    graves = {names[name]: tombstone_in(body) for name, body in reading.get(names).items()}
    gone = {key for key, grave in graves.items() if grave.forbids(at)}
    return [key for key in names.values() if key not in gone]


def opened_by(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> frozenset[str]:
    """The keys under which a command may allow something or lift what was refused: never what is somebody else's.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It names nobody.
    """
    seen = seen_in(keys_of(keyring, command.identity))
    bodies = reading.get(map(identifier_doc, seen))
    owned = {key: owned_in(body) for key in seen if (body := bodies.get(identifier_doc(key))) is not None}
    people = {id: life.graph for id, life in read_lives(reading, people_of(owned)).items()}
    return opens(seen, owned=owned, people=people, types=types)


def read_ahead(reading: Reading, keyring: Keyring, commands: Iterable[Interaction]) -> None:
    """What these commands will ask for, in two questions however many they are.

    Raises:
        StoreError: It cannot be read now.
        ValueError: A command names nobody.
    """
    names: dict[str, None] = {}
    keys: dict[str, None] = {}
    for command in commands:
        theirs = keys_of(keyring, command.identity)
        keys.update(dict.fromkeys(theirs))
        own = (ledger_doc, person_doc) if command.kind == "identity" else ()
        names.update(dict.fromkeys(name(command.id) for name in own))
        names.update(dict.fromkeys(map(consent_doc, theirs if command.kind == "consent" else ())))
    bodies = reading.get([*names, *(name(key) for key in keys for name in (identifier_doc, tombstone_doc))])
    owned = {key: owned_in(body) for key in keys if (body := bodies.get(identifier_doc(key))) is not None}
    reading.get(map(person_doc, people_of(owned)))


def read_lives(reading: Reading, people: Iterable[str]) -> dict[str, Life]:
    """Those who are still somebody, by id.

    Raises:
        StoreError: They cannot be read now.
    """
    names = {id: person_doc(id) for id in people}
    bodies = reading.get(names.values())
    return {id: life for id, name in names.items() if name in bodies and (life := life_in(bodies[name])) is not None}


def write_resolution(
    reading: Reading,
    found: Resolution,
    lives: Mapping[str, Life],
    *,
    types: Mapping[str, str],
    command: Interaction,
    traits: Mapping[str, Trait],
) -> None:
    """Each document as a resolution says, and the person's traits after the command.

    Args:
        lives: At least of all who are part of it.
        types: Key to type, of the identifiers that were seen.
    """
    person = found.person
    assert person is not None, "there is somebody"
    held = lives[person.id].traits if person.id in lives else Traits()
    for one in found.absorbed:
        held = merge_traits(held, lives[one.id].traits, at=command.occurred_at)
    after = with_traits(held, traits, id=command.id, at=command.occurred_at) if traits else held
    reading.get([person_doc(id) for id in (person.id, *found.pointing)])
    if found.new or found.linked or found.merge or traits or person != lives[person.id].graph:
        reading.put(person_doc(person.id), written(Life(graph=person, traits=after)))
    _own(reading, found, person, {**types, **{link.key: link.type for link in person.links}}, command.id)
    for one in found.parted:
        reading.get([person_doc(one.id)])
        reading.put(person_doc(one.id), written(Life(graph=one, traits=lives[one.id].traits)))
    for id in found.pointing:
        reading.put(person_doc(id), {"part_of": person.id})
    if found.merge is not None:
        _write_merge(reading, found, lives)


def _own(reading: Reading, found: Resolution, person: Person, types: Mapping[str, str], command: str) -> None:
    names = {key: identifier_doc(key) for key in (*found.moved, *found.contested)}
    bodies = reading.get(names.values())
    for key in found.moved:
        body: dict[str, JSON] = {**bodies.get(names[key], {"type": types[key]}), "person": person.id}
        reading.put(names[key], body)
    for key in found.contested:
        reading.put(names[key], {**bodies[names[key]], "contested": command})


def _write_merge(reading: Reading, found: Resolution, lives: Mapping[str, Life]) -> None:
    """The ledger's row; and where the people had chosen differently, that this is not settled."""
    row, person = found.merge, found.person
    assert row is not None, "somebody was absorbed"
    assert person is not None, "by somebody"
    name = ledger_doc(row.command)
    reading.get([name])
    whole = (row.survivor, *(one.id for one in row.absorbed))
    reading.put(name, written(Ledger(merge=row, traits={id: lives[id].traits for id in whole})))
    theirs = {link.key for one in row.absorbed for link in one.links}
    mine = [link.key for link in person.links if link.key not in theirs and link not in found.linked]
    if not mine or not theirs:
        return
    names = {key: consent_doc(key) for key in (*mine, *theirs)}
    bodies = reading.get(names.values())
    sides = [consents_in(bodies[names[key]] for key in side if names[key] in bodies) for side in (mine, theirs)]
    conflict = merged(*sides, id=row.command, at=row.at)
    if conflict is not None:
        name = names[mine[0]]
        reading.put(name, with_consent(bodies.get(name), conflict))
