"""The plain text of HTML, for whoever reads mails as text: the part ``text/plain`` of one that has none.

It says what the HTML says to a person who sees it, in its order: not how it looks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cxkit_email.markup import Tag, attributes, decoded, pieces, text_decoded

__all__ = ["MAX_CHARS", "text_of"]

MAX_CHARS: Final = 1_000_000
"""Of the HTML; the rest is not read, and the text ends with ``[...]``."""
_CUT: Final = "[...]"
_APART: Final = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre".split())
_OWN_LINE: Final = frozenset(
    "div table caption thead tbody tfoot tr li dt dd section article header footer main nav aside center address "
    "figure figcaption form fieldset legend option".split()
)
_VOID: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())
_UNDERLINES: Final = {"h1": "=", "h2": "-"}
_MAX_UNDERLINE: Final = 60
_MAX_DEPTH: Final = 8
"""Of lists that are indented; deeper ones stand as far in as this."""
_HIDES: Final = ("hidden", "none", "max-height", "opacity")
"""One of these is in every tag that hides; most tags have none, and are not read closer."""
_HIDDEN: Final = re.compile(
    r"(?:\A|;)\s*+(?:display\s*+:\s*+none|visibility\s*+:\s*+hidden|(?:max-height|opacity)\s*+:\s*+0(?:px|\.0+)?\s*+(?:[;!]|\Z))",
    re.IGNORECASE,
)
"""Not ``font-size:0``, which columns are held together with, nor ``mso-hide``, which hides from Outlook alone."""
_SHOWN: Final = re.compile(r"(https?://|mailto:|tel:)(.+)", re.IGNORECASE | re.DOTALL)
_BREAKS: Final = dict.fromkeys(map(ord, "\t\n\r"))
_NO_WIDTH: Final = "\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff"
"""What previews are filled up with, so that nothing else shows there."""
_BLANK: Final = f" \t\n\f\r\u00a0{_NO_WIDTH}"


def text_of(html: str) -> str:
    """What a mail says, as plain text.

    Links stand as ``text (address)``, images as what they are called, rows of tables in one line each. What nobody sees
    is left out: styles, comments, hidden previews, pixels. Never raises, and takes time in proportion to the HTML.

    Example:
        >>> print(text_of("<h1>Almonds</h1><p>Roasted <b>today</b>. <a href='https://shop.example/a'>See them</a></p>"))
        Almonds
        =======
        <BLANKLINE>
        Roasted today. See them (https://shop.example/a)
        <BLANKLINE>
    """
    source = html[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    writer = _Writer(source, hiding=True)
    if not writer.written():  # something hidden never ends: rather too much than nothing
        writer = _Writer(source, hiding=False)
        writer.written()
    if len(html) > MAX_CHARS:
        writer.lines.append(_CUT)
    return "".join(f"{line}\n" for line in writer.lines)


class _Writer:
    """Lines as they come to be."""

    def __init__(self, source: str, *, hiding: bool) -> None:
        self.lines: list[str] = []
        self._source = source
        self._hiding = hiding
        self._hidden: tuple[str, int] | None = None
        """The element that hides all within it, and how many of its name are open."""
        self._line: list[str] = []
        self._lists: list[int | None] = []
        """Open ones, each with the number of its last item; None: it has no numbers."""
        self._marker = ""
        self._apart = False
        self._cell = False
        self._link: str | None = None
        self._label: list[str] = []

    def written(self) -> bool:
        """Write all of it; tell whether all that hides something has an end."""
        for piece in pieces(self._source):
            if isinstance(piece, str):
                if self._hidden is None:
                    self._add(text_decoded(piece))
            elif self._hidden is not None:
                self._within_hidden(piece)
            elif piece.closing:
                self._close(piece.name)
            else:
                self._open(piece)
        self._end_link()
        self._end_line()
        return self._hidden is None

    def _within_hidden(self, tag: Tag) -> None:
        name, depth = self._hidden or ("", 0)
        if tag.name == name:
            depth += -1 if tag.closing else 1
            self._hidden = (name, depth) if depth else None

    def _open(self, tag: Tag) -> None:
        name = tag.name
        if self._hiding and self._hides(tag):
            self._hidden = None if name in _VOID else (name, 1)
            return
        self._separate(name, within=len(self._lists))
        if name == "a":
            self._end_link()
            self._link = self._said(tag).get("href")
        elif name == "img":
            said = self._said(tag)
            if not {said.get("width"), said.get("height")} & {"0", "1"}:
                self._add(f" {said.get('alt', '')} ")
        elif name == "br":
            ended = self._end_line()
            self._apart = self._apart or not ended
        elif name == "hr":
            self._end_line()
            self.lines.append("---")
        elif name in ("ul", "ol"):
            self._lists.append(0 if name == "ol" else None)
        elif name == "li":
            self._number()

    def _close(self, name: str) -> None:
        if name == "a":
            self._end_link()
            return
        before = len(self.lines)
        self._separate(name, within=len(self._lists) - 1)
        if name in ("ul", "ol") and self._lists:
            self._lists.pop()
        if name in _UNDERLINES and len(self.lines) > before:
            self.lines.append(_UNDERLINES[name] * min(len(self.lines[-1]), _MAX_UNDERLINE))

    def _separate(self, name: str, *, within: int) -> None:
        """Begin a line, or a paragraph, where one is due; not before and after a list ``within`` others."""
        if name in _APART:
            self._end_line()
            if not self._marker:  # a paragraph that an item begins with begins beside its mark
                self._apart |= name not in ("ul", "ol") or within <= 0
        elif name in _OWN_LINE:
            self._end_line()
        elif name in ("td", "th"):
            self._cell = True

    def _number(self) -> None:
        last = self._lists[-1] if self._lists else None
        if last is None:
            self._marker = "- "
            return
        self._lists[-1] = last + 1
        self._marker = f"{last + 1}. "

    def _add(self, text: str) -> None:
        if not text.strip(_BLANK):
            if not self._line:  # so that a line always begins with what shows
                return
        elif self._cell:
            self._cell = False
            if self._line:
                self._line.append(" | ")
        self._line.append(text)
        if self._link is not None:
            self._label.append(text)

    def _end_link(self) -> None:
        link, label = self._link, _words("".join(self._label))
        self._link = None
        self._label.clear()
        target = _target(link or "")
        if target and not label:
            self._add(target)
        elif target and _bare(target) != _bare(label):
            self._add(f" ({target})")

    def _end_line(self) -> bool:
        """Whether there was one."""
        text = _words("".join(self._line))
        self._line.clear()
        self._cell = False
        if not text:
            return False
        if self._apart and self.lines:
            self.lines.append("")
        self._apart = False
        depth = min(len(self._lists), _MAX_DEPTH)
        self.lines.append("  " * (depth - 1 if self._marker else depth) + self._marker + text)
        self._marker = ""
        return True

    def _hides(self, tag: Tag) -> bool:
        written = self._source[tag.start : tag.end].lower()
        if not any(mark in written for mark in _HIDES):
            return False
        said = self._said(tag)
        return (
            "hidden" in said
            or said.get("aria-hidden", "").lower() == "true"
            or _HIDDEN.search(said.get("style", "")) is not None
        )

    def _said(self, tag: Tag) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for one in attributes(self._source, start=tag.start, end=tag.end):
            found.setdefault(one.name, decoded(one.value))
        return found


def _words(text: str) -> str:
    words = text.split()
    return " ".join(words if text.isascii() else [word for word in words if word.strip(_NO_WIDTH)])


def _target(link: str) -> str:
    """Where a link leads, as a person can use it; empty where it cannot be written."""
    found = _SHOWN.fullmatch(link.strip().translate(_BREAKS))
    if found is None:
        return ""
    if found[1].lower() == "mailto:":
        return found[2].partition("?")[0]
    return found[2] if found[1].lower() == "tel:" else found[0].replace(" ", "%20")


def _bare(text: str) -> str:
    return text.lower().removeprefix("https://").removeprefix("http://").removesuffix("/")
