"""Links and a pixel put into HTML at their places in the source, so that every other character stays what it was.

Nothing is parsed into a tree and written again: a mail's HTML is full of what only some mail programs read, in comments
(``<!--[if mso]>``), in the order of attributes and in how characters are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs

from cxkit_email.markup import RAW, Attribute, attributes, decoded, finder, past_raw

__all__ = ["TEMPLATE_MARKS", "Links", "find_links"]

_LINKS: Final = frozenset(["a", "area"])
_TAGS: Final = finder(opening=[*_LINKS, "body", *RAW], closing=["body"])
_ABSOLUTE: Final = re.compile(r"https?://[^/?#\\]", re.IGNORECASE)
_UNSEEN: Final = "".join(map(chr, range(0x21)))
"""What browsers take off both ends of an address (WHATWG URL, section 4.4); of the middle, the breaks of lines."""
_BREAKS: Final = dict.fromkeys(map(ord, "\t\n\r"))
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
TEMPLATE_MARKS: Final = ("{{", "{%", "*|", "%%", "[[")
"""What somebody else's templates begin with, who will fill in the address later."""
_SPECIAL: Final = re.compile(r"[&\"'<>`\t\n\f\r ]")
_PIXEL: Final = (
    '<img src="{}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0" />'
)  # fmt: skip
_HONEYPOT: Final = (
    '<a href="{}" rel="nofollow" tabindex="-1" aria-hidden="true" style="display:none;mso-hide:all"></a>'
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Links:
    """The links of HTML, found once and replaced as often as there are recipients."""

    html: str = attrs.field(repr=False)
    urls: tuple[str, ...] = attrs.field(repr=False)
    """Where they lead, decoded, each once, in order of first appearance."""
    _spans: tuple[tuple[int, int, str], ...] = attrs.field(repr=False)
    _body: int | None
    """Where the content of the body begins, if it has a start tag."""
    _end: int

    def rewritten(
        self, *, link: Callable[[str], str | None], pixel: str | None = None, honeypot: str | None = None
    ) -> str:
        """The HTML with other links.

        Args:
            link: Asked once for each address; told what to put there, None to leave it.
            pixel: Address of an image that is loaded when the mail is opened. Goes to the end of the body.
            honeypot: Address that no person sees or reaches, which programs follow. Goes to the start of the body.

        Example:
            >>> links = find_links("<a href=https://shop.example/>Almonds</a>")
            >>> links.rewritten(link=lambda url: "https://cx.example/c/x?y&z")
            '<a href=https://cx.example/c/x?y&amp;z>Almonds</a>'
        """
        new = {url: link(url) or url for url in self.urls}
        source = self.html
        changes = [(start, end, _written(new[url])) for start, end, url in self._spans if new[url] != url]
        if honeypot is not None:
            at = self._end if self._body is None else self._body
            changes.append((at, at, _HONEYPOT.format(_written(honeypot))))
        if pixel is not None:
            changes.append((self._end, self._end, _PIXEL.format(_written(pixel))))
        changes.sort(key=lambda change: change[0])
        written: list[str] = []
        position = 0
        for start, end, text in changes:
            written += source[position:start], text
            position = end
        written.append(source[position:])
        return "".join(written)


def find_links(html: str) -> Links:
    """The links of a mail that may be replaced: ``href`` of ``<a>`` and ``<area>``, absolute, by HTTP.

    Not those with ``data-cx-direct`` or ``rel="unsubscribe"``, nor what a template is still to fill in. What stands in
    comments is left alone, also in those that Outlook reads.

    Takes time in proportion to the HTML, whatever is wrong with it, and never raises.

    Example:
        >>> find_links('<a href="https://shop.example/?a=1&amp;b=2#top">Almonds</a> <a href="#top">Up</a>').urls
        ('https://shop.example/?a=1&b=2#top',)
    """
    spans: list[tuple[int, int, str]] = []
    body, end, position = None, len(html), 0
    while (found := _TAGS.match(html, position)) is not None:
        position = found.end()
        name = found[3].lower()
        if name in _LINKS:
            span = _link(html, found.start(4), found.end(4))
            if span is not None:
                spans.append(span)
        elif found[2]:
            end = found.start(1)
        elif name == "body":
            body = position if body is None else body
        else:
            position = past_raw(html, name, position)
    urls = tuple(dict.fromkeys(url for _, _, url in spans))
    end = max(end, body or 0)
    return Links(html=html, urls=urls, spans=tuple(spans), body=body, end=end)


def _link(html: str, start: int, end: int) -> tuple[int, int, str] | None:
    """Where its address stands, and what that is; None if it is to be left alone."""
    href: Attribute | None = None
    rel: str | None = None
    for one in attributes(html, start=start, end=end):
        if one.name == "href":
            href = href or one
        elif one.name == "rel":
            rel = one.value if rel is None else rel
        elif one.name == "data-cx-direct":
            return None
    if href is None or (rel is not None and "unsubscribe" in decoded(rel).lower().split()):
        return None
    url = _url(href.value)
    return None if url is None else (href.start, href.end, url)


def _url(value: str) -> str | None:
    url = decoded(value).strip(_UNSEEN)
    if _CONTROL.search(url) is not None:
        url = url.translate(_BREAKS)
        if _CONTROL.search(url) is not None:
            return None
    if _ABSOLUTE.match(url) is None:
        return None
    return None if any(mark in url for mark in TEMPLATE_MARKS) else url


def _written(url: str) -> str:
    """As a value that is sound within double quotes, single quotes and none."""
    return _SPECIAL.sub(_reference, url)


def _reference(found: re.Match[str]) -> str:
    return "&amp;" if found[0] == "&" else f"&#{ord(found[0])};"
