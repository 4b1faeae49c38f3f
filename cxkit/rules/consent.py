"""What a person allowed, and what follows from it.

The rule stands here. It is applied at four gates: ``capture.gate`` (may this be kept, and with
whom), ``flows.identify`` (may it be joined), ``rules.experience`` (how personal may it be) and
``delivery.lane`` (may this exporter have it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

import attrs

from cxkit.model import PURPOSES, Choice, Consent

__all__ = ["STRICT", "Allowed", "Policy", "allowed", "capture_mode", "choices_of", "refused", "unobjected"]

_OBJECTED_BY_GPC: Final = frozenset({"advertising", "sale_share"})
_RECOGNISING: Final = frozenset({"analytics", "personalization", "profiling", "advertising"})

CaptureMode = Literal["full", "anonymous", "refused", "undecided"]


@attrs.frozen(kw_only=True)
class Allowed:
    """The choices of one person in one scope, resolved."""

    granted: frozenset[str] = frozenset({"necessary"})
    denied: frozenset[str] = frozenset()
    """What was refused; what is in neither set is undecided."""

    @property
    def recognise(self) -> bool:
        """Whether a persistent identifier may be kept for this visitor."""
        return bool(self.granted & _RECOGNISING)

    def as_map(self) -> dict[str, bool]:
        """Purpose to allowed, for those decided."""
        return self._map

    @cached_property
    def _map(self) -> dict[str, bool]:
        return {purpose: purpose in self.granted for purpose in PURPOSES if purpose in self.granted | self.denied}


@attrs.frozen(kw_only=True)
class Policy:
    """What holds where a person has said nothing."""

    name: str
    granted: frozenset[str]
    """Purposes that need no choice."""
    anonymous: frozenset[str]
    """Purposes an interaction without any identifier may serve before a choice."""

    @cached_property
    def unchosen(self) -> Allowed:
        """What holds before any choice."""
        return Allowed(granted=self.granted)


STRICT: Final = Policy(
    name="strict/1",
    granted=frozenset({"necessary"}),
    anonymous=frozenset({"necessary", "functional", "analytics"}),
)
"""Opt-in for everything but the necessary; before a choice, counting without identifiers only."""


def choices_of(records: Iterable[Consent]) -> dict[str, tuple[Choice, datetime]]:
    """The latest explicit choice for each purpose; of two at one moment the denial."""
    latest: dict[str, tuple[Choice, datetime]] = {}
    for record in records:
        for purpose, choice in record.choices.items():
            held = latest.get(purpose)
            if held is None or (record.decided_at, choice == "denied") > (held[1], held[0] == "denied"):
                latest[purpose] = (choice, record.decided_at)
    return latest


def refused(choices: Mapping[str, Choice]) -> frozenset[str]:
    """The purposes that explicit choices rule out; the necessary cannot be denied."""
    return frozenset(purpose for purpose, choice in choices.items() if choice == "denied") - {"necessary"}


def unobjected(choices: Mapping[str, tuple[Choice, datetime]]) -> dict[str, tuple[Choice, datetime]]:
    """The choices that hold although the browser objects, when they were not made in spite of that."""
    return {
        purpose: made for purpose, made in choices.items() if made[0] == "denied" or purpose not in _OBJECTED_BY_GPC
    }


def allowed(policy: Policy, choices: Mapping[str, Choice], *, gpc: bool = False, despite_gpc: bool = False) -> Allowed:
    """What follows from a policy, explicit choices, and the browser's objection.

    Args:
        gpc: ``Sec-GPC: 1`` was sent: advertising and sale_share are denied, nothing else
            (W3C Global Privacy Control).
        despite_gpc: The choices were made under that same signal, so an explicit grant stands.
    """
    if not choices and not gpc:
        return policy.unchosen
    chosen = {purpose for purpose, choice in choices.items() if choice == "granted"}
    denied = refused(choices)
    if gpc:
        denied |= _OBJECTED_BY_GPC - chosen if despite_gpc else _OBJECTED_BY_GPC
    return Allowed(granted=(policy.granted | chosen) - denied, denied=denied)


def capture_mode(allowed: Allowed, purpose: str, *, before_choice: Literal["anonymise", "drop"]) -> CaptureMode:
    """How an interaction of that purpose may be kept: with identity, without, or not at all."""
    if purpose in allowed.granted:
        return "full"
    if purpose in allowed.denied:
        return "refused"
    return "anonymous" if before_choice == "anonymise" else "undecided"
