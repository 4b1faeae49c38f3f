"""The beacon in a real browser: what it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.settings import Web
from tests.browser.acts import hidden, leave, passes, stopped
from tests.hosts.servers import until

pytestmark = pytest.mark.services

PAINTED = """new Promise((painted) => {
    new PerformanceObserver(painted).observe({ type: 'largest-contentful-paint', buffered: true });
}).then(() => undefined)"""
SECRETS = ("4711", "4970", "wish", "Nancy", "nancy", "t0k3n", "secret", "?", "#")


def test_a_page_that_is_read_is_measured(site: Any, page: Any) -> None:
    shop = site()
    stopped(page).goto(f"{shop.url}/welcome")
    page.evaluate(PAINTED)  # whoever scrolls before that is shown something else
    page.mouse.move(10, 10)
    page.mouse.wheel(0, 1200)
    until(lambda: page.evaluate("scrollY") == 1200, "scrolled")
    passes(700, shop, page)
    page.click("#inner")
    page.click("#out")
    leave(page)
    (engaged,) = shop.awaited("page.engaged")
    assert engaged.context.page.engaged_ms == 700
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
        stopped(page).goto(f"{shop.url}/welcome")
    stays, acts, goes_on, leaves, _without_script = pages
    leave(leaves)
    acts.click("#inner")
    leave(acts)
    goes_on.click("#next")
    leave(goes_on)
    passes(10_500, shop, stays)
    leave(stays)
    until(lambda: len(shop.named("page.engaged")) >= 5, "five pages measured")
    assert verdicts(shop) == {"engaged": 3, "bounced": 1, "unknown": 1}
    for page in pages:
        page.context.close()


def test_increments_add_up(site: Any, page: Any, verdicts: Any) -> None:
    shop = site()
    stopped(page).goto(f"{shop.url}/welcome")
    for _ in range(3):
        passes(300, shop, page)
        hidden(page, True)
        passes(300, shop, page)  # does not count
        hidden(page, False)
    leave(page)
    engaged = shop.awaited("page.engaged", count=4)
    assert [one.context.page.engaged_ms for one in engaged] == [300, 300, 300, 0]
    assert len(shop.named("page.vitals")) == 1
    assert verdicts(shop) == {"engaged": 0, "bounced": 1, "unknown": 0}


def test_a_page_nobody_uses_any_more_does_not_go_on_counting(site: Any, page: Any) -> None:
    shop = site()
    stopped(page).goto(f"{shop.url}/welcome")
    passes(20 * 60_000, shop, page)
    page.mouse.move(10, 10)
    passes(5000, shop, page)
    page.mouse.move(20, 20)
    leave(page)
    (engaged,) = shop.awaited("page.engaged")
    assert engaged.context.page.engaged_ms == 35_000


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
    page.evaluate("addEventListener('pageshow', () => { window.back = true })")
    page.goto(f"{shop.url}/next")
    page.go_back(wait_until="commit")
    until(lambda: page.evaluate("window.back"), "shown again")
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
