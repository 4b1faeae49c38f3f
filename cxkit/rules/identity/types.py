"""Types of identifiers: what each is worth in the graph."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, Literal

import attrs

from cxkit.model import Evidence

__all__ = [
    "CONTACTS",
    "SESSIONS",
    "TYPES",
    "IdentifierType",
    "Identifying",
    "Kind",
    "Types",
    "proves",
    "type_of",
]

Kind = Literal["strong", "contact", "device"]
"""Says who a person is; reaches a person; is used by a person, and perhaps by others."""

_WEEK_S: Final = 7 * 86_400.0
_YEAR_S: Final = 365 * 86_400.0


@attrs.frozen(kw_only=True)
class IdentifierType:
    """What identifiers of one type are worth.

    Example:
        >>> TYPES["email"].kind, TYPES["email"].most
        ('contact', 5)
    """

    name: str
    kind: Kind = "device"
    unique: bool = False
    """Whether a person has one, for ever: two values are two people."""
    most: int = 5
    """How many of them are linked to one person at most."""
    within_s: float | None = _WEEK_S
    """... in any time of that length; None for ever."""
    priority: int = 0
    """Among equal evidence the higher one goes first, and the lower one gives way."""


Types = Mapping[str, IdentifierType]
"""Name to what identifiers of that type are worth."""

TYPES: Final[Types] = {
    one.name: one
    for one in (
        IdentifierType(name="user_id", kind="strong", unique=True, most=1, within_s=None, priority=90),
        IdentifierType(name="loyalty", kind="strong", within_s=None, priority=80),
        IdentifierType(name="email", kind="contact", within_s=_YEAR_S, priority=70),
        IdentifierType(name="phone", kind="contact", within_s=_YEAR_S, priority=60),
        IdentifierType(name="visitor", priority=50),
        IdentifierType(name="anonymous_id", priority=40),
        IdentifierType(name="device_id", priority=30),
        IdentifierType(name="push_token", priority=20),
    )
}
"""The types that are known without being declared."""

CONTACTS: Final = frozenset(name for name, one in TYPES.items() if one.kind == "contact")
"""Types whose values reach a person: only their keyed hash is ever kept."""

SESSIONS: Final = frozenset({"session", "session_id", "sessionid", "sid"})
"""Types that never identify: a session ends, so each would be one more node of the graph and join nothing."""

_OTHER: Final = IdentifierType(name="")


def type_of(name: str, types: Types = TYPES) -> IdentifierType:
    """What a type is worth; one that is not declared is a device of the lowest priority.

    Example:
        >>> type_of("till_number").kind
        'device'
    """
    return types.get(name, _OTHER)


def proves(worth: IdentifierType, evidence: Evidence) -> bool:
    """Whether evidence says whose an identifier is: a cookie is on a device, and says nothing of names and addresses.

    Example:
        >>> proves(TYPES["visitor"], "cookie"), proves(TYPES["email"], "cookie"), proves(TYPES["email"], "login")
        (True, False, True)
    """
    return evidence == "login" or (evidence == "cookie" and worth.kind == "device")


@attrs.frozen(kw_only=True)
class Identifying:
    """What an operator declares of identifiers: one value for all who ask.

    Example:
        >>> card = IdentifierType(name="card", kind="strong")
        >>> type_of("card", Identifying(types={**TYPES, "card": card}).types).kind
        'strong'
    """

    types: Types = TYPES
    blocked: Container[str] = frozenset()
    """Values that thousands share, besides those that every shop knows; see `unfit`."""
    kiosk: bool = False
    """Whether everybody uses the devices here: they are linked to nobody."""

    @property
    def contacts(self) -> frozenset[str]:
        """Types whose values reach a person."""
        return frozenset(name for name, one in self.types.items() if one.kind == "contact")
