"""Brevo.

Source: its developer documentation, "Transactional webhooks"; and, for times, what django-anymail found: of all the
fields only ``ts_epoch`` is in UTC whatever the account's zone.

Our send's id comes back in ``X-Mailin-custom``, as JSON. No event has an id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cxkit.model.message import Bounce, BounceReason, Happening, Report
from cxkit_email.webhooks.providers.why import because
from cxkit_email.webhooks.told import Told, decoded, send_id

__all__ = ["read"]

_HAPPENED: Final[Mapping[str, tuple[Happening, str | None]]] = MappingProxyType({
    "request": ("queued", None),
    "sent": ("queued", None),
    "delivered": ("delivered", None),
    "deferred": ("deferred", None),
    "hard_bounce": ("bounced", None),
    "soft_bounce": ("bounced", None),
    "blocked": ("rejected", "suppressed"),
    "invalid_email": ("rejected", "invalid"),
    "error": ("failed", None),
    "spam": ("complained", None),
    "complaint": ("complained", None),
    "opened": ("opened", None),
    "unique_opened": ("opened", None),
    "proxy_open": ("opened", "proxy"),
    "unique_proxy_open": ("opened", "proxy"),
    "click": ("clicked", None),
    "unsubscribe": ("unsubscribed", None),
    "unsubscribed": ("unsubscribed", None),
    "list_addition": ("subscribed", None),
})  # fmt: skip
"""``request`` comes before it is known whether Brevo sends it at all."""


def read(said: object, id: str | None) -> Iterator[Report | None]:
    """The one; of a webhook that gathers them, each."""
    yield from (_report(Told(one)) for one in (said if isinstance(said, list) else [said]))


def _report(told: Told) -> Report | None:
    event = told.text("event")
    if event is None:
        return None
    happened, reason = _HAPPENED.get(event, ("unknown", None))
    custom = Told(decoded((told.text("X-Mailin-custom", most=4_096) or "").encode()))
    return Report(
        happened=happened,
        send=send_id(custom.text("cx_send")),
        at=told.epoch("ts_epoch"),
        recipient=told.text("email"),
        provider="brevo",
        provider_id=told.id("message-id"),
        reason=reason,
        bounce=_bounce(told, event) if happened == "bounced" else None,
        url=told.text("link", most=2_048),
        user_agent=told.text("user_agent"),
        tags=told.words("tags") or told.words("tag"),
        metadata=custom.metadata(),
    )


def _bounce(told: Told, event: str) -> Bounce:
    vague: BounceReason = "user_unknown" if event == "hard_bounce" else "other"
    return because(vague=vague, text=told.text("reason"))
