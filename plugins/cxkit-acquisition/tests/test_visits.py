"""Whole visits: what is captured of where they come from, and what each choice lets be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import cxkit
from cxkit.model import Acquisition, Interaction
from cxkit.settings import load
from cxkit.testing import RecordingExporter
from cxkit.web import ASGIMiddleware, WSGIMiddleware

ALL = ("analytics", "personalization", "advertising", "sale_share", "identity_stitching")
CLICK = b"gclid=Cj0KCQiA&utm_campaign=spring"
GOOGLE = (b"referer", b"https://www.google.com/")


class Shop:
    """An app without a framework, and one browser."""

    def __init__(self, directory: Path, **tables: Any) -> None:
        self.exporter = RecordingExporter()
        settings = load(environ={}, overrides={"directory": str(directory), "strict": True, **tables})
        self.kit = cxkit.Kit(settings, exporters={"recorder": self.exporter})
        self.act: Callable[[], object] = lambda: None
        self.cookies: dict[str, str] = {}
        self._app = ASGIMiddleware(self._answer, kit=self.kit, route=lambda scope: "/nuts/{sku}")

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.act()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    def visit(
        self,
        query: bytes = b"",
        *headers: tuple[bytes, bytes],
        path: str = "/nuts/ALM-200",
        accept: bytes = b"text/html",
    ) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode()
        sent = [(b"host", b"shop.example"), (b"accept", accept), *([(b"cookie", cookie)] if cookie else []), *headers]
        scope = {
            "type": "http", "method": "GET", "scheme": "http", "path": path, "query_string": query, "headers": sent,
            "client": ("192.0.2.7", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            for name, value in message.get("headers", ()):
                if name.lower() == b"set-cookie":
                    key, _, rest = value.decode().partition("=")
                    self.cookies[key] = rest.partition(";")[0]

        asyncio.run(self._app(scope, receive, send))
        self.act = lambda: None

    def allow(self, *purposes: str) -> None:
        self.act = lambda: cxkit.grant(*purposes)
        self.visit(b"", (b"sec-fetch-site", b"same-origin"))

    @property
    def viewed(self) -> list[Interaction]:
        assert self.kit.flush(timeout_s=10).complete
        return [one for one in self.exporter.interactions if one.name == "page.viewed"]

    @property
    def traits(self) -> dict[str, Any]:
        assert self.kit.flush(timeout_s=10).complete
        found: dict[str, Any] = {}
        self.act = lambda: found.update(cxkit.current().profile.traits)
        self.visit(b"", (b"sec-fetch-site", b"same-origin"))
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.kit.close(timeout_s=10)


def test_the_first_page_says_it_and_the_others_do_not(shop: Shop) -> None:
    shop.visit(b"utm_source=news&utm_medium=email", GOOGLE)
    shop.visit(b"", (b"referer", b"http://shop.example/nuts/ALM-200"))
    shop.visit(b"", (b"referer", b"https://checkout.stripe.com/"))
    first, *others = (one.context.acquisition for one in shop.viewed)
    assert first == Acquisition(source="news", medium="email", referrer="google.com", landing="/nuts/{sku}")
    assert others == [None, None]


@pytest.mark.parametrize(
    ("accept", "headers"),
    [
        (b"application/json", ()),
        (b"*/*", ()),
        (b"text/html", ((b"x-requested-with", b"XMLHttpRequest"),)),
        (b"text/html", ((b"origin", b"https://shop.example"),)),
        (
            b"text/html",
            ((b"connection", b"upgrade"), (b"upgrade", b"h2c, websocket"), (b"sec-websocket-version", b"13")),
        ),
    ],
)
def test_nobody_comes_by_what_is_no_page(shop: Shop, accept: bytes, headers: Any) -> None:
    shop.allow("analytics", "personalization")
    shop.visit(b"utm_source=news", *headers, accept=accept)
    assert [one.context.acquisition for one in shop.viewed] == [None, None]
    assert shop.traits == {}


def test_nobody_comes_by_a_websocket(shop: Shop) -> None:
    """As servers tell of one, whatever it came over."""
    said: list[Any] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        cxkit.touchpoint("chat.opened").capture()
        await send({"type": "websocket.close"})

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "websocket", "scheme": "wss", "path": "/chat", "query_string": b"utm_source=news",
        "headers": [(b"host", b"shop.example"), (b"accept", b"text/html")], "subprotocols": [],
        "client": ("192.0.2.7", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(ASGIMiddleware(answer, kit=shop.kit)(scope, receive, send))
    assert said
    assert shop.kit.flush(timeout_s=10).complete
    assert [(one.name, one.context.acquisition) for one in shop.exporter.interactions] == [("chat.opened", None)]


@pytest.mark.parametrize(
    ("headers", "medium"),
    [
        ({"HTTP_ACCEPT": "text/html"}, "direct"),
        ({"HTTP_ACCEPT": "application/json"}, None),
        ({"HTTP_ACCEPT": "text/html", "HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}, None),
        ({"HTTP_ACCEPT": "*/*", "HTTP_SEC_FETCH_DEST": "document"}, "direct"),
        ({"HTTP_ACCEPT": "*/*", "HTTP_SEC_FETCH_DEST": "empty"}, None),
        ({"HTTP_UPGRADE": "websocket", "HTTP_ACCEPT": "text/html"}, None),
    ],
)
def test_so_it_is_under_wsgi(shop: Shop, headers: dict[str, str], medium: str | None) -> None:
    def answer(environ: Any, start: Any) -> Any:
        start("200 OK", [])
        return [b"ok"]

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    list(WSGIMiddleware(answer, kit=shop.kit)({**environ, **headers}, lambda *started: None))
    found = shop.viewed[-1].context.acquisition
    assert (found.medium if found else None) == medium


@pytest.mark.parametrize("policy", ["strict", "regional"])
def test_the_landing_page_is_known_wherever_the_law_is_asked_for_first(tmp_path: Path, policy: str) -> None:
    shop = Shop(tmp_path, consent={"policy": policy})
    shop.visit(b"utm_source=news")
    found = shop.viewed[-1].context.acquisition
    assert found is not None
    assert found.landing == "/nuts/{sku}"
    shop.kit.close(timeout_s=10)


@pytest.mark.parametrize(
    ("allowed", "kept"),
    [
        ((), None),
        (("analytics",), None),
        (("analytics", "personalization"), None),
        (("analytics", "advertising"), "Cj0KCQiA"),
        (ALL, "Cj0KCQiA"),
    ],
)
def test_a_click_id_is_kept_where_they_allow_advertising(
    shop: Shop, allowed: tuple[str, ...], kept: str | None
) -> None:
    if allowed:
        shop.allow(*allowed)
    shop.visit(CLICK, GOOGLE)
    found = shop.viewed[-1].context.acquisition
    assert found is not None
    assert (found.vendor, found.medium, found.campaign, found.click_id) == ("google", "paid", "spring", kept)


def test_not_where_the_browser_objects(shop: Shop) -> None:
    shop.act = lambda: cxkit.grant("analytics")
    shop.visit(b"", (b"sec-gpc", b"1"))
    shop.visit(CLICK, (b"sec-gpc", b"1"))
    found = shop.viewed[-1].context.acquisition
    assert found is not None
    assert (found.vendor, found.click_id) == ("google", None)


def test_nothing_of_the_address_itself_is_kept(shop: Shop, tmp_path: Path) -> None:
    shop.allow("analytics", "personalization")
    shop.visit(
        b"utm_source=canary%40example.com&gclid=canary-1234&token=canary&utm_campaign=spring",
        (b"referer", b"https://canary:canary@mail.google.com/mail/canary?canary#canary"),
        path="/nuts/canary",
    )
    assert shop.traits["last_touch"] == {"source": "google", "medium": "paid", "campaign": "spring"}
    shop.kit.close(timeout_s=10)
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert b"canary" not in path.read_bytes(), path


def test_a_payment_that_sends_people_back_without_a_word_changes_nothing(shop: Shop) -> None:
    shop.allow("analytics", "personalization")
    shop.visit(b"", GOOGLE)
    shop.visit(b"", (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-dest", b"document"))
    assert shop.traits["last_touch"] == {"source": "google", "medium": "search"}


def test_a_campaign_without_a_medium_is_a_touch(shop: Shop) -> None:
    shop.allow("analytics", "personalization")
    shop.visit(b"utm_source=news&utm_campaign=spring")
    assert shop.traits["last_touch"] == {"source": "news", "campaign": "spring"}


def test_first_and_last(shop: Shop) -> None:
    shop.allow("analytics", "personalization")
    shop.visit(b"", GOOGLE)
    assert shop.traits == {
        "first_touch": {"source": "google", "medium": "search"},
        "last_touch": {"source": "google", "medium": "search"},
    }


def test_no_profile_of_a_robot(shop: Shop) -> None:
    shop.allow(*ALL)
    shop.visit(CLICK, GOOGLE, (b"user-agent", b"Googlebot/2.1"))
    assert shop.viewed[-1].context.acquisition is None
    assert shop.traits == {}


def test_settings_come_from_the_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path, acquisition={"internal": ["news.example"], "sites": {"forum.example": "social"}})
    shop.visit(b"", (b"referer", b"https://news.example/"))
    shop.visit(b"", (b"referer", b"https://forum.example/"))
    found = [one.context.acquisition for one in shop.viewed]
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].medium, found[1].source) == ("social", "forum.example")
    shop.kit.close(timeout_s=10)
