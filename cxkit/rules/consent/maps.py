"""The words of others for purposes, both ways. No way there and back ever allows more.

Sources: Google, "Consent mode parameters" (the seven consent types); Segment, "Consent in Segment Connections"
(``context.consent.categoryPreferences``); RudderStack, "Consent management" (``context.consentManagement``
with allowed and denied ids). Segment and RudderStack hand everything to every destination where there is no consent
object or no category; cxkit does the opposite.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cxkit.model import PURPOSES, Choice
from cxkit.rules.consent.policy import Allowed

__all__ = [
    "CONSENT_MODE",
    "from_categories",
    "from_consent_mode",
    "from_rudderstack",
    "may_have",
    "to_categories",
    "to_consent_mode",
]

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

_NEVER_GRANTED: Final = frozenset({"necessary", "sale_share"})  # handing to Google is not handing to anybody


def to_consent_mode(allowed: Allowed) -> dict[str, Choice]:
    """The seven signals of Google Consent Mode: what is undecided is denied.

    Example:
        >>> to_consent_mode(Allowed(granted=frozenset({"necessary", "analytics"})))["analytics_storage"]
        'granted'
    """
    return {signal: "granted" if needed <= allowed.granted else "denied" for signal, needed in CONSENT_MODE.items()}


def from_consent_mode(signals: Mapping[str, str]) -> dict[str, Choice]:
    """What the signals of Google Consent Mode say of purposes.

    A purpose is granted if every signal that needs it is, and denied if one of them is; a signal that is not
    there decides nothing, and what is neither "granted" nor "denied" denies. Nothing in them speaks of
    profiling or of joining identities; ``sale_share`` can be refused by them, and not granted.
    """
    found: dict[str, Choice] = {}
    for purpose in PURPOSES:
        needing = [signals.get(signal) for signal, needed in CONSENT_MODE.items() if purpose in needed]
        if any(value not in ("granted", None) for value in needing):
            found[purpose] = "denied"
        elif needing and None not in needing:
            found[purpose] = "granted"
    return {purpose: choice for purpose, choice in found.items() if _counts(purpose, choice)}


def _counts(purpose: str, choice: Choice) -> bool:
    return purpose != "necessary" and not (purpose in _NEVER_GRANTED and choice == "granted")


def to_categories(allowed: Allowed, *, categories: Categories) -> dict[str, bool]:
    """Each category of the operator's, and whether all it stands for is allowed (Segment: categoryPreferences).

    Example:
        >>> to_categories(Allowed(), categories={"C1": ["necessary"], "C2": ["analytics"]})
        {'C1': True, 'C2': False}
    """
    return {id: bool(purposes) and allowed.granted.issuperset(purposes) for id, purposes in categories.items()}


def from_categories(listed: Mapping[str, bool] | None, *, categories: Categories) -> dict[str, Choice]:
    """What a list of categories says of purposes.

    A category that is not in the list is refused; so is every one where there is no list at all. A purpose is
    granted if every category it belongs to is.

    Args:
        listed: Segment's ``categoryPreferences``; None where an event carries none.

    Example:
        >>> from_categories({"C2": True}, categories={"C2": ["analytics"], "C4": ["advertising"]})
        {'analytics': 'granted', 'advertising': 'denied'}
    """
    preferred = listed or {}
    found: dict[str, Choice] = {}
    for id, purposes in categories.items():
        granted = preferred.get(id) is True
        for purpose in purposes:
            found[purpose] = "granted" if granted and found.get(purpose) != "denied" else "denied"
    found.pop("necessary", None)
    return found


def from_rudderstack(
    *, allowed_ids: Collection[str] | None, denied_ids: Collection[str] | None, categories: Categories
) -> dict[str, Choice]:
    """What RudderStack's two lists say: only what is in the first, and not in the second, is granted.

    Its strategies "and" and "or" concern destinations, see `may_have`.
    """
    listed = dict.fromkeys(allowed_ids or (), True) | dict.fromkeys(denied_ids or (), False)
    return from_categories(listed, categories=categories)


def may_have(destination: Collection[str] | None, purpose: str, *, allowed: Allowed, categories: Categories) -> bool:
    """Whether a destination that is configured by category ids may have something captured for a purpose.

    All of its categories count (RudderStack's "and"). One without any may have what is necessary; one with an id
    nobody has declared may have nothing.
    """
    if purpose not in allowed.granted:
        return False
    if not destination:
        return purpose == "necessary"
    answers = to_categories(allowed, categories=categories)
    return all(answers.get(id, False) for id in destination)
