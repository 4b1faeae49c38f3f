"""A person and what is known of them now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, get_args

import attrs

from cxkit.errors import InvalidInteractionError, nearest
from cxkit.model.consent import Answer, Choice
from cxkit.model.interaction import Outcome
from cxkit.model.properties import JSON
from cxkit.model.touchpoint import Direction, Kind, Stage

__all__ = ["PROVENANCES", "Person", "Profile", "Provenance", "Recent", "Trait"]

How = Literal["set", "set_once", "increment", "union"]
Provenance = Literal["inferred", "observed", "declared"]

PROVENANCES: Final[tuple[Provenance, ...]] = ("inferred", "observed", "declared")
"""Weakest first: concluded by us; seen in what they do; said by themselves."""

_MOST: Final = 2**53  # beyond it, JSON numbers are no longer exact everywhere (RFC 8259, section 6)
_MOST_JOINED: Final = 100
_LONGEST_S: Final = 100 * 365 * 86_400


@attrs.frozen(kw_only=True)
class Trait:
    """One change of one trait.

    Raises:
        InvalidInteractionError: A word is unknown, or the value is none that can be changed in this way.

    Example:
        >>> Trait(value=1, how="increment").provenance
        'declared'
    """

    value: JSON = attrs.field()
    """What it is set to; the number that is added; the list of what is united with what is there."""
    how: How = "set"
    """``set_once`` keeps the earliest, ``increment`` adds up, ``union`` collects texts and numbers."""
    provenance: Provenance = "declared"
    """How it is known. What is known better is not overwritten while it lives."""
    expires_in_s: float | None = attrs.field(default=None)
    """How long it lives from now on; only what is ``set`` can end."""

    def __attrs_post_init__(self) -> None:
        _check_word("how", self.how, get_args(How))
        _check_word("provenance", self.provenance, PROVENANCES)
        if self.how == "increment" and not _countable(self.value):
            raise _wrong("is not added a finite number of at most 2**53", fix="give a number like 1")
        if self.how == "union" and not _joinable(self.value):
            raise _wrong("is not united with a list of at most 100 texts and numbers", fix='give a list like ["tea"]')
        if self.expires_in_s is not None and not (self.how == "set" and _lasting(self.expires_in_s)):
            raise _wrong("expires, and is not set or not within 100 years", fix="leave expires_in_s out")


def _check_word(field: str, word: object, words: tuple[str, ...]) -> None:
    text = word[:64] if isinstance(word, str) else type(word).__name__
    if not isinstance(word, str) or word not in words:
        raise _wrong(f'has a {field} "{text}", which is not one', fix=nearest(text, words))


def _wrong(what: str, *, fix: str) -> InvalidInteractionError:
    return InvalidInteractionError(f"a trait {what}", fix=fix, code="CX3130")


def _countable(value: object) -> bool:
    return type(value) in (int, float) and -_MOST <= value <= _MOST  # type: ignore[operator]  # nan is not within


def _lasting(seconds: object) -> bool:
    return type(seconds) in (int, float) and 0 < seconds <= _LONGEST_S  # type: ignore[operator]


def _joinable(value: object) -> bool:
    return (
        type(value) is list and len(value) <= _MOST_JOINED and all(type(one) is str or _countable(one) for one in value)
    )


@attrs.frozen(kw_only=True)
class Person:
    """Who identifiers resolve to now. The id is never stored with an interaction."""

    id: str
    keys: tuple[str, ...] = ()
    """The keys (keyed hashes) of the identifiers that resolve to this person."""


@attrs.frozen(kw_only=True)
class Recent:
    """What is remembered of one interaction of a person."""

    id: str
    at: datetime
    """When it occurred, aware."""
    name: str
    kind: Kind = "action"
    channel: str | None = None
    direction: Direction = "inbound"
    stage: Stage | None = None
    route: str | None = None
    """Of a page that was viewed."""
    outcome: Outcome | None = None

    @property
    def place(self) -> str:
        """Where it was: a page goes by its route, anything else by its name."""
        return self.name if self.route is None else self.route

    @property
    def succeeded(self) -> bool:
        """Whether it neither failed nor was abandoned, as far as anybody knows."""
        return self.outcome is None or self.outcome == "completed"


@attrs.frozen(kw_only=True)
class Profile:
    """What is known of a person, and what they chose.

    Example:
        >>> Profile().stage is None
        True
    """

    person: Person | None = None
    """None while nobody is recognised."""
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    choices: Mapping[str, Choice] = attrs.field(factory=dict)
    """Purpose to what they chose."""
    preferences: Mapping[str, Mapping[str, Answer]] = attrs.field(factory=dict)
    """Topic to channel to what they chose."""
    stage: Stage | None = None
    """Where in the relation they are: as declared, else that of their last contact."""
    sessions: int = 0
    """How many they had: runs of what they did with no gap over 30 minutes."""
    last_seen_at: datetime | None = None
    """When they last did something, aware."""
    preferred_channel: str | None = None
    recent: tuple[Recent, ...] = ()
    """What happened last between them and you, the newest last."""
