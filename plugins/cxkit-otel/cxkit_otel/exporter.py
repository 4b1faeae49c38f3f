"""The exporter: each interaction is an OTLP log event, and each batch one request.

It speaks OTLP/HTTP through cxkit's own transport, once, and says how that ended; the lane retries.
What the OTLP specification leaves open, or what is deliberately done otherwise here:

* **Every 5xx is tried again**, not only 502, 503 and 504: a collector that restarts answers 500
  too, and what it did not take is not lost over that. 4xx is judged as everywhere in cxkit.
* **Partial success names a count, not which.** The specification would have it left at that ("must
  not retry"). Then nobody could say which interactions are missing at the backend, and those
  refused would be lost, dead letters being the wrong ones. So parts of the batch are sent again
  within the same attempt until it is known which they are (`cxkit_otel.partial`). The price: some of
  those accepted arrive again, with the same ``cx.event.id``. Where the answers contradict each other,
  as when a collector refuses by chance or quota, that whole part becomes dead letters, under a
  reason that says so: rather too many kept than one lost.
* **A web page** is no collector's answer, though its status is 200: the exporter pauses.

Source: OTLP 1.x, https://opentelemetry.io/docs/specs/otlp/.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import attrs
import msgspec

from cxkit.codec import decode
from cxkit.errors import ConfigurationError, TransportError
from cxkit.keyring import Keyring
from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit.settings import Secret
from cxkit.transport import Response, Transport, check_headers, judge, origin_of, shown_request
from cxkit_otel.attributes import SCHEMA_URL, Customer, customer_of
from cxkit_otel.events import Event, Events
from cxkit_otel.partial import locate
from cxkit_otel.protobuf import Logs, rejected, request
from cxkit_otel.traces import unobserved

__all__ = ["FACTORY", "OTelExporter", "Settings"]

_PATH: Final = "/v1/logs"
_TYPE: Final = "application/x-protobuf"
_OWN_FIELDS: Final = frozenset({"content-type", "content-encoding"})
_MIN_KEY_CHARS: Final = 16


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "otel"``.

    Raises:
        ConfigurationError: A value is wrong, or ``hash_key`` is missing where it is needed.
    """

    endpoint: str = attrs.field(
        default="http://localhost:4318", validator=lambda _, __, url: origin_of(url), repr=origin_of
    )
    """The collector; ``/v1/logs`` is added unless it ends so."""
    headers: Mapping[str, Secret] = attrs.field(
        factory=dict, validator=lambda _, __, headers: check_headers(headers, own=_OWN_FIELDS)
    )
    """Further header fields, such as ``Authorization``."""
    gzip: bool = False
    """Whether bodies are compressed."""
    ca_file: str | None = None
    """A PEM file of the certificate authorities to trust instead of the system's."""
    resource: Mapping[str, str] = attrs.field(factory=dict)
    """Attributes of the resource, such as ``deployment.environment.name``."""
    properties: tuple[str, ...] = ()
    """The names of the properties to send, as ``cx.p.NAME``; ``*`` is all of them."""
    customer: Customer = "hash"
    """How a customer is named: a keyed hash of the user id, the ``id`` itself, or ``none`` at all."""
    hash_key: Secret | None = None
    """The secret of those hashes, at least 16 characters. That of ``keys.identifier`` gives cxkit's own hashes."""

    def __attrs_post_init__(self) -> None:
        if self.customer == "hash" and (self.hash_key is None or len(self.hash_key.reveal()) < _MIN_KEY_CHARS):
            raise ConfigurationError(
                '"hash_key" is missing or short: without a secret, whoever guesses a user id knows its hash',
                fix='set it to at least 16 characters that stay secret and the same, or customer = "none"',
                code="CX9011",
            )


class _Record(NamedTuple):
    """A log record of a batch."""

    place: int
    """In the batch."""
    service: str
    scope: tuple[str, str]
    encoded: bytes


class OTelExporter:
    """Posts batches to an OTLP collector.

    Example:
        >>> exporter = OTelExporter(Settings(endpoint="http://127.0.0.1:1", customer="none"))
        >>> exporter.export(Batch("b1", ()), deadline_s=1.0).verdict
        'delivered'
        >>> exporter.close()
    """

    purposes: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        secret = settings.hash_key.reveal().encode() if settings.hash_key else bytes(_MIN_KEY_CHARS)
        keyring = Keyring(signing=[secret], identifier=secret)
        self._settings = settings
        self._url = _logs_url(settings.endpoint)
        self._events = Events(
            customer=customer_of(settings.customer, keyring.identifier_key), properties=settings.properties
        )
        self._transport = Transport(ca_file=settings.ca_file)

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Post the batch, once unless the collector refuses some of it and does not say which."""
        until = monotonic() + deadline_s
        records, reasons = self._records(batch)
        if not records:
            return Outcome.reject(reasons) if reasons else Outcome.delivered()
        count = self._refused(records, until)
        if isinstance(count, Outcome):
            return count

        def ask(part: range) -> int | None:
            found = self._refused(records[part.start : part.stop], until)
            return found if isinstance(found, int) else None

        located = locate(len(records), count, ask)
        reasons |= {records[place].place: "rejected" for place in located.refused}
        reasons |= {records[place].place: "rejected_unnamed" for place in located.unnamed}
        again = [records[place].place for place in located.later]
        return Outcome.reject(reasons, again=again) if reasons or again else Outcome.delivered()

    def body(self, batch: Batch) -> bytes:
        """What is posted, before it is compressed: an ``ExportLogsServiceRequest``."""
        return self._written(self._records(batch)[0])

    def preview(self, batch: Batch) -> str:
        """The request, its events as text: one JSON object each."""
        headers, body = self._packed(self.body(batch))
        return shown_request(
            "POST",
            self._url,
            headers=headers,
            body=body,
            hidden=[name.lower() for name in self._settings.headers],
            text="\n".join(self._shown(self._events.of(one)) for one in batch),
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _records(self, batch: Batch) -> tuple[list[_Record], dict[int, str]]:
        """The log records, and of what cannot be read: index to reason."""
        records: list[_Record] = []
        unreadable: dict[int, str] = {}
        for index, payload in enumerate(batch.payloads):
            try:
                event = self._events.of(decode(payload))
                records.append(_Record(index, event.service, event.scope, event.encoded()))
            except Exception:  # noqa: BLE001 - one that cannot be read must not hold up the others
                unreadable[index] = "unreadable"
        return records, unreadable

    def _refused(self, records: Sequence[_Record], until: float) -> int | Outcome:
        """How many of them are refused; or, if not all others are accepted, what became of all."""
        headers, body = self._packed(self._written(records))
        left_s = max(0.0, until - monotonic())
        end: Response | TransportError
        try:
            with unobserved():
                end = self._transport.request("POST", self._url, headers=headers, body=body, deadline_s=left_s)
        except TransportError as error:
            end = error
        return _understood(end)

    def _written(self, records: Iterable[_Record]) -> bytes:
        logs: Logs = {}
        for record in records:
            logs.setdefault(record.service, {}).setdefault(record.scope, []).append(record.encoded)
        return request(logs, resource=self._settings.resource, schema_url=SCHEMA_URL)

    def _packed(self, body: bytes) -> tuple[dict[str, str], bytes]:
        headers = {name: value.reveal() for name, value in self._settings.headers.items()}
        headers["content-type"] = _TYPE
        if self._settings.gzip:
            # The fastest level, and no time in it: an attempt repeats the same bytes.
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["content-encoding"] = "gzip"
        return headers, body

    def _shown(self, event: Event) -> str:
        shown: dict[str, Any] = {
            "resource": {"service.name": event.service, **self._settings.resource},
            "scope": event.scope[0],
            "time_ns": event.time_ns,
            "event": event.name,
            "severity": event.severity[1],
            "trace_id": event.trace and event.trace.trace_id.hex(),
            "attributes": dict(event.attributes),
        }
        return msgspec.json.encode(shown).decode()


def _logs_url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH))


def _understood(end: Response | TransportError) -> int | Outcome:
    if not isinstance(end, Response) or not 200 <= end.status < 300:
        return Outcome(**judge(end)._asdict())
    kind = end.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        return Outcome.pause("not_a_collector")
    try:
        return max(0, _rejected(kind, end.body))
    except (ValueError, RecursionError, msgspec.MsgspecError):  # it says accepted; unless it was cut, that is all
        return Outcome.split("answer_unreadable") if end.truncated else 0


class _PartialSuccess(msgspec.Struct, rename="camel"):
    rejected_log_records: int | str = 0


class _JSONResponse(msgspec.Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None


_json_response: Final = msgspec.json.Decoder(_JSONResponse)


def _rejected(kind: str, body: bytes) -> int:
    """How many are refused, by an answer in either of the protocol's encodings.

    Raises:
        ValueError, msgspec.MsgspecError: It cannot be read.
    """
    if kind == _TYPE:
        return rejected(body)
    if kind == "application/json" and body:
        partial = _json_response.decode(body).partial_success
        return int(partial.rejected_log_records) if partial else 0
    return 0


FACTORY: Final[Factory[Exporter]] = Factory(name="otel", settings=Settings, build=OTelExporter)
