"""What it costs to make a mail ready: its links, its headers, its text."""

from __future__ import annotations

import copy
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from functools import partial
from html.parser import HTMLParser
from typing import Any

import cxkit
from benchmarks.pairs import paired, table
from cxkit.settings import load
from cxkit_email import Prepared, prepare, prepare_html
from cxkit_email.dkim import dkim_coverage
from cxkit_email.headers import feedback, unsubscribe_headers
from cxkit_email.html import find_links
from cxkit_email.text import text_of
from cxkit_email.tokens import Token, read_token, token
from cxkit_email.wire import wire, wire_faults

__all__ = ["run"]

TOKEN = "a" * 55
LINKS = 30
CELL = (
    '<td align="center" valign="top" style="direction:ltr;font-size:0;padding:20px 0;text-align:center">'
    '<table border="0" cellpadding="0" cellspacing="0" role="presentation" width="100%"><tr>'
    '<td style="font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333;padding:0 24px">'
    '<h3 style="margin:0 0 12px 0;font-size:18px">Almonds from the south</h3><p style="margin:0 0 12px 0">Roasted this '
    "week &amp; packed by hand. They come in bags of 200&nbsp;g, in tins, and as a gift with a card of your own.</p>"
    '<p style="margin:0 0 12px 0">Whoever tried them says that they are <b>crisp</b> and <i>not too salty</i>; and who '
    'buys two bags pays no postage.</p><a href="{url}" target="_blank" style="color:#00aa55;text-decoration:underline">'
    "See them</a></td></tr></table></td>"
)
URL = "https://shop.example/nuts/{}?utm_source=news&amp;utm_medium=email&amp;a=1"
STYLE = ".column-{} {{ width: 100% !important; max-width: 600px; }}\n"
NEWSLETTER = (
    '<!DOCTYPE html>\n<html lang="en"><head><title>News</title><style>'
    + "".join(map(STYLE.format, range(50)))
    + '</style></head><body class="mail"><!--[if mso]><table><tr><td><![endif]--><table>'
    + "".join(f"<tr>{CELL.format(url=URL.format(number))}</tr>\n" for number in range(LINKS))
    + "</table><!--[if mso]></td></tr></table><![endif]--></body></html>\n"
)
"""About 30 kB, as editors of newsletters write them."""


def run(*, quick: bool) -> str:
    """Both tables."""
    return parts(quick=quick) + whole(quick=quick)


def whole(*, quick: bool) -> str:
    """`prepare`, with a store of a file as an app has it; and the tokens that it makes and reads."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        kit = cxkit.Kit(load(environ={}, overrides={
            "directory": str(Path(folder) / ".cxkit"),
            "email": {"url": "https://mail.example.com/cx", "opens": "individual"},
            "topics": {"news": {"defaults": {"email": "granted"}}},
        }))  # fmt: skip
        with cxkit.scope(kit=kit, email="nancy@example.com", evidence="login"):
            cxkit.grant("analytics", "message_open")
        kit.flush(timeout_s=30)
        message, keys = newsletter(), kit.desk.keyring
        said = Token(send="0af1" * 8, mailing="0af1" * 3, number=3)
        made = token(keys, "link", said)
        answer = prepare(message, "nancy@example.com", topic="news", kit=kit)
        assert isinstance(answer, Prepared)
        assert "/cx/o/" in str(answer.html)
        subjects: dict[str, Callable[[int], object]] = {
            "floor: a deep copy of the message": lambda _: copy.deepcopy(message),
            "prepared: may it go, links, pixel, headers, kept": lambda _: prepare(
                message, "nancy@example.com", topic="news", kit=kit
            ),
            "prepared, of HTML alone": lambda _: prepare_html(NEWSLETTER, "nancy@example.com", topic="news", kit=kit),
            "a token made": lambda _: token(keys, "link", said),
            "a token checked": lambda _: read_token(keys, "link", made),
        }
        rows = paired(subjects, base=next(iter(subjects)), calls=10 if quick else 50, rounds=5 if quick else 20)
        kit.close(timeout_s=10)
    return table(
        "An e-mail prepared",
        "CPU time of the calling thread, the same message to one recipient again and again, a store in a file. Budget: "
        "1,000 us to prepare, 25 us to check a token.",
        rows,
    )


def parts(*, quick: bool) -> str:
    """What it is made of."""
    calls = 20 if quick else 100
    message = newsletter()
    raw = wire(message)
    subjects: dict[str, Callable[[int], object]] = {
        "floor: `str.replace` of each known address": replaced,
        "`html.parser` alone, doing nothing": parsed,
        "links found": lambda _: find_links(NEWSLETTER),
        "links, pixel and honeypot written": rewritten,
        "the same, links found once": partial(again, find_links(NEWSLETTER)),
        "headers to unsubscribe by, and for feedback": partial(headed, message),
        "floor: `as_bytes`": lambda _: message.as_bytes(policy=policy.SMTP),
        "the message as a server gets it": lambda _: wire(message),
        "what is wrong with it": lambda _: wire_faults(raw),
        "what its signatures cover": lambda _: dkim_coverage(raw),
        "its text": lambda _: text_of(NEWSLETTER),
    }
    rows = paired(subjects, base=next(iter(subjects)), calls=calls, rounds=5 if quick else 20)
    return table(
        "An e-mail made ready",
        f"CPU time of the calling thread, for {len(NEWSLETTER) / 1_000:.0f} kB of HTML with {LINKS} links. Budget for "
        "all that is done to each: 1,000 us, half of it for the links.",
        rows,
    )


def link(url: str) -> str:
    return f"https://mail.example.com/cx/c/{TOKEN}"


def replaced(_: int) -> str:
    html = NEWSLETTER
    for number in range(LINKS):
        html = html.replace(URL.format(number), link(""))
    return html


def parsed(_: int) -> None:
    parser = HTMLParser()
    parser.feed(NEWSLETTER)
    parser.close()


def rewritten(_: int) -> object:
    return again(find_links(NEWSLETTER), 0)


def again(links: Any, _: int) -> object:
    return links.rewritten(link=link, pixel="https://mail.example.com/o", honeypot="https://mail.example.com/h")


def newsletter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Candy Haven <shop@mail.example.com>"
    message["To"] = "Nancy <nancy@example.com>"
    message["Subject"] = "Almonds, roasted this week"
    message.set_content("Almonds, roasted this week\n")
    message.add_alternative(NEWSLETTER, subtype="html")
    headed(message, 0)
    return message


def headed(message: EmailMessage, _: int) -> None:
    mailto = f"leave+{TOKEN}@mail.example.com"
    for name, value in unsubscribe_headers(url=f"https://mail.example.com/cx/u/{TOKEN}", mailto=mailto).items():
        del message[name]
        message[name] = value
    feedback(message, sender="candy-haven", parts=["spring", "news"])
