"""The enricher, judged by cxkit's own suite: with a database, behind a platform, and with registries' data alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxkit.roles import Enricher
from cxkit.testing.enricher_suite import EnricherSuite, request
from cxkit_geo.enricher import FACTORY
from cxkit_geo.settings import Settings
from cxkit_geo.testing import LYON, MONTREAL, NICOSIA, SAMPLES, write_database


class TestDatabase(EnricherSuite):
    requests = tuple(request(client_ip=address) for address in (LYON, MONTREAL, NICOSIA, "104.16.0.1"))

    @pytest.fixture(autouse=True)
    def written(self, tmp_path: Path) -> None:
        self.path = write_database(tmp_path / "city.mmdb", SAMPLES["geoip2"])

    def enricher(self) -> Enricher:
        return FACTORY.build(Settings(database=self.path, precision="coordinates", markets={"dach": ("DE",)}))


class TestPlatform(EnricherSuite):
    requests = (
        request(headers={"cf-ipcountry": "FR", "cf-ipcity": "Lyon", "cf-timezone": "Europe/Paris"}, proxied=True),
        request(headers={"cf-ipcountry": "CA", "cf-region-code": "QC"}, proxied=True),
    )

    def enricher(self) -> Enricher:
        return FACTORY.build(Settings(platform="cloudflare", precision="city"))


class TestNetlify(EnricherSuite):
    requests = (request(headers={"x-nf-geo": "eyJjb3VudHJ5Ijp7ImNvZGUiOiJGUiJ9fQ=="}, proxied=True),)

    def enricher(self) -> Enricher:
        return FACTORY.build(Settings(platform="netlify"))


class TestRegistries(EnricherSuite):
    requests = (request(client_ip="8.8.8.8"), request(client_ip="2a01:e0a::1"))

    def enricher(self) -> Enricher:
        return FACTORY.build(Settings(iptocc=True))
