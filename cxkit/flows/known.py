"""What is known of whoever an identifier belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from cxkit.model import JSON, Choice

__all__ = ["Known"]


@attrs.frozen(kw_only=True)
class Known:
    """What is known of whoever an identifier belongs to."""

    person: str | None = None
    unique: Mapping[str, str] = attrs.field(factory=dict)
    """Key by type, of the person's identifiers of a unique type."""
    logged_in: bool = False
    """Whether the person was ever reached by a login."""
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    choices: Mapping[str, tuple[Choice, datetime]] = attrs.field(factory=dict)
    joined: frozenset[bytes] = frozenset()
    """Keys that a command which is not committed yet makes one person's."""
    documents: frozenset[str] = frozenset()
    """What it was read from."""
    stale: bool = False
    """Whether the store has been out of reach for so long that only refusals are remembered."""

    def with_more(self, more: Known) -> Known:
        """Both; later choices win, denials among equals."""
        if more.traits == self.traits and more.choices == self.choices and self.person:
            return self  # as for two identifiers of one person
        choices = dict(self.choices)
        for purpose, new in more.choices.items():
            held = choices.get(purpose)
            if held is None or (new[1], new[0] == "denied") >= (held[1], held[0] == "denied"):
                choices[purpose] = new
        return attrs.evolve(
            self,
            person=self.person or more.person,
            traits={**self.traits, **more.traits},
            choices=choices,
            joined=self.joined | more.joined,
        )

    def refusals_only(self) -> Known:
        """What holds although it may be out of date: whoever granted something may have withdrawn it since."""
        denied = {purpose: made for purpose, made in self.choices.items() if made[0] == "denied"}
        return attrs.evolve(self, traits={}, choices=denied, stale=True)
