"""The two cookies: who the visitor is (once allowed), and what they chose (once they did).

Both are signed, SameSite=Lax, and on https Secure with the prefix ``__Host-``, so that no
neighbouring subdomain can plant them (RFC 6265bis, section 4.1.3.2). The visitor's is an opaque
random id, hidden from scripts (HttpOnly); the consent cookie holds choices and their times, and
nothing that tells visitors apart: scripts may read it, for they have to obey it.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple

from cxkit.model import PURPOSES, Choice, Identifier

__all__ = [
    "CookieNames",
    "choices_from_text",
    "choices_to_text",
    "cookie_names",
    "new_visitor",
    "read_cookies",
    "set_cookie",
]

_LATEST_S: Final = 0xFFFFFFFFF
_TEXT: Final = re.compile(r"1(?::[0-9a-f][gd][0-9a-f]{1,9})*(?::x)?")


class CookieNames(NamedTuple):
    """What the two cookies are called."""

    visitor: str
    consent: str


def cookie_names(prefix: str, *, secure: bool) -> CookieNames:
    """The names of the cookies.

    Args:
        prefix: The setting ``web.cookie_prefix``.
        secure: Whether the request came over https.

    Example:
        >>> cookie_names("cxkit", secure=True).visitor
        '__Host-cxkit_visitor'
    """
    host = "__Host-" if secure else ""
    return CookieNames(visitor=f"{host}{prefix}_visitor", consent=f"{host}{prefix}_consent")


def new_visitor() -> Identifier:
    """128 random bits to know a visitor by."""
    value = urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
    return Identifier(type="visitor", value=value, evidence="cookie")


def read_cookies(header: str, names: Sequence[str]) -> dict[str, str]:
    """The named cookies; the first of each name (RFC 6265, section 5.4: the most specific comes first).

    Example:
        >>> read_cookies("a=1; cxkit_consent=x; cxkit_consent=y", cookie_names("cxkit", secure=False))
        {'cxkit_consent': 'x'}
    """
    found: dict[str, str] = {}
    for match in _pattern(tuple(names)).finditer(header):
        found.setdefault(match[1], match[2].strip().strip('"'))
    return found


def set_cookie(name: str, value: str, *, max_age_s: int, secure: bool, hidden: bool) -> str:
    """A ``Set-Cookie`` header's value; a ``max_age_s`` of 0 deletes.

    Args:
        hidden: From scripts.

    Example:
        >>> set_cookie("cxkit_visitor", "v.1.s", max_age_s=60, secure=True, hidden=True)
        'cxkit_visitor=v.1.s; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure'
    """
    flags = f"{'; HttpOnly' if hidden else ''}; SameSite=Lax{'; Secure' if secure else ''}"
    return f"{name}={value}; Max-Age={max_age_s}; Path=/{flags}"


def choices_to_text(choices: Mapping[str, tuple[Choice, datetime]], *, despite_gpc: bool) -> str:
    """Choices in the letters a token may have; times to the second.

    Example:
        >>> from datetime import datetime, timezone
        >>> at = datetime.fromtimestamp(255, timezone.utc)
        >>> choices_to_text({"analytics": ("granted", at)}, despite_gpc=False)
        '1:2gff'
    """
    parts = [
        f"{PURPOSES.index(purpose):x}{choice[0]}{min(max(0, int(at.timestamp())), _LATEST_S):x}"
        for purpose, (choice, at) in sorted(choices.items())
    ]
    return ":".join(["1", *parts, *(["x"] if despite_gpc else [])])


def choices_from_text(text: str) -> tuple[dict[str, tuple[Choice, datetime]], bool]:
    """What `choices_to_text` wrote: the choices, and whether they were made despite GPC.

    If any of it cannot be understood, none of it counts: half a choice could lack its denials. Only
    purposes that this version does not know yet are passed over.
    """
    if not _TEXT.fullmatch(text):
        return {}, False
    found: dict[str, tuple[Choice, datetime]] = {}
    for part in text.split(":")[1:]:
        if part != "x" and int(part[0], 16) < len(PURPOSES):
            at = datetime.fromtimestamp(int(part[2:], 16), UTC)
            found[PURPOSES[int(part[0], 16)]] = ("granted" if part[1] == "g" else "denied", at)
    return found, text.endswith(":x")


@cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """One pass over the header, whatever was sent: splitting it would cost by the semicolon."""
    return re.compile(rf"(?:^|;)\s*({'|'.join(map(re.escape, names))})\s*=([^;]*)")
