"""What is no page: what a browser fetches for one, and what cxkit itself answers."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit

DAY_S = 86_400

# --- parts of pages ---


PARTS = "audio font image manifest script serviceworker sharedworker style track video worker".split()


@pytest.mark.parametrize(
    ("dest", "count"), [*((page, 1) for page in ("document", "empty", "iframe")), *((part, 0) for part in PARTS)]
)
def test_what_a_browser_fetches_for_a_page_is_no_page_viewed(shop: Any, kept: Any, dest: str, count: int) -> None:
    shop(lambda: cxkit.touchpoint("part.served").capture()).ask(headers=[(b"sec-fetch-dest", dest.encode())])
    assert len(kept.named("page.viewed")) == count
    assert len(kept.named("part.served")) == 1, "it has a scope all the same"


def test_a_part_of_a_page_makes_no_visitor_and_renews_none(shop: Any, visitor: Any, kept: Any, clock: Any) -> None:
    """Some caches keep images, styles and scripts for everybody, though nothing says so."""
    image = [(b"sec-fetch-dest", b"image")]
    held, part = dict(visitor.cookies), shop(lambda: cxkit.touchpoint("part.served").capture())
    for cookies in ({"cxkit_consent": held["cxkit_consent"]}, held):
        part.cookies = dict(cookies)
        clock.advance(40 * DAY_S)
        assert not part.ask(headers=image).all("set-cookie")
    nobody, known = (one.identity.get("visitor") for one in kept.named("part.served"))
    assert nobody is None
    assert known.value == held["cxkit_visitor"].split(".")[0]
    assert part.ask().all("set-cookie"), "the page renews it"


def test_a_choice_made_in_a_part_of_a_page_is_kept(shop: Any) -> None:
    sent = shop(lambda: cxkit.grant("analytics")).ask(headers=[(b"sec-fetch-dest", b"image")])
    assert sorted(sent.cookies) == ["cxkit_consent", "cxkit_visitor"]
    assert sent.all("cache-control") == ["private"]


# --- what cxkit itself answers ---


NOTHING = [{"type": "http.request", "body": b""}]


@pytest.mark.parametrize("path", ["/.well-known/gpc.json", "/cx/cx.js", "/cx/consent"])
def test_an_endpoint_makes_no_visitor_of_its_own(shop: Any, visitor: Any, path: str) -> None:
    del visitor.cookies["cxkit_visitor"]
    sent = visitor.in_(shop()).ask(path, received=NOTHING)
    assert sent.messages[0]["status"] == 200
    assert not sent.all("set-cookie")


def test_what_is_said_of_gpc_is_the_same_for_everybody(shop: Any, visitor: Any, clock: Any) -> None:
    clock.advance(40 * DAY_S)  # so the cookie is about to be renewed
    sent = visitor.in_(shop()).ask("/.well-known/gpc.json", received=NOTHING)
    assert sent.all("cache-control") == ["public, max-age=86400"]
    assert not sent.all("set-cookie")
