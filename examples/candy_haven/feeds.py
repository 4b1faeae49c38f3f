"""The blog as a feed: Atom (RFC 4287). Nothing here knows cxkit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from examples.candy_haven.parts import Question
from examples.candy_haven.stock import Language, Post

TYPE = "application/atom+xml; charset=utf-8"
_ATOM = "http://www.w3.org/2005/Atom"
_AUTHORITY = "tag:example.com,2026:candy-haven"
"""What all ids begin with (RFC 4151): they stay the same wherever the shop moves, and in whosever feed they are."""


def atom(language: Language, posts: Sequence[Post], *, full: bool, asks: Iterable[Question]) -> str:
    """The feed, as text.

    Args:
        posts: In the order in which they are to be read.
        full: All of each, or how it begins.
        asks: What the reader may be asked: an entry each, which leads to where one answers.
    """
    latest = max(one.published for one in posts)
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    _common(feed, "Candy Haven", id=_AUTHORITY, day=latest, link="/blog")
    SubElement(SubElement(feed, "author"), "name").text = "Candy Haven"
    for post in posts:
        entry = SubElement(feed, "entry")
        link = f"/blog/{post.slug}"
        _common(entry, post.names[language], id=_AUTHORITY + link, day=post.published, link=link)
        SubElement(entry, "content" if full else "summary").text = post.told(language, full=full)
    for question in asks:
        entry = SubElement(feed, "entry")
        _common(entry, question.text, id=f"{_AUTHORITY}/asked/{question.name}", day=latest, link="/blog")
        SubElement(entry, "summary").text = question.why or question.text
    return tostring(feed, encoding="unicode", xml_declaration=False)


def _common(of: Element, title: str, *, id: str, day: str, link: str) -> None:
    SubElement(of, "title").text = title
    SubElement(of, "id").text = id
    SubElement(of, "updated").text = f"{day}T00:00:00Z"
    SubElement(of, "link", {"href": link})
