"""What a person allowed, and what follows from it.

The rule stands here. It is applied at five gates: ``capture.gate`` (may this be kept, and with
whom), ``flows.identify`` (may it be joined), ``rules.experience`` (how personal may it be),
``delivery.lane`` (may this exporter have it) and ``rules.preferences`` (may this be sent).

``policy`` holds what follows from choices, ``records`` what the choices are, ``packs`` what holds
where nobody chose, ``maps`` the words of others for it, ``hold`` what waits for a choice, and
``signals`` what browsers and apps say.
"""

from __future__ import annotations

from cxkit.rules.consent.hold import Fate, fate, has_room
from cxkit.rules.consent.maps import (
    CONSENT_MODE,
    from_categories,
    from_consent_mode,
    from_rudderstack,
    may_have,
    to_categories,
    to_consent_mode,
)
from cxkit.rules.consent.packs import (
    PACKS,
    POLICIES,
    UNIVERSAL_OPT_OUT,
    Jurisdiction,
    jurisdiction,
    pack_of,
    region_of,
    strictest,
)
from cxkit.rules.consent.policy import (
    STRICT,
    Allowed,
    CaptureMode,
    Policy,
    allowed,
    capture_mode,
    refused,
    unobjected,
)
from cxkit.rules.consent.records import (
    Standing,
    all_named,
    choices_of,
    merged,
    record,
    standing,
    unexpired,
)
from cxkit.rules.consent.signals import SignalReader, said

__all__ = [
    "CONSENT_MODE",
    "PACKS",
    "POLICIES",
    "STRICT",
    "UNIVERSAL_OPT_OUT",
    "Allowed",
    "CaptureMode",
    "Fate",
    "Jurisdiction",
    "Policy",
    "SignalReader",
    "Standing",
    "all_named",
    "allowed",
    "capture_mode",
    "choices_of",
    "fate",
    "from_categories",
    "from_consent_mode",
    "from_rudderstack",
    "has_room",
    "jurisdiction",
    "may_have",
    "merged",
    "pack_of",
    "record",
    "refused",
    "region_of",
    "said",
    "standing",
    "strictest",
    "to_categories",
    "to_consent_mode",
    "unexpired",
    "unobjected",
]
