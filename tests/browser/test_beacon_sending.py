"""What the beacon gets through: tabs that are closed or killed, and blockers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxkit.settings import Web
from tests.browser.acts import hidden, leave
from tests.browser.conftest import ARGUMENTS, NO_ROBOT, chromium
from tests.hosts.servers import until

pytestmark = pytest.mark.services


def test_a_tab_that_is_closed_has_said_all(site: Any, page: Any) -> None:
    shop = site()
    page.goto(f"{shop.url}/welcome")
    page.click("#inner")
    page.close(run_before_unload=True)
    (engaged,), (clicked,) = shop.awaited("page.engaged"), shop.awaited("element.clicked")
    (viewed,) = shop.named("page.viewed")
    assert viewed.occurred_at < engaged.occurred_at < clicked.occurred_at


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
