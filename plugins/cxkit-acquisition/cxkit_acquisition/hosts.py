"""Hosts: which one a URL names, and what it is part of.

Only a domain of the public net is one here. An address, a name without a dot, or one that no machine outside could
look up (RFC 6761, RFC 6762, ``.internal``) says where somebody's own network is: that is not kept, and tells nothing.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

__all__ = ["From", "domain_of", "named", "plain_host", "public_part", "registrable", "suffixes"]

MAX_CHARS: Final = 1024
"""Of a URL; the rest of a longer one is not looked at: what is asked for stands at its beginning."""
_MAX_HOST: Final = 253
_PORT: Final = len(":65535")
_URL: Final = re.compile(r"(https?)://([^/?#\\\s]*)(?:[/?#]|$)", re.IGNORECASE)
_APP: Final = re.compile(r"android-app://([a-zA-Z]\w*(?:\.\w+){1,19})(?:/|$)", re.ASCII)
_MAX_APP: Final = 128
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_TOP: Final = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_OURS: Final = frozenset(
    "local localhost localdomain internal intranet lan home corp private onion arpa invalid".split()
)


class From(NamedTuple):
    """What a ``Referer`` names."""

    host: str = ""
    """In ASCII, lower-case."""
    app: str = ""
    """An Android app's package."""


def named(referer: str) -> From | None:
    """The host or app that a ``Referer`` names; None where it names none, or one that is nobody's outside.

    Example:
        >>> named("https://me:pw@News.Example.COM:8443/article?id=1")
        From(host='news.example.com', app='')
        >>> named("android-app://com.google.android.gm/")
        From(host='', app='com.google.android.gm')
        >>> named("http://192.168.1.7/")
    """
    head = referer[:MAX_CHARS]
    found = _URL.match(head)
    if found is not None:
        if found.end() == MAX_CHARS and len(referer) > MAX_CHARS and head[-1] not in "/?#":
            return None  # who knows how it goes on
        host = plain_host(found[2].rpartition("@")[2])
        return None if host is None else From(host=host)
    app = _APP.match(head)
    return From(app=app[1].lower()) if app is not None and len(app[1]) <= _MAX_APP else None


def domain_of(text: str) -> str | None:
    """The domain that a text is, or that the URL in it names; None where there is none."""
    found = named(text) if "://" in text else None
    return found.host or None if found is not None else plain_host(text)


def plain_host(text: str) -> str | None:
    """A host with or without its port in the one form in which it is compared; None where it is no public one.

    Source: RFC 1123, section 2.1; RFC 5890 (names that are not ASCII).

    Example:
        >>> plain_host("M\u00fcnchen.example:80"), plain_host("localhost"), plain_host("[::1]")
        ('xn--mnchen-3ya.example', None, None)
    """
    return _plain(text) if len(text) <= _MAX_HOST + _PORT else None


@lru_cache(maxsize=4096)
def _plain(text: str) -> str | None:
    name, _, port = text.partition(":")
    if (port and not (port.isascii() and port.isdigit())) or len(name) > _MAX_HOST:
        return None
    if not name.isascii():
        name = _ascii(name)
    name = name.rstrip(".").lower()
    labels = name.split(".")
    if len(labels) < 2 or labels[-1] in _OURS or _TOP.fullmatch(labels[-1]) is None:
        return None
    return name if all(map(_LABEL.fullmatch, labels)) else None


def _ascii(name: str) -> str:
    """As the net looks it up; a header's bytes were read as Latin-1, whatever they were."""
    try:
        name = name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


@cache
def suffixes(*, private: bool) -> PublicSuffixList:
    """The list of public suffixes, as the package brings it: read once, when the first enricher is built.

    Args:
        private: Whether with those below which companies let anybody have a name: ``github.io``.
    """
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=not private)


@lru_cache(maxsize=4096)
def registrable(host: str) -> str:
    """The part of a host's name that makes it somebody's: two shops at one company are two.

    Source: https://publicsuffix.org, with the private section.

    Example:
        >>> registrable("www.shop.example.co.uk"), registrable("nancy.github.io"), registrable("blogspot.com")
        ('example.co.uk', 'nancy.github.io', 'blogspot.com')
    """
    return suffixes(private=True).privatesuffix(host) or host


@lru_cache(maxsize=4096)
def public_part(host: str) -> str:
    """The part that was registered; a name that a company gave to somebody below its own is theirs alone.

    Source: https://publicsuffix.org, without the private section.

    Example:
        >>> public_part("www.shop.example.co.uk"), public_part("nancy-smith.blogspot.com")
        ('example.co.uk', 'blogspot.com')
    """
    return suffixes(private=False).privatesuffix(host) or host
