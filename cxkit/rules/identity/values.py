"""Values of identifiers: the one form of each, and those that identify nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Mapping
from typing import Final, Literal

from cxkit.rules.identity.types import SESSIONS

__all__ = ["normalise", "unfit"]

_MAX_CHARS: Final = 256
_ILLEGAL: Final = frozenset(
    ["", "null", "none", "nil", "undefined", "nan", "anonymous", "guest", "unknown", "true", "false",
     "[object object]", "id", "user_id", "distinct_id", "distinctid", "email", "not_authenticated"]
)  # fmt: skip
"""What a program says when it has no identifier, as PostHog and others have met it, in any case and quoted."""
_BLOCKED: Final = re.compile(r"-1|[0-]*")
"""What a form or an operating system says instead, as Segment has met it: zeroes, dashes, minus one."""

_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
"""What is in no text: NUL, and halves of characters."""

_NAMED: Final = re.compile(r'(?:"[^"]*"|[^<>,;"])*<([^<>]*)>')
"""An address with its owner's name, as in the head of an e-mail: ``Nancy <nancy@example.org>`` (RFC 5322)."""
_TRUNK: Final = re.compile(r"((?:\+|00)\W*[1-9](?:\W*[0-9]){0,2}\W*)\(0\)")
"""The zero that is dialled only inside the country, and the code of that country before it: ``+33 (0)6``."""
_BETWEEN: Final = re.compile("[\\s./()\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff-]")
"""What people, and address books, write between the digits of a number."""
_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "email": re.compile(r'(?:"[^"]+"|[^\s@<>()\[\],;:"`\\]+)@[^\s@<>(),;"\'`\\]+'),
    "phone": re.compile(r"\+[1-9][0-9]{7,14}"),  # E.164
}
"""What no other value of these types is: without it several people are one, or one is several."""


def normalise(type: str, value: str, *, blocked: Container[str] = ()) -> str | None:
    """The one form of an identifier's value, or None if it identifies nobody: see `unfit`.

    E-mail addresses: NFC, trimmed, lower case, without a name beside them. Phone numbers: ``+``, the code of the
    country and the rest, digits alone (E.164); without the country's code a number is many people's, and none.

    Example:
        >>> normalise("email", "Nancy <Nancy@Example.ORG>")
        'nancy@example.org'
        >>> normalise("phone", "0033 (0)6 39 98 12 34"), normalise("phone", "06 39 98 12 34")
        ('+33639981234', None)
        >>> normalise("user_id", "null") is None
        True
    """
    return None if unfit(type, value, blocked=blocked) else _form(type, value)


def unfit(type: str, value: str, *, blocked: Container[str] = ()) -> Literal["illegal_id", "blocked_value"] | None:
    """Why a value identifies nobody; None if it may identify somebody.

    Args:
        type: ``user_id``, ``email``, ...; a session's is refused whatever its value.
        value: As it was given.
        blocked: More values that thousands share, as `normalise` would write them, such as the address of the shop.

    Example:
        >>> unfit("user_id", '"Undefined"'), unfit("device_id", "00000000-0000-0000")
        ('illegal_id', 'blocked_value')
        >>> unfit("email", "till@shop.example", blocked={"till@shop.example"})
        'blocked_value'
    """
    if type in SESSIONS or len(value) > _MAX_CHARS or _NO_TEXT.search(value):
        return "illegal_id"
    text = _form(type, value)
    bare = text.strip("\"'`+ ").lower()
    if bare in _ILLEGAL:
        return "illegal_id"
    if _BLOCKED.fullmatch(bare) or text in blocked or bare in blocked:
        return "blocked_value"
    return "illegal_id" if type in _SHAPES and not _SHAPES[type].fullmatch(text) else None


def _form(type: str, value: str) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    if type == "email":
        named = _NAMED.fullmatch(text)
        return (named[1].strip() if named else text).lower()
    if type == "phone":
        number = _BETWEEN.sub("", _TRUNK.sub(r"\1", text, count=1))
        return "+" + number[2:] if number.startswith("00") else number
    return text
