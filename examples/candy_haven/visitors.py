"""Customers with a script: each visit goes over HTTP, like any browser's, and tells what it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from http.cookiejar import CookieJar
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from examples.candy_haven.customers import CUSTOMERS

Visit = Iterator[str]
"""Yields what comes next, in words; goes on with it when asked for the next."""

LAPTOP = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 "
    "Safari/604.1"
)
HOMES = {"FR": "90.0.0.0", "CA": "24.200.0.0", "DE": "84.128.0.0", "IN": "49.32.0.0"}
"""The first address of a network in each country: nobody's own."""
GOOD_CARD, BAD_CARD = "4000 0000 0000 0002", "4000 0000 0000 0000"


class DisappointedError(Exception):
    """The shop did not do what this customer had every reason to expect."""


class Page(NamedTuple):
    """What came back, after redirects."""

    status: int
    text: str

    @property
    def heading(self) -> str:
        return unescape(self.found("<h1>(.*?)</h1>"))

    def found(self, pattern: str) -> str:
        """What the first group of a pattern stands for on this page.

        Raises:
            DisappointedError: It is not there.
        """
        match = re.search(pattern, self.text)
        if match is None:
            raise DisappointedError(f"a page has no {pattern}")
        return match[1]


class Browser:
    """A customer's browser, as far as it matters here: it keeps cookies and follows redirects.

    Args:
        shop: The shop's address.
        headers: What it tells with each request; by default that it is a browser.
        home: The country that it calls from; the shop believes the proxy in front of it.
        referrer: The page that brings it here; after that, the last one of the shop.
    """

    def __init__(
        self,
        shop: str,
        *,
        headers: Mapping[str, str] | None = None,
        home: str | None = None,
        referrer: str | None = None,
    ) -> None:
        self.cookies = CookieJar()
        self._shop = shop
        self._headers = {"Accept": "text/html", "User-Agent": LAPTOP, **(headers or {})}
        if home is not None:
            self._headers["X-Forwarded-For"] = HOMES[home]
        self._referrer = referrer
        # No proxy, whatever the environment says: the shop is on this machine.
        self._opener = build_opener(HTTPCookieProcessor(self.cookies), ProxyHandler({}))

    def open(self, path: str, /, expect: int = 200, **fields: str) -> Page:
        """Get a page; with fields, submit a form.

        Raises:
            DisappointedError: The answer has another status than expected.
        """
        body = urlencode(fields).encode() if fields else None
        request = Request(self._shop + quote(path, safe="/?&=%"), data=body, headers=self._headers)
        if self._referrer is not None:
            request.add_header("Referer", self._referrer)
        self._referrer = request.full_url
        try:
            with self._opener.open(request, timeout=20) as answer:
                page = Page(answer.status, answer.read().decode())
        except HTTPError as refusal:
            with refusal:
                page = Page(refusal.code, refusal.read().decode())
        if page.status != expect:
            raise DisappointedError(f"{path[:80]} answered {page.status}, not {expect}")
        return page

    def visit(self, url: str) -> Page:
        """Follow a link to the shop that stood elsewhere: in a letter, say.

        Raises:
            DisappointedError: It does not lead there, or the answer is none.
        """
        insist(url.startswith(f"{self._shop}/"), "a link led elsewhere")
        self._referrer = None
        return self.open(url.removeprefix(self._shop))

    def restart(self) -> None:
        """Close the browser and open it again: cookies of the session are gone."""
        self.cookies.clear_session_cookies()
        self._referrer = None

    def holds(self, cookie: str) -> bool:
        return any(one.name == cookie for one in self.cookies)


def her_phone(shop: str) -> Browser:
    """Nancy's."""
    return Browser(shop, headers={"Accept-Language": "fr", "User-Agent": PHONE}, home="FR")


def nancy(shop: str, call: Callable[[str, str, str], str], phone: Browser | None = None) -> Visit:
    """She likes to be recognised: nine steps, from wanting sweets to telling others of them.

    Args:
        call: Calls the phone desk, by number, topic and case; returns what its operator sees.
        phone: Hers, where she uses it later on.
    """
    phone = phone or her_phone(shop)
    laptop = Browser(shop, headers={"Accept-Language": "fr"}, home="FR", referrer="https://www.google.com/")
    yield (
        "Nancy, in France, finds Candy Haven by a search engine, on her laptop. She has allowed nothing yet: visits\n"
        "are counted, not recognised"
    )
    laptop.open("/")
    insist(not laptop.holds("cxkit_visitor"), "she was given a visitor's cookie before she allowed it")
    yield "She accepts everything: from here on she is a visitor, without a name"
    laptop.open("/consent", choice="accept", advertising="yes", message_open="yes")
    insist(laptop.holds("cxkit_visitor"), "she allowed to be recognised, and was not")
    yield from _discovers(laptop)
    yield from _is_served(phone, call)
    yield from _returns(laptop)
    yield from _tells_others(laptop, Browser(shop, home="CA"))


def _discovers(laptop: Browser) -> Visit:
    yield "1. She wants almond sweets, and searches"
    laptop.open("/search?words=amandes")
    yield "2. She compares two, and looks at one: it says how long it takes to France"
    laptop.open("/compare?sku=ALM-200&sku=ALM-300")
    laptop.open("/sweets/ALM-200")
    yield "3. She signs in, and what she did so far is hers. She buys; her bank declines the first card"
    laptop.open("/login", name="nancy", password=CUSTOMERS["nancy"].password)
    laptop.open("/cart", sku="ALM-200")
    laptop.open("/checkout", expect=402, card=BAD_CARD)
    laptop.open("/checkout", card=GOOD_CARD)


def _is_served(phone: Browser, call: Callable[[str, str, str], str]) -> Visit:
    yield "4. The sweets have come, and she likes them. On her phone she signs in and says so: 5 of 5"
    phone.open("/consent", choice="accept", advertising="yes", message_open="yes")
    phone.open("/login", name="nancy", password=CUSTOMERS["nancy"].password)
    order = phone.open("/account").found("(order-[0-9a-f]+)")
    phone.open("/account/rating", order=order, score="5")
    yield "She asks for letters in French, and for one on her birthday"
    phone.open("/language", language="fr")
    phone.open("/account/birthday", wanted="y")
    yield "5. She writes to ask for discounts, then calls. Another process answers, and knows her by her number"
    case = phone.open("/support", topic="discounts").found("(case-[0-9a-f]+)")
    seen = call(CUSTOMERS["nancy"].phone, "discounts", case)
    insist("gold" in seen, f'the operator was told only "{seen}"')
    yield f"The operator's screen says: {seen}"


def _returns(laptop: Browser) -> Visit:
    yield "6. Another day the newsletter brings her back. She does not sign in, and is recognised all the same"
    laptop.restart()
    heading = laptop.open("/?utm_source=newsletter&utm_medium=email&utm_campaign=harvest").heading
    insist("coffret or" in heading, "a gold customer was not shown what is for gold customers")
    yield f"The page says: {heading}. She signs in, and orders the same again"
    laptop.open("/login", name="nancy", password=CUSTOMERS["nancy"].password)
    order = laptop.open("/account").found("(order-[0-9a-f]+)")
    laptop.open("/account/again", order=order)
    laptop.open("/checkout", card=GOOD_CARD)


def _tells_others(laptop: Browser, sister: Browser) -> Visit:
    yield "7. She tells her family. Her sister follows the link, and is nobody to the shop"
    link = laptop.open("/share/ALM-200", link="please").found('href="(/sweets/ALM-200[^"]+)"')
    sister.open(unescape(link))
    yield "8. She reads the blog"
    laptop.open("/blog")
    laptop.open("/blog/almond-blossom")
    yield "9. She shares what she read"
    laptop.open("/share/almond-blossom", link="please")


def otto(shop: str) -> Visit:
    """He refuses everything, and is served just the same."""
    browser = Browser(shop, home="DE")
    yield (
        "Otto refuses everything, and is served just the same. What he orders and asks is kept without a name, for\n"
        "the shop owes it to him; but it arrives nowhere, as each exporter is for something that he refused"
    )
    browser.open("/consent", choice="refuse")
    browser.open("/sweets/ALM-300")
    browser.open("/cart", sku="ALM-300")
    browser.open("/checkout", card=GOOD_CARD)
    browser.open("/support", topic="delivery")
    insist(not browser.holds("cxkit_visitor"), "he refused, and got a visitor's cookie")
    insist("<aside" not in browser.open("/").text, "he has refused, and is asked again")


def gita(shop: str) -> Visit:
    """Her browser objects to advertising for her (Global Privacy Control)."""
    app = "https://l.instagram.com/"
    browser = Browser(shop, headers={"Sec-GPC": "1", "User-Agent": PHONE}, home="IN", referrer=app)
    yield "Gita's browser sends Sec-GPC: 1. That refuses advertising and sale in her name: see the last column"
    browser.open("/sweets/ALM-100")
    yield "She accepts the rest, and is recognised; the refusal stands"
    browser.open("/consent", choice="accept")
    browser.open("/sweets/ALM-100")
    yield "The page asks whether she eats nuts. She does not; so from now on the shelf begins with what she eats"
    shelf = browser.open("/answers", question="nuts", nuts="no", back="/").found('(?s)<li><a href="/sweets/(.*?)"')
    insist(shelf == "ORA-100", f"she eats no nuts, and the shelf begins with {shelf}")
    browser.open("/support", topic="other")


def insist(fine: bool, otherwise: str) -> None:
    if not fine:
        raise DisappointedError(otherwise)
