"""Where our own pages are, where a visitor may be sent back to, and which paths a template stands for."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from cxkit.kit import Kit
from cxkit.model import Facts

__all__ = ["here", "is_template", "mounted", "pattern_of", "safe_back"]

_MARKS: Final = "-._~!$&'()*+,;=:@/"
_HOLE: Final = re.compile(r"\{[^{}/]*\}")
_TEMPLATE: Final = re.compile(r"/[^?#@<>%\s\"'`\\]*")
_BACK: Final = re.compile(rf"/(?!/)(?:[A-Za-z0-9{re.escape(_MARKS)}?]|%[0-9A-Fa-f]{{2}}){{0,2000}}")


def mounted(kit: Kit, facts: Facts | None, path: str) -> str:
    """The path of one of our endpoints, as a browser must ask for it.

    Some servers let a header say where an app is mounted, so that is believed only if it makes a path of this site.

    Args:
        path: Below the mount point; starts with a slash.
    """
    below = kit.settings.web.mount + path
    root = quote(facts.root, safe=_MARKS) if facts is not None else ""
    return safe_back(root + below) or below


def here(facts: Facts, *, query: bool) -> str | None:
    """The page that was asked for, as a path to come back to; None where it is none that `safe_back` takes.

    Nor is it one where it answers what was posted: whoever comes back asks for it.

    Args:
        query: With what follows the question mark, if that is safe too. Never put it into a link: links are logged.
    """
    if facts.method not in ("GET", "HEAD"):
        return None
    path = quote(facts.path, safe=_MARKS)
    whole = safe_back(f"{path}?{facts.query}") if query and facts.query else None
    return whole or safe_back(path)


def safe_back(text: str | None) -> str | None:
    """The path, if it is one on this site that no browser takes for anything else; None otherwise.

    One slash first, never two together, and only characters that a path and a query may have (RFC 3986): no
    backslash, no control character, nothing that is not ASCII. What is encoded (``%2F``) stays so in a browser.

    Example:
        >>> safe_back("/cart?step=2"), safe_back("//evil.example"), safe_back("https://evil.example")
        ('/cart?step=2', None, None)
    """
    return text if text is not None and "//" not in text and _BACK.fullmatch(text) else None


def pattern_of(template: str) -> re.Pattern[str]:
    """What paths a template stands for: each hole, ``{name}``, is one segment.

    Example:
        >>> pattern_of("/orders/{id}/lines").fullmatch("/orders/zebra/lines") is not None
        True
    """
    return re.compile("[^/]+".join(map(re.escape, _HOLE.split(template))))


def is_template(text: str) -> bool:
    """Whether it may be the template of a route, and has nothing that only a URL somebody asked for has.

    Example:
        >>> is_template("/orders/{id}"), is_template("/reset?token=canary"), is_template("/of/nancy@shop.example")
        (True, False, False)
    """
    return _TEMPLATE.fullmatch(text) is not None
