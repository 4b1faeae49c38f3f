"""What it costs to know where a request comes from: on the pages of a visit, and on its first one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.pairs import paired, table
from cxkit.model import Context, Facts, Page
from cxkit.testing.enricher_suite import request
from cxkit_acquisition.enricher import AcquisitionEnricher, Settings

__all__ = ["run"]

HERE = Context(channel="web", page=Page(route="/nuts/{sku}", method="GET"))
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
WITHIN = {**PAGE, "referer": "https://shop.example/cart?step=2"}
BROWSER = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
CAMPAIGN = "utm_source=News&utm_medium=E-mail&utm_campaign=Spring+Sale&utm_content=top&gclid=Cj0KCQiA5NSrBhDkARIsAHdNrj"


class Nothing:
    """The floor: an enricher that says nothing."""

    def enrich(self, facts: Facts, context: Context) -> dict[str, object]:
        return {}


def run(*, quick: bool) -> str:
    enricher = AcquisitionEnricher(Settings())
    visits = {
        "a page within the visit, as browsers say": request(headers={**WITHIN, **BROWSER}, query="page=2"),
        "a page within the visit, by its referrer": request(headers=WITHIN, query="page=2"),
        "by themselves": request(headers=PAGE),
        "from a known site": request(headers={**PAGE, "referer": "https://www.google.com/"}),
        "from another site": request(headers={**PAGE, "referer": "https://news.example.co.uk/article"}),
        "by a campaign, with a click id": request(
            headers={**PAGE, "referer": "https://www.google.com/"}, query=CAMPAIGN
        ),
        "1 MB of query": request(query="x=" + "y" * 1_000_000, headers=PAGE),
    }
    subjects: dict[str, Callable[[int], object]] = {"floor: a call that says nothing": asking(Nothing(), request())}
    subjects |= {name: asking(enricher, facts) for name, facts in visits.items()}
    subjects["from a site never seen before"] = partial(anew, enricher)
    rows = paired(subjects, base=next(iter(subjects)), calls=500 if quick else 5_000, rounds=5 if quick else 20)
    return table(
        "Acquisition of one request",
        "CPU time of the calling thread. Budget: 5 us for a visitor whose hosts are known, 250 us for a new one.",
        rows,
    )


def asking(enricher: Any, facts: Facts) -> Callable[[int], object]:
    return lambda _: enricher.enrich(facts, HERE)


_count = iter(range(10**9))


def anew(enricher: AcquisitionEnricher, _: int) -> object:
    return enricher.enrich(request(headers={**PAGE, "referer": f"https://www.site{next(_count)}.co.uk/"}), HERE)
