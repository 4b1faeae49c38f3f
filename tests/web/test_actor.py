"""Robots and browsers that fetch ahead are recognised as no person; everybody else is not called human either."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit
from cxkit.web.actor import actor_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PEOPLE = [
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; U; Android 9; en-us; CUBOT NOTE S Build/PPR1) AppleWebKit/537.36 Mobile Safari/537.36",
    "curl/8.5.0",
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
