"""What every web plugin must do, seen from a browser; as tests to inherit. Needs pytest.

::

    class TestMyFramework(WebSuite):
        def serve(self, handlers, kit):
            app = ...           # each handler under its path, inside the plugin's middleware for this kit
            return served(app)  # a real server for ASGI; any context manager that yields a port will do

``kit`` is None where the same app is wanted without the middleware.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from cxkit.codec import encode
from cxkit.kit import Kit, install
from cxkit.testing.web_shop import Answer, Ask, Browser, Handler, Reply, Shop, served

__all__ = ["Answer", "Ask", "Handler", "Shop", "WebSuite", "served"]


class WebSuite:
    """Inherit it, and give `serve`; see the top of this file."""

    patience_s = 20.0
    """How long to wait for what should come."""

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        """A server for these handlers, inside the plugin's middleware for this kit; yields its port."""
        raise NotImplementedError("give `serve`")

    @pytest.fixture
    def shop(self) -> Iterator[Shop]:
        """The shop, open."""
        with self.opened() as shop:
            yield shop

    @contextmanager
    def opened(self, **parts: Any) -> Iterator[Shop]:
        """The shop with a kit of these parts, open until the block ends."""
        shop = Shop(patience_s=self.patience_s, **parts)
        try:
            with self.serve(shop.handlers(), shop.kit) as shop.port:
                yield shop
                shop.gate.set()
        finally:
            shop.kit.close()

    # --- the visit ---

    def test_each_visit_is_captured_once(self, shop: Shop) -> None:
        browser = shop.browser()
        for number in range(3):
            assert browser.ask(f"/products/SKU-{number}").status == 200
        viewed = shop.named("page.viewed", count=3)
        assert len(viewed) == 3
        for one in viewed:
            assert one.context.page is not None
            assert (one.context.page.route, one.context.page.method) == ("/products/{sku}", "GET")
            assert (one.channel, one.outcome, one.properties) == ("web", "completed", {"status": 200})
            assert one.duration is not None
            assert not one.identity

    def test_no_value_is_captured_with_the_route(self, shop: Shop) -> None:
        browser = shop.browser()
        headers = {"User-Agent": "canary-agent", "Referer": "http://canary-referer/", "X-Canary": "canary-x"}
        browser.cookies["canary-cookie"] = "canary-value"
        for path in ("/products/canary-1?q=canary-2", "/canary-3/", "/products/a/reviews/a"):
            browser.ask(path, headers=headers)
        viewed = shop.named("page.viewed", count=3)
        routes = [one.context.page and one.context.page.route for one in viewed]
        assert routes == ["/products/{sku}", None, "/products/{sku}/reviews/{number}"]
        assert [one.properties["status"] for one in viewed] == [200, 404, 200]
        for one in viewed:
            assert b"canary" not in encode(one)
            assert b"127.0.0.1" not in encode(one)

    def test_a_failure_is_an_outcome(self, shop: Shop) -> None:
        browser = shop.browser()
        for path, status in (("/broken", 500), ("/closed", 503), ("/nowhere", 404)):
            assert browser.ask(path).status == status
        broken, closed, nowhere = shop.named("page.viewed", count=3)
        assert [one.properties["status"] for one in (broken, closed, nowhere)] == [500, 503, 404]
        assert [one.outcome for one in (broken, closed, nowhere)] == ["failed", "failed", "completed"]
        assert broken.error in ("ZeroDivisionError", None)

    def test_a_response_that_is_torn_is_a_failure(self, shop: Shop) -> None:
        connection, response = shop.browser().open("/torn")
        with connection, response, contextlib.suppress(http.client.IncompleteRead):
            response.read()
        (viewed,) = shop.named("page.viewed")
        assert (viewed.outcome, viewed.properties) == ("failed", {"status": 200})

    def test_another_method_is_a_visit_too(self, shop: Shop) -> None:
        assert shop.browser().ask("/", method="DELETE").status == 405
        (viewed,) = shop.named("page.viewed")
        assert viewed.properties["status"] == 405

    def test_excluded_paths_are_not_captured(self, shop: Shop) -> None:
        browser = shop.browser()
        assert browser.ask("/static/app.js").body == b"js"
        browser.ask("/")
        (viewed,) = shop.named("page.viewed")
        assert viewed.context.page is not None
        assert viewed.context.page.route == "/"

    # --- the guest ---

    def test_responses_are_as_they_were(self, shop: Shop) -> None:
        with self.serve(shop.handlers(), None) as port:
            for path in ("/", "/products/1", "/nowhere", "/cached", "/headers", "/hero", "/static/app.js"):
                ours, plain = shop.browser().ask(path), Browser(port).ask(path)
                assert (ours.status, _lasting(ours), ours.body) == (plain.status, _lasting(plain), plain.body)

    def test_streams_come_piece_by_piece(self, shop: Shop) -> None:
        connection, response = shop.browser().open("/stream")
        with connection, response:
            assert response.read(5) == b"first"
            shop.gate.set()
            assert response.read() == b"second"
        (seen,), (viewed,) = shop.named("suite.seen"), shop.named("page.viewed")
        assert seen.context.page == viewed.context.page
        assert viewed.outcome == "completed"

    def test_bodies_are_left_alone(self, shop: Shop) -> None:
        body = random.Random(1).randbytes(1_000_000)
        digest = hashlib.sha256(body).hexdigest().encode()
        assert shop.browser().ask("/digest", method="POST", body=body).body == digest
        assert shop.browser().ask("/ignore", method="POST", body=b"unread").body == b"ignored"

    def test_what_fails_in_us_changes_nothing(self) -> None:
        class Broken:
            remote = False

            def __getattr__(self, name: str) -> Any:
                raise RuntimeError("this store is broken")

        with self.opened(strict=False, store=Broken()) as shop:
            browser = shop.browser()
            assert browser.ask("/allow", method="POST").status == 200
            for path, status in (("/", 200), ("/hero", 200), ("/nowhere", 404), ("/broken", 500)):
                assert browser.ask(path).status == status

    # --- recognised, governed ---

    def test_nothing_is_kept_before_a_choice(self, shop: Shop) -> None:
        browser = shop.browser()
        for path in ("/", "/hero", "/products/1"):
            reply = browser.ask(path)
            assert not reply.all("set-cookie") + reply.all("vary") + reply.all("cache-control")
        assert not any(one.identity for one in shop.all())

    def test_a_visitor_is_recognised_once_that_is_allowed(self, shop: Shop) -> None:
        browser = shop.browser()
        allowed = browser.ask("/allow", method="POST")
        names = sorted(one.split("=")[0] for one in allowed.all("set-cookie"))
        assert names == ["cxkit_consent", "cxkit_visitor"]
        for cookie in allowed.all("set-cookie"):
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {one.strip() for one in cookie.split(";")}
            assert "Domain" not in cookie
            assert "Secure" not in cookie, "this is no https"
        browser.ask("/products/1")
        first, second = shop.named("page.viewed", count=2)
        (seen,) = shop.named("suite.seen")
        visitor = first.identity.get("visitor")
        assert visitor is not None
        assert visitor.evidence == "cookie"
        assert first.identity == second.identity == seen.identity
        assert seen.context.page == second.context.page
        assert not shop.browser().ask("/").all("set-cookie")
        assert not shop.named("page.viewed", count=3)[2].identity, "somebody else"

    def test_a_refusal_is_remembered_and_sets_no_visitor(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/refuse", method="POST")
        assert list(browser.cookies) == ["cxkit_consent"]
        assert not browser.ask("/products/1").all("set-cookie")
        assert not [one for one in shop.all() if one.name in ("page.viewed", "suite.seen") or one.identity]

    def test_a_withdrawal_forgets_the_visitor(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        browser.ask("/refuse", method="POST")
        assert list(browser.cookies) == ["cxkit_consent"]
        browser.ask("/products/1")
        assert len([one for one in shop.all() if one.name == "page.viewed"]) <= 1

    def test_gpc_denies_advertising_and_sale_only(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        browser.ask("/", headers={"Sec-GPC": "1"})
        browser.ask("/", headers={"Sec-GPC": "0"})
        _, objecting, other = [one.consent for one in shop.named("page.viewed", count=3)]
        denied = {purpose for purpose, allowed in objecting.items() if not allowed}
        assert denied == {"advertising", "sale_share"}
        assert other["advertising"] is other["analytics"] is objecting["analytics"] is True

    def test_a_login_names_the_person(self, shop: Shop) -> None:
        shop.browser().ask("/login/nancy", method="POST")
        (seen,) = shop.named("suite.seen")
        found = seen.identity.get("user_id")
        assert found is not None
        assert (found.value, found.evidence) == ("nancy", "login")

    def test_no_header_says_who_somebody_is(self, shop: Shop) -> None:
        forged = ("X-User-Id", "X-Visitor-Id", "X-Cxkit-Visitor", "Cxkit_Visitor", "Remote-User", "From")
        browser = shop.browser()
        browser.cookies.update(cxkit_visitor="canary", visitor="canary", user_id="canary")
        assert browser.ask("/products/1", headers=dict.fromkeys(forged, "canary")).status == 200
        for one in (*shop.named("page.viewed"), *shop.named("suite.seen")):
            assert not one.identity
            assert b"canary" not in encode(one)

    def test_cookies_that_are_not_ours_are_nobodys(self, shop: Shop) -> None:
        browser, chance = shop.browser(), random.Random(2)
        browser.ask("/allow", method="POST")
        ours = dict(browser.cookies)
        for _ in range(100):
            browser.cookies = {name: _mutated(value, chance) for name, value in ours.items()}
            assert browser.ask("/products/1").status == 200
        swapped = {"cxkit_visitor": ours["cxkit_consent"], "cxkit_consent": ours["cxkit_visitor"]}
        browser.cookies = swapped
        assert browser.ask("/products/1").status == 200
        assert not any(one.identity for one in shop.named("page.viewed", count=102)[1:])

    def test_personal_pages_are_kept_from_shared_caches(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        assert browser.ask("/hero").body == b"Welcome back"
        for path, cached in (("/hero", "private"), ("/cached-hero", "max-age=60, private")):
            reply = browser.ask(path)
            assert (reply.all("cache-control"), reply.all("vary")) == ([cached], ["Cookie"])
        assert shop.browser().ask("/cached-hero").all("cache-control") == ["public, max-age=60"]

    def test_what_shared_caches_keep_carries_no_cookie(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        del browser.cookies["cxkit_visitor"]
        assert not browser.ask("/cached").all("set-cookie")
        assert browser.ask("/").all("set-cookie")

    # --- apart ---

    def test_visitors_are_not_mixed_up(self, shop: Shop) -> None:
        browsers = [shop.browser() for _ in range(8)]
        for number, browser in enumerate(browsers):
            if number % 4:
                browser.ask("/allow", method="POST")
        with ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                list(pool.map(lambda n: browsers[n].ask(f"/products/{n}"), range(8)))
        known: dict[object, set[object]] = {}
        for one in shop.named("suite.seen", count=80):
            visitor = one.identity.get("visitor")
            known.setdefault(one.properties["sku"], set()).add(visitor and visitor.value)
        assert all(len(found) == 1 for found in known.values())
        values = [next(iter(known[str(number)])) for number in range(8)]
        assert [value is None for value in values] == [number % 4 == 0 for number in range(8)]
        assert len(set(values)) == 7, "six visitors, and nobody"

    def test_after_the_response_nobody_is_known(self) -> None:
        before = install(None)
        try:
            with self.opened() as shop:
                install(shop.kit)
                browser = shop.browser()
                browser.ask("/allow", method="POST")
                browser.ask("/later")
                shop.named("page.viewed", count=2)
                shop.gate.set()
                (later,) = shop.named("suite.seen")
                assert not later.identity
        finally:
            install(before)


def _lasting(reply: Reply) -> list[tuple[str, str]]:
    return [pair for pair in reply.headers if pair[0].lower() != "date"]


def _mutated(text: str, chance: random.Random) -> str:
    place, letter = chance.randrange(len(text)), chance.choice("AZaz09._~-")
    changed = [text[:place] + text[place + 1 :], text[:place] + letter + text[place:], text[:place] + letter]
    return chance.choice([one for one in changed if one != text] or [""])
