"""The beacon in a real browser: what it measures, what it sends and when, and that it obeys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.settings import Consent, Web
from tests.browser.conftest import ARGUMENTS, NO_ROBOT, chromium
from tests.hosts.servers import until

pytestmark = pytest.mark.services

SECRETS = ("4711", "4970", "wish", "Nancy", "nancy", "t0k3n", "secret", "?", "#")


def leave(page: Any) -> None:
    page.goto("about:blank")


def test_a_page_that_is_read_is_measured(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.mouse.move(10, 10)
    page.mouse.wheel(0, 1200)
    page.wait_for_timeout(700)
    page.click("#inner")
    page.click("#out")
    leave(page)
    (engaged,) = shop.awaited("page.engaged")
    assert 600 <= engaged.context.page.engaged_ms <= 5000
    assert engaged.context.page.route == "/welcome"
    assert (engaged.context.locale, engaged.context.timezone) == ("fr-FR", "Europe/Paris")
    assert 40 <= engaged.properties["scroll_percent"] <= 80
    assert engaged.properties["interactions"] == 2
    (clicked,), (left,) = shop.awaited("element.clicked"), shop.awaited("link.left")
    assert (clicked.properties, left.properties) == ({"element": "buy"}, {"to": "https://other.example"})
    (vitals,) = shop.awaited("page.vitals")
    assert 0 < vitals.properties["lcp_ms"] < 60_000
    assert 0 <= vitals.properties["cls"] < 1
    (viewed,) = shop.named("page.viewed")
    assert viewed.identity == engaged.identity == clicked.identity
    assert viewed.identity
    assert viewed.occurred_at < engaged.occurred_at
    assert not page.complaints


def test_nothing_personal_is_sent(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome?token=t0k3n#secret")
    page.fill("[name=card]", "4970-9999")
    page.click("#inner")
    page.click("#out")
    page.evaluate("go('/orders/4711?token=t0k3n#secret')")
    leave(page)
    shop.awaited("page.engaged", count=2)
    paths = [one.pop("path", None) for sent in shop.sent for one in sent["events"]]
    assert "/orders/4711" in paths
    said = [{**one, "id": None, "at": None} for sent in shop.sent for one in sent["events"]]  # else by chance
    text = json.dumps([{**sent, "sent": None, "events": None} for sent in shop.sent] + said)
    assert not [word for word in SECRETS if word in text]
    assert all("4711" not in json.dumps(one.properties) for one in shop.interactions)
    assert {one.context.page.route for one in shop.named("page.engaged")} == {"/welcome", None}


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What ``cxkit insights bounce`` says of a site."""

    def verdicts(shop: Any) -> dict[str, int]:
        assert shop.kit.flush(timeout_s=30).complete
        (tmp_path / "cxkit.toml").write_text('[exporters.here]\ntype = "local"\npurposes = ["analytics"]\n', "utf-8")
        monkeypatch.chdir(tmp_path)
        told = CliRunner().invoke(cli, ["insights", "bounce", "--json"], catch_exceptions=False)
        rows = json.loads(told.stdout)["rows"]
        return {name: sum(row[name] for row in rows) for name in ("engaged", "bounced", "unknown")}

    return verdicts


def test_engaged_bounced_and_unknown(site: Any, browser: Any, verdicts: Any) -> None:
    shop = site()
    pages = [browser.new_context(java_script_enabled=place < 4).new_page() for place in range(5)]
    for page in pages:
        page.goto(f"{shop.url}/welcome")
    stays, acts, goes_on, leaves, _without_script = pages
    leave(leaves)
    acts.click("#inner")
    leave(acts)
    goes_on.click("#next")
    leave(goes_on)
    stays.wait_for_timeout(10_500)
    leave(stays)
    until(lambda: len(shop.named("page.engaged")) >= 5, "five pages measured")
    assert verdicts(shop) == {"engaged": 3, "bounced": 1, "unknown": 1}
    for page in pages:
        page.context.close()


def test_increments_add_up(site: Any, page: Any, verdicts: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    for _ in range(3):
        page.wait_for_timeout(300)
        hidden(page, True)
        page.wait_for_timeout(300)  # does not count
        hidden(page, False)
    leave(page)
    engaged = shop.awaited("page.engaged", count=4)
    assert 900 <= sum(one.context.page.engaged_ms for one in engaged) < 1800
    assert len(shop.named("page.vitals")) == 1
    assert verdicts(shop) == {"engaged": 0, "bounced": 1, "unknown": 0}


def hidden(page: Any, away: bool) -> None:
    """As if another tab were in front of it: without a window, no tab ever is."""
    state = "hidden" if away else "visible"
    page.evaluate(
        f"""() => {{
            Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }});
            document.dispatchEvent(new Event('visibilitychange'));
        }}"""
    )


def test_a_page_nobody_uses_any_more_does_not_go_on_counting(site: Any, page: Any) -> None:
    shop = site()
    page.clock.install()
    page.goto(f"{shop.url}/welcome")
    page.clock.run_for(20 * 60_000)
    page.mouse.move(10, 10)
    page.clock.run_for(5000)
    page.mouse.move(20, 20)
    leave(page)
    (engaged,) = shop.awaited("page.engaged")
    assert 34_000 <= engaged.context.page.engaged_ms <= 45_000


def test_pages_that_change_without_the_server_are_viewed(site: Any, page: Any) -> None:
    shop = site(web=Web(routes=("/orders/{id}", "/basket")))
    page.goto(f"{shop.url}/welcome")
    page.evaluate("go('/orders/4711')")
    page.evaluate("go('/orders/4711?tab=2')")  # the same page
    page.evaluate("history.replaceState({}, '', '/basket')")
    page.evaluate("go('/somewhere/else')")
    page.go_back()
    page.wait_for_function("location.pathname == '/basket'")
    leave(page)
    routes = [one.context.page.route for one in shop.awaited("page.viewed", count=5)]
    assert routes == ["/welcome", "/orders/{id}", "/basket", None, "/basket"]
    engaged = [one.context.page.route for one in shop.awaited("page.engaged", count=5)]
    assert sorted(map(str, engaged)) == sorted(map(str, routes))
    assert not page.complaints


def test_the_way_back_is_a_view_that_no_server_saw(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.goto(f"{shop.url}/next")
    page.go_back(wait_until="commit")
    page.wait_for_timeout(500)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].name").endswith("/welcome")
    leave(page)
    shop.awaited("page.engaged", count=3)
    viewed = shop.named("page.viewed")
    assert [one.context.page.route for one in viewed] == ["/welcome", "/next", "/welcome"]
    by_beacon = [one for one in viewed if one.context.page.method is None]
    assert len(by_beacon) == 1, "the page came from the back/forward cache"


def test_pages_from_a_cache_are_viewed_by_the_beacon(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.goto(f"{shop.url}/cached")
    leave(page)
    assert [one.context.page.route for one in shop.awaited("page.viewed", count=3)] == [
        "/welcome",
        "/cached",
        "/cached",
    ]


# --- tabs that are closed or killed, and blockers ---


def test_a_tab_that_is_closed_has_said_all(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.click("#inner")
    page.close(run_before_unload=True)
    shop.awaited("page.engaged")
    shop.awaited("element.clicked")


@pytest.fixture
def mortal(playwright: Any, tmp_path: Path) -> Iterator[tuple[Any, int]]:
    """A browser of our own, and the group of its processes."""
    options = [f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", "--headless=new", NO_ROBOT]
    process = subprocess.Popen(
        [chromium(), *ARGUMENTS, *options, "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    told = tmp_path / "profile" / "DevToolsActivePort"
    try:
        until(lambda: told.exists() and len(told.read_text().splitlines()) == 2, "Chromium listens")
        yield playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{told.read_text().split()[0]}"), process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def test_a_browser_that_is_killed_has_said_what_it_had_sent(site: Any, mortal: tuple[Any, int]) -> None:
    shop, (browser, group) = site(), mortal
    page = browser.contexts[0].new_page()
    page.goto(f"{shop.url}/welcome")
    hidden(page, True)
    hidden(page, False)
    for _ in range(22):
        page.click("#inner")
    shop.awaited("page.engaged")
    until(lambda: len(shop.named("element.clicked")) >= 20, "a batch of clicks")
    os.killpg(group, signal.SIGKILL)
    assert len(shop.named("element.clicked")) == 20, "two were not sent yet"


@pytest.mark.parametrize(
    ("script", "arrives"),
    [
        ("navigator.sendBeacon = () => false", True),
        ("navigator.sendBeacon = () => { throw new TypeError('blocked') }", True),
        ("window.fetch = () => Promise.reject(new TypeError('blocked'))", True),
        ("window.fetch = () => { throw new TypeError('blocked') }", True),
        ("delete window.fetch", True),
        ("window.fetch = undefined; navigator.sendBeacon = undefined", False),
    ],
)
def test_what_a_blocker_takes_away_is_done_otherwise(site: Any, page: Any, script: str, arrives: bool) -> None:
    shop = site()
    page.add_init_script(script)
    page.goto(f"{shop.url}/welcome")
    for _ in range(20):
        page.click("#inner")
    if arrives:
        shop.awaited("element.clicked", count=20)
    else:
        page.wait_for_timeout(500)
        assert not shop.sent
    assert not page.complaints


@pytest.mark.parametrize("blocked", ["ping", "fetch"])
def test_a_blocker_in_the_network_takes_away_one_way_only(site: Any, page: Any, blocked: str) -> None:
    shop, ways = site(), list[str]()

    def block(route: Any) -> None:
        ways.append(route.request.resource_type)
        route.abort() if route.request.resource_type == blocked else route.continue_()

    page.route("**/cx/i", block)
    page.goto(f"{shop.url}/welcome")
    for _ in range(20):
        page.click("#inner")
    page.wait_for_timeout(1000)  # the handler runs in it
    shop.awaited("element.clicked", count=20)
    assert ways == (["fetch"] if blocked == "ping" else ["fetch", "ping"])


def test_a_call_stays_below_what_a_browser_sends_from_a_page_that_is_left(site: Any, page: Any) -> None:
    shop = site(web=Web(beacon_touchpoints=("browser_test.answered",)))
    page.goto(f"{shop.url}/welcome")
    page.evaluate("for (let i = 0; i < 19; i++) cx.capture('browser_test.answered', { i, text: 'é'.repeat(999) })")
    page.evaluate("cx.capture('browser_test.answered', { text: 'é'.repeat(2000) })")  # too long, and left out
    leave(page)
    shop.awaited("browser_test.answered", count=19)
    assert max(one["bytes"] for one in shop.sent) < 60_000


# --- policies, and choices ---


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
        assert clicked.identity
        assert timedelta(milliseconds=300) < changed.occurred_at - clicked.occurred_at
    leave(page)
    page.wait_for_timeout(500)
    assert bool(shop.sent) is kept


def test_where_nothing_is_kept_before_a_choice_nothing_is_remembered(site: Any, page: Any) -> None:
    shop = site(consent=Consent(before_choice="drop"))
    page.goto(f"{shop.url}/")
    page.click("#inner")
    page.evaluate("choose('/welcome')")
    until(lambda: shop.named("consent.changed"), "the choice")
    page.wait_for_timeout(300)
    leave(page)
    (engaged,) = shop.awaited("page.engaged")
    (changed,) = shop.named("consent.changed")
    assert not shop.named("element.clicked")
    assert engaged.occurred_at > changed.occurred_at


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
