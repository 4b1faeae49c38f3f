"""What cxkit-acquisition, cxkit-device and cxkit-geo add to a visit together, as a kit runs them."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from benchmarks.device import AGENTS, HINTS
from benchmarks.geo import database
from benchmarks.pairs import Row, rated, table
from cxkit.capture.enrich import Enrichment
from cxkit.model import Context, Facts, Page
from cxkit.web.cookies import CookieNames
from cxkit.web.facts import FactsReader
from cxkit_acquisition.enricher import AcquisitionEnricher
from cxkit_acquisition.enricher import Settings as Acquisition
from cxkit_device import DeviceEnricher
from cxkit_device import Settings as Device
from cxkit_geo.enricher import GeoEnricher
from cxkit_geo.settings import Settings as Geo

__all__ = ["run"]

KNOWN_US, NEW_US = 5.0, 250.0
PAGE = Context(channel="web", page=Page(route="/nuts/{sku}", method="GET"), locale="fr-FR")
"""One object for all visits to a page, as a web plugin has it."""
WITHIN = {"referer": "https://shop.example/", "sec-fetch-site": "same-origin", "sec-fetch-dest": "document"}
ARRIVING = {"referer": "https://www.google.com/", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
BROWSERS = [agent for agent in AGENTS if "bot" not in agent]


def run(*, quick: bool) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "city.mmdb")
        path.write_bytes(database(12))
        times, tail = _measured(_enrichment(path), rounds=3 if quick else 31, each=100 if quick else 400)
    base = times["a known visitor, a further page"]
    rows = [rated(name, values, base, "us") for name, values in times.items()]
    limits = (KNOWN_US, KNOWN_US, NEW_US)
    return table(
        "Enrichment of a visit",
        "CPU time of the calling thread for all three plugins, checked and merged: ua-parser in Rust, a database of "
        f"4,096 networks by city, five client hints. Budget: {KNOWN_US:.0f} us known, {NEW_US:.0f} us new: "
        f"{_said(rows, limits)}. Of the new ones, 95 of 100 take at most {tail:.0f} us.",
        rows,
    )


def _enrichment(path: Path) -> Enrichment:
    enrichers = {
        "acquisition": AcquisitionEnricher(Acquisition()),
        "device": DeviceEnricher(Device(engine="ua-parser")),
        "geo": GeoEnricher(Geo(database=path, precision="city", iptocc=False)),
    }
    return Enrichment(enrichers, count=lambda what: None)


def _measured(enrichment: Enrichment, *, rounds: int, each: int) -> tuple[dict[str, list[float]], float]:
    new = _new()
    kinds: dict[str, Callable[[], Sequence[Facts]]] = {
        "a known visitor, a further page": lambda: [_asked(agent, 1, WITHIN) for agent in BROWSERS],
        "a known visitor, who comes from a known site": lambda: [_asked(agent, 1, ARRIVING) for agent in BROWSERS],
        "a new visitor, who comes from a site never seen": lambda: [next(new) for _ in BROWSERS],
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    single: list[float] = []
    for turn in range(rounds + 1):
        for name, made in kinds.items():
            visits = [one for _ in range(each // len(BROWSERS)) for one in made()]
            began = time.thread_time()
            for facts in visits:
                enrichment(facts, PAGE)
            if turn:  # the first round warms up
                times[name].append((time.thread_time() - began) / len(visits) * 1e6)
        for facts in (next(new) for _ in range(each)):
            began = time.thread_time()
            enrichment(facts, PAGE)
            single.append((time.thread_time() - began) * 1e6)
    return times, statistics.quantiles(single, n=20)[-1]


def _new() -> Iterator[Facts]:
    """Visitors with an address, a device and an origin of their own."""
    for number in count(2):
        yield _asked(
            BROWSERS[number % len(BROWSERS)],
            number,
            {**ARRIVING, "referer": f"https://www.site{number}.co.uk/"},
        )


_NAMES = CookieNames(visitor="v", consent="c")
_READER = FactsReader(cookie_names=lambda scheme: _NAMES, client_ip=lambda headers, peer: peer)


def _asked(agent: str, number: int, headers: dict[str, str]) -> Facts:
    said = {"host": "shop.example", "user-agent": agent.format(n=number), **HINTS, **headers}
    said["sec-ch-viewport-width"] = str(320 + number % 1000)
    address = f"{11 + number % 80}.{number * 7 // 65536 % 256}.{number * 7 // 256 % 256}.7"
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/nuts/ALM-200",
        "headers": [(name.encode(), text.encode()) for name, text in said.items()],
        "client": (address, 1),
    }
    return _READER.asgi(scope)


def _said(rows: list[Row], limits: Sequence[float]) -> str:
    met = [row.value <= limit for row, limit in zip(rows, limits, strict=True)]
    return ", ".join("met" if one else "missed" for one in met)


if __name__ == "__main__":
    print(run(quick=False))
