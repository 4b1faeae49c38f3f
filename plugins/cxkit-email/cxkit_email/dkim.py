"""What the signatures of a message cover. Whether they verify is for whoever has the keys to say.

Sources: RFC 6376, sections 3.2 (lists of tags), 3.5 (the header), 5.4 (what to sign), 8.2 (``l=``) and 8.15 (headers
that are added later); RFC 8058, section 4 (both headers to unsubscribe by must be signed).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

import attrs

from cxkit_email.wire import fields

__all__ = ["Coverage", "Signature", "dkim_coverage", "dkim_headers"]

_ONE_CLICK: Final = ("list-unsubscribe", "list-unsubscribe-post")
_WATCHED: Final = ("from", *_ONE_CLICK)
_SEALED: Final = (
    b"from", b"reply-to", b"to", b"cc", b"subject", b"date", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
_ONCE: Final = (b"message-id", b"in-reply-to", b"references", b"feedback-id", b"x-cx-send")
_TAG: Final = re.compile(rb"\s*+([A-Za-z][A-Za-z0-9_]*+)\s*+=(.*)", re.DOTALL)
_REQUIRED: Final = (b"v", b"a", b"b", b"bh", b"d", b"h", b"s")
_SECONDS: Final = re.compile(rb"[0-9]{1,12}")
_VERSION: Final = b"1"


@attrs.frozen(kw_only=True)
class Signature:
    """What one signature covers."""

    domain: str
    selector: str
    signed: tuple[str, ...]
    """Names of headers, in lower case and as often as it signs them."""
    uncovered: tuple[str, ...]
    """Of ``from``, ``list-unsubscribe`` and ``list-unsubscribe-post``, those that the message has and it does not sign.

    Nor all of them, where there are several."""
    oversigned: tuple[str, ...]
    """Those that it signs more often than the message has them, so that nobody can add another."""
    partial: bool
    """Whether it signs the beginning of the body alone (``l=``), so that anybody can add to the rest."""
    expires_s: int | None = None
    """When it ends, in Unix seconds; None: never."""

    def expired(self, *, now_s: float) -> bool:
        """Whether it has ended by then."""
        return self.expires_s is not None and self.expires_s <= now_s


@attrs.frozen(kw_only=True)
class Coverage:
    """What the signatures of a message cover."""

    signatures: tuple[Signature, ...]
    unreadable: int
    """Signatures that are none: a tag is missing, or comes twice, or is of a later version."""
    one_click: bool
    """Whether the message can be left with one click, and one signature covers all that says so."""


def dkim_coverage(raw: bytes) -> Coverage:
    r"""What the signatures of a message cover. Asks nobody, and never raises.

    Example:
        >>> raw = (
        ...     b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=a; h=from; bh=x; b=y; l=9\r\n"
        ...     b"From: shop@shop.example\r\nList-Unsubscribe: <https://shop.example/u/a>\r\n"
        ...     b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
        ... )
        >>> coverage = dkim_coverage(raw)
        >>> coverage.one_click, coverage.signatures[0].uncovered, coverage.signatures[0].partial
        (False, ('list-unsubscribe', 'list-unsubscribe-post'), True)
    """
    written, _ = fields(raw)
    there = Counter(each.name.decode("ascii") for each in written)
    tags = [_tags(each.value) for each in written if each.name == b"dkim-signature"]
    signatures = tuple(_signature(each, there) for each in tags if each is not None)
    one_click = all(there[name] for name in _ONE_CLICK) and any(not each.uncovered for each in signatures)
    return Coverage(signatures=signatures, unreadable=tags.count(None), one_click=one_click)


def dkim_headers() -> tuple[bytes, ...]:
    """What to have signed (``h=``), for whatever signs: what people see, how they leave, and which message it is.

    Most stand there twice: a signer then signs also that there is no second one. Behind Amazon SES leave out
    ``date`` and ``message-id``, which it writes anew.

    Example:
        >>> dkim_headers().count(b"list-unsubscribe-post")
        2
    """
    return (*_SEALED, *_SEALED, *_ONCE)


def _tags(value: bytes) -> Mapping[bytes, bytes] | None:
    """Those of a signature, without any space; None if it is none."""
    found: dict[bytes, bytes] = {}
    for piece in value.strip().removesuffix(b";").split(b";"):
        tag = _TAG.fullmatch(piece)
        if tag is None or tag[1] in found:
            return None
        found[tag[1]] = b"".join(tag[2].split())
    if not all(found.get(name) for name in _REQUIRED) or found[b"v"] != _VERSION:
        return None
    readable = all(found[name].isascii() for name in (b"d", b"s", b"h"))
    return found if readable and _SECONDS.fullmatch(found.get(b"x", b"0")) is not None else None


def _signature(tags: Mapping[bytes, bytes], there: Mapping[str, int]) -> Signature:
    signed = tuple(name.lower() for name in tags[b"h"].decode("ascii").split(":"))
    often = Counter(signed)
    return Signature(
        domain=tags[b"d"].decode("ascii").lower(),
        selector=tags[b"s"].decode("ascii"),
        signed=signed,
        uncovered=tuple(name for name in _WATCHED if often[name] < there.get(name, name == "from")),
        oversigned=tuple(name for name, n in often.items() if n > there.get(name, 0)),
        partial=b"l" in tags,
        expires_s=int(tags[b"x"]) if b"x" in tags else None,
    )
