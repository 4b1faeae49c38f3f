"""A request comes in; from where?"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from cxkit.model import Acquisition, Context
from cxkit.testing.enricher_suite import request
from cxkit_acquisition.enricher import AcquisitionEnricher, Settings


@pytest.fixture(scope="session")
def plain() -> AcquisitionEnricher:
    return AcquisitionEnricher(Settings())


@pytest.fixture
def came(plain: AcquisitionEnricher) -> Callable[..., Acquisition | None]:
    """What is found of a request; None: nothing."""

    def came(
        referer: str | None = None,
        query: str = "",
        *,
        settings: Settings | None = None,
        context: Context = Context(),
        method: str = "GET",
        host: str | None = "shop.example",
        scheme: str = "https",
        **headers: str,
    ) -> Acquisition | None:
        enricher = plain if settings is None else AcquisitionEnricher(settings)
        sent = {"accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if referer is not None:
            sent["referer"] = referer
        facts = request(headers=sent, query=query)
        facts = attrs.evolve(facts, method=method, host=host, scheme=scheme)
        found = enricher.enrich(facts, context)
        assert set(found) <= {"acquisition"}
        acquisition = found.get("acquisition")
        assert acquisition is None or isinstance(acquisition, Acquisition)
        return acquisition

    return came
