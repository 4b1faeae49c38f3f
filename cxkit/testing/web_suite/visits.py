"""What a visit is, and what is captured of it."""

from __future__ import annotations

import contextlib
import http.client
import socket

import pytest

from cxkit.codec import encode
from cxkit.model import Interaction
from cxkit.testing.web_shop import Shop, told
from cxkit.testing.web_suite.bench import Bench

__all__ = ["VisitChecks"]


class VisitChecks(Bench):
    """Each visit is captured, once, as what it was."""

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
        assert broken.error == ("ZeroDivisionError" if self.tells_errors else None)

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

    # --- routes ---

    @staticmethod
    def _visited(shop: Shop, *paths: str) -> list[tuple[str | None, object]]:
        """Route and status of what each path was a visit of."""
        before = len([one for one in shop.all() if one.name == "page.viewed"])
        for path in paths:
            shop.browser().ask(path)
        viewed = shop.named("page.viewed", count=before + len(paths))[before:]
        assert not any(b"canary" in encode(one) for one in shop.settled())
        return [(_route(one), one.properties["status"]) for one in viewed]

    def test_a_parameter_of_a_kind_is_one_like_any_other(self, shop: Shop) -> None:
        assert self._visited(shop, "/numbers/7", "/numbers/canary") == [("/numbers/{number}", 200), (None, 404)]

    def test_a_language_is_a_parameter(self, shop: Shop) -> None:
        assert self._visited(shop, "/fr/about", "/canary/about") == [("/{language}/about", 200)] * 2

    def test_what_a_page_is_mounted_under_is_part_of_its_route(self, shop: Shop) -> None:
        found = self._visited(shop, "/within/rooms/canary", "/within/canary")
        assert found == [("/within/rooms/{name}", 200), (None, 404)]
        (seen,) = shop.named("suite.seen")
        assert _route(seen) == "/within/rooms/{name}", "known to the page itself"

    # --- kinds of responses ---

    def test_a_redirection_is_completed(self, shop: Shop) -> None:
        statuses = [301, 302, 303, 307, 308]
        for status in statuses:
            reply = shop.browser().ask(f"/moved/{status}")
            assert (reply.status, reply.all("location")) == (status, ["/products/1?kept=yes#there"])
        viewed = shop.named("page.viewed", count=len(statuses))
        assert [one.properties for one in viewed] == [{"status": status} for status in statuses]
        for one in viewed:
            assert (_route(one), one.outcome) == ("/moved/{status}", "completed")
            assert b"kept" not in encode(one)

    def test_what_a_framework_answers_by_itself_is_a_visit(self, shop: Shop) -> None:
        methods = ["HEAD", "OPTIONS"]
        statuses = []
        for count, method in enumerate(methods, 1):
            statuses.append(shop.browser().ask("/products/1", method=method).status)
            shop.named("page.viewed", count=count)
        viewed = shop.named("page.viewed", count=2)
        assert [one.context.page and one.context.page.method for one in viewed] == methods
        assert [one.properties["status"] for one in viewed] == statuses
        assert [one.name for one in shop.settled()].count("page.viewed") == 2

    def test_events_come_at_once_until_their_reader_leaves(self, shop: Shop) -> None:
        connection, response = shop.browser().open("/events")
        with connection, response:
            assert "text/event-stream" in str(response.headers.get_all("content-type"))
            assert [response.readline() for _ in range(4)] == [b"data: 1\n", b"\n", b"data: 2\n", b"\n"]
        (viewed,) = shop.named("page.viewed")
        assert (_route(viewed), viewed.outcome, viewed.properties) == ("/events", "abandoned", {"status": 200})

    def test_who_leaves_while_uploading_was_here_once(self, shop: Shop) -> None:
        if self.waits_for_bodies:
            pytest.skip("this framework is told of no request before its body has come")
        with socket.create_connection(("127.0.0.1", shop.port)) as client:
            client.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        shop.named("page.viewed")
        shop.browser().ask("/")
        viewed = shop.named("page.viewed", count=2)
        assert [_route(one) for one in viewed] == ["/digest", "/"]

    def test_a_websocket_is_a_scope_and_no_page(self, shop: Shop) -> None:
        if not self.websockets:
            pytest.skip("this framework has no websockets")
        pytest.importorskip("websockets", reason="uvicorn has no websockets without it")
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        (allowed,) = shop.named("page.viewed")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        assert told(shop.port, "/talk/canary", "hello", headers=[f"Cookie: {cookies}"]) == "You said hello"
        (seen,) = shop.named("suite.seen")
        assert (_route(seen), seen.properties, seen.identity) == ("/talk/{name}", {"said": "hello"}, allowed.identity)
        assert len([one for one in shop.settled() if one.name == "page.viewed"]) == 1

    def test_what_is_done_afterwards_is_the_visitors(self, shop: Shop) -> None:
        if not self.background:
            pytest.skip("this framework does nothing after a response")
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        browser.ask("/after")
        (seen,), viewed = shop.named("suite.seen"), shop.named("page.viewed", count=2)
        assert (_route(seen), seen.properties) == ("/after", {"where": "after"})
        assert seen.identity == viewed[1].identity
        assert seen.identity


def _route(one: Interaction) -> str | None:
    return None if one.context.page is None else one.context.page.route
