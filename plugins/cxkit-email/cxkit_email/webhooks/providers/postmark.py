"""Postmark.

Source: its developer documentation, the pages on webhooks and "Bounce types".

Our send's id comes back in the metadata, as ``cx_send``. Only bounces and complaints have an id of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cxkit.model.message import Bounce, BounceReason, Happening, Report
from cxkit_email.webhooks.providers.why import because
from cxkit_email.webhooks.told import Told, send_id

__all__ = ["read"]

_HAPPENED: Final[Mapping[str, Happening]] = MappingProxyType({
    "Bounce": "bounced",
    "SpamComplaint": "complained",
    "Delivery": "delivered",
    "Open": "opened",
    "Click": "clicked",
    "SubscriptionChange": "unsubscribed",
    "Inbound": "received",
})  # fmt: skip
_BOUNCES: Final[Mapping[str, tuple[Happening, str | None]]] = MappingProxyType({
    "HardBounce": ("bounced", None),
    "SoftBounce": ("bounced", None),
    "Blocked": ("bounced", None),
    "SpamNotification": ("bounced", None),
    "VirusNotification": ("bounced", None),
    "Transient": ("deferred", None),
    "DnsError": ("deferred", "host_unknown"),
    "Unsubscribe": ("unsubscribed", None),
    "Subscribe": ("subscribed", None),
    "AutoResponder": ("autoresponded", None),
    "AddressChange": ("autoresponded", "moved"),
    "ChallengeVerification": ("autoresponded", "challenge"),
    "SpamComplaint": ("complained", None),
    "BadEmailAddress": ("rejected", "invalid"),
    "ManuallyDeactivated": ("rejected", "suppressed"),
    "Unconfirmed": ("rejected", "unconfirmed"),
    "DMARCPolicy": ("rejected", "dmarc"),
    "SMTPApiError": ("failed", None),
    "TemplateRenderingFailed": ("failed", "rendering"),
    "OpenRelayTest": ("unknown", None),
    "InboundError": ("unknown", None),
    "Unknown": ("unknown", None),
})  # fmt: skip
"""What it calls a bounce, to what happened."""
_EXACT: Final[Mapping[str, BounceReason]] = MappingProxyType({
    "Blocked": "blocked", "SpamNotification": "content_spam", "VirusNotification": "content_virus",
})  # fmt: skip
_LEFT: Final[Mapping[str, Happening]] = MappingProxyType({
    "HardBounce": "bounced", "SpamComplaint": "complained", "ManualSuppression": "unsubscribed",
})  # fmt: skip


def read(said: object, id: str | None) -> Iterator[Report | None]:
    """The one."""
    yield _report(Told(said))


def _report(told: Told) -> Report | None:
    record, kind = told.text("RecordType"), told.text("Type") or ""
    if record is None:
        return None
    happened, reason = _HAPPENED.get(record, "unknown"), None
    if record == "Bounce":
        happened, reason = _BOUNCES.get(kind, ("unknown", None))
    elif record == "SubscriptionChange":
        kind = told.text("SuppressionReason") or ""
        happened = "subscribed" if told.flag("SuppressSending") is False else _LEFT.get(kind, "unknown")
    metadata, number = told.table("Metadata"), told.id("ID")
    return Report(
        happened=happened,
        send=send_id(metadata.text("cx_send")),
        at=told.instant("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt"),
        recipient=told.text("Email", "Recipient"),
        provider="postmark",
        provider_id=told.id("MessageID"),
        event_id=f"{record}/{number}" if number and record in ("Bounce", "SpamComplaint") else None,
        reason=reason,
        bounce=_bounce(told, kind) if happened == "bounced" else None,
        url=told.text("OriginalLink", most=2_048),
        user_agent=told.text("UserAgent"),
        tags=told.words("Tag"),
        metadata=metadata.metadata(),
    )


def _bounce(told: Told, kind: str) -> Bounce:
    vague: BounceReason = "user_unknown" if kind == "HardBounce" else "other"
    return because(exact=_EXACT.get(kind), vague=vague, text=told.text("Details", "Description"))
