"""What an inbound message is, why it is taken for that, and what follows for whom it was sent to.

In this order: a token of ours, which says only which message it is about; a complaint (RFC 5965); a wish to leave (RFC
2369); a report for programs (RFC 3464); an answer of a program (RFC 3834); a notice for people; a reply. Notices go
before answers where a server is the sender: RFC 3834 wants both to be called ``auto-replied``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Final, Literal

import attrs

from cxkit.model.message import Happening, Report
from cxkit_email.inbound import prose
from cxkit_email.inbound.addresses import only_address
from cxkit_email.inbound.arf import Feedback, feedback
from cxkit_email.inbound.autoreply import autoreply
from cxkit_email.inbound.dsn import Status, displayed, statuses
from cxkit_email.inbound.mail import Mail, read
from cxkit_email.inbound.ours import asks_to_leave, candidates
from cxkit_email.inbound.reasons import bounce
from cxkit_email.inbound.reply import Reply, reply

__all__ = ["Inbound", "Kind", "classify"]

Kind = Literal[
    "bounce", "delay", "delivered", "read", "complaint", "not_spam", "unsubscribe", "feedback", "autoreply", "reply",
    "unknown",
]  # fmt: skip
"""``not_spam`` and ``feedback`` (failed authentication, for one) are reports by RFC 5965 that are no complaint."""

MAX_RECIPIENTS: Final = 100
MAX_CHARS: Final = 4096
"""What is looked into of all diagnostics of one message, but for ..."""
MIN_CHARS: Final = 400
"""... so much of each."""
_HAPPENED: Final[dict[str, Happening]] = {
    "failed": "bounced", "delayed": "deferred",
    "delivered": "delivered", "relayed": "delivered", "expanded": "delivered",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Inbound:
    """What an inbound message is."""

    kind: Kind
    reports: tuple[Report, ...] = ()
    """One for each recipient that it is about; without a ``send`` nobody knows that it is about a message of ours."""
    why: tuple[str, ...] = ()
    """A stable word for each step that decided, in order."""
    reply: Reply | None = None
    """What was written, where a person wrote it."""
    limits: tuple[str, ...] = ()
    """What of it was not read to its end."""


def classify(raw: bytes, *, ours: Callable[[str], str | None] = lambda candidate: None) -> Inbound:
    r"""Tells what a message is. Any bytes are a message, so it never raises but what ``ours`` raises.

    ``ours`` is asked about each address, Message-ID and header that may name a message of ours; it verifies, and
    answers which one (32 hexadecimal digits) or None. Anybody can write a report, so only one with a ``send`` may have
    consequences.

    Example:
        >>> found = classify(b"Auto-Submitted: auto-replied\nSubject: Away\n\nI am back on Monday.")
        >>> found.kind, found.why, found.reports[0].happened
        ('autoreply', ('auto_submitted',), 'autoresponded')
    """
    mail = read(raw)
    send, why = _ours(mail, ours)
    found = _feedback(mail, why) or _leaving(mail, why) or _dsn(mail, why) or _rest(mail, why)
    return _finished(found, mail, raw, send)


def _ours(mail: Mail, ours: Callable[[str], str | None]) -> tuple[str | None, tuple[str, ...]]:
    for where, candidate in candidates(mail):
        if send := ours(candidate):
            return send, (where,)
    return None, ()


def _feedback(mail: Mail, why: tuple[str, ...]) -> Inbound | None:
    found = feedback(mail)
    if found is None:
        return None
    kind, happened = _of_feedback(found)
    report = Report(happened=happened, recipient=found.recipient, reason=found.type)
    return Inbound(kind=kind, reports=(report,), why=(*why, "arf", f"arf_{found.type.replace('-', '_')}"))


def _of_feedback(found: Feedback) -> tuple[Kind, Happening]:
    if found.opt_out:
        return "unsubscribe", "unsubscribed"
    if found.complaint:
        return "complaint", "complained"
    return ("not_spam" if found.type == "not-spam" else "feedback"), "unknown"


def _leaving(mail: Mail, why: tuple[str, ...]) -> Inbound | None:
    if prose.from_server(mail) or not asks_to_leave(mail):
        return None
    report = Report(happened="unsubscribed", recipient=only_address(mail.headers.get("from")), reason="mailto")
    return Inbound(kind="unsubscribe", reports=(report,), why=(*why, "subject_unsubscribe"))


def _dsn(mail: Mail, why: tuple[str, ...]) -> Inbound | None:
    told = [status for status in statuses(mail, by_server=prose.from_server(mail)) if status.action]
    if told:
        found = told[:MAX_RECIPIENTS]
        notice = prose.notice(mail)
        if len(found) == 1 and found[0].recipient is None:
            found = [attrs.evolve(found[0], recipient=next(iter(prose.recipients(mail, notice)), None))]
        chars = max(MIN_CHARS, MAX_CHARS // len(found))
        reports = tuple(
            _of_status(status, notice.text if len(found) == 1 else prose.near(notice, status.recipient), chars)
            for status in found
        )
        why = (*why, "dsn", *dict.fromkeys(f"dsn_{status.action}" for status in found))
        return Inbound(kind=_kind(reports), reports=reports, why=why, limits=_cut(told, found))
    if displayed(mail):
        return Inbound(kind="read", reports=(Report(happened="read"),), why=(*why, "mdn_displayed"))
    return None


def _cut(told: Collection[object], found: Collection[object]) -> tuple[str, ...]:
    return ("recipients",) if len(told) > len(found) else ()


def _of_status(status: Status, context: str, chars: int) -> Report:
    happened = _HAPPENED[status.action]
    if happened == "delivered":
        return Report(happened=happened, recipient=status.recipient)
    return _report(happened, status.recipient, status.status, status.diagnostic[:chars], context[:chars])


def _report(happened: Happening, recipient: str | None, status: str | None, diagnostic: str, context: str) -> Report:
    why = bounce(status, diagnostic, context)
    if happened == "deferred" and why.kind == "hard":
        why = attrs.evolve(why, reason="deferred_expired")  # whoever tries again is not sure
    return Report(happened=happened, recipient=recipient, bounce=why, reason=why.reason)


def _kind(reports: tuple[Report, ...]) -> Kind:
    happened = {report.happened for report in reports}
    return "bounce" if "bounced" in happened else "delay" if "deferred" in happened else "delivered"


def _rest(mail: Mail, why: tuple[str, ...]) -> Inbound:
    notice = prose.notice(mail)
    told = prose.is_notice(mail, notice)
    if not told and (how := autoreply(mail)):
        sender = only_address(mail.headers.get("from"))
        return Inbound(
            kind="autoreply", reports=(Report(happened="autoresponded", recipient=sender, reason=how),), why=(*why, how)
        )
    if told:
        return _notice(mail, notice, (*why, "notice"))
    if prose.from_server(mail):
        return Inbound(kind="unknown", why=(*why, "from_server"))
    return _reply(mail, why)


def _notice(mail: Mail, notice: prose.Notice, why: tuple[str, ...]) -> Inbound:
    happened: Happening = "deferred" if notice.delay else "bounced"
    told = prose.recipients(mail, notice)
    found = dict(list(told.items())[:MAX_RECIPIENTS])
    context = notice.text if len(found) == 1 else ""
    chars = max(MIN_CHARS, MAX_CHARS // max(1, len(found)))
    reports = tuple(_report(happened, address, None, near[:chars], context) for address, near in found.items())
    if not reports:
        reports = (_report(happened, None, None, notice.text, ""),)
        why = (*why, "no_recipient")
    return Inbound(kind=_kind(reports), reports=reports, why=why, limits=_cut(told, found))


def _reply(mail: Mail, why: tuple[str, ...]) -> Inbound:
    written = reply(mail)
    answers = bool(why or mail.headers.get("in-reply-to", "references"))
    if not written.full.strip() and not answers:
        return Inbound(kind="unknown", why=("empty",))
    sender = only_address(mail.headers.get("from"))
    report = Report(happened="received", recipient=sender)
    return Inbound(kind="reply", reports=(report,), why=(*why, "answer" if answers else "message"), reply=written)


def _finished(found: Inbound, mail: Mail, raw: bytes, send: str | None) -> Inbound:
    """The same with what all reports have: the message they are about, when, and which report it is."""
    at = _date(mail.headers.get("date"))
    named = mail.headers.get("message-id").strip().encode("utf-8", "replace") or raw
    reports = tuple(
        attrs.evolve(report, send=send, at=at, event_id=blake2b(b"%d %b" % (number, named), digest_size=16).hexdigest())
        for number, report in enumerate(found.reports)
    )
    return attrs.evolve(found, reports=reports, limits=(*mail.limits, *found.limits))


def _date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value[:200])
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
