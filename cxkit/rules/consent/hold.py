"""Hold: what may wait in memory, within one scope, for the choice it needs.

What waits has been neither identified nor written down. It ends in one of four ways, and the
worst that forgetting about it can do is that it is kept without a name, or not at all.
"""

from __future__ import annotations

from typing import Literal

from cxkit.rules.consent.policy import Allowed

__all__ = ["Fate", "fate", "has_room"]

Fate = Literal["held", "replayed", "purged", "anonymise", "drop"]
"""held: it waits on; replayed: captured as it was, now that it may be; purged: gone, for it was refused;
anonymise, drop: nobody chose in time, and it is treated as if it had never waited."""


def has_room(*, held_bytes: int, more_bytes: int, max_bytes: int) -> bool:
    """Whether one more may wait. If not, what has just arrived is treated as if nothing could wait."""
    return held_bytes + more_bytes <= max_bytes


def fate(
    allowed: Allowed,
    purpose: str,
    *,
    age_s: float,
    ttl_s: float,
    ended: bool,
    otherwise: Literal["anonymise", "drop"],
) -> Fate:
    """What becomes of one interaction that waits. To be asked at each choice, and at the scope's end.

    A refusal comes before everything: what was refused is not even kept without a name. Age comes before a
    grant: nobody who grants something now means what they did in a visit they have forgotten.

    Args:
        age_s: How long it has waited.
        ttl_s: How long it may: 1800 is what cxkit means by one visit.
        ended: Whether its scope is over.
        otherwise: What is done with the undecided.

    Example:
        >>> fate(Allowed(granted=frozenset({"analytics"})), "analytics",
        ...      age_s=5, ttl_s=1800, ended=False, otherwise="drop")
        'replayed'
    """
    if purpose in allowed.denied:
        return "purged"
    if age_s >= ttl_s:
        return otherwise
    if purpose in allowed.granted:
        return "replayed"
    return otherwise if ended else "held"
