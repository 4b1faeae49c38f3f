"""The two cookies: who the visitor is (once allowed), and what they chose (once they did).

Both are signed, HttpOnly, SameSite=Lax, and Secure on https. The visitor's is an opaque random
id; the consent cookie holds choices and their times, and nothing that tells visitors apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from cxkit.model import PURPOSES, Choice

__all__ = ["choices_from_text", "choices_to_text", "read_cookies", "set_cookie"]

_MAX_HEADER_CHARS: Final = 16_384
_VERSION: Final = "1"


def read_cookies(headers: Iterable[str], names: frozenset[str]) -> dict[str, str]:
    """The named cookies; the first of each name (RFC 6265, section 5.4: the most specific comes first)."""
    found: dict[str, str] = {}
    for header in headers:
        if len(header) > _MAX_HEADER_CHARS:
            continue
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name in names:
                found.setdefault(name, value.strip('"'))
    return found


def set_cookie(name: str, value: str, *, max_age_s: int, secure: bool) -> str:
    """A ``Set-Cookie`` header's value; a ``max_age_s`` of 0 deletes.

    Example:
        >>> set_cookie("cxkit_visitor", "v.1.s", max_age_s=60, secure=True)
        'cxkit_visitor=v.1.s; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure'
    """
    return f"{name}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax" + (
        "; Secure" if secure else ""
    )


def choices_to_text(choices: Mapping[str, tuple[Choice, datetime]], *, despite_gpc: bool) -> str:
    """Choices in the letters a token may have.

    Example:
        >>> from datetime import datetime, timezone
        >>> choices_to_text({"analytics": ("granted", datetime.fromtimestamp(255, timezone.utc))}, despite_gpc=False)
        '1:2gff'
    """
    parts = [
        f"{PURPOSES.index(purpose)}{choice[0]}{max(0, int(at.timestamp())):x}"
        for purpose, (choice, at) in sorted(choices.items())
    ]
    return ":".join([_VERSION, *parts, *(["x"] if despite_gpc else [])])


def choices_from_text(text: str) -> tuple[dict[str, tuple[Choice, datetime]], bool]:
    """What `choices_to_text` wrote. Whatever it does not understand is no choice."""
    version, *parts = text.split(":")
    found: dict[str, tuple[Choice, datetime]] = {}
    if version != _VERSION:
        return {}, False
    for part in parts:
        if len(part) > 2 and part[0].isdigit() and int(part[0]) < len(PURPOSES) and part[1] in "gd":
            try:
                at = datetime.fromtimestamp(int(part[2:], 16), UTC)
            except (ValueError, OverflowError, OSError):
                continue
            found[PURPOSES[int(part[0])]] = ("granted" if part[1] == "g" else "denied", at)
    return found, "x" in parts
