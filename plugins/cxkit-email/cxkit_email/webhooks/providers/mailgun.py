"""Mailgun.

Source: its documentation, "Webhook payloads" and "Events".

Our send's id comes back as the user variable ``cx_send``. What is signed is not the event, so a report is known by the
token that is signed, which is taken once.
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
    "accepted": "queued",
    "delivered": "delivered",
    "rejected": "rejected",
    "failed": "bounced",
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "complained": "complained",
    "stored": "received",
})  # fmt: skip
_EXACT: Final[Mapping[str, BounceReason]] = MappingProxyType({"espblock": "blocked", "old": "deferred_expired"})
_NOT_SENT: Final = MappingProxyType({
    "suppress-bounce": "suppressed", "suppress-complaint": "suppressed", "suppress-unsubscribe": "unsubscribed",
})  # fmt: skip


def read(said: object, id: str | None) -> Iterator[Report | None]:
    """The one."""
    yield _report(Told(said).table("event-data"), id)


def _report(told: Told, id: str | None) -> Report | None:
    event = told.text("event")
    if event is None:
        return None
    happened, reason, client = _HAPPENED.get(event, "unknown"), told.text("reason") or "", told.table("client-info")
    why: str | None = None
    if happened == "bounced":
        why = _NOT_SENT.get(reason)
        if why is not None:
            happened = "rejected"
        elif told.text("severity") == "temporary":
            happened = "deferred"
    elif happened == "opened" and client.text("bot"):
        why = "proxy"
    metadata = told.table("user-variables")
    return Report(
        happened=happened,
        send=send_id(metadata.text("cx_send")),
        at=told.epoch("timestamp"),
        recipient=told.text("recipient"),
        provider="mailgun",
        provider_id=told.table("message").table("headers").id("message-id"),
        event_id=id,
        reason=why,
        bounce=_bounce(told.table("delivery-status"), reason) if happened == "bounced" else None,
        url=told.text("url", most=2_048),
        user_agent=client.text("user-agent"),
        tags=told.words("tags"),
        metadata=metadata.metadata(),
    )


def _bounce(status: Told, reason: str) -> Bounce:
    code = status.number("code")
    vague: BounceReason = "user_unknown" if status.text("bounce-type") == "hard" else "other"
    return because(
        exact=_EXACT.get(reason),
        vague=vague,
        status=status.text("enhanced-code"),
        smtp=int(code) if code is not None and 200 <= code <= 599 else None,
        text=status.text("message", "description"),
    )
