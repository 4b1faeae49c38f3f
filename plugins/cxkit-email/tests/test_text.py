"""The text of a mail: what it says to whoever sees it, and nothing else."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit_email import text as subject
from cxkit_email.html import find_links
from cxkit_email.text import MAX_CHARS, text_of

PARTS = (
    "<p>", "</p>", "<div style='display:none'>", "</div>", "<a href='https://x.example'>", "</a>", "<ul>", "<ol>",
    "<li>", "</ul>", "</ol>", "<table>", "<tr>", "<td>", "</table>", "<br>", "<hr>", "<h1>", "</h1>", "<img alt=x>",
    "<style>",    "</style>", "<!--", "-->", "&amp;", "&#9;", "text", " ", "<span hidden>", "</span>", "\udc80", "<",
)  # fmt: skip

ORDER = """\
<!DOCTYPE html><html><head><title>Your order</title><style>p { color: red }</style></head>
<body><div style="display:none;max-height:0">Thank you!&#8203;&zwnj;&nbsp;&zwnj;</div>
<!--[if mso]><p>For Outlook</p><![endif]-->
<table role="presentation"><tr><td style="font-size:0px"><img src="l.png" alt="Candy Haven" width="120"></td></tr>
<tr><td>&nbsp;</td></tr>
<tr><td><h1>Thank you,
 Nancy &amp; family</h1>
<p>Your almonds are <b>on</b> their way.<br>They come <i>today</i>.</p>
<table><tr><th>What</th><th>How many</th><th></th><th>Price</th></tr>
<tr><td>Almonds, 200&nbsp;g</td><td>2</td><td> </td><td>24.90 EUR</td></tr></table>
<h2>What now?</h2>
<ul><li>Wait<ol><li>at home</li><li>at work</li></ol></li><li><p>Eat</p><p>slowly</p></li></ul>
<a href="https://shop.example/o/1?a=1&amp;b=2"><img src="b.png" alt="See your order"></a>
<p><a href="mailto:help@shop.example?subject=x">Write to us</a>, <a href="tel:+3312345">+3312345</a>,
<a href="https://shop.example/">shop.example</a> or <a href="#top">go up</a>.</p>
</td></tr></table><hr><img src="https://cx.example/o/1" width="1" height="1" alt="pixel"></body></html>
"""
TEXT = """\
Candy Haven

Thank you, Nancy & family
=========================

Your almonds are on their way.
They come today.

What | How many | Price
Almonds, 200 g | 2 | 24.90 EUR

What now?
---------

- Wait
  1. at home
  2. at work
- Eat

  slowly

See your order (https://shop.example/o/1?a=1&b=2)

Write to us (help@shop.example), +3312345, shop.example or go up.
---
"""


def test_a_mail_is_read_as_it_is_seen() -> None:
    assert text_of(ORDER) == TEXT


def test_what_is_put_in_for_programs_is_not_read() -> None:
    found = find_links(ORDER).rewritten(
        link=lambda url: None, pixel="https://cx.example/o/2", honeypot="https://cx.example/h/2"
    )
    assert text_of(found) == TEXT


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("  \n ", ""),
        ("a  b\n\nc", "a b c\n"),
        ("a<br>b<br><br><br>c", "a\nb\n\nc\n"),
        ("<p>a<p><p></p><div></div><p>b", "a\n\nb\n"),
        ("a&lt;b&copy;&amp;amp;&unknown;", "a<b©&amp;&unknown;\n"),
        ("<a href=https://x.example>a <b>b</b></a>!", "a b (https://x.example)!\n"),
        ("<a href=https://x.example></a>", "https://x.example\n"),
        ("<a href=https://x.example>x.example/</a>", "x.example/\n"),
        ("<a href='https://x.example/a b'>x</a>", "x (https://x.example/a%20b)\n"),
        ("<a href='javascript:alert(1)'>x</a><a>y</a><a href>z</a>", "xyz\n"),
        ("<a href='{{ url }}'>x</a>", "x\n"),
        ("<a href=https://x.example>a<a href=https://y.example>b", "a (https://x.example)b (https://y.example)\n"),
        ("<a href=https://x.example>a</a> <a href=https://x.example>b</a>", "a (https://x.example) b (https://x.example)\n"),
        ("<img alt='A &amp; B'><img alt=''><img><img alt=x width=1>", "A & B\n"),
        ("<span hidden>a</span><i aria-hidden=TRUE>b</i><i aria-hidden=false>c</i>", "c\n"),
        ("<p style='Visibility : HIDDEN'>a</p><p style='opacity:0.5'>b</p><p style='opacity:0'>c</p>", "b\n"),
        ("<div style='max-height:0'>a<div>b</div>c</div>d<p style='max-height:0.5em'>e", "d\n\ne\n"),
        ("<input hidden>a<br style='display:none'>b", "ab\n"),
        ("<p style='display:none'>a<p>b", "a\n\nb\n"),
        ("<b>a</b><script>b</script><style>c</style><textarea>d</textarea><!-- e -->f<![CDATA[g]]>", "af\n"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>d", "- a\n  - b\n- c\n\nd\n"),
        ("<ol><li></li><li>a", "2. a\n"),
        ("<li>a</ul></ol><li>b", "- a\n\n- b\n"),
        ("<tr><td></td><td>a</td><td>&nbsp;</td><td>b</td></tr><tr><td>c", "a | b\nc\n"),
        ("<tr><td>\u200b</td><td>a<td> \u200b <td>b", "a | b\n"),
        ("<h2>" + "x" * 100 + "</h2>", "x" * 100 + "\n" + "-" * 60 + "\n"),
        ("<h1></h1>a", "a\n"),
        ("a\u200b\u200b b\u200c\u034f \u200c c\u200dd", "a\u200b\u200b b\u200c\u034f c\u200dd\n"),
        ("a<p", "a\n"),
    ],
)  # fmt: skip
def test_html_is_read(html: str, text: str) -> None:
    assert text_of(html) == text


def test_a_preview_that_never_ends_hides_nothing_for_good() -> None:
    assert text_of("<div style='display:none'>preview <p>Your order</p>") == "preview\n\nYour order\n"


@given(st.text() | st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_text_can_be_made_of_anything_and_mailed(html: str) -> None:
    text = text_of(html)
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    message = EmailMessage()
    message.set_content(text)
    message.as_bytes()


@pytest.mark.parametrize(
    ("start", "unit", "times"),
    [
        ("", "<ul><li>", 50_000),
        ("", "<div style='display:none'>", 20_000),
        ("", "<a href='https://x.example/'>", 20_000),
        ("", "<td>x", 100_000),
        ("", "<br>", 100_000),
        ("", "x", 500_000),
        ("", "x ", 250_000),
        ("", "&", 500_000),
        ("", "&#", 200_000),
        ("", "<", 500_000),
        ("", "<b>", 150_000),
        ("", "<!--", 100_000),
        ("<p style='", "display:", 60_000),
        ("<p style='hidden", ";", 300_000),
        ("<p style='hidden;", " ", 300_000),
        ("", "<table><tr><td>", 40_000),
        pytest.param(" <b>" * 50_000, "<td>x", 50_000, id="blanks before cells"),
    ],
)
def test_what_is_written_grows_no_faster_than_what_is_read(start: str, unit: str, times: int) -> None:
    html = start + unit * times + "'>"
    assert len(text_of(html)) <= 8 * len(html)


def test_nothing_is_read_past_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = subject.pieces

    def watched(source: str) -> Any:
        read.append(len(source))
        return real(source)

    monkeypatch.setattr(subject, "pieces", watched)
    html = "<p>" + "word " * (MAX_CHARS // 5) + "</p><p>never read</p>"
    text = text_of(html)
    assert read == [MAX_CHARS]
    assert text.endswith("[...]\n")
    assert "never" not in text
    text_of("<p hidden>" * 50_000)
    assert len(read) == 3, "what hides for good is read twice, not more"
