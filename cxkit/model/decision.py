"""A decision: what an experience chose for one scope, with its reasons."""

from __future__ import annotations

import attrs

from cxkit.model.properties import JSON

__all__ = ["Decision"]


@attrs.frozen(kw_only=True)
class Decision:
    """What an experience chose. Its slots are empty (None) where the variant says nothing."""

    experience: str
    variant: str
    form: JSON = None
    content: JSON = None
    sequence: JSON = None
    level: int = 1
    """How wide the adaptation reaches: 1 to 4."""
    depth: int = 0
    """How personal it is: 0 to 4."""
    cap: int = 0
    """The depth that was allowed."""
    capped_by: str | None = None
    """What set the cap: ``consent``, ``identity``, ``pending``, ``policy``; None if nothing did."""
    reasons: tuple[str, ...] = ()
    """Why this variant, one line for each variant tried."""
