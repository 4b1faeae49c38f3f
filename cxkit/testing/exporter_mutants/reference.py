"""The reference: a small exporter that does all it must, and its other side."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import msgspec

from cxkit.codec import decode
from cxkit.errors import CodecError, TransportError
from cxkit.model import Interaction
from cxkit.roles import Batch, Factory, Outcome
from cxkit.testing.answers import Answer, Request
from cxkit.testing.exporter_suite.backend import Received
from cxkit.testing.exporter_suite.backends import HTTPBackend
from cxkit.transport import Response, Transport, judge, origin_of

__all__ = ["REFERENCE", "CounterBackend", "CounterExporter", "Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """Of the reference."""

    url: str = attrs.field(repr=origin_of)
    """Where to post; its credentials become Basic authentication."""
    gzip: bool = False
    """Whether bodies are compressed."""


class CounterBackend(HTTPBackend):
    """The other side of the reference: the shop's counter, which takes one JSON object per line."""

    fields = ("name", "occurred_at", "properties")
    patience_s = 0.5

    def read(self, request: Request) -> Sequence[Received]:
        lines = request.content.splitlines()
        if not lines:
            raise ValueError("nothing in it")
        return [_received(msgspec.json.decode(line)) for line in lines]

    def partial(self, request: Request, refused: Mapping[int, str], again: Any) -> Answer:
        told = {"refused": {str(line): why for line, why in refused.items()}, "later": sorted(again)}
        return Answer(status=200, body=msgspec.json.encode(told))


def _received(line: Mapping[str, Any]) -> Received:
    fields = {"name": line["what"], "occurred_at": datetime.fromisoformat(line["at"]), "properties": line["with"]}
    return Received(id=line["id"], key=line["key"], fields=fields)


class CounterExporter:
    """The reference: passes the whole suite.

    Example:
        >>> CounterExporter(Settings(url="http://127.0.0.1:1/")).export(Batch("b1", ()), deadline_s=1.0).verdict
        'delivered'
    """

    purposes: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transport = Transport()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Post what can be read; name what cannot."""
        lines: dict[int, bytes] = {}
        rejected: dict[int, str] = {}
        for place, payload in enumerate(batch.payloads):
            try:
                lines[place] = self.line(self.read(payload), batch)
            except (CodecError, ValueError):
                rejected[place] = "unreadable"
        if not lines:
            return Outcome.reject(rejected) if rejected else Outcome.delivered()
        end = self.post(b"\n".join(lines.values()), deadline_s=deadline_s)
        outcome = self.judged(end, [*lines])
        return self.joined(outcome, rejected)

    def read(self, payload: bytes) -> Interaction:
        return decode(payload)

    def line(self, one: Interaction, batch: Batch) -> bytes:
        """One interaction in the counter's words."""
        return msgspec.json.encode(
            {
                "id": one.id,
                "key": f"cx-{one.id}",
                "at": one.occurred_at.isoformat(),
                "what": one.name,
                "with": one.properties,
            }
        )

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        headers = {"content-type": "application/x-ndjson"}
        if self._settings.gzip:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, mtime=0)
        try:
            return self._transport.request(
                "POST", self._settings.url, headers=headers, body=body, deadline_s=deadline_s
            )
        except TransportError as error:
            return error

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        """What an answer means; ``places`` are the lines' places in the batch."""
        if isinstance(end, Response) and end.status == 200 and end.body:
            told = msgspec.json.decode(end.body)
            refused = {places[int(line)]: "refused" for line in told["refused"]}
            return Outcome.reject(refused, again=[places[line] for line in told["later"]])
        return Outcome(**judge(end)._asdict())

    def joined(self, outcome: Outcome, rejected: Mapping[int, str]) -> Outcome:
        """With those that were not even posted."""
        if not rejected or outcome.verdict not in ("delivered", "reject"):
            return outcome
        return Outcome.reject({**rejected, **outcome.rejected}, again=outcome.again)

    def preview(self, batch: Batch) -> str:
        return f"POST {origin_of(self._settings.url)}, {len(batch)} lines"

    def close(self) -> None:
        self._transport.close()


REFERENCE: Final[Factory[Any]] = Factory(name="counter", settings=Settings, build=CounterExporter)
"""Builds the reference."""
