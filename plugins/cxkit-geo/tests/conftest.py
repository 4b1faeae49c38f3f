"""Databases on this machine, enrichers of them, and kits that find the plugin where it is installed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.model import Context, Place
from cxkit.settings import load, structure
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.testing.enricher_suite import request as asked
from cxkit_geo.enricher import GeoEnricher
from cxkit_geo.settings import Settings
from cxkit_geo.testing import SAMPLES, write_database


class Geo:
    """An enricher, asked for an address or for headers."""

    def __init__(self, **table: Any) -> None:
        self.settings = structure(Settings, {"iptocc": False, **table}, where="geo")
        self.enricher = GeoEnricher(self.settings)

    def at(self, address: str | None, *, context: Context = Context()) -> Mapping[str, Any]:
        return self.enricher.enrich(asked(client_ip=address), context)

    def by(self, headers: Mapping[str, str], *, proxied: bool = True, address: str | None = None) -> Mapping[str, Any]:
        return self.enricher.enrich(asked(headers=headers, proxied=proxied, client_ip=address), Context())

    def place(self, headers: Mapping[str, str]) -> Place | None:
        return self.by(headers).get("place")


@pytest.fixture
def geo() -> type[Geo]:
    return Geo


@pytest.fixture
def database(tmp_path: Path) -> str:
    """One in MaxMind's layout."""
    return str(write_database(tmp_path / "city.mmdb", SAMPLES["geoip2"]))


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Callable[..., cxkit.Kit]]:
    """Makes kits with a table ``[geo]``."""
    kits: list[cxkit.Kit] = []

    def make(
        *,
        strict: bool = True,
        geo: Mapping[str, Any] = {},
        exporter: RecordingExporter | None = None,
        clock: FakeClock | None = None,
        **tables: Any,
    ) -> cxkit.Kit:
        overrides = {"strict": strict, "directory": str(tmp_path / "cx"), "geo": dict(geo), **tables}
        parts: dict[str, Any] = {"stamper": Stamper(time_ns=clock.time_ns)} if clock else {}
        exporters = {"recorder": exporter} if exporter else {}
        kits.append(cxkit.Kit(load(environ={}, overrides=overrides), in_memory=True, exporters=exporters, **parts))
        assert not [one for one in kits[-1].registry.failures if one.plugin == "geo"]
        assert "geo" in kits[-1].tables, "the plugin is not installed"
        return kits[-1]

    yield make
    for one in kits:
        one.close(timeout_s=5)


class Visitor:
    """A browser before a WSGI app: it keeps cookies.

    Args:
        headers: That its requests carry, in lower case.
    """

    def __init__(self, app: Any, *, peer: str = "127.0.0.1", headers: Mapping[str, str] = {}) -> None:
        self._app = app
        self._peer = peer
        self._headers = dict(headers)
        self.cookies: dict[str, str] = {}

    def ask(
        self, path: str = "/", *, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET" if body is None else "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "HTTP_HOST": "shop.example",
            "REMOTE_ADDR": self._peer,
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body or b""),
            "CONTENT_LENGTH": str(len(body or b"")),
            "CONTENT_TYPE": "application/json",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        for name, value in {**self._headers, **headers}.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", environ["CONTENT_TYPE"])
        began: list[Any] = []
        answered = self._app(environ, lambda status, said, *_: began.extend((int(status[:3]), said)))
        told = b"".join(answered)
        close = getattr(answered, "close", None)
        if close is not None:
            close()
        for name, value in began[1]:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return began[0], {name.lower(): value for name, value in began[1]}, told


@pytest.fixture
def visitor() -> type[Visitor]:
    return Visitor
