"""What is known of whoever an identifier belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from cxkit.flows.letterbox import Letterbox
from cxkit.model import JSON, Choice, Trait
from cxkit.rules.identity import Owned, Person, Tombstone
from cxkit.rules.profile import Traits, values, with_traits

__all__ = ["Choices", "Known", "later"]

Choices = Mapping[str, tuple[Choice, datetime]]
"""Purpose to choice, and when it was made."""


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
    joined: frozenset[str] = frozenset()
    """Keys that a command which is not committed yet makes one person's."""
    letterbox: Letterbox = attrs.field(factory=Letterbox)
    """What commands that are not committed yet add to it."""
    keys: tuple[str, ...] = ()
    """Of all their identifiers."""
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
        return self.documents | (self.alone.documents if self.alone else frozenset())

    def values(self, now: datetime) -> dict[str, JSON]:
        """Their traits, now."""
        return values(self.traits, now=now)

    def with_more(self, more: Known) -> Known:
        """Both, of one person; later choices win, denials among equals."""
        if more.graph is not None and self.graph is not None:
            return self  # as for two identifiers of one person
        known, other = (self, more) if more.graph is None else (more, self)
        return attrs.evolve(
            known,
            traits=known.traits if known.traits.held else other.traits,
            choices=later(known.choices, other.choices),
            joined=known.joined | other.joined,
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

    def told(self, traits: Mapping[str, Trait], joined: frozenset[str], *, id: str, at: datetime) -> Known:
        """After a command that joined these identifiers and told these traits."""
        after = with_traits(self.traits, traits, id=id, at=at) if traits else self.traits
        return attrs.evolve(self, traits=after, joined=self.joined | joined)

    def posted(self, more: Letterbox) -> Known:
        """After a command that added this."""
        return attrs.evolve(self, letterbox=self.letterbox.with_more(more))

    def refusals_only(self) -> Known:
        """What holds although it may be out of date: whoever granted something may have withdrawn it since."""
        denied = {purpose: made for purpose, made in self.choices.items() if made[0] == "denied"}
        alone = self.alone and self.alone.refusals_only()
        return attrs.evolve(self, traits=Traits(), choices=denied, alone=alone, stale=True)


def later(one: Choices, other: Choices) -> dict[str, tuple[Choice, datetime]]:
    """The later choice for each purpose; of two at one moment the denial."""
    choices = dict(one)
    for purpose, new in other.items():
        held = choices.get(purpose)
        if held is None or (new[1], new[0] == "denied") >= (held[1], held[0] == "denied"):
            choices[purpose] = new
    return choices
