"""The enricher, judged by cxkit's own suite."""

from __future__ import annotations

from cxkit.roles import Enricher
from cxkit.testing.enricher_suite import EnricherSuite, request
from cxkit_acquisition.enricher import AcquisitionEnricher, Settings

PAGE = {"accept": "text/html"}


class TestAcquisition(EnricherSuite):
    requests = (
        request(headers={**PAGE, "referer": "https://www.google.com/"}),
        request(headers={**PAGE, "referer": "android-app://com.google.android.gm/"}),
        request(headers={**PAGE, "referer": "https://news.example/article?id=1"}),
        request(
            query="utm_source=news&utm_medium=email&utm_campaign=spring&utm_term=nuts&utm_content=top", headers=PAGE
        ),
        request(query="gclid=Cj0KCQiA", headers={**PAGE, "referer": "https://www.google.com/"}),
        request(headers={"sec-fetch-site": "none", "sec-fetch-dest": "document"}),
        request(headers=PAGE),
    )

    def enricher(self) -> Enricher:
        return AcquisitionEnricher(Settings(internal=("pay.example",), sites={"forum.example": "social"}))
