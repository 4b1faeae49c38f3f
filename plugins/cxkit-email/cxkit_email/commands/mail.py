"""What of us is in a mail that goes out: its tokens, and which of its links are followed.

It is read as `prepare` reads it, by the standard library: whatever that cannot read, nobody could follow either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Final, Literal
from urllib.parse import urlsplit

import attrs

from cxkit.errors import TokenError
from cxkit.keyring import Keyring
from cxkit_email.html import TEMPLATE_MARKS, find_links
from cxkit_email.markup import RAW, attributes, decoded, finder, past_raw
from cxkit_email.parts import html_part
from cxkit_email.tokens import NOBODY, Token, Use, read_bounce, read_token
from cxkit_email.wire import fields

__all__ = ["MOST_LINKS", "Carried", "Leaving", "Link", "Outgoing", "Why", "made_at", "outgoing", "place"]

Where = Literal["X-CX-Send", "Return-Path", "List-Unsubscribe", "List-Unsubscribe mailto", "link", "pixel"]
Why = Literal["not_web", "fragment", "relative", "direct", "unsubscribe", "template", "unreadable", "unknown"]
"""Why a link is not followed. ``unknown``: it could have been."""

_TAGS: Final = finder(opening=["a", "area", "img", *RAW], closing=[])
_LONGEST: Final = 4_096
"""Of an address and a header that is looked into."""
MOST_LINKS: Final = 10_000
_OF_PATH: Final = re.compile(r"/(?:c/([A-Za-z0-9_-]{55})|o/([A-Za-z0-9_-]{55})\.gif|u/([A-Za-z0-9_-]{55}))\Z")
_BOUNCE: Final = re.compile(r"(?:\A|[+<\s])([A-Za-z2-7]{53})(?=[@\s>]|\Z)")
_PLACE: Final = re.compile(rb"<([^<>]{1,4096})>")
_SUBJECT: Final = re.compile(r"[?&]subject=unsubscribe(?:%20| )([A-Za-z2-7]{53})(?:&|\Z)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}):")
_LONG_PART: Final = 24
"""A part of a path with more characters may be a secret, of a new password, say; one with ``@`` or ``%`` an address."""
_USES: Final[tuple[Use, Use, Use]] = ("link", "open", "leave")


@attrs.frozen(kw_only=True)
class Carried:
    """A token in a mail, or what looks like one."""

    where: Where
    said: Token | None
    """None: it does not verify under the keys that are here."""
    ours: bool
    """Whether it stands at an address of ours, or in a header that nobody else writes."""

    @property
    def send(self) -> str | None:
        """The message that it names."""
        return None if self.said is None or self.said.send == NOBODY else self.said.send


@attrs.frozen(kw_only=True)
class Link:
    """A link of the HTML."""

    to: str
    """Host and path, without what may be somebody's own; of what is not of the web the scheme."""
    followed: bool
    number: int | None = None
    """That of the token's, where it is followed."""
    why: Why | None = None
    """Why it is not."""


@attrs.frozen(kw_only=True)
class Leaving:
    """How a recipient leaves, by the headers."""

    https: bool = False
    http: bool = False
    mailto: bool = False
    one_click: bool = False
    """Whether ``List-Unsubscribe-Post`` promises it."""

    @property
    def any(self) -> bool:
        return self.https or self.http or self.mailto


@attrs.frozen(kw_only=True)
class Outgoing:
    """What of us is in a mail."""

    carried: tuple[Carried, ...]
    links: tuple[Link, ...]
    leaving: Leaving
    readable: bool
    """Whether the standard library can read it."""
    cut: bool
    """Whether it has more links and pictures than are looked at."""

    @property
    def sends(self) -> tuple[str, ...]:
        """The messages that its tokens name: one, if it is sound."""
        return tuple(dict.fromkeys(one.send for one in self.carried if one.send is not None))


def outgoing(raw: bytes, *, keyring: Keyring | None, url: str | None) -> Outgoing:
    r"""What of us is in a mail. Never raises.

    Args:
        raw: As servers pass it on.
        keyring: None: no token verifies.
        url: Where our endpoints are.

    Example:
        >>> found = outgoing(b"List-Unsubscribe: <https://shop.example/bye>\r\n\r\n", keyring=None, url=None)
        >>> found.leaving.https, found.carried
        (True, ())
    """
    reading = _Reading(keyring, url)
    html, readable = _html(raw)
    links = tuple(reading.links(html)) if html is not None else ()
    return Outgoing(
        carried=(*reading.headers(raw), *reading.carried),
        links=links,
        leaving=_leaving(raw),
        readable=readable,
        cut=reading.cut,
    )


class _Reading:
    """One mail being read."""

    def __init__(self, keyring: Keyring | None, url: str | None) -> None:
        self._keyring = keyring
        self._url = url
        self.carried: list[Carried] = []
        self.cut = False

    def headers(self, raw: bytes) -> Iterator[Carried]:
        for field in fields(raw)[0]:
            value = field.value[:_LONGEST].decode("ascii", "replace")
            if field.name == b"x-cx-send":
                yield Carried(where="X-CX-Send", said=self._bounce(value.strip()), ours=True)
            elif field.name == b"return-path" and (found := _BOUNCE.search(value)):
                yield Carried(where="Return-Path", said=self._bounce(found[1]), ours=True)
            elif field.name == b"list-unsubscribe":
                for one in _PLACE.findall(field.value[:_LONGEST]):
                    yield from self._to_leave(one.decode("ascii", "replace"))

    def links(self, html: str) -> Iterator[Link]:
        """Those of ``<a>`` and ``<area>``, in order; pixels and links of ours are `carried`."""
        position, seen = 0, 0
        while (found := _TAGS.match(html, position)) is not None:
            if seen == MOST_LINKS:
                self.cut = True
                return
            position, name = found.end(), found[3].lower()
            if name in RAW:
                position = past_raw(html, name, position)
                continue
            asked = "src" if name == "img" else "href"
            said = {
                one.name: one.value for one in reversed([*attributes(html, start=found.start(4), end=found.end(4))])
            }
            if asked not in said:
                continue
            seen += 1
            address = decoded(said[asked][:_LONGEST]).strip()
            if name == "img":
                self._carry(address, "open", "pixel")
            elif (ours := self._carry(address, "link", "link")) is not None:
                yield Link(to="", followed=True, number=ours.said.number if ours.said else None)
            else:
                yield Link(to=place(address), followed=False, why=_why(found[1], said, address))

    def _to_leave(self, address: str) -> Iterator[Carried]:
        if address[:7].lower() == "mailto:":
            if found := _SUBJECT.search(address):
                yield Carried(where="List-Unsubscribe mailto", said=self._bounce(found[1]), ours=True)
        elif (one := self._carried(address, "leave", "List-Unsubscribe")) is not None:
            yield one

    def _carry(self, address: str, use: Use, where: Where) -> Carried | None:
        found = self._carried(address, use, where)
        if found is not None:
            self.carried.append(found)
        return found

    def _carried(self, address: str, use: Use, where: Where) -> Carried | None:
        """What an address carries that looks like ours; whoever else has such addresses is told apart by the keys."""
        try:
            path = urlsplit(address).path
        except ValueError:
            return None
        found = _OF_PATH.search(path[-80:])
        text = found[1 + _USES.index(use)] if found else None
        if text is None:
            return None
        said, ours = self._read(text, use), self._url is not None and address.startswith(f"{self._url}/")
        return Carried(where=where, said=said, ours=ours) if ours or said is not None else None

    def _read(self, text: str, use: Use) -> Token | None:
        try:
            return None if self._keyring is None else read_token(self._keyring, use, text)
        except TokenError:
            return None

    def _bounce(self, text: str) -> Token | None:
        try:
            return None if self._keyring is None else Token(send=read_bounce(self._keyring, text), mailing="")
        except TokenError:
            return None


def made_at(send: str) -> datetime | None:
    """When the id of a message was made (RFC 9562, section 5.7); None if it tells no time.

    Example:
        >>> made_at("0198b2a67f3e7c1d8000aabbccddeeff").date().isoformat()
        '2025-08-16'
    """
    return datetime.fromtimestamp(int(send[:12], 16) / 1000, UTC) if send[12:13] == "7" else None


def place(address: str) -> str:
    """Where an address leads, as far as it may stand on a terminal: no mailbox, no query, and nothing long in its path.

    Example:
        >>> place("https://nancy@shop.example/reset/0123456789abcdef0123456789?mail=nancy@example.com#top")
        'shop.example/reset/...'
        >>> place("mailto:nancy@example.com"), place("#top")
        ('mailto:', '#')
    """
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return scheme[0].lower()
    if address[:1] == "#":
        return "#"
    try:
        parts = urlsplit(address)
        host, path = parts.hostname or "", parts.path
    except ValueError:
        return "..."
    named = "/".join("..." if len(one) > _LONG_PART or {"@", "%"} & {*one} else one for one in path.split("/"))
    return f"{host}{named[:200]}"


def _why(tag: str, said: dict[str, str], address: str) -> Why:
    """Why a link was left alone; `find_links` decides, this says what for."""
    if find_links(tag).urls:
        return "unknown"
    scheme = _SCHEME.match(address)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return "not_web"
    if scheme is None:
        return "fragment" if address[:1] == "#" else "relative"
    if "data-cx-direct" in said:
        return "direct"
    if "unsubscribe" in decoded(said.get("rel", "")).lower().split():
        return "unsubscribe"
    return "template" if any(mark in address for mark in TEMPLATE_MARKS) else "unreadable"


def _html(raw: bytes) -> tuple[str | None, bool]:
    """The HTML, and whether the mail can be read at all: the standard library reads nested parts by recursion."""
    try:
        found = html_part(message_from_bytes(raw))
    except (RecursionError, ValueError, LookupError):
        return None, False
    return (None if found is None else found.html), True


def _leaving(raw: bytes) -> Leaving:
    said = {field.name: field.value for field in reversed(fields(raw)[0])}
    places = [one[:8].lower() for one in _PLACE.findall(said.get(b"list-unsubscribe", b"")[:_LONGEST])]
    return Leaving(
        https=any(one.startswith(b"https://") for one in places),
        http=any(one.startswith(b"http://") for one in places),
        mailto=any(one.startswith(b"mailto:") for one in places),
        one_click=said.get(b"list-unsubscribe-post", b"").strip() == b"List-Unsubscribe=One-Click",
    )
