"""How personal a decision may be.

Depth: 0 the same for all, 1 contextual, 2 segment, 3 individual, 4 adaptive.
"""

from __future__ import annotations

from typing import NamedTuple

from cxkit.model import Identity

__all__ = ["Cap", "depth_cap"]


class Cap(NamedTuple):
    """The depth that is allowed, and what sets it."""

    depth: int
    by: str | None


def depth_cap(
    *,
    granted: frozenset[str],
    identity: Identity,
    pending: bool,
    contested: bool = False,
    machine: bool = False,
    late: bool = False,
) -> Cap:
    """How personal a decision may be by consent, by how surely the customer is known, by what arrived.

    Args:
        contested: Whether they are known by a device alone that several people use.
        machine: Whether no person asks: it is shown what a stranger is, so that no cache can mix up the two.
        late: Whether others may get what is shown, too.
    """
    strongest = max((one.rank for one in identity.identifiers), default=-1)
    caps = [
        Cap(4 if "profiling" in granted else 3, "consent") if "personalization" in granted else Cap(1, "consent"),
        Cap(1 if contested else {3: 4, 2: 2, 1: 2}.get(strongest, 1), "identity"),
        Cap(1 if pending else 4, "pending"),
        Cap(1 if late else 4, "late"),
        Cap(1 if machine else 4, "actor"),
    ]
    lowest = min(caps, key=lambda cap: cap.depth)
    return lowest if lowest.depth < 4 else Cap(4, None)
