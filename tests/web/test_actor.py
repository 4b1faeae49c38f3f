"""Robots and browsers that fetch ahead are recognised as no person; everybody else is not called human either."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit
from cxkit.web import actor as of_actor
from cxkit.web.actor import actor_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PEOPLE = [
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; U; Android 9; en-us; CUBOT NOTE S Build/PPR1) AppleWebKit/537.36 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12; CUBOT_X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari",
    "Mozilla/5.0 (Linux; Android 14; Curl/Wget; Google TV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 via WhatsApp/2.24",
    "okhttp/4.12.0",
    "testclient",
    "Werkzeug/3.1.3",
    "python-httpx/0.28.1",
    "canary-agent",
    "",
]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
    "Mozilla/5.0 (compatible; bots; +https://robots.example)",
    "some_bot_1",
    "WhatsApp/2.23.20.0 A",
    "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
    "Mozilla/5.0 (Linux; Android 7.0) Chrome/130.0.0.0 Mobile Safari/537.36 (compatible; Google-Read-Aloud; +https://x)",
    "GoogleOther",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "facebookcatalog/1.0",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36 DatadogSynthetics",
    "Site24x7",
    "curl/8.5.0",
    "Wget/1.21.4",
    "Python-urllib/3.12",
    "python-requests/2.32.3",
    "Python/3.12 aiohttp/3.10.5",
    "Go-http-client/2.0",
    "axios/1.7.7",
    "ia_archiver (+http://www.alexa.com/site/help/webmasters; crawler@alexa.com)",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_who_may_be_somebody(agent: str) -> None:
    assert actor_of({"user-agent": agent}) == "unknown"
    assert actor_of({}) == "unknown"


@pytest.mark.parametrize("agent", ROBOTS)
def test_who_says_they_are_a_robot(agent: str) -> None:
    assert actor_of({"user-agent": agent}) == "bot"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"x-purpose": "preview"},
    ],
)
def test_what_is_fetched_ahead_is_seen_by_nobody(headers: dict[str, str]) -> None:
    assert actor_of({"user-agent": FIREFOX, **headers}) == "prefetch"


def test_a_long_name_is_not_read_to_its_end() -> None:
    assert actor_of({"user-agent": "a" * 1_000_000 + "bot"}) == "unknown"


def test_no_name_is_kept() -> None:
    for number in range(5000):
        actor_of({"user-agent": f"{FIREFOX} {number}"})
    assert len(of_actor._known) == 4096


@pytest.mark.parametrize(
    ("headers", "actor"),
    [([(b"user-agent", ROBOTS[0].encode())], "bot"), ([(b"sec-purpose", b"prefetch")], "prefetch")],
)
def test_nobody_is_recognised(shop: Any, visitor: Any, kept: Any, headers: Any, actor: str) -> None:
    """Not with the cookies of somebody, nor with a choice of its own, nor where nobody has to be asked."""
    held = dict(visitor.cookies)
    seen = shop(lambda: cxkit.current().identity)
    seen.cookies = dict(held)
    assert not seen.ask(headers=headers).all("set-cookie")
    robot = shop(lambda: cxkit.grant("analytics", "personalization"))
    assert list(robot.ask(headers=headers).cookies) in ([], ["cxkit_consent"])
    for one in kept.named("page.viewed")[-2:]:
        assert (one.context.actor, one.identity.identifiers) == (actor, ())
        assert one.context.page.method == "GET"
