"""Programs that show mail, and those that fetch a mail's pictures for whoever may read it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["bare", "program_of", "proxy_of"]

_PROXIES: Final = (
    ("googleimageproxy", "Gmail"),
    ("yahoomailproxy", "Yahoo Mail"),
    ("ymailnorrin", "Yahoo Mail"),
    ("seznamemailproxy", "Seznam Email"),
    ("shortwave image fetcher", "Shortwave"),
    ("fastmailua", "Fastmail"),
    ("superhuman image proxy", "Superhuman"),
)
_PROGRAMS: Final = (
    ("thunderbird/", "Thunderbird"),
    ("microsoft outlook", "Outlook"),
    ("ms-office", "Outlook"),
    ("msoffice", "Outlook"),
    ("outlook-ios", "Outlook"),
    ("outlook-android", "Outlook"),
    ("microsoft windows live mail", "Windows Live Mail"),
    ("windows-live-mail", "Windows Live Mail"),
    ("airmail", "Airmail"),
    ("apple mail", "Apple Mail"),
    ("applemail", "Apple Mail"),
    ("postbox/", "Postbox"),
    ("em client", "eM Client"),
    ("emclient", "eM Client"),
    ("lotus-notes", "Notes"),
    ("the bat!", "The Bat!"),
    ("sparrow/", "Sparrow"),
    ("superhuman", "Superhuman"),
    ("k-9 mail", "K-9 Mail"),
    ("kmail2/", "KMail"),
    ("yahoomobilemail", "Yahoo Mail"),
)
_BARE: Final = re.compile(r"mozilla/[45]\.[0-9]")


def proxy_of(agent: str) -> str | None:
    """The mail service whose proxy this is, of a user agent in lower case.

    Example:
        >>> proxy_of("mozilla/5.0 (windows nt 5.1; rv:11.0) gecko firefox/11.0 (via ggpht.com googleimageproxy)")
        'Gmail'
    """
    return next((name for held, name in _PROXIES if held in agent), None)


def bare(agent: str) -> bool:
    """Whether that is all: Apple's Mail Privacy Protection fetches so, and other programs that hide do.

    Example:
        >>> bare("mozilla/5.0")
        True
    """
    return _BARE.fullmatch(agent.strip()) is not None


def program_of(agent: str) -> str | None:
    """The program that shows a mail to somebody.

    Example:
        >>> program_of("mozilla/5.0 (x11; linux x86_64; rv:140.0) gecko/20100101 thunderbird/140.0")
        'Thunderbird'
    """
    return next((name for held, name in _PROGRAMS if held in agent), None)
