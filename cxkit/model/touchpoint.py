"""A touchpoint: a declared place of contact between a customer and the company."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, get_args

import attrs

from cxkit.errors import DeclarationError, nearest
from cxkit.model.consent import PURPOSES

__all__ = [
    "CHANNELS",
    "CONTACTS",
    "Direction",
    "Kind",
    "Nature",
    "Presence",
    "Priority",
    "Reach",
    "Stage",
    "TouchpointSpec",
]

Stage = Literal["awareness", "consideration", "purchase", "service", "loyalty"]
Kind = Literal[
    "view", "action", "message", "transaction", "service", "feedback", "exposure", "consent", "identity", "measurement"
]
Nature = Literal["person", "place", "object", "situation"]
Presence = Literal["online", "offline"]
Reach = Literal["direct", "indirect"]
Direction = Literal["inbound", "outbound"]
Priority = Literal["critical", "normal", "low"]

CHANNELS: Final = (
    "web",
    "mobile",
    "email",
    "sms",
    "push",
    "phone",
    "chat",
    "social",
    "store",
    "device",
    "mail",
)
"""Channels with a known meaning; any other lower-case word is allowed."""

CONTACTS: Final = frozenset({"view", "action", "message", "transaction", "service", "feedback"})
"""Kinds in which customer and company meet; the others accompany that: an exposure, a choice, a measurement."""

TOUCHPOINT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*){0,5}")
WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def check_name(name: object, noun: str) -> str:
    """``name`` if it may name a touchpoint, an experience or the like.

    Raises:
        DeclarationError: It is not lower-case words joined by dots, at most 100 characters.
    """
    if type(name) is not str or len(name) > 100 or not TOUCHPOINT.fullmatch(name):
        raise DeclarationError(
            f"the name of {'an' if noun[0] in 'aeiou' else 'a'} {noun} is not lower-case words joined by dots",
            fix='name it like "cart.item_added"',
            code="CX3002",
        )
    return name


def _one_of(words: object, *, optional: bool = True) -> Callable[..., None]:
    allowed = words if isinstance(words, tuple) else get_args(words)

    def check(owner: object, attribute: attrs.Attribute[object], value: object) -> None:
        if value in allowed or (optional and value is None):
            return
        raise DeclarationError(
            f'{attribute.name} "{value}" of touchpoint "{getattr(owner, "name", "?")}" is not known',
            fix=nearest(str(value), allowed),
            code="CX3003",
        )

    return check


def _word(owner: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not (type(value) is str and WORD.fullmatch(value)):
        raise DeclarationError(
            f'{attribute.name} of touchpoint "{getattr(owner, "name", "?")}" is not one lower-case word',
            fix='use a word like "web" or "store"',
            code="CX3004",
        )


def _name(owner: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_name(value, "touchpoint")


def _text(owner: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not (type(value) is str and len(value) <= 500 and value.isprintable()):
        raise DeclarationError(
            f'{attribute.name} of touchpoint "{getattr(owner, "name", "?")}" is not one line of text',
            fix="put it in words, at most 500 characters",
            code="CX3011",
        )


@attrs.frozen(kw_only=True, cache_hash=True)
class TouchpointSpec:
    """What is declared of a touchpoint.

    Raises:
        DeclarationError: A name or a word is not one of those allowed.

    Example:
        >>> TouchpointSpec(name="cart.item_added", stage="consideration").purpose
        'analytics'
    """

    name: str = attrs.field(validator=_name)
    """Lower-case words joined by dots, the object first: ``cart.item_added``."""
    kind: Kind = attrs.field(default="action", validator=_one_of(Kind, optional=False))
    """What sort of contact it is."""
    channel: str | None = attrs.field(default=None, validator=_word)
    """Where it happens; None takes the channel of the scope."""
    direction: Direction = attrs.field(default="inbound", validator=_one_of(Direction, optional=False))
    """inbound: the customer acts; outbound: the company does."""
    stage: Stage | None = attrs.field(default=None, validator=_one_of(Stage))
    """The stage of the relation it belongs to."""
    purpose: str = attrs.field(default="analytics", validator=_one_of(PURPOSES, optional=False))
    """What it is captured for; the consent that governs it."""
    nature: Nature | None = attrs.field(default=None, validator=_one_of(Nature))
    """Whom or what the customer meets."""
    presence: Presence = attrs.field(default="online", validator=_one_of(Presence, optional=False))
    reach: Reach = attrs.field(default="direct", validator=_one_of(Reach, optional=False))
    via: str | None = attrs.field(default=None, validator=_word)
    """Through whom, when the reach is indirect: a reseller, a marketplace, a friend."""
    promise: str | None = attrs.field(default=None, validator=_text)
    """What is owed to the customer here, in words: "answered within one working day"."""
    priority: Priority = attrs.field(default="normal", validator=_one_of(Priority, optional=False))
    """Which interactions are given up last when room runs out: critical ones."""
