"""Where a page stood that somebody comes from; and where nobody can tell."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import ConfigurationError
from cxkit.model import Acquisition, Context
from cxkit.settings import structure
from cxkit.testing.enricher_suite import request
from cxkit_acquisition import hosts
from cxkit_acquisition.enricher import AcquisitionEnricher, Settings
from cxkit_acquisition.hosts import named, plain_host
from cxkit_acquisition.sites import MEDIA, RETURN, Site, Sites, known, over

LISTS = files("cxkit_acquisition") / "lists"


@pytest.mark.parametrize(
    ("referer", "medium", "source", "domain"),
    [
        ("https://www.google.com/", "search", "google", "google.com"),
        ("https://www.google.co.uk/search?q=nuts", "search", "google", "google.co.uk"),
        ("https://news.google.com/", "search", "google_news", "google.com"),
        ("https://duckduckgo.com/", "search", "duckduckgo", "duckduckgo.com"),
        ("https://www.bing.com/", "search", "bing", "bing.com"),
        ("https://fr.search.yahoo.com/", "search", "yahoo", "yahoo.com"),
        ("https://l.facebook.com/l.php?u=x", "social", "facebook", "facebook.com"),
        ("https://t.co/abc", "social", "twitter", "t.co"),
        ("https://out.reddit.com/", "social", "reddit", "reddit.com"),
        ("https://chatgpt.com/", "ai_assistant", "chatgpt", "chatgpt.com"),
        ("https://gemini.google.com/app", "ai_assistant", "gemini", "google.com"),
        ("https://www.perplexity.ai/", "ai_assistant", "perplexity", "perplexity.ai"),
        ("https://copilot.microsoft.com/", "ai_assistant", "copilot", "microsoft.com"),
        ("https://mail.google.com/mail/u/0/", "email", "gmail", "google.com"),
        ("https://outlook.live.com/", "email", "outlook", "live.com"),
        ("https://eur01.safelinks.protection.outlook.com/?url=x", "email", "outlook", "outlook.com"),
        ("https://www.gmx.net/", "email", "gmx", "gmx.net"),
        ("https://fr.mail.yahoo.com/", "email", "yahoo_mail", "yahoo.com"),
        ("https://translate.google.com/", "referral", "google_translate", "google.com"),
        ("https://claude.ai/chat/x", "ai_assistant", "claude", "claude.ai"),
        ("https://googleads.g.doubleclick.net/", "paid", "google_ads", "doubleclick.net"),
        ("https://docs.google.com/document/d/x", "referral", "google_workspace", "google.com"),
        ("https://news.example.co.uk/article?id=1", "referral", "example.co.uk", "example.co.uk"),
        ("https://nancy.github.io/", "referral", "github.io", "github.io"),
    ],
)
def test_from_a_site(came: Any, referer: str, medium: str, source: str, domain: str) -> None:
    found = came(referer)
    assert (found.medium, found.source, found.referrer) == (medium, source, domain)


@pytest.mark.parametrize(
    ("package", "medium", "source"),
    [
        ("com.google.android.gm", "email", "gmail"),
        ("com.google.android.googlequicksearchbox", "search", "google"),
        ("com.linkedin.android", "social", "linkedin"),
        ("com.whatsapp", "social", "whatsapp"),
        ("com.openai.chatgpt", "ai_assistant", "chatgpt"),
        ("com.example.reader", "referral", "com.example.reader"),
    ],
)
def test_from_an_android_app(came: Any, package: str, medium: str, source: str) -> None:
    for referer in (
        f"android-app://{package}",
        f"android-app://{package}/",
        f"android-app://{package}/https/x.example/a",
    ):
        found = came(referer)
        assert (found.medium, found.source, found.referrer) == (medium, source, None)


@pytest.mark.parametrize(
    "referer",
    ["android-app://", "android-app:///", "android-app://nancy", "android-app://a.b c", "android-app://" + "a." * 500],
)
def test_what_is_no_android_app_is_nothing(came: Any, referer: str) -> None:
    assert came(referer) is None


def test_by_themselves(came: Any) -> None:
    assert came() == came("", sec_fetch_site="none") == Acquisition(medium="direct")


def test_from_a_site_that_keeps_to_itself_which_it_is(came: Any) -> None:
    assert came(sec_fetch_site="cross-site") == Acquisition(medium="referral")


def test_who_has_a_name_at_anybodys_host_is_not_named(came: Any) -> None:
    for host, domain in (
        ("nancy-smith.blogspot.com", "blogspot.com"),
        ("nancy.github.io", "github.io"),
        ("nancy.s3.eu-west-1.amazonaws.com", "amazonaws.com"),
    ):
        found = came(f"https://{host}/")
        assert (found.source, found.referrer) == (domain, domain)
        assert "nancy" not in str(found)


def test_somebodys_own_webmail_is_mail_and_does_not_say_whose(came: Any) -> None:
    for host in ("webmail.nancy.example", "roundcube.mx.nancy.example", "owa.nancy.example"):
        assert came(f"https://{host}/") == Acquisition(source="webmail", medium="email")
    assert came("https://webmail.example/").source == "webmail.example"
    assert came("https://mail.nancy.example/").medium == "referral"


# --- nothing new ---


@pytest.mark.parametrize(
    "referer",
    [
        "https://shop.example/cart", "https://www.shop.example/", "http://blog.shop.example:8080/", "https://SHOP.EXAMPLE",
        "https://me:pw@shop.example/", "https://shop.example./",
    ],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "utm_source=news&gclid=Cj0KCQiA"])
def test_from_a_page_of_ones_own_is_from_nowhere(came: Any, referer: str, query: str) -> None:
    assert came(referer, query) is None
    assert came(referer, query, host="www.shop.example:8443") is None


def test_browsers_say_it_where_the_page_does_not(came: Any) -> None:
    assert came(sec_fetch_site="same-origin") is None
    assert came(sec_fetch_site="same-site") is None


def test_two_shops_at_one_host_are_two(came: Any) -> None:
    assert came("https://nuts.myshopify.com/", host="sweets.myshopify.com").medium == "referral"
    assert came("https://nuts.co.uk/", host="sweets.co.uk").medium == "referral"
    assert came("https://notshop.example/").medium == "referral"


@pytest.mark.parametrize(
    "host",
    ["www.paypal.com", "checkout.stripe.com", "hooks.stripe.com", "secure.ogone.com", "x.cardinalcommerce.com",
     "accounts.google.com", "login.microsoftonline.com", "shop.eu.auth0.com", "app.franceconnect.gouv.fr"],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "utm_source=news&order=1"])
def test_back_from_paying_or_signing_in_is_from_nowhere(came: Any, host: str, query: str) -> None:
    assert came(f"https://{host}/", query) is None


def test_a_page_that_is_posted_to_was_not_the_first(came: Any) -> None:
    assert came("https://bank.example/3ds", method="POST") is None


@pytest.mark.parametrize("part", ["image", "empty", "iframe", "script"])
def test_a_part_of_a_page_is_no_page(came: Any, part: str) -> None:
    assert came("https://www.google.com/", sec_fetch_dest=part) is None
    assert came("https://www.google.com/", sec_fetch_dest="document") is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"upgrade": "websocket"}, {"upgrade": "WebSocket", "sec_fetch_dest": "document"}, {"scheme": "wss"},
        {"origin": "https://shop.example"}, {"x_requested_with": "XMLHttpRequest"}, {"accept": "application/json"},
        {"accept": "*/*"}, {"accept": ""},
    ],
)  # fmt: skip
def test_what_asks_for_no_page_is_no_page(came: Any, asked: dict[str, str]) -> None:
    for referer, query in ((None, ""), ("https://www.google.com/", ""), (None, "utm_source=news")):
        assert came(referer, query, **asked) is None


def test_a_page_is_one_in_an_app_too(came: Any) -> None:
    """Their browsers say whose they are, in the header in which scripts say that they are scripts."""
    assert came(x_requested_with="com.instagram.android").medium == "direct"
    assert came(accept="*/*", sec_fetch_dest="document", sec_fetch_site="none").medium == "direct"


@pytest.mark.parametrize("actor", ["bot", "prefetch"])
def test_machines_come_from_nowhere(came: Any, actor: Any) -> None:
    assert came("https://www.google.com/", context=Context(actor=actor)) is None


def test_what_is_known_already_stays(came: Any) -> None:
    assert came("https://www.google.com/", context=Context(acquisition=Acquisition(source="given"))) is None


def test_settings_add_to_what_is_known(came: Any) -> None:
    settings = Settings(
        internal=("other-shop.example", "com.example.shop"),
        returns=("pay.example",),
        sites={"forum.example": "social", "WWW.bing.com": "paid"},
    )
    for own in (
        "https://other-shop.example/",
        "https://www.other-shop.example/",
        "https://pay.example/",
        "https://x.pay.example/",
        "android-app://com.example.shop/",
    ):
        assert came(own, settings=settings) is None
    assert came("https://a.forum.example/", settings=settings).source == "forum.example"
    assert came("https://a.forum.example/", settings=settings).medium == "social"
    assert came("https://www.bing.com/", settings=settings).medium == "paid"
    assert came("https://anothershop.example/", settings=settings).medium == "referral"


@pytest.mark.parametrize("host", ["https://shop.example", "shop.example/pay", "shop", "", "192.0.2.1", "a b.example"])
@pytest.mark.parametrize("name", ["internal", "returns", "sites"])
def test_settings_that_name_no_host_are_refused(name: str, host: str) -> None:
    with pytest.raises(ConfigurationError, match="CX9111"):
        Settings(**{name: {host: "social"} if name == "sites" else (host,)})


@pytest.mark.parametrize("medium", ["internal", "direct", "return", "sozial"])
def test_a_site_is_of_a_medium_that_there_is(medium: str) -> None:
    with pytest.raises(ConfigurationError, match="sites"):
        structure(Settings, {"sites": {"forum.example": medium}}, where="acquisition")


# --- what is no referrer ---


@pytest.mark.parametrize(
    "referer",
    [
        "nonsense", "about:blank", "javascript:alert(1)", "data:text/html,<script>", "file:///home/nancy/mail.html",
        "//www.google.com/", "www.google.com", "https:/www.google.com", "https://", "https:///path", "https://?q=1",
        "ftp://www.google.com/", "https://www.google.com\\@evil.example/", "https://www google.com/", "\x00", "null",
        "https://www.google.com:port/", "https://.../", "https://-/", "https://a..example/", "ios-app://544007664/x",
        "https://evil.example\r\nSet-Cookie: a=b/",
    ],
)  # fmt: skip
def test_what_is_no_url_is_nothing(came: Any, referer: str) -> None:
    assert came(referer) is None


def test_credentials_are_left_behind(came: Any) -> None:
    found = came("https://nancy:secret@www.google.com/search")
    assert (found.source, found.referrer) == ("google", "google.com")
    assert "nancy" not in str(found)
    assert "secret" not in str(found)
    found = came("https://www.google.com@evil.example/")
    assert (found.medium, found.referrer) == ("referral", "evil.example")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("m\u00fcnchen.example", "xn--mnchen-3ya.example"),
        ("m\u00fcnchen.example".encode().decode("latin-1"), "xn--mnchen-3ya.example"),  # as servers hand it over
        ("\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "xn--80a1acny.xn--p1ai"),
    ],
)
def test_names_in_every_script(came: Any, host: str, domain: str) -> None:
    assert came(f"https://{host}/").referrer == domain


@pytest.mark.parametrize("host", ["\u202egoogle.com", "\ufffd.example", "a\u3002", "\u0640" * 300])
def test_what_is_a_name_in_no_script_is_nothing(came: Any, host: str) -> None:
    assert came(f"https://{host}/") is None


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1", "192.0.2.1:8080", "10.0.0.1", "[2001:db8::1]", "[::ffff:10.0.0.1]:80", "[fe80::1%25eth0]",
        "2130706433", "0x7f.0.0.1", "127.1",
    ],
)  # fmt: skip
def test_an_ip_address_is_kept_nowhere(came: Any, host: str) -> None:
    assert came(f"https://{host}/nancy") is None
    found = came(f"https://{host}/nancy", "utm_source=news")
    assert (found.source, found.referrer) == ("news", None)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:3000", "intranet", "wiki.corp", "nas.local", "pc.nancy.lan", "a.internal"]
)
def test_a_network_of_somebodys_own_is_kept_nowhere(came: Any, host: str) -> None:
    assert came(f"http://{host}/") is None


def test_a_megabyte_of_referrer(came: Any) -> None:
    assert came("https://www.google.com/" + "x" * 1_000_000).source == "google"
    assert came("https://" + "x" * 1_000_000 + ".example/") is None
    assert came("https://" + "a." * 500_000 + "google.com/") is None
    assert came("https://" + "@" * 1_000_000 + "google.com/") is None
    assert came("x" * 1_000_000) is None


@pytest.mark.parametrize(
    "host",
    [
        "google.blogspot.com",
        "google.com.evil.example",
        "www.google.evil.com",
        "evilgoogle.com",
        "google.evil",
        "paypal.example",
    ],
)
def test_who_sounds_like_a_known_site_is_none(came: Any, host: str) -> None:
    assert came(f"https://{host}/").medium == "referral"


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_law_no_referrer_raises_and_only_a_domain_is_kept(text: str) -> None:
    enricher = AcquisitionEnricher(Settings())
    for referer in (
        text,
        f"https://{text}",
        f"https://{text}/",
        f"https://www.google.com/{text}",
        f"android-app://{text}",
    ):
        facts = attrs.evolve(request(), headers={"referer": referer, "accept": "text/html"}, host=text)
        found = enricher.enrich(facts, Context()).get("acquisition", Acquisition())
        assert isinstance(found, Acquisition)
        assert found.referrer is None or plain_host(found.referrer) == found.referrer
        assert found.medium in {None, "direct", *MEDIA}


@given(st.text(alphabet="abc.:/@?#\\[]%-1 ", max_size=40))
def test_law_a_host_is_one_as_others_read_it(text: str) -> None:
    """Never another than the one that a browser would go to."""
    found = named(f"https://{text}")
    if found is not None:
        assert urlsplit(f"https://{text}").hostname.rstrip(".") == found.host


# --- the lists ---


def test_every_medium_of_the_lists_is_one_of_ours() -> None:
    assert {site.medium for site in known().values()} == {*MEDIA, RETURN}


def test_every_host_of_the_lists_can_be_met() -> None:
    for pattern in known():
        if not pattern.startswith("app:"):
            host = pattern.removeprefix("=").removeprefix("mail:")
            host = "de." + host.removeprefix("*.") if host.startswith("*.") else host
            host = host.removesuffix("*") + "com" if host.endswith(".*") else host
            assert plain_host(host) == host, pattern


@pytest.mark.parametrize("name", ["matomo.toml", "ours.toml"])
def test_no_host_of_a_list_is_there_twice(name: str) -> None:
    lists = tomllib.loads((LISTS / name).read_text("utf-8"))
    every = [one for sources in lists.values() for patterns in sources.values() for one in patterns]
    assert sorted(every) == sorted(set(every))


def test_the_lists_say_whose_they_are() -> None:
    said = (LISTS / "SOURCES").read_text("utf-8")
    assert "matomo-org/searchengine-and-social-list" in said
    assert re.search("^commit [0-9a-f]{40} of [0-9]{4}-[0-9]{2}-[0-9]{2}$", said, re.MULTILINE)
    assert len(re.findall("^sha256 [0-9a-f]{64}  [A-Za-z]+[.]yml$", said, re.MULTILINE)) == 3
    assert (LISTS / "LICENSE-matomo.txt").read_text("utf-8").startswith("CC0 1.0 Universal")


def test_what_is_both_a_network_or_an_assistant_and_a_search_is_no_search(came: Any) -> None:
    assert came("https://www.facebook.com/").medium == "social"
    assert came("https://you.com/").medium == "ai_assistant"


def test_of_a_host_that_is_none_nothing_is_remembered() -> None:
    before = hosts._plain.cache_info().currsize
    for number in range(9):
        assert plain_host(f"{number}." + "x" * 60_000) is None
    assert hosts._plain.cache_info().currsize == before


def test_how_a_pattern_is_read() -> None:
    one, other = Site("search", "one"), Site("social", "other")
    sites = Sites({"=one.*": one, "=*.one.com": one, "other.com": other, "mail:other.com": one})
    for host in ("one.com", "www.one.com", "m.one.co.uk", "one.de", "de.one.com", "de.www.one.com"):
        assert sites.of(host) == (None if host == "de.www.one.com" else one), host
    for host in ("shop.one.com", "done.com", "one.blogspot.com", "other.de"):
        assert sites.of(host) is None, host
    assert sites.of("a.other.com") == other
    assert sites.of("mail.other.com") == sites.of("de.webmail.x.other.com") == one
    assert sites.of("mail01.other.com") == sites.of("lightmailer.other.com") == sites.of("post.other.com") == one
    assert sites.of("poster.other.com") == other
    assert sites.of("mail.com") is None


def test_a_later_list_goes_before_an_earlier_though_that_is_more_exact() -> None:
    sites = Sites(
        over({"=a.one.com": Site("search", "one")}, {"one.com": Site("social", "all"), "a.one.com": Site("email", "a")})
    )
    assert sites.of("a.one.com").source == "a"
