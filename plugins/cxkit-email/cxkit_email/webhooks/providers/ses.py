"""Amazon SES.

Source: its Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" and "Amazon SNS
notification contents for Amazon SES"; the two differ in one name.

Our send's id comes back as the message tag ``cx_send`` (event publishing alone), or in the header ``X-CX-Send`` (there,
and where a notification includes the original headers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from cxkit.model.message import BounceReason, Happening, Report
from cxkit_email.webhooks.providers.why import because
from cxkit_email.webhooks.told import Told, send_id

__all__ = ["VALIDATED", "read"]

_MOST_RECIPIENTS: Final = 1_000
_EXACT: Final[Mapping[str, BounceReason]] = MappingProxyType({
    "NoEmail": "user_unknown",
    "MailboxFull": "mailbox_full",
    "MessageTooLarge": "too_large",
    "ContentRejected": "content_spam",
    "AttachmentRejected": "policy",
    "CustomTimeoutExceeded": "deferred_expired",
})  # fmt: skip
_NOT_SENT: Final = MappingProxyType({
    "Suppressed": "suppressed", "OnAccountSuppressionList": "suppressed", "UnsubscribedRecipient": "unsubscribed",
})  # fmt: skip
"""Bounces that are none: Amazon did not send it."""
_COMPLAINTS: Final = MappingProxyType({
    "abuse": "abuse", "auth-failure": "auth_failure", "fraud": "fraud", "virus": "virus", "not-spam": "not_spam",
})  # fmt: skip
_DELAYS: Final = MappingProxyType({
    "MailboxFull": "mailbox_full", "SpamDetected": "content_spam", "IPFailure": "reputation",
})  # fmt: skip
VALIDATED: Final = b"Successfully validated SNS topic for Amazon SES event publishing."
"""What Amazon says first of a new topic: no JSON, and nothing that happened."""


def read(said: object, id: str | None) -> Iterator[Report | None]:
    """A report for each recipient."""
    told = Told(said)
    kind = told.text("eventType", "notificationType") or ""
    mail = told.table("mail")
    if not kind or not mail:
        yield None
        return
    reader, field = _KINDS.get(kind, (_unknown, ""))
    event = told.table(field)
    base = Report(
        happened="unknown",
        send=_send(mail),
        at=event.instant("timestamp", "arrivalDate") or mail.instant("timestamp"),
        provider="ses",
        provider_id=mail.id("messageId"),
        metadata=_tags(mail),
    )
    reports = [*reader(base, event, mail)]
    if not reports:
        yield None
    for index, report in enumerate(reports):
        yield attrs.evolve(report, event_id=id if index == 0 or id is None else f"{id}/{index}")


def _send(mail: Told) -> str | None:
    tag = mail.table("tags").words("cx_send")
    header = [one.text("value") for one in mail.tables("headers") if (one.text("name") or "").lower() == "x-cx-send"]
    return next(filter(None, map(send_id, (*tag, *header))), None)


def _tags(mail: Told) -> dict[str, str]:
    tags = mail.table("tags")
    return {name: value for name in tags.names() if ":" not in name for value in tags.words(name)[:1]}


def _each(base: Report, mail: Told) -> Iterator[Report]:
    """One for each recipient of the message, where the event names none."""
    for to in mail.words("destination", most=_MOST_RECIPIENTS) or (None,):
        yield attrs.evolve(base, recipient=to)


def _of_mail(happened: Happening, reason: str | None = None) -> Callable[[Report, Told, Told], Iterator[Report]]:
    return lambda base, event, mail: _each(attrs.evolve(base, happened=happened, reason=reason), mail)


def _unknown(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    yield from _each(base, mail)


def _bounce(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    kind, finer = event.text("bounceType"), event.text("bounceSubType") or ""
    for one in event.tables("bouncedRecipients"):
        base = attrs.evolve(base, recipient=one.text("emailAddress"))
        if finer in _NOT_SENT:
            yield attrs.evolve(base, happened="rejected", reason=_NOT_SENT[finer])
        else:
            vague: BounceReason = "user_unknown" if kind == "Permanent" else "other"
            why = because(
                exact=_EXACT.get(finer), vague=vague, status=one.text("status"), text=one.text("diagnosticCode")
            )
            yield attrs.evolve(base, happened="bounced", bounce=why)


def _complaint(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    reason = _COMPLAINTS.get(event.text("complaintFeedbackType") or "")
    happened: Happening = "unknown" if reason == "not_spam" else "complained"
    if event.text("complaintSubType") == "OnAccountSuppressionList":
        happened, reason = "rejected", "suppressed"
    for one in event.tables("complainedRecipients"):
        yield attrs.evolve(
            base,
            happened=happened,
            reason=reason,
            recipient=one.text("emailAddress"),
            user_agent=event.text("userAgent"),
        )


def _delivery(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    for to in event.words("recipients", most=_MOST_RECIPIENTS):
        yield attrs.evolve(base, happened="delivered", recipient=to)


def _delay(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    for one in event.tables("delayedRecipients"):
        reason = _DELAYS.get(event.text("delayType") or "")
        yield attrs.evolve(base, happened="deferred", reason=reason, recipient=one.text("emailAddress"))


def _opened(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    yield from _each(attrs.evolve(base, happened="opened", user_agent=event.text("userAgent")), mail)


def _clicked(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    link = event.text("link", most=2_048)
    yield from _each(attrs.evolve(base, happened="clicked", user_agent=event.text("userAgent"), url=link), mail)


def _subscription(base: Report, event: Told, mail: Told) -> Iterator[Report]:
    """Somebody chose, on the page that Amazon shows, what to be sent."""
    wanted = event.table("newTopicPreferences")
    left = [one.text("topicName") for one in wanted.tables("topicSubscriptionStatus") if _out(one)]
    if wanted.flag("unsubscribeAll"):
        base = attrs.evolve(base, happened="unsubscribed")
    elif left:
        base = attrs.evolve(base, happened="unsubscribed", reason="topics", tags=tuple(filter(None, left))[:32])
    else:
        base = attrs.evolve(base, happened="subscribed")
    yield from _each(base, mail)


def _out(topic: Told) -> bool:
    return (topic.text("subscriptionStatus") or "").lower() == "optout"


_KINDS: Final = MappingProxyType({
    "Bounce": (_bounce, "bounce"),
    "Complaint": (_complaint, "complaint"),
    "Delivery": (_delivery, "delivery"),
    "DeliveryDelay": (_delay, "deliveryDelay"),
    "Send": (_of_mail("sent"), "send"),
    "Reject": (_of_mail("rejected", "virus"), "reject"),
    "Rendering Failure": (_of_mail("failed", "rendering"), "failure"),
    "Open": (_opened, "open"),
    "Click": (_clicked, "click"),
    "Subscription": (_subscription, "subscription"),
})  # fmt: skip
