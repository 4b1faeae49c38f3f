"""Identities of one scope: joined and parted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cxkit.model import Identifier, Identity
from cxkit.rules.identity.types import TYPES, Types, type_of

__all__ = ["added_in", "join", "without"]


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


def added_in(seen: Mapping[str, str], said: object) -> frozenset[str]:
    """Which keys of a command were added to its others: of each type that it says, the last one.

    Args:
        seen: Key to type, in its order.
        said: A list of those types; else it is a command from before it said so, of which only the strongest is no
            such key for sure.

    Example:
        >>> sorted(added_in({"k1": "user_id", "k2": "email", "k3": "email"}, ["email"]))
        ['k3']
    """
    if not isinstance(said, list):
        return frozenset([*seen][1:])
    return frozenset({type: key for key, type in seen.items() if type in said}.values())
