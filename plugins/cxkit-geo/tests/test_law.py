"""Whose law holds: that of where somebody was found, if that is sure; what they choose can only make it stricter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.testing import RecordingExporter
from cxkit.web import WSGIMiddleware
from cxkit_geo import choose_place, locate
from cxkit_geo.testing import write_database

STRICT = ["necessary"]
PARIS, TEXAS = {"cf-ipcountry": "FR"}, {"cf-ipcountry": "US", "cf-region-code": "TX"}
SEEN = cxkit.touchpoint("geo.law_seen", purpose="necessary")


@pytest.fixture
def shop(kit: Callable[..., cxkit.Kit], visitor: Any) -> Callable[..., Any]:
    """A browser, and what was allowed on each page: before and after the page named a country."""

    def opened(*, peer: str = "127.0.0.1", acts: Any = lambda path: None, **geo: Any) -> Any:
        def pages(environ: Any, start: Any) -> list[bytes]:
            before = sorted(cxkit.current().allowed)
            acts(environ["PATH_INFO"])
            browser.allowed = before, sorted(cxkit.current().allowed)
            SEEN.capture()
            start("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        exporter = RecordingExporter()
        client_ip = {"strategy": "cloudflare", "trusted": ["loopback"]}
        made = kit(
            geo={"iptocc": False, **geo}, exporter=exporter, consent={"policy": "regional"},
            web={"client_ip": client_ip} if "platform" in geo else {},
        )  # fmt: skip
        browser = visitor(WSGIMiddleware(pages, kit=made), peer=peer)
        browser.kit, browser.exporter = made, exporter
        return browser

    return opened


def choosing(path: str) -> None:
    if path == "/us/":
        choose_place(country="US", region="TX")
    if path == "/fr/":
        choose_place(country="FR")


def test_whoever_was_found_in_france_and_chooses_texas_is_asked_all_the_same(shop: Any) -> None:
    browser = shop(platform="cloudflare", acts=choosing)
    browser.ask("/us/", headers=PARIS)
    assert browser.allowed == (STRICT, STRICT)
    assert browser.cookies == {}
    assert browser.kit.flush().complete
    (seen,) = [one for one in browser.exporter.interactions if one.name == "geo.law_seen"]
    assert seen.context.place is not None
    assert (seen.context.place.country, seen.identity.identifiers) == ("US", ())


def test_nor_does_a_position_after_the_choice_move_the_law(shop: Any) -> None:
    def act(path: str) -> None:
        choosing(path)
        cxkit.grant("precise_location")
        locate(latitude=45.76, longitude=4.84)

    browser = shop(platform="cloudflare", acts=act, stores=[{"id": "lyon", "latitude": 45.757, "longitude": 4.832}])
    browser.ask("/us/", headers=PARIS)
    assert browser.allowed == (STRICT, ["necessary", "precise_location"])


def test_whoever_was_found_in_texas_and_chooses_france_is_asked(shop: Any) -> None:
    browser = shop(platform="cloudflare", acts=choosing)
    browser.ask("/", headers=TEXAS)
    assert "analytics" in browser.allowed[0]
    browser.ask("/fr/", headers=TEXAS)
    assert "analytics" in browser.allowed[0]
    assert browser.allowed[1] == STRICT
    assert browser.kit.flush().complete
    first, second = [one for one in browser.exporter.interactions if one.name == "geo.law_seen"]
    assert [one.type for one in first.identity.identifiers] == ["visitor"]
    assert second.identity.identifiers == (), "they are not recognised before they are asked"


def test_of_two_places_that_are_as_strict_the_one_that_was_found_is_named(shop: Any) -> None:
    jurisdictions: list[Any] = []

    def act(path: str) -> None:
        from cxkit.capture.scope import current_scope

        choose_place(country="BR")
        scope = current_scope()
        assert scope is not None
        jurisdictions.append((scope.jurisdiction.region, scope.policy.name))

    shop(platform="cloudflare", acts=act).ask("/", headers=PARIS)
    assert jurisdictions == [("eea", "eea/1")]


def test_who_is_behind_a_vpn_may_be_anywhere(shop: Any, tmp_path: Path) -> None:
    record = {
        "country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "TX"}], "traits": {"is_anonymous_vpn": True},
    }  # fmt: skip
    database = write_database(tmp_path / "vpn.mmdb", {"81.2.69.0/24": record})
    browser = shop(database=str(database), peer="81.2.69.142")
    browser.ask("/")
    assert browser.allowed == (STRICT, STRICT)
    assert browser.cookies == {}


def test_a_registry_alone_loosens_no_law(shop: Any) -> None:
    """It knows whom an address was given to: of 100, five are used elsewhere."""
    pytest.importorskip("iptocc")
    seen: list[Any] = []
    browser = shop(iptocc=True, peer="8.8.8.8", acts=lambda path: seen.append(cxkit.current().context.place))
    browser.ask("/")
    assert (seen[0].country, seen[0].confidence) == ("US", "low")
    assert browser.allowed == (STRICT, STRICT)
