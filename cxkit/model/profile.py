"""A person and what is known of them now."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from cxkit.model.consent import Choice
from cxkit.model.properties import JSON

__all__ = ["Person", "Profile"]


@attrs.frozen(kw_only=True)
class Person:
    """Who identifiers resolve to now. The id is never stored with an interaction."""

    id: str
    keys: tuple[str, ...] = ()
    """The keys (keyed hashes) of the identifiers that resolve to this person."""


@attrs.frozen(kw_only=True)
class Profile:
    """What is known of a person, and what they chose."""

    person: Person | None = None
    """None while nobody is recognised."""
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    choices: Mapping[str, Choice] = attrs.field(factory=dict)
