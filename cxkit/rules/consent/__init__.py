"""What a person allowed, and what follows from it.

The rule stands here. It is applied at four gates: ``capture.gate`` (may this be kept, and with
whom), ``flows.identify`` (may it be joined), ``rules.experience`` (how personal may it be) and
``delivery.judging`` (may this exporter have it). At the fifth, where something is sent, consent is not
asked: a topic has no purpose, and ``rules.preferences`` decides.

``policy`` holds what follows from choices, ``records`` what the choices are, ``packs`` what holds
where nobody chose, ``circumstances`` what of the context may be kept, ``maps`` what is allowed in the
words of others, ``hold`` what waits for a choice, and ``signals`` what browsers and apps say.
"""

from __future__ import annotations

from cxkit.rules.consent.circumstances import needed, permitted
from cxkit.rules.consent.hold import Fate, fate
from cxkit.rules.consent.maps import CONSENT_MODE, to_categories, to_consent_mode
from cxkit.rules.consent.packs import (
    PACKS,
    POLICIES,
    REGIONAL,
    UNIVERSAL_OPT_OUT,
    Home,
    Jurisdiction,
    governing,
    jurisdiction,
    pack_of,
    policy_named,
    region_of,
    strictest,
)
from cxkit.rules.consent.policy import (
    OBJECTED_BY_GPC,
    STRICT,
    Allowed,
    BeforeChoice,
    CaptureMode,
    Policy,
    allowed,
    capture_mode,
    denials,
    refused,
    unobjected,
)
from cxkit.rules.consent.records import (
    all_named,
    chained,
    choices_of,
    ends,
    later,
    merged,
    record,
    unexpired,
)
from cxkit.rules.consent.signals import MAX_SIGNAL_CHARS, said

__all__ = [
    "CONSENT_MODE",
    "MAX_SIGNAL_CHARS",
    "OBJECTED_BY_GPC",
    "PACKS",
    "POLICIES",
    "REGIONAL",
    "STRICT",
    "UNIVERSAL_OPT_OUT",
    "Allowed",
    "BeforeChoice",
    "CaptureMode",
    "Fate",
    "Home",
    "Jurisdiction",
    "Policy",
    "all_named",
    "allowed",
    "capture_mode",
    "chained",
    "choices_of",
    "denials",
    "ends",
    "fate",
    "governing",
    "jurisdiction",
    "later",
    "merged",
    "needed",
    "pack_of",
    "permitted",
    "policy_named",
    "record",
    "refused",
    "region_of",
    "said",
    "strictest",
    "to_categories",
    "to_consent_mode",
    "unexpired",
    "unobjected",
]
