"""One page, asked for by a phone in Lyon, a desktop in Montreal, a crawler and a mail program that fetches ahead.

Four right contexts, four right pages, and no profile of the last two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

import cxkit
from cxkit.model import Interaction
from cxkit.roles import Store
from cxkit.settings import load
from cxkit.stores.sqlite import Settings as StoreSettings
from cxkit.stores.sqlite import SQLiteStore
from cxkit.testing import RecordingExporter
from cxkit.testing.web_shop import Browser, served
from cxkit.web import ASGIMiddleware
from cxkit_geo.testing import LYON, MONTREAL, SAMPLES, write_database
from tests.flows.world import eventually

SAFARI: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
FIREFOX: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
MAIL: Final = (
    "Mozilla/5.0 (Windows; U; Windows NT 5.1; de; rv:1.9.0.7) Gecko/2009021910 Firefox/3.0.7 "
    "(via ggpht.com GoogleImageProxy)"
)
VISITS: Final[Mapping[str, Mapping[str, str]]] = {
    "lyon": {
        "User-Agent": SAFARI, "X-Forwarded-For": LYON, "Accept-Language": "fr-FR,fr;q=0.9,en;q=0.5",
        "Referer": "https://www.google.com/", "Accept": "text/html",
    },
    "montreal": {
        "User-Agent": FIREFOX, "X-Forwarded-For": MONTREAL, "Accept-Language": "fr-CA,en-CA;q=0.8",
        "Referer": "https://chatgpt.com/", "Accept": "text/html",
    },
    "crawler": {"User-Agent": CRAWLER, "X-Forwarded-For": "66.249.66.1"},
    "mail": {"User-Agent": MAIL, "X-Forwarded-For": "66.249.84.1"},
}  # fmt: skip
WELCOME: Final = cxkit.experience(
    "four.welcome",
    variants=[
        cxkit.Variant(
            name="pocket", audience={"device": "phone", "language": "fr"}, depth=1, content="Nos boutiques à Lyon"
        ),
        cxkit.Variant(
            name="wide", audience={"region": "QC", "currency": "CAD"}, depth=1, content="Livraison au Québec"
        ),
    ],
    fallback=cxkit.Variant(name="all", content="Welcome"),
)
SPOKEN: Final = {"en": "Almonds", "fr": "Amandes"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["method"] == "POST":
        cxkit.grant("analytics", "personalization")
    text = f"{WELCOME.show().content} / {SPOKEN[cxkit.language(list(SPOKEN))]}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


def store_of(kit: cxkit.Kit) -> Store:
    """What the kit has left on disk."""
    return SQLiteStore(StoreSettings(path=kit.settings.directory / "state.db"))


@attrs.frozen
class Site:
    port: int
    exporter: RecordingExporter
    kit: cxkit.Kit

    def visit(self, name: str) -> tuple[str, list[Interaction]]:
        """The page after an attempt to allow everything, and all that was captured of both."""
        before = len(self.exporter.interactions)
        browser = Browser(self.port)
        browser.ask("/", method="POST", headers=VISITS[name])
        text = browser.ask("/", headers=VISITS[name]).body.decode()
        eventually(lambda: self._pages(before) == 2)  # the last is captured when its response has left
        return text, self.exporter.interactions[before:]

    def _pages(self, before: int) -> int:
        assert self.kit.flush(timeout_s=30).complete
        return sum(one.name == "page.viewed" for one in self.exporter.interactions[before:])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    exporter = RecordingExporter(purposes=frozenset({"analytics"}))
    tables = {
        "directory": str(tmp_path / "cx"),
        "geo": {"database": str(write_database(tmp_path / "city.mmdb", SAMPLES["geoip2"])), "iptocc": False},
        "web": {"client_ip": {"strategy": "rightmost_trusted_range", "trusted": ["loopback"]}},
    }
    kit = cxkit.Kit(load(environ={}, overrides=tables), exporters={"sink": exporter})
    with served(ASGIMiddleware(app, kit=kit)) as port:
        yield Site(port, exporter, kit)
    kit.close()


def page(captured: list[Interaction]) -> Interaction:
    """What was captured of the page itself."""
    return [one for one in captured if one.name == "page.viewed"][-1]


def test_a_phone_in_lyon(site: Site) -> None:
    text, captured = site.visit("lyon")
    assert text == "Nos boutiques à Lyon / Amandes"
    seen = page(captured).context
    assert seen.device is not None
    assert (seen.device.type, seen.device.os, seen.device.touch) == ("phone", "ios", True)
    assert seen.place is not None
    assert (seen.place.country, seen.place.region, seen.place.source) == ("FR", "ARA", "mmdb")
    assert (seen.timezone, seen.currency, seen.locale) == ("Europe/Paris", "EUR", "fr")
    assert seen.acquisition is not None
    assert (seen.acquisition.medium, seen.acquisition.source) == ("search", "google")
    assert (seen.actor, seen.agent) == ("unknown", None)
    assert page(captured).identity.get("visitor") is not None


def test_a_desktop_in_montreal(site: Site) -> None:
    text, captured = site.visit("montreal")
    assert text == "Livraison au Québec / Amandes"
    seen = page(captured).context
    assert seen.device is not None
    assert (seen.device.type, seen.device.os, seen.device.browser) == ("desktop", "windows", "firefox")
    assert seen.place is not None
    assert (seen.place.country, seen.place.region) == ("CA", "QC")
    assert (seen.timezone, seen.currency) == ("America/Toronto", "CAD")
    assert seen.acquisition is not None
    assert seen.acquisition.medium == "ai_assistant"
    assert page(captured).identity.get("visitor") is not None


@pytest.mark.parametrize(
    ("name", "actor", "category"), [("crawler", "bot", "search_engine"), ("mail", "prefetch", "mail")]
)
def test_a_machine_is_shown_what_a_stranger_is_and_is_nobody(site: Site, name: str, actor: str, category: str) -> None:
    text, captured = site.visit(name)
    assert text == "Welcome / Almonds"
    told = [one for one in captured if one.name in ("page.viewed", "experience.shown")]
    assert [one.name for one in told] == ["page.viewed"] * 2  # nothing counts as shown to a machine
    assert {one.context.actor for one in told} == {actor}
    agent = page(captured).context.agent
    assert agent is not None
    assert agent.category == category
    assert not [one for one in captured if one.identity.identifiers]


def test_only_people_have_a_profile(site: Site) -> None:
    for name in VISITS:
        site.visit(name)
    people = {one.identity.get("visitor") for one in site.exporter.interactions} - {None}
    assert len(people) == 2
    site.kit.close()
    with closing(store_of(site.kit)) as store:
        for room in ("consent/", "history/"):
            assert len(store.scan(room)) == len(people), room
