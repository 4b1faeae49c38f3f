"""What of a message may name one of ours, in the order of how much it says. Whether it does is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cxkit_email.inbound.addresses import addresses
from cxkit_email.inbound.mail import Headers, Mail

__all__ = ["asks_to_leave", "candidates"]

MAX_CANDIDATES: Final = 64

_ENVELOPE: Final = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "x-rcpt-to",
    "to",
)
_UNSUBSCRIBE: Final = re.compile(r"\s{0,9}unsubscribe(?:\s{1,9}(\S{1,500}))?\s{0,9}", re.I)
_MESSAGE_ID: Final = re.compile(r"<([^<>\s]{3,500})>")
_RETURNED: Final = re.compile(
    r"^[> \t]{0,8}(x-cx-send|message-id|return-path|x-envelope-id|original-envelope-id)"
    r"[ \t]{0,4}:[ \t]{0,8}(\S{3,500})",
    re.I | re.M,
)


def candidates(mail: Mail) -> list[tuple[str, str]]:
    """Where each was found (a stable word) and what it is: an address, a Message-ID without brackets, a token."""
    found: dict[str, str] = {}
    for where, one in _all(mail):
        if len(found) >= MAX_CANDIDATES:
            break
        found.setdefault(one, where)
    return [(where, one) for one, where in found.items()]


def asks_to_leave(mail: Mail) -> bool:
    """Whether it is what a mail program sends for ``List-Unsubscribe: <mailto:...?subject=unsubscribe>`` (RFC 2369)."""
    return _UNSUBSCRIBE.fullmatch(mail.headers.get("subject")[:600]) is not None


def _all(mail: Mail) -> Iterator[tuple[str, str]]:
    for value in mail.headers.all(*_ENVELOPE):
        yield from (("ours_envelope", address) for address in addresses(value)[:8])
    yield from _headers(mail.original, "ours_returned")
    asked = _UNSUBSCRIBE.fullmatch(mail.headers.get("subject")[:600])
    if asked and asked[1]:
        yield "ours_subject", asked[1]
    for value in mail.headers.all("in-reply-to", "references"):
        yield from (("ours_thread", one) for one in reversed(_MESSAGE_ID.findall(value)))
    for part in mail.parts:  # a returned message that is no part of its own, and the fields of reports
        if part.kind.startswith(("text/", "message/")):
            for name, value in _RETURNED.findall(part.text)[:MAX_CANDIDATES]:
                yield "ours_returned", value.strip("<>;,") if name.casefold() != "x-cx-send" else value


def _headers(headers: Headers, where: str) -> Iterator[tuple[str, str]]:
    for value in headers.all("x-cx-send", "return-path", "message-id"):
        if one := value.strip().strip("<>"):
            yield where, one[:500]
