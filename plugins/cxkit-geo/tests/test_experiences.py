"""Country, region, market, store and hour as conditions of experiences, through a kit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import cxkit
from cxkit.testing import FakeClock
from cxkit.web import WSGIMiddleware
from cxkit_geo import choose_place, locate

FRENCH_MORNING_S = 1_800_000_000
"""2027-01-15, 08:00 UTC: nine in Paris, three in Toronto."""
VARIANTS = {
    "paris-9": {"country": "FR", "local_hour": 9},
    "night": {"local_hour": 3},
    "store": {"store": "lyon-2"},
    "quebec": {"region": "QC"},
    "dach": {"market": "dach"},
    "france": {"country": "FR"},
    "euro": {"currency": "EUR"},
}


@pytest.fixture
def chosen(kit: Callable[..., cxkit.Kit], visitor: Any, database: str) -> Callable[..., str]:
    """Which variant somebody is shown, of those named, by the address that Cloudflare or a proxy tells."""

    def choose(
        *names: str,
        address: str | None = None,
        headers: Mapping[str, str] = {},
        peer: str = "127.0.0.1",
        first: Callable[[], object] = lambda: None,
    ) -> str:
        shop = kit(
            geo={
                "platform": "cloudflare",
                "database": database,
                "markets": {"dach": ["DE", "AT", "CH"]},
                "stores": [{"id": "lyon-2", "latitude": 45.757, "longitude": 4.832}],
            },
            web={"client_ip": {"strategy": "cloudflare", "trusted": ["loopback"]}},
            experiences={
                "geo.hero": {
                    "variants": [{"name": name, "audience": VARIANTS[name], "depth": 1} for name in names],
                }
            },
            clock=FakeClock(start_s=FRENCH_MORNING_S),
        )
        hero = cxkit.experience("geo.hero")
        shown: list[str] = []

        def app(environ: Any, start: Any) -> Iterator[bytes]:
            first()
            shown.append(hero.show().variant)
            start("200 OK", [])
            return iter([b""])

        told = {**headers, **({"cf-connecting-ip": address} if address else {})}
        visitor(WSGIMiddleware(app, kit=shop), headers=told, peer=peer).ask()
        return shown[0]

    return choose


LYON, MONTREAL = "81.2.69.142", "24.48.0.1"


def test_a_country_and_the_hour_there(chosen: Any) -> None:
    assert chosen("night", "paris-9", address=LYON) == "paris-9"
    assert chosen("paris-9", "night", address=MONTREAL) == "night"


def test_a_region_and_a_currency(chosen: Any) -> None:
    assert chosen("quebec", address=MONTREAL) == "quebec"
    assert chosen("quebec", "euro", address=LYON) == "euro"


def test_a_market(chosen: Any) -> None:
    assert chosen("dach", headers={"cf-ipcountry": "CH"}) == "dach"
    assert chosen("dach", headers={"cf-ipcountry": "FR"}) == "default"


def test_what_was_chosen_comes_before_what_was_found(chosen: Any) -> None:
    assert chosen("france", "dach", address=LYON, first=lambda: choose_place(country="AT")) == "dach"


def test_the_nearest_store_with_consent_and_not_without(chosen: Any) -> None:
    def located() -> None:
        locate(latitude=45.76, longitude=4.84)

    def allowed() -> None:
        cxkit.grant("precise_location")
        located()

    assert chosen("store", address=LYON, first=allowed) == "store"
    assert chosen("store", address=LYON, first=located) == "default"


def test_spoofed_headers_from_an_untrusted_peer_choose_nothing(chosen: Any) -> None:
    spoofed = {"cf-ipcountry": "CH", "cf-connecting-ip": LYON}
    assert chosen("dach", "france", headers=spoofed, peer="8.8.4.4") == "default"
