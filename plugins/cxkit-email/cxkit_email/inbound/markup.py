"""The text of HTML, to look for words in it and never to display it: tags out, lines where blocks begin and end."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from cxkit_email.inbound.mail import Part

__all__ = ["plain"]

_HIDDEN: Final = re.compile(r"<(/?)(?:style|script|title)\b[^<>]{0,500}>", re.I)
_BLOCK: Final = re.compile(r"</?(?:br|p|div|tr|li|td|h\d|hr|pre|table|ul|ol|blockquote)\b[^<>]{0,500}>", re.I)
_TAG: Final = re.compile(r"</?[a-zA-Z!][^<>@]{0,1000}>")


def plain(part: Part) -> str:
    r"""The text of a part; of HTML, what is between the tags.

    Example:
        >>> from cxkit_email.inbound.mail import read
        >>> plain(read(b"Content-Type: text/html\n\n<style>p {}</style><p>Yes &amp; no</p>").parts[0]).strip()
        'Yes & no'
    """
    if part.kind != "text/html":
        return part.text
    shown: list[str] = []
    hidden = False
    at = 0
    for tag in _HIDDEN.finditer(part.text):
        if not hidden:
            shown.append(part.text[at : tag.start()])
        hidden = not tag[1]
        at = tag.end()
    if not hidden:
        shown.append(part.text[at:])
    return unescape(_TAG.sub("", _BLOCK.sub("\n", "".join(shown)))).replace("\u00a0", " ")
