"""The enricher, judged by cxkit's own suite: with its own words alone, and with ua-parser."""

from __future__ import annotations

from typing import Any

from cxkit.roles import Enricher
from cxkit.testing.enricher_suite import EnricherSuite, request
from cxkit_device import DeviceEnricher, Settings

HINTS = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36",
    "sec-ch-ua": '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-platform-version": '"15.0.0"',
    "sec-ch-viewport-width": "1280",
    "sec-ch-prefers-color-scheme": '"dark"',
    "sec-ch-prefers-reduced-motion": '"reduce"',
    "save-data": "on",
}
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "okhttp/4.12.0",
)


class Judged(EnricherSuite):
    __test__ = False
    settings: Any = None
    requests = (request(headers=HINTS), *(request(headers={"user-agent": agent}) for agent in AGENTS))

    def enricher(self) -> Enricher:
        return DeviceEnricher(self.settings)


class TestWords(Judged):
    __test__ = True
    settings = Settings(engine="none")


class TestEngine(Judged):
    __test__ = True
    settings = Settings(engine="ua-parser")
