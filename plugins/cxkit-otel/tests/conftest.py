"""A collector on this machine, and an exporter that talks to it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cxkit.codec import encode
from cxkit.model import Interaction
from cxkit.roles import Batch, Outcome
from cxkit.settings import Secret
from cxkit.testing.receiver import Receiver, Request
from cxkit_otel.exporter import OTelExporter, Settings
from cxkit_otel.testing import Log, answer, logs_of


def unpacked(request: Request) -> bytes:
    """The body without compression."""
    return gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body


class Collector(Receiver):
    """A receiver that answers as OTLP collectors do."""

    key = Secret("a key of sixteen characters")

    def __init__(self) -> None:
        super().__init__(answer=lambda request: answer())

    @property
    def logs(self) -> list[Log]:
        """All that came, accepted or not."""
        return [log for request in self.requests for log in logs_of(unpacked(request))]

    def exporter(self, **settings: Any) -> OTelExporter:
        return OTelExporter(Settings(**{"endpoint": self.url, "hash_key": self.key, **settings}))

    def export(self, *interactions: Interaction | bytes, **settings: Any) -> Outcome:
        """One attempt with an exporter of its own."""
        exporter = self.exporter(**settings)
        payloads = tuple(one if isinstance(one, bytes) else encode(one) for one in interactions)
        try:
            return exporter.export(Batch("b1", payloads), deadline_s=5.0)
        finally:
            exporter.close()

    def one(self, interaction: Interaction, **settings: Any) -> Log:
        """What becomes of an interaction."""
        assert self.export(interaction, **settings) == Outcome.delivered()
        (log,) = self.logs
        return log


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as opened:
        yield opened


@pytest.fixture
def plainly() -> Callable[..., Interaction]:
    """Makes interactions with little in them."""

    def make(**changes: Any) -> Interaction:
        about = {"id": "i1", "occurred_at": datetime(2027, 1, 1, tzinfo=UTC), "name": "page.viewed", "source": "/shop"}
        return Interaction(**{**about, **changes})

    return make
