"""What follows from a policy, the choices that were made, and the browser's objection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final, Literal, TypeVar

import attrs

from cxkit.model import PURPOSES, Choice
from cxkit.model.consent import Mechanism

__all__ = [
    "OBJECTED_BY_GPC",
    "STRICT",
    "Allowed",
    "BeforeChoice",
    "CaptureMode",
    "Policy",
    "allowed",
    "capture_mode",
    "denials",
    "refused",
    "unobjected",
]

T = TypeVar("T", bound=Choice | tuple[Choice, datetime])

OBJECTED_BY_GPC: Final = frozenset({"advertising", "sale_share"})
_RECOGNISING: Final = frozenset({"analytics", "personalization", "profiling", "advertising"})

BeforeChoice = Literal["hold", "anonymise", "drop"]
CaptureMode = Literal["full", "anonymous", "held", "refused", "undecided"]

_UNDECIDED: Final[Mapping[BeforeChoice, CaptureMode]] = {"hold": "held", "anonymise": "anonymous", "drop": "undecided"}


@attrs.frozen(kw_only=True, cache_hash=True)
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


@attrs.frozen(kw_only=True, cache_hash=True)
class Policy:
    """What holds where a person has said nothing, and how long what they said holds."""

    name: str
    """With its version, ``eea/1``; it is kept with each choice."""
    granted: frozenset[str]
    """Purposes that need no choice."""
    anonymous: frozenset[str]
    """Purposes an interaction without any identifier may serve before a choice."""
    signals: frozenset[str] = frozenset()
    """Which signals are read besides ``gpc``, which is obeyed under every policy: ``tc``, ``gpp``."""
    mechanism: Mechanism = "opt_in"
    grant_days: int = 365
    """How long a grant holds."""
    refusal_days: int = 183
    """How long nobody asks again for what was refused. It stays refused for ever."""

    @cached_property
    def unchosen(self) -> Allowed:
        """What holds before any choice."""
        return Allowed(granted=self.granted)

    def expires_at(self, decided_at: datetime) -> datetime:
        """When a grant of that moment ends."""
        return decided_at + timedelta(days=self.grant_days)

    def ask_again_at(self, decided_at: datetime) -> datetime:
        """From when on what was refused at that moment may be asked for again."""
        return decided_at + timedelta(days=self.refusal_days)


STRICT: Final = Policy(
    name="strict/1",
    granted=frozenset({"necessary"}),
    anonymous=frozenset({"necessary", "functional", "analytics"}),
    signals=frozenset({"tc", "gpp"}),
)
"""Opt-in for everything but the necessary; before a choice, counting without identifiers only."""


def denials(choices: Mapping[str, T]) -> dict[str, T]:
    """Of choices, with or without when they were made, those that deny."""
    return {purpose: one for purpose, one in choices.items() if (one if isinstance(one, str) else one[0]) == "denied"}


def refused(choices: Mapping[str, Choice]) -> frozenset[str]:
    """The purposes that explicit choices rule out; the necessary cannot be denied."""
    return frozenset(denials(choices)) - {"necessary"}


def unobjected(choices: Mapping[str, tuple[Choice, datetime]]) -> dict[str, tuple[Choice, datetime]]:
    """The choices that hold although the browser objects, when they were not made in spite of that."""
    return {purpose: made for purpose, made in choices.items() if made[0] == "denied" or purpose not in OBJECTED_BY_GPC}


def allowed(policy: Policy, choices: Mapping[str, Choice], *, gpc: bool = False, despite_gpc: bool = False) -> Allowed:
    """What follows from a policy, explicit choices, and the browser's objection.

    Args:
        gpc: ``Sec-GPC: 1`` was sent: advertising and sale_share are denied, nothing else
            (W3C Global Privacy Control).
        despite_gpc: The choices were made under that same signal, so an explicit grant stands.

    Example:
        >>> sorted(allowed(STRICT, {"analytics": "granted"}).granted)
        ['analytics', 'necessary']
    """
    if not choices and not gpc:
        return policy.unchosen
    chosen = {purpose for purpose, choice in choices.items() if choice == "granted"}
    denied = refused(choices)
    if gpc:
        denied |= OBJECTED_BY_GPC - chosen if despite_gpc else OBJECTED_BY_GPC
    return _allowed((policy.granted | chosen) - denied, denied)


@lru_cache(maxsize=1024)
def _allowed(granted: frozenset[str], denied: frozenset[str]) -> Allowed:
    """One object for each: there are few, and what follows from them is worked out once."""
    return Allowed(granted=granted, denied=denied)


def capture_mode(allowed: Allowed, purpose: str, *, before_choice: BeforeChoice) -> CaptureMode:
    """How an interaction of that purpose may be kept: with identity, without, not yet, or not at all."""
    if purpose in allowed.granted:
        return "full"
    if purpose in allowed.denied:
        return "refused"
    return _UNDECIDED[before_choice]
