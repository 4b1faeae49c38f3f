"""What cxkit-device adds to a visit: of somebody remembered, and of somebody new, by words alone and with ua-parser."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.pairs import Row, rated, table
from cxkit.model import Context, Facts
from cxkit.web.cookies import CookieNames
from cxkit.web.facts import FactsReader
from cxkit_device import DeviceEnricher, Settings

CACHED_US, NEW_US = 5.0, 250.0
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{n}.0.{n}.0"
AGENTS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; SM-S9{{n}}B) {CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/{{n}}.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{n} "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{n} "
    "Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0",
    "Mozilla/5.0 (compatible; Googlebot/2.{n}; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.{n}) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV Safari/537.36",
)
HINTS = {
    "sec-ch-ua": '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    "sec-ch-ua-mobile": "?1",
    "sec-ch-ua-platform": '"Android"',
    "sec-ch-viewport-width": "412",
    "sec-ch-prefers-color-scheme": '"dark"',
}


def run(*, quick: bool) -> str:
    rounds, visitors = (3, 10) if quick else (31, 40)
    words, engine = DeviceEnricher(Settings(engine="none")), DeviceEnricher(Settings(engine="ua-parser"))
    names = CookieNames(visitor="v", consent="c")
    reader = FactsReader(cookie_names=lambda scheme: names, client_ip=lambda headers, peer: peer)
    kept = [asked(reader, agent.format(n=1)) for agent in AGENTS]
    found: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        new = [asked(reader, agent.format(n=turn * 100 + one + 10)) for agent in AGENTS for one in range(visitors)]
        for name, enricher, facts, again in (
            ("remembered", engine, kept, visitors),
            ("new, by words alone", words, new, 1),
            ("new, with ua-parser in Rust", engine, new, 1),
        ):
            spent = each(enricher, facts, again)
            if turn:  # the first round warms up
                found.setdefault(name, []).append(spent)
    rows = [rated(name, values, found["remembered"], "us") for name, values in found.items()]
    return table(
        "Device, bots and hints",
        "CPU time of one call of cxkit-device's enricher, from the headers as ASGI has them, with five client hints; "
        f"{len(AGENTS)} kinds of user agents. Budget: {CACHED_US:.0f} us remembered, {NEW_US:.0f} us new: "
        f"{said(rows)}.",
        rows,
    )


def asked(reader: FactsReader, agent: str) -> Facts:
    headers = [
        (name.encode(), text.encode()) for name, text in {"host": "shop.example", "user-agent": agent, **HINTS}.items()
    ]
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/",
        "headers": headers,
        "client": ("192.0.2.7", 1),
    }
    return reader.asgi(scope)


def each(enricher: DeviceEnricher, facts: Sequence[Facts], again: int) -> float:
    context = Context(channel="web")
    began = time.thread_time()
    for _ in range(again):
        for one in facts:
            enricher.enrich(one, context)
    return (time.thread_time() - began) / (len(facts) * again) * 1e6


def said(rows: list[Row]) -> str:
    limits = (CACHED_US, NEW_US, NEW_US)
    met = [row.value <= limit for row, limit in zip(rows, limits, strict=True)]
    return ", ".join("met" if one else "missed" for one in met)


if __name__ == "__main__":
    print(run(quick=False))
