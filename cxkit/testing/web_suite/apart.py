"""Nobody is ever another, in no cache and under no load."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cxkit.kit import install
from cxkit.testing.web_shop import Browser, Reply, Shop
from cxkit.testing.web_suite.bench import FULL, Bench

__all__ = ["ApartChecks"]

_REQUESTS: Final = 10_000 if FULL else 1_000
_THREADS: Final = 8
_ASKED: Final = (
    "/", "/hero", "/cached-hero", "/cached-stream", "/cached", "/dated", "/headers", "/moved/301", "/nowhere"
)  # fmt: skip


class ApartChecks(Bench):
    """Visitors are kept apart."""

    # --- shared caches ---

    def test_personal_pages_are_kept_from_shared_caches(self, shop: Shop) -> None:
        """S18."""
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

    def test_what_is_shown_late_is_what_its_caches_were_told(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        for path, body, cached in (
            ("/cached-stream", b"first Welcome", "public, max-age=60"),
            ("/private-stream", b"first Welcome back", "private"),
        ):
            reply = browser.ask(path)
            assert (reply.body, reply.all("cache-control")) == (body, [cached])

    def test_no_shared_cache_gives_anything_of_one_to_another(self, shop: Shop) -> None:
        """S18."""
        nancy, stranger, hits = shop.browser(), shop.browser(), 0
        nancy.ask("/allow", method="POST")
        visitor = nancy.cookies["cxkit_visitor"]
        for path in _ASKED:
            for renewed in (False, True):
                cache = _SharedCache()
                if renewed:
                    nancy.cookies.pop("cxkit_visitor", None)  # so a new one is about to be set
                cache.ask(nancy, path)
                nancy.cookies["cxkit_visitor"] = visitor
                reply = cache.ask(stranger, path)
                hits += cache.hits
                if path != "/cached":  # where the app itself tells what it decided without showing it
                    assert b"Welcome back" not in reply.body, path
                assert not [one for one in reply.all("set-cookie") if one.startswith("cxkit_")], path
        assert hits, "it does keep what it may"

    # --- load ---

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

    def test_nobody_is_ever_another(self, shop: Shop) -> None:
        """Over connections that visitors share, as they do behind a proxy."""
        browsers = [shop.browser() for _ in range(20)]
        for number, browser in enumerate(browsers):
            if number % 4:
                browser.ask("/allow", method="POST")
        tokens = [browser.cookies.get("cxkit_visitor", "").split(".")[0] or None for browser in browsers]
        assert len(set(tokens)) == 16

        def wander(seed: int) -> int:
            chance, wrong = random.Random(seed), 0
            connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=self.patience_s)
            with contextlib.closing(connection):
                for _ in range(_REQUESTS // _THREADS):
                    number = chance.randrange(len(browsers))
                    path = chance.choice([f"/products/{number}", f"/products/{number}", "/hero", "/broken"])
                    cookies = "; ".join(f"{name}={value}" for name, value in browsers[number].cookies.items())
                    connection.request("GET", path, headers={"Cookie": cookies} if cookies else {})
                    body = connection.getresponse().read()
                    if path == "/broken":
                        connection.close()  # the server may do so too, and does not say so
                    wrong += path == "/hero" and body != (b"Welcome back" if tokens[number] else b"Welcome")
            return wrong

        with ThreadPoolExecutor(_THREADS) as pool:
            assert sum(pool.map(wander, range(_THREADS))) == 0
        shop.named("page.viewed", count=_REQUESTS // _THREADS * _THREADS + 15)
        for one in shop.named("suite.seen", count=_REQUESTS // 4):
            visitor = one.identity.get("visitor")
            assert (visitor and visitor.value) == tokens[int(str(one.properties["sku"]))]


class _SharedCache:
    """Keeps what it may, as RFC 9111 has it, and gives it to whoever asks."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[dict[str, str | None], Reply]]] = {}
        self.hits = 0

    def ask(self, browser: Browser, path: str) -> Reply:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items()) or None
        asked = {"cookie": cookie, "accept": None}
        for varying, reply in self._kept.get(path, ()):
            if all(asked.get(name) == value for name, value in varying.items()):
                self.hits += 1
                return reply
        reply = browser.ask(path)
        varies = [part.strip().lower() for value in reply.all("vary") for part in value.split(",")]
        if self._may_keep(reply) and "*" not in varies:
            self._kept.setdefault(path, []).append(({name: asked.get(name) for name in varies}, reply))
        return reply

    @staticmethod
    def _may_keep(reply: Reply) -> bool:
        said = ",".join(reply.all("cache-control")).lower()
        if re.search(r"\b(?:private|no-store)\b", said):
            return False
        valid = reply.all("etag") or reply.all("last-modified")  # for ever: whatever it asks, the answer is 304
        lasting = not said and reply.status in (301, 308, 404, 410)
        return bool(valid or lasting or re.search(r"\b(?:public|s-maxage|max-age=[1-9])", said))
