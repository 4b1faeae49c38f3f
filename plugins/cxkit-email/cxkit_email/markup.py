"""HTML as mail programs read it: its tags, their attributes and its text, each at its place in the source.

Source: the HTML standard (WHATWG), section 13.2.5, "Tokenization". Every pattern is possessive and goes forward only,
so that reading takes time in proportion to what is read, however it was broken. Python's own parser does not, nor does
it everywhere read what browsers do. Left out is what no mail has: the escaped states of scripts, and sections of CDATA
within SVG. Where a tag, a comment or a value never ends, nothing after it is read, as in browsers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from html.entities import html5
from typing import Final, NamedTuple

__all__ = ["RAW", "Attribute", "Tag", "attributes", "decoded", "finder", "past_raw", "pieces", "text_decoded"]

_WS: Final = r"\t\n\f\r "
_COMMENT: Final = r"<!--(?:-?>|[^-]*+(?:-(?!-!?>)[^-]*+)*+(?:--!?>|\Z))"
_BOGUS: Final = r"<(?:[!?]|/(?![a-zA-Z]))[^>]*+(?:>|\Z)"
"""Read as a comment: declarations, ``<![if !mso]>``, ``<?xml ?>``. It must be tried after `_COMMENT`."""
_NO_TAG: Final = r"<(?![a-zA-Z/!?])"
_NAME: Final = rf"[a-zA-Z][^{_WS}/>]*+"
_KEY: Final = rf"(?:=[^{_WS}/>=]*+|[^{_WS}/>=]++)"
_REST: Final = (
    rf"(?:[{_WS}/]++|{_KEY}"
    rf"(?:[{_WS}]*+=[{_WS}]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^{_WS}>\"'][^{_WS}>]*+)?+)?+)*+"
)
"""All of a tag after its name. No groups: those within what is possessive are not reliable before Python 3.13."""
_ATTRIBUTE: Final = re.compile(
    rf"({_KEY})(?:[{_WS}]*+=[{_WS}]*+(?:\"([^\"]*+)\"|'([^']*+)'|([^{_WS}>\"'][^{_WS}>]*+))?)?"
)
_PIECE: Final = re.compile(
    rf"(?:{_COMMENT}|{_BOGUS})*+(?:([^<]++|{_NO_TAG})|<(/?)({_NAME})({_REST})>)",
    re.ASCII,
)
_REFERENCE: Final = re.compile(r"&(?:#[0-9]++;?+|#[xX][0-9a-fA-F]++;?+|[a-zA-Z0-9]++(?:;|(?!=)))")
_ENDLESS: Final = re.compile(r"&#[0-9]{1000,};?+")
"""Python refuses to read numbers of more than 4,300 digits; they are of no character."""

RAW: Final = frozenset("script style textarea title xmp iframe noembed noframes plaintext".split())
"""Elements whose content is text, whatever it looks like."""
_RAW_ENDS: Final = {name: re.compile(rf"</{name}(?=[{_WS}/>])", re.ASCII | re.IGNORECASE) for name in RAW}


class Tag(NamedTuple):
    """A tag, and where its attributes are."""

    name: str
    """In lower case."""
    closing: bool
    start: int
    """Of its attributes."""
    end: int
    """Of its attributes."""


class Attribute(NamedTuple):
    """An attribute as it is written."""

    name: str
    """In lower case."""
    value: str
    """Not decoded."""
    start: int
    """Of the value, within its quotes; -1: it has none."""
    end: int


def attributes(source: str, *, start: int, end: int) -> Iterator[Attribute]:
    """What a tag says, in order. Of several with one name the first holds.

    Example:
        >>> [(one.name, one.value) for one in attributes("<a HREF=x title='y' hidden>", start=2, end=26)]
        [('href', 'x'), ('title', 'y'), ('hidden', '')]
    """
    for found in _ATTRIBUTE.finditer(source, start, end):
        group = found.lastindex or 1
        if group == 1:
            yield Attribute(found[1].lower(), "", -1, -1)
        else:
            yield Attribute(found[1].lower(), found[group], found.start(group), found.end(group))


def decoded(value: str) -> str:
    """The value of an attribute with its character references resolved.

    A name without its semicolon before ``=``, a letter or a digit is none (section 13.2.5.73), so that addresses of
    pages stay what they are.

    Example:
        >>> decoded("/?a=1&amp;copy=2&copy=3&#38;b")
        '/?a=1&copy=2&copy=3&b'
    """
    return _REFERENCE.sub(_resolved, value) if "&" in value else value


def text_decoded(text: str) -> str:
    """Text with its character references resolved. Never raises.

    Example:
        >>> text_decoded("Almonds &amp nuts &#8364; 5")
        'Almonds & nuts € 5'
    """
    return html.unescape(_ENDLESS.sub("\ufffd", text)) if "&" in text else text


def finder(*, opening: Iterable[str], closing: Iterable[str]) -> re.Pattern[str]:
    """A pattern that matches everything up to the next tag with one of these names, and that tag.

    Its groups: the whole tag, ``/`` or nothing, the name, all between name and ``>``. What comes before is passed over
    within the pattern, which is what makes it fast.
    """
    starts, ends = (rf"(?i:{'|'.join(sorted(names))})(?=[{_WS}/>])" for names in (opening, closing))
    other = rf"<(?:(?!{starts})|/(?!{ends}))(?=[a-zA-Z]){_NAME}{_REST}>"
    wanted = rf"<(?:(?={starts})|(/)(?={ends}))({_NAME})({_REST})>"
    return re.compile(rf"(?:[^<]++|{other}|{_COMMENT}|{_BOGUS}|{_NO_TAG})*+({wanted})", re.ASCII)


def past_raw(source: str, name: str, position: int) -> int:
    """Where the content of an element of `RAW` ends: at its end tag, or with the source."""
    found = _RAW_ENDS[name].search(source, position) if name != "plaintext" else None
    return len(source) if found is None else found.start()


def pieces(source: str) -> Iterator[str | Tag]:
    """Text, not decoded, and tags, without comments and without what `RAW` elements hold.

    Example:
        >>> [one if isinstance(one, str) else one.name for one in pieces("a<b>c</b><!-- d --><style>e</style>")]
        ['a', 'b', 'c', 'b', 'style', 'style']
    """
    position = 0
    while (found := _PIECE.match(source, position)) is not None:
        position = found.end()
        if found[1] is not None:
            yield found[1]
            continue
        name, closing = found[3].lower(), bool(found[2])
        yield Tag(name, closing, found.start(4), found.end(4))
        if not closing and name in RAW:
            position = past_raw(source, name, position)


def _resolved(found: re.Match[str]) -> str:
    reference = found[0]
    if reference[1] == "#":
        return text_decoded(reference) or "\0"  # Python drops controls, where an address is spoilt by them
    return html5.get(reference[1:], reference)
