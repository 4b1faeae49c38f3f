"""Complaints: what a mailbox provider says of a recipient who reported a message.

Sources: RFC 5965 (the format), RFC 5965 section 7.3 and RFC 6430 and RFC 6591 (its kinds of feedback).
"""

from __future__ import annotations

from typing import Final

import attrs

from cxkit_email.inbound.addresses import only_address
from cxkit_email.inbound.mail import Headers, Mail

__all__ = ["Feedback", "feedback"]

_COMPLAINTS: Final = frozenset({"abuse", "fraud", "virus", "other", "miscategorized"})
_OTHERS: Final = frozenset({"auth-failure", "not-spam"})
_OPT_OUTS: Final = frozenset({"opt-out", "opt-out-list"})


@attrs.frozen(kw_only=True)
class Feedback:
    """What was reported."""

    type: str
    """In lower case; ``abuse`` for a complaint that does not say of which kind, ``unknown`` for one nobody knows."""
    recipient: str | None = attrs.field(default=None, repr=False)

    @property
    def complaint(self) -> bool:
        return self.type in _COMPLAINTS

    @property
    def opt_out(self) -> bool:
        return self.type in _OPT_OUTS


def feedback(mail: Mail) -> Feedback | None:
    """The report of a complaint; None if the message is none."""
    part = next((part for part in mail.own if part.kind == "message/feedback-report"), None)
    if part is None:
        return _before_arf(mail)
    fields = Headers(lines=tuple(_fields(part.text)))
    kind = fields.get("feedback-type").strip().casefold() or "abuse"
    told = fields.get("original-rcpt-to") or fields.get("removal-recipient") or mail.original.get("to", "x-rcpt-to")
    kind = kind if kind in _COMPLAINTS | _OPT_OUTS | _OTHERS else "unknown"  # it is told on, and anybody may write it
    return Feedback(type=kind, recipient=only_address(told) if told else None)


def _before_arf(mail: Mail) -> Feedback | None:
    """Microsoft's reports, which are older than the format: the message, and a subject that says what it is."""
    if not mail.headers.get("subject").casefold().startswith("complaint about message from") or not mail.original:
        return None
    return Feedback(type="abuse", recipient=only_address(mail.original.get("x-hmxmroriginalrecipient", "to")))


def _fields(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.append((name.strip().casefold(), value.strip()))
    return found
