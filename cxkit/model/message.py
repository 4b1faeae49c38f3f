"""Messages: what became of what was sent, in the same words for every channel and provider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import attrs

from cxkit.model.identity import Identifier

__all__ = [
    "BOUNCES",
    "HAPPENINGS",
    "Bounce",
    "BounceClass",
    "BounceReason",
    "Happening",
    "Mailing",
    "Message",
    "Report",
]

Happening = Literal[
    "queued", "sent", "deferred", "delivered", "read", "bounced", "rejected", "failed", "opened", "clicked",
    "complained", "unsubscribed", "subscribed", "autoresponded", "received", "unknown",
]  # fmt: skip
"""What can happen to a message; ``message.`` and one of these is the name of the interaction.

``rejected``: the provider or our own server did not take it. ``failed``: nobody will try again, and nobody said why.
``autoresponded``: a program answered. ``received``: somebody wrote to us.
"""
HAPPENINGS: Final[tuple[Happening, ...]] = get_args(Happening)

BounceClass = Literal["hard", "soft", "block", "unknown"]
"""``hard``: there is no such mailbox, and will be none. ``soft``: not now. ``block``: not from us, or not this."""
BounceReason = Literal[
    "user_unknown", "host_unknown", "moved", "mailbox_full", "deferred_expired", "too_large", "disabled",
    "rate_limited", "blocked", "reputation", "policy", "auth_failure", "content_spam", "content_virus", "relay",
    "other",
]  # fmt: skip
BOUNCES: Final[Mapping[BounceReason, BounceClass]] = MappingProxyType({
    "user_unknown": "hard",
    "host_unknown": "hard",
    "moved": "hard",
    "mailbox_full": "soft",
    "deferred_expired": "soft",
    "too_large": "soft",
    "disabled": "soft",
    "rate_limited": "block",
    "blocked": "block",
    "reputation": "block",
    "policy": "block",
    "auth_failure": "block",
    "content_spam": "block",
    "content_virus": "block",
    "relay": "block",
    "other": "unknown",
})  # fmt: skip


@attrs.frozen(kw_only=True)
class Bounce:
    """Why a message did not arrive.

    Example:
        >>> Bounce(reason="mailbox_full", status="5.2.2").kind
        'soft'
    """

    reason: BounceReason
    status: str | None = None
    """The enhanced status code (RFC 3463), ``5.1.1``. Its first digit says nothing about whether to write again."""
    smtp: int | None = None
    """The code of the reply (RFC 5321), ``550``."""
    diagnostic: str | None = attrs.field(default=None, repr=False)
    """What the other server wrote. It may name people, so it is for whoever reads the message, and never captured."""

    @property
    def kind(self) -> BounceClass:
        """What follows from it: only a ``hard`` one lets an address be suppressed."""
        return BOUNCES[self.reason]


@attrs.frozen(kw_only=True)
class Report:
    """What a mail server, a provider or a recipient's own program says of one message to one recipient."""

    happened: Happening
    send: str | None = None
    """Which message of ours, where a token of ours says so: 32 hexadecimal digits. Else nobody knows for sure."""
    at: datetime | None = None
    """When, as the other side tells it. Aware."""
    recipient: str | None = attrs.field(default=None, repr=False)
    """The address, as the other side tells it. Never captured."""
    provider: str | None = None
    """``ses``, ``postmark``, ...; None: a mail of its own."""
    provider_id: str | None = None
    """What the provider calls the message."""
    event_id: str | None = None
    """What the provider calls this very report: of two with the same one is a repetition."""
    reason: str | None = None
    """A stable lower-case word, where one is known: ``suppressed``, ``vacation``, ``abuse``."""
    bounce: Bounce | None = None
    url: str | None = attrs.field(default=None, repr=False)
    """What was followed."""
    user_agent: str | None = attrs.field(default=None, repr=False)
    """Of whatever opened or followed it. Never captured."""
    tags: tuple[str, ...] = attrs.field(default=(), repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """What the app gave the provider to return with each report. It may name people, as tags may. Never captured."""


@attrs.frozen(kw_only=True)
class Mailing:
    """What many messages have in common: what they are about, and where their links lead.

    Example:
        >>> Mailing(channel="email", topic="news", urls=("https://shop.example/spring",)).campaign is None
        True
    """

    channel: str
    topic: str
    campaign: str | None = None
    urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    """In the order of their numbers: a link says its number alone."""


@attrs.frozen(kw_only=True)
class Message:
    """One message to one recipient, and what became of it."""

    id: str
    """32 hexadecimal digits. A UUIDv7 (RFC 9562): it tells when the message was prepared, and nothing of whom for."""
    channel: str
    topic: str
    to: Identifier
    """The address, as the keyed hash that stands for it."""
    at: datetime
    """When it was handed over to be sent."""
    campaign: str | None = None
    mailing: str | None = None
    """The id of its `Mailing`."""
    happened: Mapping[Happening, datetime] = attrs.field(factory=dict)
    """What has happened to it, and when first."""
    bounce: Bounce | None = None
    """The gravest."""
    hits: tuple[Mapping[str, Any], ...] = attrs.field(default=(), repr=False)
    """What opened or followed it, as its channel describes that; the last of them."""
    reports: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Digests of the last reports of it: of two with the same one is a repetition."""
