"""What cxkit itself answers below the mount, whatever the framework."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cxkit.api import grant
from cxkit.model import Facts
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Web
from cxkit.testing.web_shop import Browser, Shop, exchanged
from cxkit.testing.web_shop.pages import SEEN
from cxkit.testing.web_suite.bench import Bench

__all__ = ["EndpointChecks"]

_MOST: Final = 1000
_PURPOSES: Final = ("analytics", "personalization")


class EndpointChecks(Bench):
    """Endpoints are served in the visitor's scope; they are no pages, and in nobody's way."""

    def test_endpoints_of_channels_are_mounted(self) -> None:
        with self.opened(channels=[_Hooks()]) as shop:
            browser = shop.browser()
            told = browser.ask("/cx/suite?q=1")
            assert (told.status, told.body, told.all("x-path")) == (200, b"told: q=1", ["/cx/suite"])
            request = b"HEAD /cx/suite?q=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            head, _, body = exchanged(shop.port, request, patience_s=self.patience_s).lower().partition(b"\r\n\r\n")
            assert (head.split()[1], body) == (b"200", b"")
            assert b"content-length: %d" % len(told.body) in head.splitlines()
            assert browser.ask("/cx/suite", method="POST", body=b"body").body == b"told: body"
            assert browser.ask("/cx/suite/o/a-token").body == b"told: "
            assert [one.name for one in shop.settled()] == ["suite.seen"] * 4, "no pages"

    def test_an_endpoint_is_in_the_visitors_scope(self) -> None:
        with self.opened(channels=[_Hooks()]) as shop:
            browser = shop.browser()
            assert len(browser.ask("/cx/suite", method="POST", body=b"allow").all("set-cookie")) == 2
            browser.ask("/cx/suite")
            browser.ask("/products/1")
            endpoint, page = shop.named("suite.seen", count=3)[1:]
            assert endpoint.identity == page.identity
            assert page.identity

    def test_what_an_endpoint_does_not_take_is_refused(self) -> None:
        """B69."""
        with self.opened(channels=[_Hooks()]) as shop:
            browser = shop.browser()
            denied = browser.ask("/cx/suite", method="DELETE")
            assert (denied.status, denied.all("allow")) == (405, ["GET, HEAD, POST"])
            for body, headers, status in (
                (bytes(_MOST), {}, 200),
                (bytes(_MOST + 1), {}, 413),
                (b"x", {"Content-Encoding": "gzip"}, 415),
                (b"x", {"Content-Encoding": "gzip, gzip"}, 415),
            ):
                assert browser.ask("/cx/suite", method="POST", body=body, headers=headers).status == status
            assert [one.name for one in shop.settled()] == ["suite.seen"]

    def test_an_endpoint_that_fails_says_no_more_than_that(self) -> None:
        with self.opened(strict=False, channels=[_Hooks()]) as shop:
            failed = shop.browser().ask("/cx/suite/fails")
            assert failed.status == 500
            assert "canary" not in repr(failed)
            assert shop.browser().ask("/").status == 200

    def test_an_endpoint_that_is_slow_holds_up_nobody(self) -> None:
        hooks = _Hooks()
        with self.opened(channels=[hooks]) as shop, ThreadPoolExecutor(2) as pool:
            slow = pool.submit(shop.browser().ask, "/cx/suite/slow")
            try:
                assert hooks.waiting.wait(self.patience_s)
                assert pool.submit(shop.browser().ask, "/").result(self.patience_s / 2).body == b"home"
                assert not slow.done()
            finally:
                hooks.gate.set()

    def test_the_site_says_that_it_knows_gpc(self) -> None:
        with self.opened() as shop:
            reply = shop.browser().ask("/.well-known/gpc.json")
            assert (reply.status, reply.all("content-type")) == (200, ["application/json"])
            assert json.loads(reply.body)["gpc"] is True
            assert not shop.settled()

    def test_a_choice_is_taken_from_the_site_itself_alone(self, shop: Shop) -> None:
        """S16."""
        ours, script = {"Sec-Fetch-Site": "same-origin"}, {"Content-Type": "application/json"}
        browser = shop.browser()

        def choose(choice: str, headers: Mapping[str, str]) -> int:
            body = json.dumps({"choices": dict.fromkeys(_PURPOSES, choice)}).encode()
            return browser.ask("/cx/consent", method="POST", body=body, headers={**script, **headers}).status

        strange = [{"Sec-Fetch-Site": one} for one in ("cross-site", "same-site", "none")]
        for headers in ({}, *strange, {"Origin": "http://canary.example"}, {"Origin": "null"}):
            assert choose("granted", headers) == 403, headers
        assert browser.ask("/cx/consent?choice=accept&purpose=analytics").status == 200
        assert not browser.cookies
        assert choose("granted", ours) == 200
        assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
        assert choose("denied", {"Origin": f"http://127.0.0.1:{shop.port}"}) == 200
        assert list(browser.cookies) == ["cxkit_consent"]
        assert not [one for one in shop.settled() if one.name == "page.viewed"]

    def test_what_is_not_mounted_is_the_apps(self) -> None:
        paths = ("/cx", "/cx/", "/cx/nothing", "/cxsuite", "/cx/suite/o/a/b", "/.well-known/nothing", "/products/cx")
        with self.opened(channels=[_Hooks()]) as shop, self.serve(shop.handlers(), None) as port:
            for path in paths:
                ours, plain = shop.browser().ask(path), Browser(port).ask(path)
                assert (ours.status, ours.body) == (plain.status, plain.body), path
            assert len(shop.named("page.viewed", count=len(paths))) == len(paths)

    def test_without_a_mount_nothing_is_served(self) -> None:
        with self.opened(web=Web(mount=""), channels=[_Hooks()]) as shop:
            for path in ("/cx/suite", "/suite", "/.well-known/gpc.json"):
                assert shop.browser().ask(path).status == 404, path
            assert len(shop.named("page.viewed", count=3)) == 3


class _Hooks:
    """A channel of the suite's own."""

    def __init__(self) -> None:
        self.waiting, self.gate = threading.Event(), threading.Event()

    def endpoints(self) -> Sequence[Endpoint]:
        get = frozenset({"GET"})
        return (
            Endpoint(path="/suite", methods=frozenset({"GET", "POST"}), handle=_told, max_body_bytes=_MOST),
            Endpoint(path="/suite/o/{token}", methods=get, handle=_told),
            Endpoint(path="/suite/fails", methods=get, handle=_fails),
            Endpoint(path="/suite/slow", methods=get, handle=self._slow),
        )

    def _slow(self, facts: Facts, body: bytes) -> Reply:
        self.waiting.set()
        self.gate.wait()
        return Reply()


def _told(facts: Facts, body: bytes) -> Reply:
    if body == b"allow":
        grant("analytics", "personalization", "advertising", "identity_stitching")
    SEEN.capture()
    return Reply(status=200, headers=(("X-Path", facts.path),), body=b"told: " + (body or facts.query.encode()))


def _fails(facts: Facts, body: bytes) -> Reply:
    raise RuntimeError("canary")
