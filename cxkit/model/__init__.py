"""The house's nouns as frozen values: no clock, no I/O."""

from __future__ import annotations

from cxkit.model.consent import (
    PURPOSES,
    Answer,
    Blocked,
    Choice,
    Consent,
    GlobalStop,
    Notice,
    Preference,
    Suppression,
    Topic,
    purpose_bits,
)
from cxkit.model.context import Acquisition, Agent, Context, Device, Page, Place
from cxkit.model.decision import Decision
from cxkit.model.experience import ExperienceSpec, Variant
from cxkit.model.facts import Facts
from cxkit.model.feedback import SCALES, Feedback
from cxkit.model.identity import EVIDENCE, Evidence, Identifier, Identity
from cxkit.model.interaction import Interaction
from cxkit.model.money import Money
from cxkit.model.profile import Person, Profile, Recent, Trait
from cxkit.model.properties import JSON, Properties
from cxkit.model.touchpoint import CHANNELS, Stage, TouchpointSpec

__all__ = [
    "CHANNELS",
    "EVIDENCE",
    "JSON",
    "PURPOSES",
    "SCALES",
    "Acquisition",
    "Agent",
    "Answer",
    "Blocked",
    "Choice",
    "Consent",
    "Context",
    "Decision",
    "Device",
    "Evidence",
    "ExperienceSpec",
    "Facts",
    "Feedback",
    "GlobalStop",
    "Identifier",
    "Identity",
    "Interaction",
    "Money",
    "Notice",
    "Page",
    "Person",
    "Place",
    "Preference",
    "Profile",
    "Properties",
    "Recent",
    "Stage",
    "Suppression",
    "Topic",
    "TouchpointSpec",
    "Trait",
    "Variant",
    "purpose_bits",
]
