"""Identities of one scope: joined and parted."""

from __future__ import annotations

from collections.abc import Iterable

from cxkit.model import Identifier, Identity
from cxkit.rules.identity.types import TYPES, Types, type_of

__all__ = ["join", "without"]


def join(identity: Identity, more: Iterable[Identifier], *, types: Types = TYPES) -> Identity:
    """Both together: one of each type, the better evidence winning and the newer among equals.

    Example:
        >>> seen = Identity(identifiers=(Identifier(type="visitor", value="v1", evidence="cookie"),))
        >>> [one.type for one in join(seen, [Identifier(type="user_id", value="nancy", evidence="login")]).identifiers]
        ['user_id', 'visitor']
    """
    best = {one.type: one for one in identity.identifiers}
    for one in more:
        held = best.get(one.type)
        if held is None or one.rank >= held.rank:
            best[one.type] = one

    def strength(one: Identifier) -> tuple[int, int, str]:
        return (-one.rank, -type_of(one.type, types).priority, one.type)

    return Identity(identifiers=tuple(sorted(best.values(), key=strength)))


def without(identity: Identity, types: Iterable[str]) -> Identity:
    """The identity less the identifiers of these types.

    Example:
        >>> seen = Identity(identifiers=(Identifier(type="visitor", value="v1", evidence="cookie"),))
        >>> without(seen, ["visitor"])
        Identity(identifiers=())
    """
    gone = frozenset(types)
    return Identity(identifiers=tuple(one for one in identity.identifiers if one.type not in gone))
