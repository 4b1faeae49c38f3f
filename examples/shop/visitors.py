"""Customers with a script: each visit goes over HTTP, like any browser's, and tells what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from examples.shop.stock import CUSTOMERS

Visit = Iterator[str]
"""Yields what comes next, in words; goes on with it when asked for the next."""


class DisappointedError(Exception):
    """The shop did not do what this customer had every reason to expect."""


class Page(NamedTuple):
    """What came back, after redirects."""

    status: int
    text: str


class Browser:
    """A customer's browser, as far as it matters here: it keeps cookies and follows redirects.

    Args:
        shop: The shop's address.
        headers: What it tells with each request.
    """

    def __init__(self, shop: str, *, headers: Mapping[str, str] | None = None) -> None:
        self.cookies = CookieJar()
        self._shop = shop
        self._headers = dict(headers or {})
        # No proxy, whatever the environment says: the shop is on this machine.
        self._opener = build_opener(HTTPCookieProcessor(self.cookies), ProxyHandler({}))

    def open(self, path: str, /, expect: int = 200, **fields: str) -> Page:
        """Get a page; with fields, submit a form.

        Raises:
            DisappointedError: The answer has another status than expected.
        """
        body = urlencode(fields).encode() if fields else None
        request = Request(self._shop + path, data=body, headers=self._headers)
        try:
            with self._opener.open(request, timeout=20) as answer:
                page = Page(answer.status, answer.read().decode())
        except HTTPError as refusal:
            with refusal:
                page = Page(refusal.code, refusal.read().decode())
        if page.status != expect:
            raise DisappointedError(f"{path} answered {page.status}, not {expect}")
        return page

    def restart(self) -> None:
        """Close the browser and open it again: cookies of the session are gone."""
        self.cookies.clear_session_cookies()

    def holds(self, cookie: str) -> bool:
        return any(one.name == cookie for one in self.cookies)


def nancy(shop: str, call: Callable[[str, str], str]) -> Visit:
    """She likes to be recognised.

    Args:
        call: Calls the phone desk; returns what its operator sees.
    """
    browser = Browser(shop, headers={"Accept-Language": "fr"})
    yield "Nancy looks around. She has allowed nothing yet: visits are counted, not recognised"
    browser.open("/")
    browser.open("/sweets/ALM-200")
    _insist(not browser.holds("cxkit_visitor"), "she was given a visitor's cookie before she allowed it")

    yield "She accepts everything, and signs in"
    browser.open("/consent", choice="accept", advertising="yes")
    _insist(browser.holds("cxkit_visitor"), "she allowed to be recognised, and was not")
    browser.open("/login", name="nancy", password=CUSTOMERS["nancy"].password)

    yield "She buys; her bank declines the first card"
    browser.open("/sweets/ALM-200")
    browser.open("/cart", sku="ALM-200")
    browser.open("/checkout", expect=402, card="4000 0000 0000 0000")
    browser.open("/checkout", card="4000 0000 0000 0002")

    yield "She comes back another day, does not sign in, and is recognised all the same"
    browser.restart()
    _insist("coffret or" in browser.open("/").text, "a gold customer was not shown what is for gold customers")

    yield "She calls. Another process answers, and knows her by her number"
    seen = call(CUSTOMERS["nancy"].phone, "discounts")
    _insist("gold" in seen, f'the operator was told only "{seen}"')
    yield f"The operator's screen says: {seen}"


def otto(shop: str) -> Visit:
    """He refuses everything, and is served just the same."""
    browser = Browser(shop)
    yield "Otto refuses everything, and buys. His order is kept without him, and goes nowhere"
    browser.open("/consent", choice="refuse")
    browser.open("/sweets/ALM-300")
    browser.open("/cart", sku="ALM-300")
    browser.open("/checkout", card="4000 0000 0000 0002")
    browser.open("/support", topic="delivery")
    _insist(not browser.holds("cxkit_visitor"), "he refused, and got a visitor's cookie")
    _insist("<aside>" not in browser.open("/").text, "he has refused, and is asked again")


def gita(shop: str) -> Visit:
    """Her browser objects to advertising for her (Global Privacy Control)."""
    browser = Browser(shop, headers={"Sec-GPC": "1"})
    yield "Gita's browser says Sec-GPC: 1. She accepts the rest: analytics yes, advertising no"
    browser.open("/consent", choice="accept")
    browser.open("/sweets/ALM-100")
    browser.open("/support", topic="other")


def _insist(fine: bool, otherwise: str) -> None:
    if not fine:
        raise DisappointedError(otherwise)
