"""Messages as requests: ``POST /v1/batch`` of the Segment HTTP API, which RudderStack speaks too.

One `export` is one request, so that one answer says how all of it ended and a wish to wait
(``Retry-After``) is heard before anything else is sent. What does not fit into the request is not
tried: the lane comes back with it at once.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec

from cxkit.codec import decode
from cxkit.errors import CodecError, ConfigurationError, TransportError, nearest
from cxkit.model import PURPOSES
from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit.settings import Secret
from cxkit.transport import Response, Transport, judge, origin_of, shown_request
from cxkit_segment.message import Unrecognised, message_of

__all__ = ["FACTORY", "MAX_BODY_BYTES", "MAX_MESSAGE_BYTES", "SegmentExporter", "Settings"]

MAX_MESSAGE_BYTES: Final = 32 * 1024
MAX_BODY_BYTES: Final = 500_000
"""Limits of Segment's batch endpoint. It also takes no more than 2,500 messages at once: that many do not fit."""

_PATH: Final = "/v1/batch"
_HEAD: Final = b'{"batch":['
_TAIL: Final = b'],"sentAt":"%s"}'
_ROOM: Final = MAX_BODY_BYTES - len(_HEAD) - len(_TAIL) - 32
# Amounts of money stay exact: they are written as the numbers they are, not as floats.
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def _base(_: object, attribute: attrs.Attribute[str], url: str) -> None:
    origin_of(url)
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            '"url" has a query, a fragment or credentials',
            fix=f"give the address before {_PATH} alone, and the key as write_key",
            code="CX9021",
        )


def _purposes(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, tuple[str, ...]]) -> None:
    for purpose in {one for purposes in value.values() for one in purposes} - set(PURPOSES):
        raise ConfigurationError(
            '"categories" holds a purpose that is not known', fix=nearest(purpose[:64], PURPOSES), code="CX9022"
        )


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "segment"``."""

    write_key: Secret
    """Of the source that shall receive."""
    url: str = attrs.field(default="https://api.segment.io", validator=_base, repr=origin_of)
    """Where ``/v1/batch`` is: Segment's region, or the data plane of RudderStack."""
    names: Mapping[str, str] = attrs.field(factory=dict)
    """Touchpoint to the name of the event, where it shall not be the touchpoint's own."""
    external_ids: tuple[str, ...] = ()
    """Types of identifiers to send besides user and visitor: ``loyalty``, ``email`` (as its hash)."""
    categories: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, validator=_purposes)
    """Consent categories of the other side, each with the purposes it stands for: ``{C0002 = ["analytics"]}``."""
    unrecognised: Unrecognised = "each"
    """The ``anonymousId`` of interactions of nobody: one of its own for ``each``, or ``one`` for all."""
    gzip: bool = False
    """Whether bodies are compressed."""
    ca_file: str | None = None
    """A PEM file of the certificate authorities to trust instead of the system's."""


@attrs.define
class _Parcel:
    """What of a batch goes into one request, and what becomes of the rest."""

    messages: list[bytes] = attrs.field(factory=list)
    rejected: dict[int, str] = attrs.field(factory=dict)
    left: range = range(0)
    """Index in the batch of those that did not fit."""


class SegmentExporter:
    """Posts interactions as messages of the Segment specification.

    Example:
        >>> exporter = SegmentExporter(Settings(write_key=Secret("k"), url="http://127.0.0.1:1"))
        >>> exporter.export(Batch("b1", (b"{}",)), deadline_s=1.0).rejected
        {0: 'undecodable'}
        >>> exporter.close()
    """

    purposes: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/") + _PATH
        key = b64encode(f"{settings.write_key.reveal()}:".encode()).decode()
        self._headers = {"content-type": "application/json", "authorization": f"Basic {key}"}
        if settings.gzip:
            self._headers["content-encoding"] = "gzip"
        self._transport = Transport(ca_file=settings.ca_file)

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Post what fits into one request, once."""
        parcel = self._parcel(batch)
        if parcel.messages:
            judgement = judge(self._post(_body(parcel.messages), deadline_s))
            if judgement.verdict != "delivered":
                return Outcome(**judgement._asdict())
        if parcel.rejected or parcel.left:
            return Outcome.reject(parcel.rejected, again=parcel.left)
        return Outcome.delivered()

    def preview(self, batch: Batch) -> str:
        """The first request, with the body as it is before it is compressed."""
        parcel = self._parcel(batch)
        body = _body(parcel.messages)
        shown = shown_request("POST", self._url, headers=self._headers, body=self._packed(body), text=body.decode())
        refused = [f"refused: interaction {index} ({reason})" for index, reason in sorted(parcel.rejected.items())]
        left = [f"in further requests: {len(parcel.left)}"] if parcel.left else []
        return "\n".join([shown, *refused, *left])

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _post(self, body: bytes, deadline_s: float) -> Response | TransportError:
        body = self._packed(body)
        try:
            return self._transport.request("POST", self._url, headers=self._headers, body=body, deadline_s=deadline_s)
        except TransportError as error:
            return error

    def _packed(self, body: bytes) -> bytes:
        return gzip.compress(body, compresslevel=1) if self._settings.gzip else body

    def _parcel(self, batch: Batch) -> _Parcel:
        parcel, room = _Parcel(), _ROOM
        for index, payload in enumerate(batch.payloads):
            message = self._message(payload)
            if isinstance(message, str):
                parcel.rejected[index] = message
                continue
            room -= len(message) + 1
            if room < 0:
                parcel.left = range(index, len(batch))
                break
            parcel.messages.append(message)
        return parcel

    def _message(self, payload: bytes) -> bytes | str:
        """A message, or why it can never be one."""
        settings = self._settings
        try:
            one = decode(payload)
        except CodecError:
            return "undecodable"
        message = message_of(
            one,
            names=settings.names,
            external_ids=settings.external_ids,
            unrecognised=settings.unrecognised,
            categories=settings.categories,
        )
        encoded = _encoder.encode(message)
        return encoded if len(encoded) < MAX_MESSAGE_BYTES else "message_too_large"


def _body(messages: list[bytes]) -> bytes:
    # When it was sent is that of the attempt: the other side corrects clocks by it.
    sent_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    return _HEAD + b",".join(messages) + _TAIL % sent_at


FACTORY: Final[Factory[Exporter]] = Factory(name="segment", settings=Settings, build=SegmentExporter)
