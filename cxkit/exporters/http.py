"""An HTTP collector: each batch is one POST of CloudEvents.

The request carries ``Content-Type: application/cloudevents-batch+json`` and ``Idempotency-Key``, the
batch's id, the same in every attempt with the same content.

What the answer means is the table of `cxkit.transport.judge`. An answer of 2xx may also accept a part:
status 207, or a JSON body, with one or both of ::

    {"rejected": [{"index": 3, "reason": "unknown_type"}],      refused for ever
     "retry": [4, 5]}                                           to be tried again

Indexes count from 0 in the batch as it was posted. A reason is one word of a-z, 0-9 and _; any other, and
one that stands in the refused interaction itself, becomes ``rejected``: it may be about a person.
A 207 that cannot be read, like JSON that is longer than 64 KiB, is taken as a refusal of the whole batch:
halves of it have shorter answers.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import msgspec

from cxkit.codec import BATCH_CONTENT_TYPE, encode_batch
from cxkit.errors import TransportError
from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit.settings import Secret
from cxkit.transport import Response, Transport, check_headers, judge, origin_of, shown_request

__all__ = ["FACTORY", "HTTPExporter", "Settings"]

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OWN_FIELDS: Final = frozenset({"content-type", "content-encoding", "idempotency-key"})


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "http"``."""

    url: str = attrs.field(validator=lambda _, __, url: origin_of(url), repr=origin_of)
    """Where to post. Credentials in it become Basic authentication, but ``headers`` is the better place."""
    headers: Mapping[str, Secret] = attrs.field(
        factory=dict, validator=lambda _, __, headers: check_headers(headers, own=_OWN_FIELDS)
    )
    """Further header fields, such as ``Authorization``."""
    gzip: bool = False
    """Whether bodies are compressed."""
    ca_file: str | None = None
    """A PEM file of the certificate authorities to trust instead of the system's."""


class _Rejected(msgspec.Struct):
    index: int
    reason: str = "rejected"


class _Partial(msgspec.Struct):
    rejected: list[_Rejected] = []
    retry: list[int] = []


_partial: Final = msgspec.json.Decoder(_Partial)


class HTTPExporter:
    """Posts batches to a collector.

    Example:
        >>> HTTPExporter(Settings(url="http://127.0.0.1:1/")).export(Batch("b1", (b"{}",)), deadline_s=1.0)
        Outcome(verdict='retry', reason='network', retry_after_s=None, rejected={}, again=frozenset())
    """

    purposes: frozenset[str] = frozenset()
    erases: Final = "requested"  # the collector is told: what it makes of it is its own affair

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transport = Transport(ca_file=settings.ca_file)

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Post the batch once."""
        headers, body = self._request(batch)
        end: Response | TransportError
        try:
            end = self._transport.request("POST", self._settings.url, headers=headers, body=body, deadline_s=deadline_s)
        except TransportError as error:
            end = error
        if isinstance(end, Response) and 200 <= end.status < 300:
            return _accepted(end, batch.payloads)
        return Outcome(**judge(end)._asdict())

    def preview(self, batch: Batch) -> str:
        """The request, with the body as it is before it is compressed."""
        headers, body = self._request(batch)
        return shown_request(
            "POST",
            self._settings.url,
            headers=headers,
            body=body,
            hidden=[name.lower() for name in self._settings.headers],
            text=encode_batch(batch.payloads).decode("utf-8", "replace"),
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _request(self, batch: Batch) -> tuple[dict[str, str], bytes]:
        body = encode_batch(batch.payloads)
        headers = {name: value.reveal() for name, value in self._settings.headers.items()}
        headers |= {"content-type": BATCH_CONTENT_TYPE, "idempotency-key": batch.id}
        if self._settings.gzip:
            # The fastest level, and no time in it: an attempt repeats the same bytes.
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["content-encoding"] = "gzip"
        return headers, body


def _accepted(response: Response, payloads: Sequence[bytes]) -> Outcome:
    is_json = "json" in response.headers.get("content-type", "")
    if response.status != 207 and not (is_json and response.body):
        return Outcome.delivered()
    try:
        partial = _partial.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        unread = response.status == 207 or response.truncated
        return Outcome.split("answer_unreadable") if unread else Outcome.delivered()
    size = len(payloads)
    rejected = {one.index: _word(one.reason, payloads[one.index]) for one in partial.rejected if 0 <= one.index < size}
    again = {index for index in partial.retry if 0 <= index < size} - rejected.keys()
    return Outcome.reject(rejected, again=again) if rejected or again else Outcome.delivered()


def _word(reason: str, payload: bytes) -> str:
    return reason if _WORD.fullmatch(reason) and reason.encode() not in payload else "rejected"


FACTORY: Final[Factory[Exporter]] = Factory(name="http", settings=Settings, build=HTTPExporter)
