"""Reading HTML as browsers do: against a tokenizer written out state by state, and Python's own."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxkit_email.markup import RAW, Tag, attributes, decoded, pieces, text_decoded

SPACE = "\t\n\f\r "
TAG = tuple[str, bool, tuple[tuple[str, str], ...]]

PARTS = (
    "<", ">", "/", "=", '"', "'", " ", "\n", "-", "!", "?", "a", "A", "b", "href", "x=", "<a ", "</a", "<!--", "-->",
    "--!>", "<![CDATA[", "]]>", "<script", "</script", "<title>", "</TITLE>", "<style>", "</style>", "<textarea ",
    "</textarea", "<!--[if mso]>", "<![endif]-->", "<!--<![endif]-->", "<?xml", "&amp;", "&", "<plaintext>", "é",
)  # fmt: skip
SOUP = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)


class Reader:
    """The standard's states, a character at a time; those of them that decide where tags and values are."""

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0
        self.found: list[TAG] = []

    def read(self) -> list[TAG]:
        while (start := self.source.find("<", self.at)) >= 0:
            self.at = start
            after = self.source[start + 1 : start + 2]
            if after == "!" or after == "?":
                self.comment()
            elif after == "/" and start + 2 < len(self.source):
                self.end_tag()
            elif after.isascii() and after.isalpha():
                self.at += 1
                self.tag(closing=False)
            else:
                self.at += 1
        return self.found

    def comment(self) -> None:
        if not self.source.startswith("<!--", self.at):
            self.bogus()
            return
        self.at += 4
        for short in (">", "->"):
            if self.source.startswith(short, self.at):
                self.at += len(short)
                return
        ends = [self.source.find(end, self.at) + len(end) for end in ("-->", "--!>") if end in self.source[self.at :]]
        self.at = min(ends, default=len(self.source))

    def bogus(self) -> None:
        end = self.source.find(">", self.at)
        self.at = len(self.source) if end < 0 else end + 1

    def end_tag(self) -> None:
        after = self.source[self.at + 2]
        if after.isascii() and after.isalpha():
            self.at += 2
            self.tag(closing=True)
        else:
            self.bogus()

    def now(self) -> str:
        return self.source[self.at : self.at + 1]

    def until(self, stops: str) -> str:
        start = self.at
        while self.now() and self.now() not in stops:
            self.at += 1
        return self.source[start : self.at]

    def past_space(self) -> None:
        while self.now() and self.now() in SPACE:
            self.at += 1

    def tag(self, *, closing: bool) -> None:
        name = self.until(SPACE + "/>").lower()
        pairs: list[tuple[str, str]] = []
        while True:
            while self.now() and self.now() in SPACE + "/":
                self.at += 1
            if not self.now():
                return
            if self.now() == ">":
                break
            pairs.append(self.pair())
        self.at += 1
        self.found.append((name, closing, tuple(pairs)))
        if not closing and name in RAW:
            end = re.search(f"</{name}[{SPACE}/>]", self.source[self.at :], re.IGNORECASE | re.ASCII)
            known = end is not None and name != "plaintext"
            self.at = self.at + end.start() if known and end else len(self.source)

    def pair(self) -> tuple[str, str]:
        start = self.at
        self.at += 1  # also where it is "="
        self.until(SPACE + "/>=")
        name = self.source[start : self.at].lower()
        back = self.at
        self.past_space()
        if self.now() != "=":
            self.at = back
            return name, ""
        self.at += 1
        self.past_space()
        if (quote := self.now()) in ('"', "'") and quote:
            self.at += 1
            value = self.until(quote)
            self.at += 1
            return name, value
        return name, "" if self.now() == ">" else self.until(SPACE + ">")


def tags(source: str) -> list[TAG]:
    return [
        (
            one.name,
            one.closing,
            tuple((pair.name, pair.value) for pair in attributes(source, start=one.start, end=one.end)),
        )
        for one in pieces(source)
        if isinstance(one, Tag)
    ]


@given(SOUP | st.text())
@example("<a ='b>'>")
@example("<a = href=x / y='>'z=\"\" =w>")
@example("<!--><a><!---><b><!----!><i><!--->")
@example("<title>&lt;</titles></title\n><a>")
def test_tags_are_those_of_the_standard(source: str) -> None:
    assert tags(source) == Reader(source).read()


class Theirs(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[TAG] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, False, tuple((name, value or "") for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((tag, True, ()))


NAMES = st.sampled_from("a area p td table span br b".split())
VALUES = st.text(st.sampled_from("abc/:?&;=.% <>'"), max_size=8)
PAIRS = st.dictionaries(st.sampled_from("href rel title style data-x".split()), VALUES, max_size=3)


@st.composite
def sound(draw: st.DrawFn) -> str:
    written = []
    for _ in range(draw(st.integers(0, 8))):
        name = draw(NAMES)
        pairs = "".join(f' {key}="{value}"' for key, value in draw(PAIRS).items())
        text = draw(st.text(st.sampled_from("abc &;\n"), max_size=5))
        written.append(f"<{name}{pairs}>{text}<!-- {draw(VALUES).replace('>', '')} --></{name}>")
    return "".join(written)


@given(sound())
def test_what_is_sound_is_read_as_python_reads_it(source: str) -> None:
    theirs = Theirs()
    theirs.feed(source)
    theirs.close()
    ours = [
        (name, closing, tuple((key, unescape(value)) for key, value in pairs)) for name, closing, pairs in tags(source)
    ]
    assert ours == theirs.found


@given(SOUP | st.text())
def test_text_and_tags_are_of_the_source_and_in_order(source: str) -> None:
    position = 0
    for one in pieces(source):
        if isinstance(one, str):
            position = source.index(one, position) + len(one)
        else:
            assert position < one.start <= one.end < len(source)
            position = one.end


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a&amp;b", "a&b"),
        ("a&ampb", "a&ampb"),
        ("a&amp=b", "a&amp=b"),
        ("a&amp", "a&"),
        ("a&amp/b", "a&/b"),
        ("?x=1&copy=2&reg;&sect3&notit;", "?x=1&copy=2®&sect3&notit;"),
        ("&#x41;&#66;&#67", "ABC"),
        ("&nothing;&", "&nothing;&"),
        ("&#" + "1" * 9_000 + ";", "\ufffd"),
        ("&#0;&#xD800;", "\ufffd\ufffd"),
    ],
)
def test_values_are_decoded_as_those_of_attributes(written: str, meant: str) -> None:
    assert decoded(written) == meant


@given(st.text() | st.text(st.sampled_from("&#x19;ampcoy=")))
def test_decoding_never_raises(text: str) -> None:
    decoded(text)
    text_decoded(text)
    text_decoded(f"&#{'9' * 5_000}{text}")
