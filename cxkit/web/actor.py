"""Who or what asks, as far as a request itself says so: a robot by its name, a browser that only fetches ahead.

And for what: for a page, a part of one, or a feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cxkit.model.context import Actor
from cxkit.web.remembered import Remembered

__all__ = ["actor_of", "is_feed", "is_part"]

_AHEAD: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers with which browsers and mail programs say that nobody looks yet."""
_FETCHED_AHEAD: Final = re.compile(r"\b(?:prefetch|prerender|preview)\b", re.IGNORECASE)
_ROBOT: Final = re.compile(
    r"(?<!cu)bots?(?:\b|_)|crawl|spider|slurp|archiver|facebookexternalhit|facebookcatalog|meta-external|^whatsapp/"
    r"|\bgoogle-|googleother|mediapartners|feedfetcher|lighthouse|pingdom|uptime|monitoring|synthetics|site24x7|preview"
    r"|^(?:curl|wget|python|go-http-client|axios|scrapy|libwww-perl)[-/](?!httpx)",
    re.IGNORECASE,
)
"""Not Cubot's telephones; not okhttp, by which apps of one's own call for somebody; nor httpx, which drives tests."""
_LONGEST: Final = 1024
_known: Final = Remembered[bool](most=4096)
_PARTS: Final = frozenset(
    "audio font image manifest script serviceworker sharedworker style track video worker".split()
)

_FEEDS: Final = frozenset([b"application/atom+xml", b"application/rss+xml", b"application/feed+json"])
"""Sources: RFC 4287, section 8; RSS Advisory Board; JSON Feed 1.1."""


def actor_of(headers: Mapping[str, str]) -> Actor:
    """``prefetch``, ``bot``, or ``unknown``: that somebody is human, no header proves.

    Example:
        >>> actor_of({"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"})
        'bot'
        >>> actor_of({"user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "sec-purpose": "prefetch;prerender"})
        'prefetch'
    """
    for name in _AHEAD:
        said = headers.get(name)
        if said is not None and _FETCHED_AHEAD.search(said[:_LONGEST]):
            return "prefetch"
    agent = headers.get("user-agent")
    return "bot" if agent is not None and _is_robot(agent[:_LONGEST]) else "unknown"


def _is_robot(agent: str) -> bool:
    known = _known.get(agent)
    if known is None:
        known = _ROBOT.search(agent) is not None
        _known.keep(agent, known)
    return known


def is_part(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that it fetches this for a page: that is no page viewed.

    Source: Fetch Metadata Request Headers (W3C), ``Sec-Fetch-Dest``.
    """
    return headers.get("sec-fetch-dest") in _PARTS


def is_feed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a response is a feed: what fetches it is a program, whatever it says, and nobody has read it yet.

    Example:
        >>> is_feed([(b"Content-Type", b"application/atom+xml; charset=utf-8")])
        True
    """
    told = [value for name, value in headers if name.lower() == b"content-type"]
    return any(one.partition(b";")[0].strip().lower() in _FEEDS for one in told)
