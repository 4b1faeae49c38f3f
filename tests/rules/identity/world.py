"""A small store in memory that commits what the rules say, as a flow would, and the commands for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from cxkit.model import Evidence
from cxkit.rules.identity import (
    Merge,
    Owned,
    Parting,
    Person,
    Resolution,
    Tombstone,
    merge,
    people_of,
    resolve,
    unmerge,
    whose,
)

START: Final = datetime(2025, 6, 1, tzinfo=UTC)
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
Seen = Mapping[str, tuple[str, Evidence]]


def login(*keys: str) -> dict[str, tuple[str, Evidence]]:
    """Identifiers that were proven by a login; a key says its type: ``email-1``."""
    return {key: (type_in(key), "login") for key in keys}


def cookie(*keys: str) -> dict[str, tuple[str, Evidence]]:
    return {key: (type_in(key), "cookie") for key in keys}


def token(*keys: str) -> dict[str, tuple[str, Evidence]]:
    return {key: (type_in(key), "token") for key in keys}


def claim(*keys: str) -> dict[str, tuple[str, Evidence]]:
    return {key: (type_in(key), "claim") for key in keys}


def type_in(key: str) -> str:
    return key.partition("-")[0]


@attrs.frozen
class Command:
    """One of those that change the graph. Its number is its place in time, whenever it is applied."""

    number: int
    seen: Seen = _NONE
    options: Mapping[str, Any] = _NONE
    hours: float | None = None

    @property
    def id(self) -> str:
        return f"c{self.number:06}"

    @property
    def at(self) -> datetime:
        return START + timedelta(hours=self.number if self.hours is None else self.hours)


@attrs.define
class World:
    """The documents: `identifiers`, `people` (whole, or the id of whom they became part of), `ledger`, `tombstones`."""

    identifiers: dict[str, Owned] = attrs.Factory(dict)
    people: dict[str, Person | str] = attrs.Factory(dict)
    ledger: dict[str, Merge] = attrs.Factory(dict)
    tombstones: dict[str, Tombstone] = attrs.Factory(dict)
    born: list[str] = attrs.Factory(list)
    """Everybody who ever began, in order: no document, but what a test must know."""
    number: int = 0

    def see(self, seen: Seen, *, number: int | None = None, hours: float | None = None, **options: Any) -> Resolution:
        """The next command: identifiers were seen together."""
        self.number += 1
        return self.apply(Command(number or self.number, seen, options, hours))

    def apply(self, command: Command) -> Resolution:
        owned = {key: self.identifiers[key] for key in command.seen if key in self.identifiers}
        found = resolve(
            command.seen,
            owned=owned,
            people=self._load(owned),
            at=command.at,
            command=command.id,
            row=self.ledger.get(command.id),
            **{"tombstones": self.tombstones, **command.options},
        )
        self.commit(found, by=command.id)
        return found

    def merge(self, one: str, other: str, *, number: int | None = None, **options: Any) -> Resolution:
        """The next command: an operator says that the owners of two keys are one."""
        self.number += 1
        command = Command(number or self.number)
        owned = {key: self.identifiers[key] for key in (one, other) if key in self.identifiers}
        options = {"actor": "desk 4", "reason": "she called", **options}
        row = self.ledger.get(command.id)
        found = merge(
            one,
            other,
            owned=owned,
            people=self._load(owned),
            at=command.at,
            command=command.id,
            row=row,
            tombstones=self.tombstones,
            **options,
        )
        self.commit(found, by=command.id)
        return found

    def commit(self, found: Resolution, *, by: str) -> None:
        """Write what a resolution says, and nothing else."""
        if found.person is None:
            return
        if found.new:
            assert found.person.id not in self.born, "ids are never used again"
            self.born.append(found.person.id)
        self.people[found.person.id] = found.person
        self.people.update({one.id: one for one in found.parted})
        for key in found.moved:
            held = self.identifiers.get(key)
            self.identifiers[key] = Owned(found.person.id, contested=held.contested if held else None)
        for id in found.pointing:
            self.people[id] = found.person.id
        if found.merge:
            assert found.merge.command not in self.ledger, "a merge has one row"
            self.ledger[found.merge.command] = found.merge
        for key in found.contested:
            held = self.identifiers[key]
            assert held.contested is None
            self.identifiers[key] = attrs.evolve(held, contested=by)

    def unmerge(self, command: str, *, number: int | None = None) -> Parting:
        """The next command: an operator undoes a merge."""
        self.number += 1
        row = self.ledger.get(command)
        people = {id: one for id, one in self.people.items() if row and id == row.survivor and isinstance(one, Person)}
        found = unmerge(row, people=people, command=Command(number or self.number).id)
        if found.row and found.survivor:
            self.ledger[command] = found.row
            for one in (found.survivor, *found.restored):
                self.people[one.id] = one
            for key, owner in found.moved.items():
                self.identifiers[key] = attrs.evolve(self.identifiers[key], person=owner)
            self.people.update(found.pointing)
        return found

    def erase(self, key: str, *, at: datetime, suppress: bool = False, until: datetime | None = None) -> None:
        """Forget the owner of a key and leave tombstones of all that was theirs."""
        person = self.person(key)
        for link in person.links:
            del self.identifiers[link.key]
            self.tombstones[link.key] = Tombstone(erased_at=at, suppress=suppress, until=until)
        for id in person.ids:
            del self.people[id]
        for command in person.merges:
            del self.ledger[command]

    def person(self, key: str) -> Person:
        """The owner of a key, looked up in one hop."""
        found = self.people[self.identifiers[key].person]
        assert isinstance(found, Person), "an identifier names its owner and nobody who became part of them"
        return found

    def whose(self, seen: Seen) -> str | None:
        owned = {key: self.identifiers[key] for key in seen if key in self.identifiers}
        return whose(seen, owned=owned, people=self._load(owned))

    @property
    def documents(self) -> tuple[object, ...]:
        return (dict(self.identifiers), dict(self.people), dict(self.ledger), dict(self.tombstones))

    @property
    def living(self) -> list[Person]:
        return [one for one in self.people.values() if isinstance(one, Person)]

    @property
    def partition(self) -> set[frozenset[str]]:
        return {frozenset(link.key for link in one.links) for one in self.living if one.links}

    def check(self) -> None:
        """What holds of the documents at any time."""
        links = [(link.key, one.id) for one in self.living for link in one.links]
        assert len(dict(links)) == len(links), "an identifier has one owner"
        assert dict(links) == {key: held.person for key, held in self.identifiers.items()}
        for id, one in self.people.items():
            if isinstance(one, str):
                assert isinstance(self.people[one], Person), "nobody is further than one hop away"
                assert id in self.people[one].ids  # type: ignore[union-attr]
            else:
                assert one.id == id
                assert all(self.people[part] == id for part in one.absorbed)
                assert len(set(one.ids)) == len(one.ids)
                assert all(self.ledger[command].undone_by is None for command in one.merges)
        undone = [row for row in self.ledger.values() if row.undone_by]
        held = [command for one in self.living for command in one.merges]
        assert sorted(held) == sorted(self.ledger.keys() - {row.command for row in undone}), "a row for each merge"

    def _load(self, owned: Mapping[str, Owned]) -> dict[str, Person]:
        return {id: one for id in people_of(owned) if isinstance(one := self.people.get(id), Person)}


def after(commands: Iterable[Command]) -> World:
    """The world once commands came in this order."""
    world = World()
    for command in commands:
        world.apply(command)
        world.check()
    return world
