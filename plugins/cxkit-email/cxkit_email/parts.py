"""The HTML of a mail: found among its parts, and put back so that nothing else of the mail changes."""

from __future__ import annotations

import copy
import quopri
from email.base64mime import body_encode
from email.message import Message as Mail
from typing import Any, Final

import attrs

__all__ = ["HtmlPart", "copied", "html_part", "with_html"]

_DEEPEST: Final = 100


@attrs.frozen(kw_only=True)
class HtmlPart:
    """The part of a mail that is shown, where that is HTML."""

    part: Mail[Any, Any] = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    charset: str


def copied(mail: Mail[Any, Any], *, depth: int = 0) -> Mail[Any, Any]:
    """A mail to which headers can be added and whose parts can be replaced, without the other being changed.

    Not `copy.deepcopy`: that takes a millisecond for headers that nobody alters.

    Raises:
        RecursionError: Its parts are nested deeper than any mail program looks.
    """
    if depth > _DEEPEST:
        raise RecursionError("a mail is nested too deep")
    ours = copy.copy(mail)
    inside = vars(ours)  # nothing public copies the list of headers as it stands
    inside["_headers"] = list(inside["_headers"])
    if isinstance(inside["_payload"], list):
        parts = inside["_payload"]
        inside["_payload"] = [copied(part, depth=depth + 1) if isinstance(part, Mail) else part for part in parts]
    return ours


def html_part(mail: Mail[Any, Any]) -> HtmlPart | None:
    """The first part of HTML that is no attachment; None where there is none, or it cannot be read as what it says."""
    for part in mail.walk():
        if part.get_content_type() == "text/html" and part.get_content_disposition() != "attachment":
            charset = part.get_content_charset("utf-8")
            payload = part.get_payload(decode=True)
            try:
                html = payload.decode(charset) if isinstance(payload, bytes) else None
            except (LookupError, UnicodeDecodeError):
                return None
            return None if html is None else HtmlPart(part=part, html=html, charset=charset)
    return None


def with_html(found: HtmlPart, html: str) -> None:
    """Put other HTML there, in the same character set and encoding."""
    part, content = found.part, html.encode(found.charset)
    encoding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
    if encoding == "base64":
        part.set_payload(body_encode(content))
    elif encoding == "quoted-printable":
        part.set_payload(quopri.encodestring(content).decode("ascii"))
    else:
        part.set_payload(content.decode("ascii", "surrogateescape"))
