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
from cxkit.model.experiment import Assignment, Experiment, Holdout, Namespace, Prerequisite
from cxkit.model.facts import Facts
from cxkit.model.feedback import SCALES, Feedback
from cxkit.model.identity import EVIDENCE, Evidence, Identifier, Identity
from cxkit.model.interaction import Interaction
from cxkit.model.journey import JourneySpec, Progress, Taken
from cxkit.model.message import Bounce, Mailing, Message, Report
from cxkit.model.money import Money
from cxkit.model.profile import Person, Profile, Recent, Trait
from cxkit.model.properties import JSON, Properties
from cxkit.model.question import Question
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
    "Assignment",
    "Blocked",
    "Bounce",
    "Choice",
    "Consent",
    "Context",
    "Decision",
    "Device",
    "Evidence",
    "ExperienceSpec",
    "Experiment",
    "Facts",
    "Feedback",
    "GlobalStop",
    "Holdout",
    "Identifier",
    "Identity",
    "Interaction",
    "JourneySpec",
    "Mailing",
    "Message",
    "Money",
    "Namespace",
    "Notice",
    "Page",
    "Person",
    "Place",
    "Preference",
    "Prerequisite",
    "Profile",
    "Progress",
    "Properties",
    "Question",
    "Recent",
    "Report",
    "Stage",
    "Suppression",
    "Taken",
    "Topic",
    "TouchpointSpec",
    "Trait",
    "Variant",
    "purpose_bits",
]
