"""Headers of what is sent: how to leave with one click, which message it is, and all of it plain on the wire.

Sources: RFC 5322, sections 2.1.1 and 3.6 (lines, and what comes once); RFC 2369 and RFC 8058 (unsubscribing); RFC 3834,
section 5 (``Auto-Submitted``); Google's help on its feedback loop (``Feedback-ID``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.message import Message
from email.policy import Policy
from typing import Any, Final, NoReturn

from cxkit.errors import InvalidInteractionError

__all__ = [
    "MAX_LINE",
    "ONE_CLICK",
    "PlainHeader",
    "automatic",
    "feedback",
    "unsubscribe_headers",
]

MAX_LINE: Final = 998
"""Octets of a line, without its break (RFC 5322, section 2.1.1)."""
ONE_CLICK: Final = "List-Unsubscribe=One-Click"
"""What ``List-Unsubscribe-Post`` says, and what is posted (RFC 8058, section 3.1)."""
_MAX_PARTS: Final = 3
_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_URL: Final = re.compile(r"(https?)://[!-;=?-~]+", re.IGNORECASE)
"""Without spaces, and without the angle brackets that it is put in."""
_MAILTO: Final = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_SENDER: Final = re.compile(r"[A-Za-z0-9._-]{5,15}")
_PART: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")


class PlainHeader(str):
    """The value of a header that is written as it is, under every policy.

    `email.policy.default` and ``SMTP`` write an address that does not fit a line as encoded words (RFC 2047), and mail
    programs then show nobody a button to unsubscribe. Policies ask a value that has a name to fold itself, so this one
    does: at ``", "`` and nowhere else. Older messages (``MIMEText``) take it for the text that it is.

    Args:
        name: The header's name.
        value: Printable ASCII.

    Raises:
        InvalidInteractionError: It can be no header (``CX9201``), or not within lines of 998 octets (``CX9202``).

    Example:
        >>> from email.message import EmailMessage
        >>> message = EmailMessage()
        >>> message["X-Where"] = PlainHeader("X-Where", "<https://mail.example.com/cx/u/" + "a" * 55 + ">")
        >>> len(message.as_string().splitlines()[0])
        96
    """

    __slots__ = ("name",)

    name: str
    defects: Final = ()
    max_count: Final = 1

    def __new__(cls, name: str, value: str) -> PlainHeader:
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise InvalidInteractionError(
                "a header of an e-mail holds a line break, or what is no printable ASCII",
                fix="use letters, digits and signs in its name and value",
                code="CX9201",
            )
        plain = super().__new__(cls, value)
        plain.name = name
        if any(len(line) > MAX_LINE for line in plain._lines()):
            raise InvalidInteractionError(
                f"a header of an e-mail has a line of more than {MAX_LINE} octets",
                fix="use shorter addresses",
                code="CX9202",
            )
        return plain

    def fold(self, *, policy: Policy[Any]) -> str:
        """With its name, and a break after each line."""
        return "".join(line + policy.linesep for line in self._lines())

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # of str it is one text
        return self.name, str(self)

    def _lines(self) -> list[str]:
        return f"{self.name}: {self}".replace(", ", ",\n ").split("\n")


def unsubscribe_headers(*, url: str, mailto: str | None = None) -> dict[str, str]:
    """The headers by which mail programs let somebody leave. Of those that `prepare` adds, the ones about leaving.

    They show a button only where a signature covers both: see `cxkit_email.dkim.dkim_headers`.

    Args:
        url: Of this recipient and this topic. With ``https`` it promises that a POST to it unsubscribes, without a
            question, a cookie or a redirect (RFC 8058); with ``http`` it promises nothing.
        mailto: An address, and maybe what is to be in the mail: ``leave@shop.example?subject=leave``.

    Raises:
        InvalidInteractionError: One of them is none (``CX9203``), or too long (``CX9202``).

    Example:
        >>> unsubscribe_headers(url="https://shop.example/u/a", mailto="leave@shop.example")["List-Unsubscribe"]
        '<https://shop.example/u/a>, <mailto:leave@shop.example>'
    """
    scheme = _URL.fullmatch(url)
    if scheme is None:
        _refuse("an address to unsubscribe at is none of the web")
    places = f"<{url}>"
    if mailto is not None:
        if _MAILTO.fullmatch(mailto) is None:
            _refuse("an address to unsubscribe by mail is none")
        places += f", <mailto:{mailto}>"
    headers: dict[str, str] = {"List-Unsubscribe": PlainHeader("List-Unsubscribe", places)}
    if scheme[1].lower() == "https":
        headers["List-Unsubscribe-Post"] = PlainHeader("List-Unsubscribe-Post", ONE_CLICK)
    return headers


def feedback(message: Message[Any, Any], *, sender: str, parts: Iterable[str] = ()) -> None:
    """Write on a message what Google may count complaints by, in its Postmaster Tools.

    Args:
        sender: The same on all that is sent: 5 to 15 letters, digits, ``.``, ``_`` and ``-``.
        parts: Up to three that many messages share, the narrowest first: campaign, topic. Never a person's.

    Raises:
        InvalidInteractionError: One of them has another form, or there are more (``CX9203``).

    Example:
        >>> from email.message import EmailMessage
        >>> message = EmailMessage()
        >>> feedback(message, sender="candy-haven", parts=["birthday-2026", "offers"])
        >>> message["Feedback-ID"]
        'birthday-2026:offers:candy-haven'
    """
    named = tuple(parts)
    if len(named) > _MAX_PARTS or _SENDER.fullmatch(sender) is None or not all(map(_PART.fullmatch, named)):
        _refuse("Feedback-ID would have more than three parts and a sender, or one of another form")
    del message["Feedback-ID"]
    _set(message, {"Feedback-ID": ":".join([*named, sender])})


def automatic(message: Message[Any, Any]) -> None:
    """Say that nobody wrote this message by hand, so that no program answers it (RFC 3834, section 5).

    For receipts, alarms and the like. A mailing is told by ``List-Unsubscribe``.

    Example:
        >>> from email.message import EmailMessage
        >>> message = EmailMessage()
        >>> automatic(message)
        >>> message["Auto-Submitted"]
        'auto-generated'
    """
    del message["Auto-Submitted"]
    _set(message, {"Auto-Submitted": "auto-generated"})


def _set(message: Message[Any, Any], headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        message[name] = PlainHeader(name, value)


def _refuse(what: str) -> NoReturn:
    raise InvalidInteractionError(what, fix="give it in the form that the function documents", code="CX9203")
