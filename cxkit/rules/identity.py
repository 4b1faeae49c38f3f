"""Who identifiers belong to. Never guessed: evidence is ranked, conflicts are refused by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from cxkit.model import Evidence, Identifier, Identity

__all__ = ["CONTACTS", "Owner", "Resolution", "join", "normalise", "owner", "resolve", "without"]

CONTACTS: Final = frozenset({"email", "phone"})
"""Types whose values reach a person: only their keyed hash is ever kept."""

UNIQUE: Final = frozenset({"user_id"})
"""Types of which a person has one, for ever."""

_ORDER: Final = ("user_id", "loyalty", "email", "phone", "visitor")
_ILLEGAL: Final = frozenset(
    ["", "0", "-1", "null", "none", "nil", "undefined", "nan", "anonymous", "guest", "unknown", "true",
     "false", "[object object]", "id", "user_id", "distinct_id", "not_authenticated"]
)  # fmt: skip
_MAX_CHARS: Final = 256


def normalise(type: str, value: str) -> str | None:
    """The one form of an identifier's value, or None if it identifies nobody.

    E-mail addresses: NFC, trimmed, lower case. Phone numbers: digits with a leading ``+`` if given.

    Example:
        >>> normalise("email", " Nancy@Example.ORG ")
        'nancy@example.org'
        >>> normalise("user_id", "null") is None
        True
    """
    if len(value) > _MAX_CHARS:
        return None
    text = unicodedata.normalize("NFC", value).strip()
    if type == "email":
        text = text.lower()
    elif type == "phone":
        text = ("+" if text.startswith("+") else "") + re.sub(r"[^0-9]", "", text)
    bare = text.strip("\"'`+ ").lower()
    return None if bare in _ILLEGAL or not bare.strip("0") else text


def join(identity: Identity, more: Iterable[Identifier]) -> Identity:
    """Both together: one of each type, the better evidence winning and the newer among equals."""
    best = {one.type: one for one in identity.identifiers}
    for one in more:
        held = best.get(one.type)
        if held is None or one.rank >= held.rank:
            best[one.type] = one
    return Identity(identifiers=tuple(sorted(best.values(), key=_strength)))


def without(identity: Identity, types: Iterable[str]) -> Identity:
    """The identity less the identifiers of these types."""
    gone = frozenset(types)
    return Identity(identifiers=tuple(one for one in identity.identifiers if one.type not in gone))


@attrs.frozen(kw_only=True)
class Owner:
    """Who an identifier belongs to so far."""

    person: str
    unique: Mapping[str, str] = attrs.field(factory=dict)
    """Key by type, of the person's identifiers of a unique type."""
    logged_in: bool = False
    """Whether the person was ever reached by a login."""


@attrs.frozen(kw_only=True)
class Resolution:
    """What follows from seeing identifiers together."""

    person: str | None
    """Whom they belong to; None if they are nobody's and no new person may be made."""
    linked: tuple[str, ...] = ()
    """Keys newly linked to that person."""
    refused: Mapping[str, str] = attrs.field(factory=dict)
    """Key to the reason why it was not linked."""


def owner(keys: Mapping[str, tuple[str, Evidence]], owners: Mapping[str, Owner]) -> Owner | None:
    """Who identifiers seen together belong to: of the proven ones the strongest that has an owner says so.

    An owner with another identifier of a unique type than the one seen is ruled out. So is one who
    has logged in before and is reached only through a cookie, when somebody logs in with identifiers
    that are not theirs: the device is shared.

    Args:
        keys: Key to type and evidence, the strongest first.
        owners: Key to its owner, of those that have one.
    """
    proven = _proven(keys)
    unique = {type: key for key, type in proven.items() if type in UNIQUE}
    logins = [key for key, (_, evidence) in keys.items() if evidence == "login"]
    for key in proven or keys:
        held = owners.get(key)
        if held is None or any(held.unique.get(type, own) != own for type, own in unique.items()):
            continue
        theirs = any(one in owners and owners[one].person == held.person for one in logins)
        if logins and held.logged_in and not theirs:
            continue
        return held
    return None


def resolve(keys: Mapping[str, tuple[str, Evidence]], owners: Mapping[str, Owner], *, newcomer: str) -> Resolution:
    """Decide for identifiers seen together whose they are.

    The strongest known one fixes the person; one that belongs to somebody else stays there
    (``owned_by_another``): a shared device is contested, not merged. What is only claimed or comes
    with a message token links nothing.

    Args:
        keys: Key to type and evidence, the strongest first.
        owners: Key to its owner, of those that have one.
        newcomer: The id for a new person, if one is needed.
    """
    proven = _proven(keys)
    refused = {key: "weak_evidence" for key in keys if key not in proven and key not in owners}
    target = owner(keys, owners)
    if not proven:
        return Resolution(person=target.person if target else None, refused=refused)
    person = target.person if target else newcomer
    linked = []
    for key in proven:
        held = owners.get(key)
        if held is None:
            linked.append(key)
        elif held.person != person:
            refused[key] = "owned_by_another"
    return Resolution(person=person, linked=tuple(linked), refused=refused)


def _proven(keys: Mapping[str, tuple[str, Evidence]]) -> dict[str, str]:
    return {key: type for key, (type, evidence) in keys.items() if evidence in ("cookie", "login")}


def _strength(one: Identifier) -> tuple[int, int, str]:
    place = _ORDER.index(one.type) if one.type in _ORDER else len(_ORDER)
    return (-one.rank, place, one.type)
