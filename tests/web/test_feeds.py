"""Whatever fetches a feed is a program, and nobody, whatever it says it is: nobody has read it yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.settings import Consent
from cxkit.web import ASGIMiddleware
from cxkit.web.actor import is_feed

FIREFOX = (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


@pytest.mark.parametrize(
    "type", [b"application/atom+xml", b"application/rss+xml;charset=utf-8", b"Application/Feed+JSON ; version=1"]
)
def test_what_fetches_one_is_a_machine_and_gets_no_cookie(
    make: Callable[..., Any], client: Any, answering: Any, type: bytes
) -> None:
    kept = make({"consent": Consent(policy="us")})
    app = ASGIMiddleware(answering(headers=[(b"Content-Type", type)]), kit=kept.kit)
    assert client(app).ask(headers=[FIREFOX]).all("set-cookie") == []
    viewed = kept.named("page.viewed")[-1]
    assert (viewed.context.actor, viewed.identity.identifiers) == ("bot", ())


@pytest.mark.parametrize("type", [b"text/html", b"application/xml", b"application/atom+xmlish", b"", b"\xff;"])
def test_what_fetches_anything_else_is_not(type: bytes) -> None:
    assert not is_feed([(b"content-type", type)])
    assert not is_feed([])


def test_who_reads_it_in_a_browser_keeps_the_cookies_and_the_page_after_it(
    kept: Any, client: Any, answering: Any
) -> None:
    everything = ("analytics", "personalization", "identity_stitching")
    pages = ASGIMiddleware(answering(lambda: cxkit.grant(*everything)), kit=kept.kit)
    feed = ASGIMiddleware(answering(headers=[(b"content-type", b"application/rss+xml")]), kit=kept.kit)
    browser, reader = client(pages), client(feed)
    browser.ask()
    reader.cookies = dict(browser.cookies)
    reader.ask()
    assert reader.cookies == browser.cookies
    browser.ask()
    first, fetched, after = kept.named("page.viewed")
    assert not fetched.identity
    assert first.identity == after.identity != fetched.identity
