"""Who a visitor is, and what they allowed."""

from __future__ import annotations

import random
from typing import Final

from cxkit.codec import encode
from cxkit.model import Interaction
from cxkit.settings import Web
from cxkit.testing.web_shop import Shop
from cxkit.testing.web_suite.bench import Bench

__all__ = ["CustomerChecks"]

_GOOGLEBOT: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class CustomerChecks(Bench):
    """Recognised once that is allowed, and never taken for somebody else."""

    def test_nothing_is_kept_before_a_choice(self, shop: Shop) -> None:
        browser = shop.browser()
        for path in ("/", "/hero", "/products/1"):
            reply = browser.ask(path)
            assert not reply.all("set-cookie") + reply.all("vary") + reply.all("cache-control")
        assert not any(one.identity for one in shop.settled())

    def test_a_visitor_is_recognised_once_that_is_allowed(self, shop: Shop) -> None:
        browser = shop.browser()
        allowed = browser.ask("/allow", method="POST")
        names = sorted(one.split("=")[0] for one in allowed.all("set-cookie"))
        assert names == ["cxkit_consent", "cxkit_visitor"]
        for cookie in allowed.all("set-cookie"):
            attributes = {one.strip() for one in cookie.split(";")}
            assert {"SameSite=Lax", "Path=/"} <= attributes
            assert ("HttpOnly" in attributes) is cookie.startswith("cxkit_visitor"), "scripts read choices alone"
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
        assert not [one for one in shop.settled() if one.name in ("page.viewed", "suite.seen") or one.identity]

    def test_a_withdrawal_forgets_the_visitor(self, shop: Shop) -> None:
        browser = shop.browser()
        browser.ask("/allow", method="POST")
        (allowed,) = shop.named("page.viewed")
        browser.ask("/refuse", method="POST")
        assert list(browser.cookies) == ["cxkit_consent"]
        browser.ask("/products/1")
        assert [one for one in shop.settled() if one.name in ("page.viewed", "suite.seen")] == [allowed]

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
        """S17."""
        forged = ("X-User-Id", "X-Visitor-Id", "X-Cxkit-Visitor", "Cxkit_Visitor", "Remote-User", "From")
        browser = shop.browser()
        browser.cookies.update(cxkit_visitor="canary", visitor="canary", user_id="canary")
        assert browser.ask("/products/1", headers=dict.fromkeys(forged, "canary")).status == 200
        for one in (*shop.named("page.viewed"), *shop.named("suite.seen")):
            assert not one.identity
            assert b"canary" not in encode(one)

    def test_cookies_that_are_not_ours_are_nobodys(self, shop: Shop) -> None:
        """S2."""
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

    def test_what_a_front_end_says_of_its_visitors_is_a_claim(self) -> None:
        """S17."""
        web = Web(id_cookies={"front": "front_id"}, id_headers={"X-User": "user_id", "X-Device": "device_id"})
        said = {"X-User": "canary-1", "X-Device": "canary-2"}
        with self.opened(web=web) as shop:
            browser = shop.browser()
            browser.cookies["front"] = "canary-3"
            browser.ask("/products/1", headers=said)
            assert not any(one.identity or b"canary" in encode(one) for one in shop.settled()), (
                "nobody has been asked yet"
            )
            browser.ask("/allow", method="POST")
            browser.ask("/products/1", headers=said)
            browser.ask("/login/nancy", method="POST", headers=said)
            _, claimed, signed_in = (_known(one) for one in shop.named("suite.seen", count=3))
        claims = {"front_id": ("canary-3", "claim"), "device_id": ("canary-2", "claim")}
        assert claimed == {**claims, "user_id": ("canary-1", "claim"), "visitor": claimed["visitor"]}
        assert signed_in["user_id"] == ("nancy", "login")
        assert ("canary-1", "login") not in signed_in.values()

    def test_after_a_logout_it_is_somebody_new(self, shop: Shop) -> None:
        browser = shop.browser()
        for path in ("/allow", "/login/nancy", "/logout", "/login/marion"):
            browser.ask(path, method="POST")
        nancy, nobody, marion = (_known(one) for one in shop.named("suite.seen", count=3))
        assert (nancy["user_id"][0], marion["user_id"][0]) == ("nancy", "marion")
        assert "user_id" not in nobody
        assert nancy["visitor"] not in (*nobody.values(), *marion.values())
        assert browser.cookies["cxkit_visitor"].split(".")[0] == marion["visitor"][0]

    def test_robots_and_prefetches_are_nobody(self, shop: Shop) -> None:
        person = shop.browser()
        person.ask("/allow", method="POST")
        asked = {"bot": {"User-Agent": _GOOGLEBOT}, "prefetch": {"Sec-Purpose": "prefetch;prerender"}}
        for headers in asked.values():
            browser = shop.browser()
            for method, path in (("POST", "/allow"), ("GET", "/products/1")):
                browser.ask(path, method=method, headers=headers)
                assert "cxkit_visitor" not in browser.cookies
            assert not person.ask("/products/1", headers=headers).all("set-cookie")
        seen = shop.named("suite.seen", count=4)
        assert [one.context.actor for one in seen] == ["bot", "bot", "prefetch", "prefetch"]
        assert not any(one.identity for one in seen)
        person.ask("/products/1")
        assert shop.named("suite.seen", count=5)[-1].identity, "still the one who was here first"


def _known(one: Interaction) -> dict[str, tuple[str, str]]:
    return {found.type: (found.value, found.evidence) for found in one.identity.identifiers}


def _mutated(text: str, chance: random.Random) -> str:
    place, letter = chance.randrange(len(text)), chance.choice("AZaz09._~-")
    changed = [text[:place] + text[place + 1 :], text[:place] + letter + text[place:], text[:place] + letter]
    return chance.choice([one for one in changed if one != text] or [""])
