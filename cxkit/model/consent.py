"""Consent: the append-only record of a choice; preference: what may be sent where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import attrs

__all__ = ["PURPOSES", "Choice", "Consent", "Preference", "purpose_bits"]

PURPOSES: Final = (
    "necessary",
    "functional",
    "analytics",
    "personalization",
    "profiling",
    "advertising",
    "sale_share",
    "identity_stitching",
)
"""The purposes. Their order is part of the spool's format: append, never reorder."""

Choice = Literal["granted", "denied"]
Method = Literal["accept", "reject", "save", "dismiss", "gpc", "one_click", "import", "operator", "api"]


def purpose_bits(purposes: Iterable[str]) -> int:
    """A set of purposes as bits, the first of `PURPOSES` lowest.

    Example:
        >>> purpose_bits(["necessary", "analytics"])
        5
    """
    bits = 0
    for purpose in purposes:
        bits |= 1 << PURPOSES.index(purpose)
    return bits


@attrs.frozen(kw_only=True)
class Consent:
    """One choice of one person on some purposes; never changed, only followed by another."""

    choices: dict[str, Choice]
    """Purpose to choice; a purpose that is not named is not touched."""
    decided_at: datetime
    """When the choice was made, aware."""
    method: Method = "api"
    """How it was expressed."""
    touchpoint: str | None = None
    """Where it was expressed."""
    policy: str = "strict"
    """The policy in force, with its version."""
    notice: str | None = None
    """Which text the person saw."""


@attrs.frozen(kw_only=True)
class Preference:
    """What a person wants to receive: one topic on one channel. Apart from consent."""

    topic: str
    channel: str
    choice: Choice
    decided_at: datetime
