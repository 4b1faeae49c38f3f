"""What is allowed in the words of others, for tags and destinations. No word of theirs ever allows more.

Sources: Google, "Consent mode parameters" (the seven consent types); Segment, "Consent in Segment Connections"
(``context.consent.categoryPreferences``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cxkit.model import Choice
from cxkit.rules.consent.policy import Allowed

__all__ = ["CONSENT_MODE", "to_categories", "to_consent_mode"]

Categories = Mapping[str, Collection[str]]
"""An operator's category ids, each with the purposes it stands for."""

CONSENT_MODE: Final[Mapping[str, frozenset[str]]] = {
    "ad_storage": frozenset({"advertising"}),
    "ad_user_data": frozenset({"advertising", "sale_share"}),  # it hands a person's data to Google
    "ad_personalization": frozenset({"advertising"}),
    "analytics_storage": frozenset({"analytics"}),
    "functionality_storage": frozenset({"functional"}),
    "personalization_storage": frozenset({"personalization"}),
    "security_storage": frozenset({"necessary"}),
}
"""Google Consent Mode v2: each signal, and all the purposes that it needs."""


def to_consent_mode(allowed: Allowed) -> dict[str, Choice]:
    """The seven signals of Google Consent Mode: what is undecided is denied.

    Example:
        >>> to_consent_mode(Allowed(granted=frozenset({"necessary", "analytics"})))["analytics_storage"]
        'granted'
    """
    return {signal: "granted" if needed <= allowed.granted else "denied" for signal, needed in CONSENT_MODE.items()}


def to_categories(allowed: Allowed, *, categories: Categories) -> dict[str, bool]:
    """Each category of the operator's, and whether all it stands for is allowed (Segment: categoryPreferences).

    Example:
        >>> to_categories(Allowed(), categories={"C1": ["necessary"], "C2": ["analytics"]})
        {'C1': True, 'C2': False}
    """
    return {id: bool(purposes) and allowed.granted.issuperset(purposes) for id, purposes in categories.items()}
