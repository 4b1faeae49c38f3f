"""Consent: the append-only record of a choice; preference: what may be sent where. Two things, never one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, get_args

import attrs

__all__ = [
    "PURPOSES",
    "Answer",
    "Blocked",
    "Choice",
    "Consent",
    "GlobalStop",
    "Notice",
    "Preference",
    "Suppression",
    "Topic",
    "purpose_bits",
]

PURPOSES: Final = (
    "necessary",
    "functional",
    "analytics",
    "personalization",
    "profiling",
    "advertising",
    "sale_share",
    "identity_stitching",
    "precise_location",
    "message_open",
)
"""The purposes. Their order is part of the spool's format: append, never reorder."""

Choice = Literal["granted", "denied"]
Method = Literal["accept", "reject", "save", "dismiss", "gpc", "one_click", "import", "operator", "api"]
Mechanism = Literal["opt_in", "opt_out", "notice_only"]
InferredFrom = Literal["declared", "account", "geo", "unknown"]
Gate = Literal["capture", "identity", "decision", "export", "send"]


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


# --- Consent --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Notice:
    """The text a person saw when they were asked.

    Example:
        >>> Notice(id="banner", version="4", language="fr").language
        'fr'
    """

    id: str
    version: str | None = None
    language: str | None = None
    """A language tag (BCP 47)."""


@attrs.frozen(kw_only=True)
class Consent:
    """One choice of one person on some purposes; never changed, only followed by another.

    Its fields are those a consent record needs (ISO/IEC TS 27560), as far as they concern the choice.

    Example:
        >>> from datetime import UTC, datetime
        >>> Consent(choices={"analytics": "granted"}, decided_at=datetime(2026, 11, 22, tzinfo=UTC)).mechanism
        'opt_in'
    """

    choices: dict[str, Choice]
    """Purpose to choice; a purpose that is not named is not touched."""
    decided_at: datetime
    """When the choice was made, aware."""
    id: str = ""
    """The id of the command that made it; a record with the same id is the same record."""
    expires_at: datetime | None = None
    """When its grants end; None: never. What was refused stays refused."""
    ask_again_at: datetime | None = None
    """From when on what it refuses may be asked for again; None: at any time."""
    method: Method | Literal["merge"] = "api"
    """How it was expressed. ``merge`` nobody expressed: two persons turned out to be one."""
    mechanism: Mechanism = "opt_in"
    """What saying nothing would have meant."""
    touchpoint: str | None = None
    """Where it was expressed."""
    channel: str | None = None
    policy: str = "strict/1"
    """The policy in force, with its version."""
    notice: Notice | None = None
    """Which text the person saw."""
    jurisdiction: str | None = None
    """Where the person is, as a region of the policy packs."""
    jurisdiction_from: InferredFrom = "unknown"
    """How that is known."""
    signals: Mapping[str, str] = attrs.field(factory=dict)
    """What the browser or app said, as it came: ``{"gpc": "1"}``; later also TC and GPP strings."""
    supersedes: str | None = None
    """The id of the record it was made in place of, where several are read together; it is not kept."""
    conflicts: tuple[str, ...] = ()
    """Purposes it denies only because two persons who are one had chosen differently."""


@attrs.frozen(kw_only=True)
class Blocked:
    """Why a gate stopped something: the key under which such cases are counted.

    Example:
        >>> str(Blocked(gate="export", purpose="advertising", reason="refused", destination="ads"))
        'export:advertising:refused:ads'
        >>> Blocked.from_text("capture:analytics:undecided:").gate
        'capture'
    """

    gate: Gate
    purpose: str
    """What it would have served; of a message, the kind of its topic."""
    reason: str
    """One word of this gate: ``refused``, ``undecided``, ``hard_bounce``, ..."""
    destination: str = ""
    """The exporter, the experience or the channel; empty at gates that have only one way out."""

    def __str__(self) -> str:
        return f"{self.gate}:{self.purpose}:{self.reason}:{self.destination}"

    @classmethod
    def from_text(cls, text: str) -> Blocked:
        """What ``str()`` made.

        Raises:
            ValueError: It was not made by it.
        """
        parts = text.split(":", 3)  # only the destination has a name of the operator's choosing
        if len(parts) != 4 or parts[0] not in get_args(Gate):
            raise ValueError("not the text of a blocked case")
        gate, purpose, reason, destination = parts
        return cls(gate=gate, purpose=purpose, reason=reason, destination=destination)  # type: ignore[arg-type]


# --- Preference -----------------------------------------------------------------------------------

TopicKind = Literal["transactional", "service", "marketing"]
Act = Literal["user", "one_click", "operator", "import"]
Answer = Literal["granted", "denied", "default"]
"""What is known of one topic on one channel; ``default``: nobody has said anything."""
SuppressionReason = Literal["complaint", "hard_bounce", "operator"]


@attrs.frozen(kw_only=True)
class Topic:
    """Something a company sends.

    Example:
        >>> news = Topic(name="news", kind="marketing", defaults={"app": "granted"})
        >>> news.default("app"), news.default("email")
        ('granted', 'denied')
    """

    name: str
    kind: TopicKind = attrs.field(default="marketing", validator=attrs.validators.in_(get_args(TopicKind)))
    """transactional: what the customer is waiting for (a receipt, a new password); service: about what they have;
    marketing: everything else."""
    defaults: Mapping[str, Choice] = attrs.field(factory=dict)
    """Channel to what holds there before anybody chose."""

    def default(self, channel: str) -> Choice:
        """What holds on that channel before anybody chose; of marketing that is denied, unless it is declared."""
        return self.defaults.get(channel, "denied" if self.kind == "marketing" else "granted")


@attrs.frozen(kw_only=True)
class Preference:
    """What a person wants to receive: one topic on one channel. Apart from consent.

    Nothing but one of these four acts makes one: buying or subscribing to something is none of them.
    """

    topic: str
    channel: str
    choice: Choice
    decided_at: datetime
    id: str = ""
    """The id of the command that made it."""
    by: Act = attrs.field(default="user", validator=attrs.validators.in_(get_args(Act)))
    """Whose act it was: the person's, their mail program's one click (RFC 8058), an operator's or an import's."""


@attrs.frozen(kw_only=True)
class GlobalStop:
    """A person's "stop all marketing": an act of its own, which no number of single refusals amounts to."""

    decided_at: datetime
    id: str = ""
    lifted: bool = False
    """Whether it takes an earlier stop back; what was chosen for single topics then holds again."""
    by: Act = attrs.field(default="user", validator=attrs.validators.in_(get_args(Act)))


@attrs.frozen(kw_only=True)
class Suppression:
    """An address that must not be written to, whatever its owner prefers."""

    channel: str
    reason: SuppressionReason = attrs.field(validator=attrs.validators.in_(get_args(SuppressionReason)))
    at: datetime
    id: str = ""
    lifted: bool = False
    """Whether an operator takes an earlier one for this reason back. A delivery never does."""
