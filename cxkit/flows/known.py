"""What is known of whoever an identifier belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

import attrs

from cxkit.flows.documents import (
    Body,
    Given,
    Life,
    asked_doc,
    askings_in,
    assigned_doc,
    consent_doc,
    consents_in,
    given_in,
    identifier_doc,
    life_in,
    owned_in,
    person_doc,
    tombstone_doc,
    tombstone_in,
)
from cxkit.flows.letterbox import Letterbox
from cxkit.model import JSON, Choice, Consent, Trait
from cxkit.roles import Store
from cxkit.rules.consent import choices_of, denials, ends, later
from cxkit.rules.identity import Owned, Person, Tombstone, Types, anonymous, people_of, proves, type_of
from cxkit.rules.profile import Traits, values, with_traits
from cxkit.rules.questions import Asked, kept

__all__ = ["Change", "Choices", "Known", "both_given", "owners_in", "read_known"]

Choices = Mapping[str, tuple[Choice, datetime]]
"""Purpose to choice, and when it was made."""

Change = Callable[["Known"], "Known"]
"""What a command that is not committed yet makes of what is known."""


@attrs.frozen(kw_only=True)
class Known:
    """What is known of whoever an identifier belongs to."""

    graph: Person | None = None
    """Who that is; None: nobody yet."""
    owned: Owned | None = None
    """What the graph says of the identifier itself."""
    traits: Traits = attrs.field(factory=Traits)
    choices: Choices = attrs.field(factory=dict)
    alone: Known | None = None
    """Of a contested device: what is known of whoever uses it while nobody has logged in."""
    contested: bool = False
    """Whether it is known by a contested device alone: it may be anybody of those who use it."""
    tombstone: Tombstone | None = None
    """That the identifier was erased, and when."""
    barred: frozenset[str] = frozenset()
    """Of the keys that were asked for, those of whom was erased so as not to come back: they recognise nobody."""
    joined: frozenset[str] = frozenset()
    """Keys that a command which is not committed yet makes one person's."""
    assigned: Mapping[str, Given] = attrs.field(factory=dict)
    """What experiments gave under any of their identifiers, by name and version: the first of it."""
    askings: tuple[Asked, ...] = ()
    """What was asked of them, and what became of it."""
    letterbox: Letterbox = attrs.field(factory=Letterbox)
    """What commands that are not committed yet add to it."""
    keys: tuple[str, ...] = ()
    """Of all their identifiers."""
    shared: Mapping[str, Owned] = attrs.field(factory=dict)
    """Of these, keys of devices that others use, too."""
    documents: frozenset[str] = frozenset()
    """What it was read from."""
    ended: frozenset[str] = frozenset()
    """Purposes that they had allowed until a day that has come; without an answer since that means no."""
    until: Mapping[str, datetime] = attrs.field(factory=dict)
    """Purpose to when their grant ends; then all of this is to be read again."""
    stale: bool = False
    """Whether the store has been out of reach for so long that only refusals are remembered."""

    @property
    def person(self) -> str | None:
        """The person's id."""
        return self.graph.id if self.graph else None

    @property
    def all_documents(self) -> frozenset[str]:
        """What it was read from, and what is known of a device alone."""
        return frozenset().union(*(one.documents for one in self.both))

    @property
    def both(self) -> tuple[Known, ...]:
        """This, and what is known of a device alone."""
        return (self,) if self.alone is None else (self, self.alone)

    def over(self, now: datetime) -> bool:
        """Whether a choice in it has ended since it was read."""
        return any(end <= now for one in self.both for end in one.until.values())

    def own(self, key: str, id: str) -> bool:
        """Whether what was recorded under this key, with this id, is theirs; as `flows.disclose.Theirs.own`."""
        return key not in self.shared or self.shared[key].vouches(id) is not self.contested

    def values(self, now: datetime) -> dict[str, JSON]:
        """Their traits, now."""
        return values(self.traits, now=now)

    def with_more(self, more: Known) -> Known:
        """Both, of one person; later choices win, denials among equals."""
        known, other = (more, self) if self.graph is None and more.graph is not None else (self, more)
        return attrs.evolve(
            known,
            traits=known.traits if known.traits.held else other.traits,
            choices=later(known.choices, other.choices),
            joined=known.joined | other.joined,
            assigned=both_given(known.assigned, other.assigned),
            askings=_both_asked(known.askings, other.askings),
            letterbox=known.letterbox.with_more(other.letterbox),
            shared={**known.shared, **other.shared},
            keys=tuple(dict.fromkeys((*known.keys, *other.keys))),
            documents=known.documents | other.documents,
            ended=(known.ended | other.ended) - known.choices.keys() - other.choices.keys(),
            until={**known.until, **other.until},
            contested=known.contested or other.contested,
            stale=known.stale or other.stale,
        )

    def chose(self, choices: Choices) -> Known:
        """After these choices."""
        return attrs.evolve(self, choices=later(self.choices, choices), ended=self.ended - choices.keys())

    def changed(self, own: Iterable[Change], others: Iterable[Change]) -> Known:
        """After commands that are not committed: under the identifier itself, and under others of the person.

        What is done on a contested device says nothing of its owner; and before it is committed, only what it
        refuses is known of who uses the device, and what was asked there, for a login may be part of it.
        """
        if self.alone is None:
            return reduce(lambda known, change: change(known), (*others, *own), self)
        after = reduce(lambda known, change: change(known), own, self.alone)
        alone = self.alone.chose(denials(after.choices)).asked(*after.askings)
        return attrs.evolve(reduce(lambda known, change: change(known), others, self), alone=alone)

    def proven(self, types: Types) -> list[str]:
        """Keys of their identifiers under which they alone act: no contested devices, nothing that they only typed."""
        links = self.graph.links if self.graph else ()
        return [
            one.key for one in links if one.key not in self.shared and proves(type_of(one.type, types), one.evidence)
        ]

    def told(self, traits: Mapping[str, Trait], joined: frozenset[str], *, id: str, at: datetime) -> Known:
        """After a command that joined these identifiers and told these traits."""
        after = with_traits(self.traits, traits, id=id, at=at) if traits else self.traits
        return attrs.evolve(self, traits=after, joined=self.joined | joined)

    def given(self, given: Mapping[str, Given]) -> Known:
        """After an experiment gave this."""
        return attrs.evolve(self, assigned=both_given(self.assigned, given))

    def asked(self, *askings: Asked) -> Known:
        """After this was asked of them, or answered, or skipped."""
        return attrs.evolve(self, askings=_both_asked(self.askings, askings))

    def posted(self, more: Letterbox) -> Known:
        """After a command that added this."""
        return attrs.evolve(self, letterbox=self.letterbox.with_more(more))

    def refusals_only(self) -> Known:
        """What holds although it may be out of date: whoever granted something may have withdrawn it since."""
        alone = self.alone and self.alone.refusals_only()
        return attrs.evolve(self, traits=Traits(), choices=denials(self.choices), alone=alone, stale=True)


def both_given(one: Mapping[str, Given], other: Mapping[str, Given]) -> Mapping[str, Given]:
    """What both say that experiments gave; of each the first."""
    if not (one and other):
        return one or other
    return {**one, **{name: one[name].with_other(new) if name in one else new for name, new in other.items()}}


def _both_asked(one: tuple[Asked, ...], other: tuple[Asked, ...]) -> tuple[Asked, ...]:
    return tuple(kept((*one, *other))) if one and other else one or other


def owners_in(found: Mapping[str, Known]) -> tuple[dict[str, Owned], dict[str, Person]]:
    """Whose these keys are, and who those people are."""
    both = [known for one in found.values() for known in one.both]
    owned = {key: one.owned for key, one in found.items() if one.owned is not None}
    return owned, {known.graph.id: known.graph for known in both if known.graph is not None}


def read_known(store: Store, keys: Sequence[str], now: datetime) -> dict[str, Known]:
    """What the store knows under these keys: three questions, however many they are."""
    asked = [name for key in keys for name in (tombstone_doc(key), *_names(key))]
    bodies = {name: one.body for name, one in store.get_many(asked).items()}
    owned = {key: held for key in keys if (held := _owned(key, bodies)) is not None}
    people = [person_doc(id) for id in people_of(owned)]
    bodies |= {name: one.body for name, one in (store.get_many(people) if people else {}).items()}
    lives = {name: life for name in people if name in bodies and (life := life_in(bodies[name])) is not None}
    linked = [link.key for life in lives.values() for link in life.graph.links]
    more = {name for key in linked for name in _names(key)} - set(asked)
    bodies |= {name: one.body for name, one in (store.get_many(more) if more else {}).items()}
    return {key: _known(key, owned.get(key), lives, bodies, now) for key in keys}


def _names(key: str) -> tuple[str, ...]:
    """What is read of each identifier of a person."""
    return identifier_doc(key), consent_doc(key), assigned_doc(key), asked_doc(key)


def _known(
    key: str, owned: Owned | None, lives: Mapping[str, Life], bodies: Mapping[str, Body], now: datetime
) -> Known:
    grave = bodies.get(tombstone_doc(key))

    def of(person: str | None, *, alone: Known | None = None, theirs: bool = True) -> Known:
        life = lives.get(person_doc(person)) if person else None
        keys = list(dict.fromkeys([key, *(link.key for link in life.graph.links)] if life else [key]))
        names = [name for one in keys for name in _names(one)]
        chosen = [made for one in keys for made in _chosen(one, bodies, theirs=theirs)]
        documents = [tombstone_doc(key), *names, *([person_doc(person)] if person else [])]
        ended, until = ends(chosen, now=now)
        shared = {one: held for one in keys if (held := _owned(one, bodies)) is not None and held.contested}
        return Known(
            graph=life.graph if life else None,
            owned=owned,
            traits=life.traits if life else Traits(),
            choices=choices_of(chosen, now=now),
            ended=ended,
            until=until,
            alone=alone,
            contested=owned is not None and owned.contested is not None and person != owned.person,
            tombstone=None if grave is None else tombstone_in(grave),
            keys=tuple(keys),
            shared=shared,
            assigned=reduce(
                both_given, _assigned([one for one in keys if one == key or one not in shared], bodies), {}
            ),
            askings=tuple(kept(made for one in keys for made in _asked(one, bodies, theirs=theirs))),
            documents=frozenset(documents),
        )

    if owned is None or owned.contested is None:
        return of(owned.person if owned else None)
    return of(owned.person, alone=of(anonymous(key, owned.contested), theirs=False))


def _chosen(key: str, bodies: Mapping[str, Body], *, theirs: bool) -> list[Consent]:
    """The choices made under an identifier; if somebody's are asked for, only from before others used it, too."""
    consent = bodies.get(consent_doc(key))
    made = consents_in([consent]) if consent is not None else []
    held = _owned(key, bodies) if theirs else None
    return [one for one in made if held is None or held.vouches(one.id)]


def _asked(key: str, bodies: Mapping[str, Body], *, theirs: bool) -> list[Asked]:
    """Likewise what was asked."""
    body = bodies.get(asked_doc(key))
    if body is None:
        return []
    held = _owned(key, bodies) if theirs else None
    return [one for one in askings_in(body) if held is None or held.vouches(one.id)]


def _assigned(keys: Iterable[str], bodies: Mapping[str, Body]) -> list[Mapping[str, Given]]:
    return [given_in(bodies[name]) for key in keys if (name := assigned_doc(key)) in bodies]


def _owned(key: str, bodies: Mapping[str, Body]) -> Owned | None:
    own = bodies.get(identifier_doc(key))
    return None if own is None else owned_in(own)
