"""Twilio SendGrid.

Source: its documentation, "Event Webhook Reference".

Our send's id comes back as the unique argument ``cx_send``: they stand among the fields of the event itself.
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
    "processed": "queued",
    "deferred": "deferred",
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "rejected",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "subscribed",
})  # fmt: skip
_CLASSES: Final[Mapping[str, BounceReason]] = MappingProxyType({
    "invalid address": "user_unknown",
    "mailbox unavailable": "disabled",
    "content": "content_spam",
    "reputation": "reputation",
    "frequency or volume too high": "rate_limited",
})  # fmt: skip
_DROPPED: Final = MappingProxyType({
    "bounced address": "suppressed",
    "spam reporting address": "suppressed",
    "unsubscribed address": "unsubscribed",
    "invalid": "invalid",
    "spam content (if spam checker app is enabled)": "content_spam",
    "recipient list over package quota": "quota",
})  # fmt: skip
_OWN: Final = frozenset({
    "asm_group_id", "attempt", "bounce_classification", "category", "cert_err", "email", "event", "ip",
    "marketing_campaign_id", "marketing_campaign_name", "newsletter", "pool", "reason", "response", "send_at",
    "sg_content_type", "sg_event_id", "sg_machine_open", "sg_message_id", "sg_template_id", "sg_template_name",
    "smtp-id", "status", "timestamp", "tls", "type", "url", "url_offset", "useragent",
})  # fmt: skip
"""Fields that are SendGrid's; the others are the app's."""


def read(said: object, id: str | None) -> Iterator[Report | None]:
    """A report for each event of the list."""
    yield from (_report(Told(one)) for one in (said if isinstance(said, list) else [said]))


def _report(told: Told) -> Report | None:
    event = told.text("event")
    if event is None:
        return None
    happened = _HAPPENED.get(event, "unknown")
    message = told.id("sg_message_id")
    return Report(
        happened=happened,
        send=send_id(told.text("cx_send")),
        at=told.epoch("timestamp"),
        recipient=told.text("email"),
        provider="sendgrid",
        provider_id=message.partition(".")[0] if message else told.id("smtp-id"),
        event_id=told.id("sg_event_id"),
        reason=_reason(told, happened),
        bounce=_bounce(told) if happened == "bounced" else None,
        url=told.text("url", most=2_048),
        user_agent=told.text("useragent"),
        tags=told.words("category"),
        metadata=told.metadata(without=_OWN),
    )


def _reason(told: Told, happened: Happening) -> str | None:
    if happened == "opened":
        return "machine" if told.flag("sg_machine_open") else None
    return _DROPPED.get((told.text("reason") or "").lower()) if happened == "rejected" else None


def _bounce(told: Told) -> Bounce:
    exact = _CLASSES.get((told.text("bounce_classification") or "").lower())
    vague: BounceReason = "blocked" if told.text("type") == "blocked" else "other"
    return because(exact=exact, vague=vague, status=told.text("status"), text=told.text("reason"))
