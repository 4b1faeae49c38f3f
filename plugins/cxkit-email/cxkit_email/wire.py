"""A message as it goes over the wire: written, and looked at once more.

Sources: RFC 5321, section 4.5.3.1.6 (lines); RFC 5322, sections 2.1.1, 2.2 and 3.6; RFC 2369, section 2; RFC 8058.
"""

from __future__ import annotations

import copy
import io
import re
from collections import Counter
from email.generator import BytesGenerator
from email.message import Message
from typing import Any, Final, NamedTuple

from cxkit.errors import InvalidInteractionError
from cxkit_email.headers import MAX_LINE, ONE_CLICK, PlainHeader

__all__ = ["FAULTS", "Field", "fields", "wire", "wire_faults"]

FAULTS: Final = {
    "mixed_breaks": "Some lines end with CRLF and some do not: a server may refuse it, or read two messages.",
    "long_line": f"A line of the body has more than {MAX_LINE} octets: a server may cut it.",
    "long_header_line": f"A line of the headers has more than {MAX_LINE} octets: a server may cut it.",
    "eight_bit_header": "A header is not ASCII, which few servers take.",
    "malformed_header": "A line among the headers is none: what follows may be read as the body.",
    "repeated_header": "A header comes twice that may come once.",
    "encoded_unsubscribe": "List-Unsubscribe is written as encoded words: no mail program shows its button.",
    "malformed_unsubscribe": "List-Unsubscribe is no list of addresses in angle brackets, each in one piece.",
    "other_one_click": f"List-Unsubscribe-Post says something else than {ONE_CLICK}.",
    "one_click_nowhere": "List-Unsubscribe-Post is there, and List-Unsubscribe has no address with https.",
}
"""What can be wrong with a message on the wire, and what comes of it."""
_ONCE: Final = frozenset(
    b"date from sender reply-to to cc bcc message-id in-reply-to references subject mime-version content-type "
    b"content-transfer-encoding list-unsubscribe list-unsubscribe-post x-cx-send feedback-id auto-submitted".split()
)
_PLAIN: Final = ("List-Unsubscribe", "List-Unsubscribe-Post", "Message-ID", "X-CX-Send", "Feedback-ID")
_BODY: Final = re.compile(rb"\A\r?\n|\r\n\r\n|\n\n")
_NAME: Final = re.compile(r"[!-9;-~]++")
_KEY: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_PLACES: Final = re.compile(rb"<[!-;=?-~]++>(?:[ \t]*+,[ \t]*+<[!-;=?-~]++>)*+")
_HTTPS: Final = re.compile(rb"<https://", re.IGNORECASE)


class Field(NamedTuple):
    """A header as it is written."""

    name: bytes
    """In lower case."""
    value: bytes
    """Its lines joined, each with the space that it begins with."""


def wire(message: Message[Any, Any]) -> bytes:
    r"""A message in the octets that a server is to get.

    As `smtplib.SMTP.send_message` writes it, without ``Bcc``; but headers that mail programs read are plain whatever
    the policy, also where the message was read from octets and has lost what made them so.

    Raises:
        InvalidInteractionError: A header has a line break that begins another, or is one of those that are kept plain
            and is not ASCII (``CX9201``), or has a line of more than 998 octets (``CX9202``).

    Example:
        >>> from email.message import EmailMessage
        >>> message = EmailMessage()
        >>> message["Subject"] = "Almonds"
        >>> wire(message)
        b'Subject: Almonds\r\n\r\n'
    """
    if not all(_sound(name, value) for name, value in message.raw_items()):
        raise InvalidInteractionError(
            "a header of an e-mail holds a line break", fix="take it out before it is set", code="CX9201"
        )
    sent = copy.copy(message)
    del sent["Bcc"], sent["Resent-Bcc"]  # from here on the copy has a list of headers of its own
    for name in _PLAIN:
        value = sent[name]
        if value is not None and not isinstance(value, PlainHeader):
            sent.replace_header(name, PlainHeader(name, " ".join(str(value).split())))
    written = io.BytesIO()
    BytesGenerator(written, mangle_from_=False, policy=message.policy.clone(linesep="\r\n")).flatten(sent)
    raw = written.getvalue()
    if _longest(_parted(raw)[0]) > MAX_LINE:
        raise InvalidInteractionError(
            f"a header of an e-mail has a line of more than {MAX_LINE} octets", fix="use a shorter one", code="CX9202"
        )
    return raw


def wire_faults(raw: bytes) -> tuple[str, ...]:
    r"""What is wrong with a message on the wire: keys of `FAULTS`, none if it is sound. Never raises.

    Example:
        >>> wire_faults(b"List-Unsubscribe: =?utf-8?q?=3Chttps=3A//shop=2Eexample?=\r\n\r\n")
        ('encoded_unsubscribe',)
    """
    head, body = _parted(raw)
    found, malformed = fields(raw)
    said = {each.name: each.value.strip() for each in reversed(found)}
    faults = {
        "mixed_breaks": 0 < raw.count(b"\r\n") < max(raw.count(b"\r"), raw.count(b"\n")),
        "long_line": _longest(body) > MAX_LINE,
        "long_header_line": _longest(head) > MAX_LINE,
        "eight_bit_header": not head.isascii(),
        "malformed_header": malformed > 0,
        "repeated_header": any(n > 1 and name in _ONCE for name, n in Counter(each.name for each in found).items()),
        **_unsubscribing(said.get(b"list-unsubscribe"), said.get(b"list-unsubscribe-post")),
    }
    return tuple(fault for fault in FAULTS if faults.get(fault))


def fields(raw: bytes) -> tuple[tuple[Field, ...], int]:
    """The headers of a message, in order, and how many lines among them are none. Never raises."""
    found: list[tuple[bytes, list[bytes]]] = []
    malformed = 0
    for line in _parted(raw)[0].splitlines():
        key = _KEY.match(line)
        if line[:1] in (b" ", b"\t") and found and line.strip():
            found[-1][1].append(line)
        elif key is not None:
            found.append((key[1].lower(), [line[key.end() :]]))
        elif line:
            malformed += 1
    return tuple(Field(name, b"".join(lines)) for name, lines in found), malformed


def _longest(part: bytes) -> int:
    return max(map(len, part.splitlines()), default=0)


def _sound(name: str, value: object) -> bool:
    """Whether a header, as it was set, is only one. Older messages break lines wherever `str.splitlines` does."""
    rest = f"{value}.".splitlines()[1:]
    return _NAME.fullmatch(name) is not None and all(line[:1] in (" ", "\t") and line.strip() for line in rest)


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """Headers and body."""
    found = _BODY.search(raw)
    return (raw, b"") if found is None else (raw[: found.start()], raw[found.end() :])


def _unsubscribing(places: bytes | None, post: bytes | None) -> dict[str, bool]:
    encoded = any(each is not None and b"=?" in each for each in (places, post))
    if encoded:
        return {"encoded_unsubscribe": True}
    return {
        "malformed_unsubscribe": places is not None and _PLACES.fullmatch(places) is None,
        "other_one_click": post is not None and post != ONE_CLICK.encode(),
        "one_click_nowhere": post is not None and _HTTPS.search(places or b"") is None,
    }
