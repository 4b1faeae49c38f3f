"""Why a message did not arrive, from what the other server wrote, and only then from its codes.

Sources: RFC 3463 and the IANA registry of enhanced status codes; RFC 5321, section 4.2 (replies); RFC 7505 (null MX).
Of replies that say a mailbox is full, some are 5.1.1, most are 5.x.x: words outrank codes, and the first digit counts
for nothing. What is told is ``user_unknown``, ``host_unknown`` or ``moved`` only where the words, or an exact code with
no words to the contrary, say so.
"""

from __future__ import annotations

import re
from typing import Final

from cxkit.model.message import BOUNCES, Bounce, BounceReason
from cxkit_email.inbound.addresses import ADDRESS
from cxkit_email.inbound.refusals import SENDER, STAGE
from cxkit_email.inbound.wordings import ASKED_OF_RECIPIENT, UNSURE, WORDINGS

__all__ = ["bounce"]

MAX_DIAGNOSTIC_CHARS: Final = 4096

_STATUS: Final = re.compile(r"(?<![\d.(/])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_REPLY: Final = re.compile(r"(?<![\d.:/-])([45]\d\d)(?![\d.:/])[ -]")
_SMTP: Final = re.compile(r"(?<![\d.])([45]\d\d)[ -]#?([245])\.(\d{1,3})\.(\d{1,3})")

_WRAPPED: Final = re.compile(r"[45]\.\d\.\d - [\w /-]{3,60} (\d{3})[- ]'(.{1,3000})'")
"""A sender's own words around the reply, as IronPort has them: ``5.1.0 - Unknown address error 550-'...'``."""
_BARE: Final = re.compile(r"(?:^|550:? )(?:unknown user ?\S{1,200}@\S{1,200}|: ?user unknown)$")
"""The reply of carriers that say this of a recipient who filters."""

_WEAK: Final = frozenset({"blocked", "policy", "other", "deferred_expired"})
_OF_ADDRESSES: Final = frozenset({"1.1", "1.2", "1.6", "1.10"})
_NOT_OF_ADDRESSES: Final = ("2.", "3.", "6.", "7.")
"""Subjects of statuses: the mailbox, the system, the content, the policy; ``1`` is the address."""
_OF_STATUS: Final[dict[str, BounceReason]] = {
    "1.1": "user_unknown", "1.2": "host_unknown", "1.6": "moved", "1.7": "policy", "1.8": "policy",
    "1.10": "host_unknown",
    "2.1": "disabled", "2.2": "mailbox_full", "2.3": "too_large",
    "3.4": "too_large",
    "4.4": "host_unknown", "4.7": "deferred_expired",
    "7.0": "policy", "7.1": "policy", "7.2": "policy", "7.7": "policy",
    "7.8": "auth_failure", "7.9": "auth_failure", "7.12": "auth_failure", "7.15": "policy",
    "7.20": "auth_failure", "7.21": "auth_failure", "7.22": "auth_failure", "7.23": "auth_failure",
    "7.24": "auth_failure", "7.25": "reputation", "7.26": "auth_failure", "7.27": "policy", "7.28": "rate_limited",
    "7.29": "auth_failure", "7.30": "auth_failure",
}  # fmt: skip
_OF_REPLY: Final[dict[int, BounceReason]] = {552: "mailbox_full", 556: "host_unknown", 523: "too_large"}


def bounce(status: str | None, diagnostic: str, context: str = "") -> Bounce:
    """What became of it, from the status of a report, the reply of the other server, and what is written around it.

    Example:
        >>> bounce("5.1.1", "smtp; 550 5.1.1 Mailbox is full").reason
        'mailbox_full'
        >>> bounce(None, "550 5.1.1 No such user here")
        Bounce(reason='user_unknown', status='5.1.1', smtp=550)
    """
    diagnostic = _one_line(diagnostic)
    context = _one_line(context)
    smtp, written = _codes(diagnostic)
    if not (smtp or written):
        smtp, written = _codes(context)
    told = _STATUS.search(status or "")  # whoever tells it may write anything there, and it is captured
    status = _better(told[0] if told else None, written)
    reason = _reason(diagnostic, context, status, smtp)
    if BOUNCES[reason] == "hard":
        reason = _doubted(reason, diagnostic or context, f"{diagnostic} {context}", status, smtp)
    if reason == "other" and STAGE.search(_words(f"{diagnostic} {context}")):
        reason = "blocked"
    return Bounce(reason=reason, status=status, smtp=smtp, diagnostic=diagnostic or None)


def _reason(diagnostic: str, context: str, status: str | None, smtp: int | None) -> BounceReason:
    """From the words of the reply, else from those around it; where the codes stand among those, they may say more."""
    near = _of_words(diagnostic, smtp, status)
    if near is not None and (near not in _WEAK or any(_codes(diagnostic))):
        return near
    return _of_words(context, smtp, status) or near or _of_codes(status, smtp) or "other"


def _doubted(reason: BounceReason, text: str, all_of_it: str, status: str | None, smtp: int | None) -> BounceReason:
    """The same, or what else it may be, where not all agree that there is no such recipient."""
    lower, all_lower = _words(text), _words(all_of_it)
    exact = _exact(status)
    if _is_temporary(status, smtp):
        return "deferred_expired"
    if exact not in _OF_ADDRESSES and (STAGE.search(all_lower) or SENDER.search(lower)):
        return "blocked"
    if reason != "user_unknown":
        return reason
    if exact.startswith(_NOT_OF_ADDRESSES) and not exact.endswith(".0"):
        return _OF_STATUS.get(exact, "other")
    if _BARE.search(lower) and not exact.startswith("1."):
        return "blocked"
    if smtp and not exact.startswith(("1.", "5.")) and not ASKED_OF_RECIPIENT.search(all_lower):
        return "other"  # a reply without a code of its own, and nothing says what it replies to
    return reason


def _one_line(text: str) -> str:
    text = " ".join(text[:MAX_DIAGNOSTIC_CHARS].split())
    wrapped = _WRAPPED.match(text)
    return f"{wrapped[1]} {wrapped[2]}" if wrapped else text


def _words(text: str) -> str:
    """In lower case, without what addresses say: ``user.unknown@spam.example`` is somebody."""
    return re.sub(ADDRESS, "x@x", text).lower()


def _codes(text: str) -> tuple[int | None, str | None]:
    if both := _SMTP.search(text):
        return int(both[1]), f"{both[2]}.{both[3]}.{both[4]}"
    reply, status = _REPLY.search(text), _STATUS.search(text)
    return int(reply[1]) if reply else None, status[0] if status else None


def _better(told: str | None, written: str | None) -> str | None:
    """The exact one of two: reports often say 5.0.0 of a reply which says 5.2.2."""
    vague = not told or told.endswith((".0.0", ".0"))
    return (written or told) if vague else told


def _of_words(text: str, smtp: int | None, status: str | None) -> BounceReason | None:
    lower = _words(text)
    found = next((reason for reason, words in WORDINGS if words.search(lower)), None)
    vague = smtp in {None, 550} and _exact(status) in {"", "0.0", "1.0", "1.1", "5.0"}
    if found in {None, "blocked", "policy", "other"} and vague and UNSURE.search(lower):
        return "user_unknown"
    return found


def _of_codes(status: str | None, smtp: int | None) -> BounceReason | None:
    found = _OF_STATUS.get(_exact(status)) or _OF_REPLY.get(smtp or 0)
    return found or ("deferred_expired" if _is_temporary(status, smtp) else None)


def _is_temporary(status: str | None, smtp: int | None) -> bool:
    return (status or str(smtp or 5)).startswith("4")


def _exact(status: str | None) -> str:
    """Subject and detail: ``1.1`` of 5.1.1. What it begins with is nobody's to rely on."""
    return status.partition(".")[2] if status else ""
