"""That the beacon obeys: policies of the page, and choices of its visitor."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.settings import Consent
from tests.browser.acts import hidden, leave, passes, stopped
from tests.browser.conftest import ARGUMENTS, chromium
from tests.hosts.servers import until

pytestmark = pytest.mark.services


def test_nothing_offends_a_strict_policy(site: Any, page: Any) -> None:
    shop = site()
    page.add_init_script(
        "window.offences = []; addEventListener('securitypolicyviolation', (e) => offences.push(e.blockedURI))"
    )
    page.goto(f"{shop.url}/welcome")
    for _ in range(20):
        page.click("#inner")
    shop.awaited("element.clicked", count=20)
    assert page.evaluate("offences") == []
    assert not page.complaints
    page.evaluate("document.body.append(Object.assign(document.createElement('style'), { textContent: 'p {}' }))")
    assert page.evaluate("offences") == ["inline"], "they are heard"


def test_an_objection_is_passed_on(site: Any, page: Any) -> None:
    shop = site()
    page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    page.goto(f"{shop.url}/welcome")
    page.click("#inner")
    leave(page)
    (viewed,), (clicked,) = shop.named("page.viewed"), shop.awaited("element.clicked")
    assert viewed.consent["advertising"], "the request itself did not say so"
    assert not clicked.consent["advertising"]
    assert clicked.consent["analytics"]


def test_a_browser_that_is_driven_by_a_program_says_nothing(site: Any, playwright: Any) -> None:
    shop = site()
    driven = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    page = driven.new_page()
    page.goto(f"{shop.url}/welcome")
    assert page.evaluate("navigator.webdriver")
    page.click("#inner")
    page.evaluate("cx.capture('browser_test.answered')")
    leave(page)
    page.wait_for_timeout(500)
    driven.close()
    assert not shop.sent


NOTHING_STORED = """async () => [
    localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length,
    (await navigator.serviceWorker.getRegistrations()).length,
]"""


@pytest.mark.parametrize("path", ["/goodbye", "/welcome"])
def test_it_stores_nothing_and_says_nothing_after_a_refusal(site: Any, page: Any, path: str) -> None:
    shop = site()
    page.goto(shop.url + path)
    page.click("#inner")
    page.evaluate("go('/basket')")
    page.evaluate("cx.capture('browser_test.answered', { answer: 9 })")
    assert page.evaluate(NOTHING_STORED) == [0, 0, 0, 0, 0]
    leave(page)
    page.wait_for_timeout(500)
    state = page.context.storage_state()
    names = sorted(one["name"] for one in state["cookies"])
    assert state["origins"] == []
    if path == "/goodbye":
        assert names == ["cxkit_consent"]
        assert not shop.sent
        assert not [one for one in shop.interactions if one.name != "consent.changed"]
    else:
        assert names == ["cxkit_consent", "cxkit_visitor"]
        assert shop.sent


def test_before_a_choice_it_sends_what_the_policy_makes_anonymous(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/")
    page.click("#inner")
    leave(page)
    (clicked,) = shop.awaited("element.clicked")
    assert not clicked.identity
    assert not page.context.cookies()


@pytest.mark.parametrize(
    ("scheme", "name", "obeyed"),
    [
        ("https", "__Host-cxkit_consent", True),
        ("https", "cxkit_consent", False),
        ("http", "cxkit_consent", True),
        ("http", "xcxkit_consent", False),
    ],
)
def test_a_choice_is_read_from_the_very_cookie_that_the_server_reads(
    page: Any, scheme: str, name: str, obeyed: bool
) -> None:
    """A neighbouring subdomain can plant one without the prefix."""
    url, script = f"{scheme}://shop.example/", Path(cxkit.__file__).parent / "web" / "beacon" / "cx.min.js"
    tag = "<script src='/cx/cx.js?v=1' data-before=hold></script><link rel=icon href=data:,>"
    page.route(f"{url}**", lambda route: route.fulfill(body=tag, content_type="text/html"))
    page.route(f"{url}cx/cx.js?v=1", lambda route: route.fulfill(path=script, content_type="text/javascript"))
    page.context.add_cookies([{"name": name, "value": "1:2g1.0.x", "url": url, "secure": scheme == "https"}])
    page.add_init_script("window.asked = []; window.fetch = async (url) => { asked.push(url); }")
    page.goto(url)
    page.evaluate("cx.capture('any'); dispatchEvent(new Event('cx:consent'))")
    assert page.evaluate("asked") == ([f"{url}cx/i"] if obeyed else [])


@pytest.mark.parametrize(("choice", "kept"), [("/welcome", True), ("/goodbye", False), (None, False)])
def test_what_is_held_waits_for_the_choice(site: Any, page: Any, choice: str | None, kept: bool) -> None:
    shop = site(consent=Consent(before_choice="hold"))
    page.goto(f"{shop.url}/")
    page.click("#inner")
    hidden(page, True)
    hidden(page, False)
    page.wait_for_timeout(400)
    assert not shop.sent
    if choice is not None:
        page.evaluate(f"choose('{choice}')")
    if kept:
        (clicked,) = shop.awaited("element.clicked")
        (changed,) = shop.awaited("consent.changed")
        assert not clicked.identity, "whoever allows it now has not allowed it then"
        assert timedelta(milliseconds=300) < changed.occurred_at - clicked.occurred_at
    leave(page)
    page.wait_for_timeout(500)
    assert bool(shop.sent) is kept


def test_what_follows_a_choice_is_measured_apart_from_what_was_before_it(site: Any, page: Any) -> None:
    shop = site()
    stopped(page).goto(f"{shop.url}/")
    passes(60_000, shop, page)
    page.evaluate("choose('/welcome')")
    (before,) = shop.awaited("page.engaged")
    passes(60_000, shop, page)
    hidden(page, True)
    hidden(page, False)
    leave(page)
    first, _, last = shop.awaited("page.engaged", count=3)
    assert (first, bool(first.identity), bool(last.identity)) == (before, False, True)


def test_where_nothing_is_kept_before_a_choice_nothing_is_remembered(site: Any, page: Any) -> None:
    shop = site(consent=Consent(before_choice="drop"))
    stopped(page).goto(f"{shop.url}/")
    page.click("#inner")
    passes(60_000, shop, page)
    page.evaluate("choose('/welcome')")
    (changed,) = shop.awaited("consent.changed")
    passes(60_000, shop, page)
    hidden(page, True)
    hidden(page, False)
    leave(page)
    later = changed.occurred_at + timedelta(seconds=60)
    until(lambda: any(one.occurred_at >= later for one in shop.named("page.engaged")), "what follows is measured")
    assert not shop.named("element.clicked")
    assert all(one.occurred_at > changed.occurred_at for one in shop.named("page.engaged"))


def test_a_choice_against_it_ends_it_at_once(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.click("#inner")
    page.evaluate("choose('/goodbye')")
    until(lambda: len(shop.named("consent.changed")) == 2, "the choice")
    page.click("#inner")
    leave(page)
    page.wait_for_timeout(500)
    assert not shop.sent
