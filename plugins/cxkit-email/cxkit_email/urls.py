"""Addresses of the web as mails have them: read and written as browsers do, who are to follow them.

Source: WHATWG, "URL", sections 4.4 (a backslash is a slash) and 3.5 (a host is decoded before it is looked up).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

__all__ = ["ascii_url", "parts_of", "plain_path", "with_parameter"]

_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_WORDS: Final = re.compile(r"[a-z]{1,20}(?:[-_.](?:[a-z]{1,20}|[0-9]{1,4})){0,9}")
_MOST_CHARS: Final = 200


def parts_of(url: str) -> SplitResult | None:
    r"""What an address is made of; None where nobody can read it.

    Example:
        >>> parts_of("https://evil.example\\@shop.example/").hostname, parts_of("https://[shop.example/")
        ('evil.example', None)
    """
    try:
        return urlsplit(url.replace("\\", "/"))
    except ValueError:
        return None


def plain_path(path: str) -> str:
    """A path of words: in place of what may be one person's, a token or a number say, stands a star.

    Example:
        >>> plain_path("/sweets/spring-2027.html"), plain_path("/reset/4VHmCkQ0"), plain_path("/of/nancy@shop.example")
        ('/sweets/spring-2027.html', '/reset/*', '/of/*')
    """
    segments = path[:_MOST_CHARS].split("/")
    return "/".join(one if not one or _WORDS.fullmatch(one) else "*" for one in segments)


def with_parameter(url: str, name: str, value: str) -> str:
    """The same address with one more in its query; nothing else of it changes.

    Example:
        >>> with_parameter("https://shop.example/a?b=1#c?d", "e", "2")
        'https://shop.example/a?b=1&e=2#c?d'
    """
    before, hash, fragment = url.partition("#")
    return f"{before}{'&' if '?' in before else '?'}{name}={value}{hash}{fragment}"


def ascii_url(url: str) -> str:
    """The same address as it can stand in a header: whatever is not ASCII is encoded, in its host, too.

    Example:
        >>> ascii_url("https://bücher.example/日?q=a%20b")
        'https://b%C3%BCcher.example/%E6%97%A5?q=a%20b'
    """
    return quote(url, safe=_PRINTABLE)
