"""The checks that every exporter must pass. The other side is a stand-in: not Segment, not RudderStack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cxkit.testing.exporter_suite import HTTPBackend, Received, exporter_suite
from cxkit.testing.receiver import Answer, Request
from cxkit_segment import FACTORY


class Endpoint(HTTPBackend):
    """What the HTTP API says of itself: Basic authentication, all of a batch or nothing, a 200 that says so."""

    fields = ("name", "occurred_at", "properties")
    max_records = 8
    max_bytes = 16_384

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.receiver.url, "write_key": self.secret}

    def ok(self, request: Request) -> Answer:
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=b'{"success":true}')

    def read(self, request: Request) -> Sequence[Received]:
        assert (request.method, request.path) == ("POST", "/v1/batch")
        return [self._received(message) for message in json.loads(request.content)["batch"]]

    def _received(self, message: dict[str, Any]) -> Received:
        properties = dict(message["properties"])
        assert properties.pop("kind") == "action"
        return Received(
            id=message["messageId"],
            key=message["messageId"],
            fields={
                "name": message["event"],
                "occurred_at": datetime.fromisoformat(message["timestamp"]),
                "properties": properties,
            },
        )


TestSegment = exporter_suite(
    FACTORY,
    backend=Endpoint,
    skips={"test_partial_acceptance_is_exact": "the HTTP API takes a batch or refuses it; it has no words for a part"},
)
