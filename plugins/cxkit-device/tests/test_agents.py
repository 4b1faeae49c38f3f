"""Who asks: bots, programs, mail and whoever fetches ahead; and people, who are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.model import Context
from cxkit.model.context import Agent
from cxkit.testing.enricher_suite import request
from cxkit.web.actor import actor_of
from cxkit_device import DeviceEnricher, Settings

PIXEL = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"


def asked(agent: str | None, *, actor: Any = None, settings: Settings = Settings(engine="none"), **headers: str) -> Any:
    """Actor and agent of a request as a visit has it: the core speaks first."""
    said = {name.replace("_", "-"): text for name, text in headers.items()}
    if agent is not None:
        said["user-agent"] = agent
    before = actor or actor_of(said)
    found = DeviceEnricher(settings).enrich(request(headers=said), Context(actor=before))
    return found.get("actor", before), found.get("agent")


# --- bots ---


@pytest.mark.parametrize(
    ("agent", "category", "name"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search_engine", "Googlebot"),
        ("Googlebot-Image/1.0", "search_engine", "Googlebot-Image"),
        (f"{PIXEL} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "search_engine", "bingbot"),
        ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "ai_crawler", "GPTBot"),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "ai_crawler", "ClaudeBot"),
        ("facebookexternalhit/1.1", "social_preview", "facebookexternalhit"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "social_preview", "Slackbot"),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "seo", "AhrefsBot"),
        ("curl/8.5.0", "http_library", "curl"),
        ("Wget/1.21.4", "http_library", "Wget"),
        ("python-requests/2.32.3", "http_library", "python-requests"),
    ],
)
def test_a_bot_has_a_category_and_a_name(agent: str, category: str, name: str) -> None:
    actor, found = asked(agent)
    assert (actor, found.category, found.name) == ("bot", category, name)


@pytest.mark.parametrize(
    "agent",
    [
        f"{PIXEL} Chrome-Lighthouse".replace("Lighthouse", "lighthouse"),
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
        "Mozilla/5.0 (compatible; Wappalyzer)",
        "Mozilla/5.0 zgrab/0.x",
        "WordPress/6.6; https://blog.example",
    ],
)
def test_the_list_knows_bots_that_the_core_does_not(agent: str) -> None:
    actor, found = asked(agent)
    assert actor == "bot"
    assert "listed" in found.evidence


def test_what_was_told_before_stays_and_is_evidence() -> None:
    assert asked("Something", actor="bot") == ("bot", Agent(evidence=("told",)))
    assert asked("Mozilla/5.0 (compatible; Googlebot/2.1)", actor="human") == ("human", None)


def test_a_browser_that_says_nobody_sees_it_is_a_bot() -> None:
    actor, found = asked(PIXEL, sec_ch_ua='"HeadlessChrome";v="130", "Not?A_Brand";v="99"')
    assert (actor, found.evidence) == ("bot", ("headless",))


# --- people ---


@pytest.mark.parametrize(
    "agent",
    [
        PIXEL,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Linux; U; Android 9; en-us; CUBOT NOTE S Build/PPR1) AppleWebKit/537.36 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; GoogleTV 3.2; NSZ-GS7/GX70 Build/MASTER) Chrome/11.0.696.77 Safari/534.24",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0; HTC; Radar)",
        "Mozilla/5.0 (iPad4,2; iPad; U; CPU OS 7_0_4 like Mac OS X;) com.google.GooglePlus/29676 Mobile/J72AP (gzip)",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
        "[FBAN/FBIOS;FBAV/500.0;FBBV/1;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/18.6;FBSS/3;FBLC/fr_FR;FBOP/5]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) GSA/330.0 Mobile/15E148 Safari/604.1",
        "Amazon CloudFront",
    ],
)
@pytest.mark.parametrize("programs", ["unknown", "bot"])
def test_who_may_be_somebody_is_left_alone(agent: str, programs: Any) -> None:
    assert asked(agent, settings=Settings(engine="none", programs=programs)) == ("unknown", None)


def test_that_somebody_is_human_no_header_proves() -> None:
    """Programs that drive a browser send what it sends."""
    said = {"sec_fetch_user": "?1", "sec_fetch_mode": "navigate", "sec_ch_ua": '"Google Chrome";v="130"'}
    assert asked(PIXEL, **said) == ("unknown", None)


# --- programs ---


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("okhttp/4.12.0", "okhttp"),
        ("Restos/12 CFNetwork/1410.0.3 Darwin/22.6.0", "CFNetwork"),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A)", "Dalvik"),
        ("Dart/3.5 (dart:io)", "Dart"),
        ("python-httpx/0.28.1", "httpx"),
    ],
)
@pytest.mark.parametrize("programs", ["unknown", "bot"])
def test_what_apps_call_with_may_be_an_app_of_yours(agent: str, name: str, programs: Any) -> None:
    actor, found = asked(agent, settings=Settings(engine="none", programs=programs))
    assert (actor, found.category, found.name) == ("unknown", "http_library", name)


@pytest.mark.parametrize("agent", ["MyShop/1.2", "Werkzeug/3.1.3", "testclient", "", None])
def test_a_program_that_no_list_has_is_what_the_setting_says(agent: str | None) -> None:
    actor, found = asked(agent)
    strict, _ = asked(agent, settings=Settings(engine="none", programs="bot"))
    assert (actor, strict) == ("unknown", "bot")
    assert found.evidence == (("form",) if agent else ("no_user_agent",))
    assert found.name is None


def test_apps_of_your_own_are_no_bots() -> None:
    settings = Settings(engine="none", programs="bot", own_apps=("MyShop/", "Trackr/"))
    assert asked("MyShop/1.2 (https://shop.example)", settings=settings) == ("unknown", None)
    assert asked("trackr/3", settings=settings) == ("unknown", None)
    assert asked("Other/1.0", settings=settings)[0] == "bot"


# --- mail ---


@pytest.mark.parametrize(
    ("agent", "name", "evidence"),
    [
        (GMAIL, "Gmail", "mail_proxy"),
        (YAHOO, "Yahoo Mail", "mail_proxy"),
        ("Mozilla/5.0", None, "bare_user_agent"),
        ("Mozilla/5.0 ", None, "bare_user_agent"),
    ],
)
def test_pictures_fetched_for_whoever_may_read_the_mail(agent: str, name: str | None, evidence: str) -> None:
    assert asked(agent) == ("prefetch", Agent(category="mail", name=name, evidence=(evidence,)))
    found = DeviceEnricher(Settings(engine="none")).enrich(request(headers={"user-agent": agent}), Context())
    assert "device" not in found, "the device is the proxy's pretence"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", "Thunderbird"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.12026; Pro)", "Outlook"),
    ],
)
def test_a_program_that_shows_mail_is_nobody_and_no_robot(agent: str, name: str) -> None:
    assert asked(agent) == ("unknown", Agent(category="mail", name=name, evidence=("mail_program",)))


def test_a_browser_that_fetches_ahead() -> None:
    assert asked(PIXEL, sec_purpose="prefetch;prerender") == (
        "prefetch",
        Agent(category="browser", evidence=("fetched_ahead",)),
    )
