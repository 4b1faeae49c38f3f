"""The exporter, judged by cxkit's own suite, before a receiver that reads OTLP with the official classes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cxkit.testing.exporter_suite import HTTPBackend, Received, exporter_suite
from cxkit.testing.receiver import Answer
from cxkit_otel.exporter import FACTORY
from cxkit_otel.testing import Log, answer, logs_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OTLPBackend(HTTPBackend):
    fields = ("name", "occurred_at", "source", "kind", "channel", "properties")

    def settings(self) -> Mapping[str, object]:
        return {"endpoint": self.url, "hash_key": self.secret, "properties": ["*"]}

    def read(self, request: Any) -> list[Received]:
        return [received(log) for log in logs_of(request.content)]

    def ok(self, request: Any) -> Answer:
        return answer()


def received(log: Log) -> Received:
    held = log.attributes
    fields = {
        "name": log.event.removeprefix("cx."),
        "occurred_at": EPOCH + timedelta(microseconds=log.record.time_unix_nano // 1000),
        "source": "/" + log.resource["service.name"],
        "kind": held["cx.kind"],
        "channel": held.get("cx.channel"),
        "properties": {name.removeprefix("cx.p."): one for name, one in held.items() if name.startswith("cx.p.")},
    }
    return Received(id=held["cx.event.id"], fields=fields)


TestOTel = exporter_suite(
    FACTORY,
    backend=OTLPBackend,
    skips={
        "test_partial_acceptance_is_exact": "OTLP says how many are refused, never which, and has no 'later' for some; "
        "test_requests.py has what the exporter makes of that"
    },
)
