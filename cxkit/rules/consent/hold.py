"""Hold: what may wait in memory, within one scope, for the choice it needs.

What waits has been neither identified nor written down. It is captured once it may be, or is gone: the worst
that forgetting about it can do is that it is not kept at all.
"""

from __future__ import annotations

from typing import Literal

from cxkit.rules.consent.policy import Allowed

__all__ = ["Fate", "fate"]

Fate = Literal["held", "replayed", "purged", "undecided"]
"""held: it waits on; replayed: captured as it was, now that it may be; purged: gone, for it was refused;
undecided: gone, for nobody chose in time."""


def fate(allowed: Allowed, purpose: str, *, age_s: float, ttl_s: float, ended: bool) -> Fate:
    """What becomes of one interaction that waits. To be asked at each choice, and at the scope's end.

    A refusal comes before everything. Age comes before a grant: nobody who grants something now means what
    they did in a visit they have forgotten.

    Args:
        age_s: How long it has waited.
        ttl_s: How long it may: 1800 is what cxkit means by one visit.
        ended: Whether its scope is over.

    Example:
        >>> fate(Allowed(granted=frozenset({"analytics"})), "analytics", age_s=5, ttl_s=1800, ended=False)
        'replayed'
    """
    if purpose in allowed.denied:
        return "purged"
    if age_s >= ttl_s:
        return "undecided"
    if purpose in allowed.granted:
        return "replayed"
    return "undecided" if ended else "held"
