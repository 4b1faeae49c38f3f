"""Links replaced where they stand: every other character stays, whatever the HTML is like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit_email import html as subject
from cxkit_email.html import find_links
from cxkit_email.markup import Tag, attributes, decoded, pieces

PARTS = (
    "<a ", "<A\n", "<area ", "href=", "HREF = ", '"https://x.example/a?b=1&amp;c=2"', "'http://y.example/#top'",
    "https://z.example/", '"HTTPS://Ü.example/ü"', '"mailto:a@b.example"', ">", "/>", " ", "</a>", "<!--", "-->", "<p>",
    "<body class=x>", "</body>", "</BODY >", "<title>", "</title>", "<b title='>'>", "&amp;", "text", "<", "'", '"',
    " data-cx-direct ", " rel=unsubscribe ", "<![CDATA[", "]]>", "<base href='https://b.example/'>",
)  # fmt: skip
SOUP = st.lists(st.sampled_from(PARTS), max_size=25).map("".join) | st.text()


class Rewritten(NamedTuple):
    html: str
    urls: tuple[str, ...] = ()
    """Those that were replaced."""


def rewrite(html: str, *, link: Callable[[str], str | None], **more: Any) -> Rewritten:
    replaced: list[str] = []

    def told(url: str) -> str | None:
        new = link(url)
        replaced.extend([url] if new and new != url else [])
        return new

    found = find_links(html).rewritten(link=told, **more)
    return Rewritten(found, tuple(replaced))


def counted(html: str, **more: Any) -> Rewritten:
    """Each link replaced by ``https://t.example/`` and its number."""
    seen: list[str] = []

    def link(url: str) -> str:
        seen.append(url)
        return f"https://t.example/{len(seen) - 1}!"

    found = rewrite(html, link=link, **more)
    assert found.urls == tuple(seen), "each is asked for once, and in order"
    return found


@given(SOUP)
def test_the_identity_changes_nothing(html: str) -> None:
    assert rewrite(html, link=lambda url: url) == Rewritten(html=html, urls=())
    assert rewrite(html, link=lambda url: None) == Rewritten(html=html, urls=())


@given(SOUP)
def test_what_is_put_back_is_the_original(html: str) -> None:
    links = find_links(html)
    found = counted(html)
    back, position = [], 0
    for start, end, url in links._spans:
        assert decoded(html[start:end]).strip().translate({9: None, 10: None, 13: None}) == url
        mark = f"https://t.example/{links.urls.index(url)}!"
        at = found.html.index(mark, position)
        back += found.html[position:at], html[start:end]
        position = at + len(mark)
    assert "".join([*back, found.html[position:]]) == html


@given(SOUP)
def test_every_tag_stays_a_tag_with_the_same_attributes(html: str) -> None:
    hostile = "https://t.example/?a=1&amp;b=\"' >=<`\n&copy"

    def shape(source: str) -> list[Any]:
        tags = [one for one in pieces(source) if isinstance(one, Tag)]
        pairs = [list(attributes(source, start=tag.start, end=tag.end)) for tag in tags]
        return [(tag.name, tag.closing, [pair.name for pair in of]) for tag, of in zip(tags, pairs, strict=True)]

    found = rewrite(html, link=lambda url: hostile)
    assert shape(found.html) == shape(html)
    after = find_links(found.html)
    assert after.urls == ((hostile.replace("\n", ""),) if found.urls else ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="http://x.example/">', '<a href="https://t.example/0!">'),
        ("<a href='http://x.example/'>", "<a href='https://t.example/0!'>"),
        ("<a href=http://x.example/ id=1>", "<a href=https://t.example/0! id=1>"),
        ("<A\nHREF \t= http://x.example/>", "<A\nHREF \t= https://t.example/0!>"),
        ('<AREA href="HTTP://x.example" />', '<AREA href="https://t.example/0!" />'),
        ('<a href="  http://x.example/ ">', '<a href="https://t.example/0!">'),
        ('<a title="a>b" href="http://x.example/">', '<a title="a>b" href="https://t.example/0!">'),
        ('<a title=it\'s href="http://x.example/">', '<a title=it\'s href="https://t.example/0!">'),
        ('<a href="http://x.example/" href="http://y.example/">', '<a href="https://t.example/0!" href="http://y.example/">'),
        (
            '<b title="<a href=\'http://x.example\'>"><a href="http://y.example">',
            '<b title="<a href=\'http://x.example\'>"><a href="https://t.example/0!">',
        ),
        ('<!--[if !mso]><!--><a href="http://x.example"><!--<![endif]-->', '<!--[if !mso]><!--><a href="https://t.example/0!"><!--<![endif]-->'),
        ('<![if !mso]><a href="http://x.example"><![endif]>', '<![if !mso]><a href="https://t.example/0!"><![endif]>'),
        ('<base href="https://b.example/"><a href="http://x.example">', '<base href="https://b.example/"><a href="https://t.example/0!">'),
        ('<style>a>b</style><a href="http://x.example">', '<style>a>b</style><a href="https://t.example/0!">'),
        ('<![CDATA[<p>]]><a href="http://x.example">', '<![CDATA[<p>]]><a href="https://t.example/0!">'),
    ],
)  # fmt: skip
def test_a_link_is_replaced(before: str, after: str) -> None:
    assert counted(before).html == after


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@shop.example">', '<a href="tel:+3312345">', '<a href="sms:+3312345">', '<a href="cid:logo">',
        '<a href="#top">', '<a href="/cart">', '<a href="//x.example/">', '<a href="https:x.example">', "<a href>",
        "<a href=>", '<a href="javascript:alert(1)">', '<a href="https://">', '<a href="https:///x">',
        '<a data-cx-direct href="http://x.example">', '<a href="http://x.example" DATA-CX-DIRECT="no">',
        '<a rel="nofollow UNSUBSCRIBE" href="http://x.example">', '<link href="http://x.example">',
        '<img src="http://x.example">', '<abbr href="http://x.example">', '<a data-href="http://x.example">',
        '<!--[if mso]><a href="http://x.example"><![endif]-->', '<!-- > <a href="http://x.example"> -->',
        '<script>"<a href=\'http://x.example\'>"</script>', '<style><a href="http://x.example"></style>',
        '<textarea><a href="http://x.example"></textarea>', '<title><a href="http://x.example"></title>',
        '<![CDATA[<a href="http://x.example">]]>', '<?php <a href="http://x.example">', '<a href="http://x.example',
        '<a href="http://x.example"', "<a href='http://x.example\">", "<!-- <a href='http://x.example'>",
        '<a href="http://x.example/\x00b">', '<a href="http://x.example/&#13;&#1;b">', '<a href="http://x.example/\udc80">',
    ],
)  # fmt: skip
def test_what_is_no_link_of_ours_is_left_alone(html: str) -> None:
    assert counted(html, pixel=None) == Rewritten(html=html, urls=())


@pytest.mark.parametrize("url", ["{{ url }}", "{% url %}", "*|URL|*", "%%url%%", "[[url]]", "&#123;{url}}"])
def test_template_syntax_is_left_to_whoever_fills_it_in(url: str) -> None:
    html = f'<a href="https://x.example/{url}">'
    assert counted(html) == Rewritten(html=html, urls=())


def test_addresses_are_decoded_as_browsers_decode_them() -> None:
    html = "<a href='https://x.example/?a=1&amp;b=2&copy=3&#x26;reg=4&amp;amp;#&#116;op'>"
    assert counted(html).urls == ("https://x.example/?a=1&b=2&copy=3&reg=4&amp;#top",)
    assert counted("<a href='https://x.exam\n\tple/&#10;a'>").urls == ("https://x.example/a",)


def test_the_same_address_is_asked_for_once() -> None:
    html = '<a href="http://x.example/?a&amp;b"><a href="http://y.example"><a href=http://x.example/?a&b>'
    found = counted(html)
    assert found.urls == ("http://x.example/?a&b", "http://y.example")
    assert found.html == '<a href="https://t.example/0!"><a href="https://t.example/1!"><a href=https://t.example/0!>'


def test_links_that_are_left_are_not_told() -> None:
    html = '<a href="http://x.example"><a href="http://y.example">'
    found = rewrite(html, link={"http://y.example": "https://t.example/"}.get)
    assert found == Rewritten(
        html='<a href="http://x.example"><a href="https://t.example/">', urls=("http://y.example",)
    )
    assert rewrite(html, link=lambda url: "").urls == ()


@pytest.mark.parametrize(
    ("html", "at"),
    [
        ("<body><p>x</p>^</body></html>", "^"),
        ("<p>x^</BODY\n><!-- </body> -->", "^"),
        ("</body><p>x^</body>y", "^"),
        ("<p>x</p>^", "^"),
        ("^", "^"),
        ("<p title='</body>'>x<style></body></style>^", "^"),
    ],
)
def test_the_pixel_goes_before_the_end_of_the_body(html: str, at: str) -> None:
    found = rewrite(html.replace(at, ""), link=lambda url: None, pixel="https://cx.example/o/1?a&b")
    before, after = html.split(at)
    assert found.html.startswith(f'{before}<img src="https://cx.example/o/1?a&amp;b" width="1" height="1" alt=""')
    assert found.html.endswith(f"/>{after}")


@pytest.mark.parametrize(
    "html", ["<title><body></title><!-- <body> --><BODY class='>'>^<p>x<body></body>", "<p>x^", "^"]
)
def test_the_honeypot_goes_to_the_start_of_the_body(html: str) -> None:
    found = rewrite(html.replace("^", ""), link=lambda url: None, honeypot="https://cx.example/h?a&b")
    before, after = html.split("^")
    assert found.html.startswith(f'{before}<a href="https://cx.example/h?a&amp;b"')
    assert found.html.endswith(f"></a>{after}")
    added = found.html[len(before) : len(found.html) - len(after)]
    assert all(mark in added for mark in ('tabindex="-1"', 'aria-hidden="true"', "display:none"))


def test_honeypot_links_and_pixel_find_their_places_at_once() -> None:
    html = "<body></body>"
    found = rewrite(html, link=lambda url: None, pixel="https://p.example", honeypot="https://h.example")
    assert found.html.index("h.example") < found.html.index("p.example") < found.html.index("</body>")
    upside_down = "</body><a href='http://x.example'><body>"
    found = counted(upside_down, pixel="https://p.example", honeypot="https://h.example")
    assert found.html.startswith("</body><a href='https://t.example/0!'><body>")


@pytest.mark.parametrize(
    ("start", "unit", "times"),
    [
        ("", "<a href='https://x.example/'>", 100_000),
        ("", "<", 300_000),
        ("", "<a ", 200_000),
        ("", "<!", 200_000),
        ("", "<!--", 200_000),
        ("", "<!-- -", 100_000),
        ("", "<![CDATA[", 100_000),
        ("", "<title>", 100_000),
        ("", "<style></styl", 50_000),
        ("", "<a href='", 100_000),
        ("", "<a href=\"'>", 100_000),
        ("", "<a =", 100_000),
        ("<a", " ", 500_000),
        ("<a", " x =", 200_000),
        ("", "<div>", 200_000),
        ("", "</", 200_000),
        ("<a href='https://x.example/", "&", 500_000),
        ("<a href='https://x.example/", "&#", 200_000),
    ],
)
def test_nothing_is_read_twice(start: str, unit: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each match begins where the last one ended, and what is within a match is read forwards."""
    began: list[int] = []

    class Watched:
        def match(self, source: str, position: int) -> Any:
            began.append(position)
            return real.match(source, position)

    html, real = start + unit * times, subject._TAGS
    monkeypatch.setattr(subject, "_TAGS", Watched())
    found = rewrite(html, link=lambda url: None, pixel="https://p.example")
    assert len(found.html) > len(html)
    assert began == sorted(set(began))
    assert len(began) <= html.count("<") + 1


def test_ten_megabytes_are_rewritten() -> None:
    html = ("<p>" + "word " * 100 + "<a href='https://x.example/'>x</a></p>\n") * 18_600
    assert len(html) > 10_000_000
    found = counted(html)
    assert found.html.count("https://t.example/0!") == 18_600


def test_nothing_of_the_mail_is_in_a_repr() -> None:
    html = "<a href='https://x.example/?token=secret'>"
    assert "secret" not in repr(find_links(html))
