"""Campaign: what the address of a landing page says of what brought somebody here.

``utm_*`` are what marketing writes on its links; a click id is what an advertiser's or a mail provider's machine adds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from cxkit.model.context import CLICK_IDS

__all__ = ["MAX_CHARS", "VENDORS", "Campaign", "Click", "Vendor", "read"]

MAX_CHARS: Final = 256
"""Of a value; the rest is cut off."""
_MAX_SEARCHED: Final = 1024
"""By patterns: an address of which a part would be kept ends long before."""
_MAX_QUERY: Final = 16_384
_MAX_PARAMETERS: Final = 256
_MAX_RAW: Final = MAX_CHARS * 12
"""Characters of four bytes each, each written as three."""
_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_MAX_ID: Final = 512
_CLICK_ID: Final = re.compile(r"[\w.~:=+/*-]{4,}", re.ASCII)
_AT: Final = re.compile(r"[^\s@%]{1,64}(?:@|%(?:25){0,8}40)[^\s@%]{1,}", re.IGNORECASE)


class Vendor(NamedTuple):
    """What the click id of a vendor's says."""

    medium: str
    source: str
    sure: bool = True
    """Whether it comes with what was paid for alone; if not, what is written on the link says more."""


VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType(
    {
        "google": Vendor("paid", "google"),
        "microsoft": Vendor("paid", "bing"),
        "tiktok": Vendor("paid", "tiktok"),
        "twitter": Vendor("paid", "twitter"),
        "linkedin": Vendor("paid", "linkedin"),
        "reddit": Vendor("paid", "reddit"),
        "pinterest": Vendor("paid", "pinterest"),
        "quora": Vendor("paid", "quora"),
        "snap": Vendor("paid", "snapchat"),
        "impact": Vendor("paid", "impact"),
        "cj": Vendor("paid", "cj"),
        "yandex": Vendor("paid", "yandex"),
        "meta": Vendor("social", "facebook", sure=False),  # on every link that leaves it, whoever put it there
        "klaviyo": Vendor("email", "klaviyo", sure=False),
        "mailchimp": Vendor("email", "mailchimp", sure=False),
    }
)
"""By the names that `CLICK_IDS` has for them."""
_SHARED: Final = Vendor("social", "instagram", sure=False)
_OF_A_MAILING: Final = "mc_cid"
"""It is the same for all who got the mail."""
_WANTED: Final = frozenset([*_UTM, *CLICK_IDS])
_MARKS: Final = ("utm_", *CLICK_IDS)
"""One of these is in the name of each; most queries have none."""


class Click(NamedTuple):
    """A click id."""

    vendor: str
    says: Vendor
    id: str | None
    """None where it is of the campaign, not of a person."""


class Campaign(NamedTuple):
    """What the link said; all of it in lower case."""

    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None
    click: Click | None = None


def read(query: str) -> Campaign | None:
    """What a query says of a campaign; None where it says nothing.

    Of a parameter that comes twice the first holds. A value that is not UTF-8, or has an e-mail address in it, is no
    value. Of the query the first 16,384 characters and 256 parameters are looked at.

    Args:
        query: As it came, without the question mark.

    Example:
        >>> read("utm_source=News&utm_medium=E-mail&utm_campaign=Spring+Sale")
        Campaign(source='news', medium='e-mail', name='spring sale', term=None, content=None, click=None)
        >>> read("page=2")
    """
    head = query[:_MAX_QUERY].lower()
    if not any(mark in head for mark in _MARKS):
        return None
    found = _parameters(query)
    source, medium, name, term, content = (_text(found.get(one, "")) for one in _UTM)
    campaign = Campaign(source, medium, name, term, content, _click(found))
    return campaign if any(campaign) else None


def _parameters(query: str) -> dict[str, str]:
    """Those that are wanted, with their values as they came."""
    head = query[:_MAX_QUERY]
    pieces = head.split("&", _MAX_PARAMETERS)
    if len(query) > _MAX_QUERY or len(pieces) > _MAX_PARAMETERS:
        pieces.pop()  # it is cut off, or the rest of them
    found: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition("=")
        name = name.lower()
        if value and name in _WANTED:
            found.setdefault(name, value)
    return found


def _text(raw: str) -> str | None:
    """A value as it may be kept."""
    text = _decoded(raw)
    if text is None:
        return None
    if not text.isprintable():  # it does not show, or turns the text around it
        text = "".join(each if each.isprintable() else " " for each in text)
    text = " ".join(text.split())[:_MAX_SEARCHED]
    return None if _AT.search(text) is not None else text.lower()[:MAX_CHARS].rstrip() or None


def _decoded(raw: str) -> str | None:
    """Decoded once; None where it is not UTF-8."""
    if not raw:
        return None
    head = raw[:_MAX_RAW].replace("+", " ")
    try:
        octets = unquote_to_bytes(head.encode("latin-1"))  # a query's own bytes were read as that
        return octets.decode("utf-8", "strict" if len(raw) <= _MAX_RAW else "ignore")
    except UnicodeError:
        return None


def _click(found: Mapping[str, str]) -> Click | None:
    """The first of them, in the order in which the core names them: what was paid for goes first."""
    for name, vendor in CLICK_IDS.items():
        id = _decoded(found[name]) if name in found else None
        if id is not None and len(id) <= _MAX_ID and _CLICK_ID.fullmatch(id) is not None:
            says = _SHARED if name == "igshid" else VENDORS[vendor]
            return Click(vendor, says, None if name == _OF_A_MAILING else id)
    return None
