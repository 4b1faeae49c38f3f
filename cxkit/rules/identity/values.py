"""Values of identifiers: the one form of each, and those that identify nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
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


def normalise(type: str, value: str, *, blocked: Container[str] = ()) -> str | None:
    """The one form of an identifier's value, or None if it identifies nobody: see `unfit`.

    E-mail addresses: NFC, trimmed, lower case. Phone numbers: digits with a leading ``+`` if given.

    Example:
        >>> normalise("email", " Nancy@Example.ORG ")
        'nancy@example.org'
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
    return "blocked_value" if _BLOCKED.fullmatch(bare) or text in blocked or bare in blocked else None


def _form(type: str, value: str) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    if type == "email":
        return text.lower()
    if type == "phone":
        return ("+" if text.startswith("+") else "") + re.sub(r"[^0-9]", "", text)
    return text
