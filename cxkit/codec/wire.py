"""The canonical form: an interaction as a CloudEvent 1.0 in JSON, both directions.

The bytes of an interaction are joined from five parts, so that capture encodes only what is new::

    head           {"specversion":"1.0","id":"...","time":"..."      id and time
    declaration    ,"source":...,"data":{"purpose":...               once per touchpoint
    circumstances  ,"identity":...,"context":...,"consent":...       once per version of a scope
    occurrence     ,"outcome":"failed",...                           only what this occurrence adds
    properties     ,"properties":{...}}}

`encode` yields the same bytes, so ``encode(decode(b)) == b`` for whatever cxkit captured.
Source: CloudEvents 1.0.2, JSON event format.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from cxkit.codec.plain import decision_in, known, plain
from cxkit.codec.typed import converter
from cxkit.errors import CodecError, CXError, InvalidInteractionError
from cxkit.model import (
    Context,
    Decision,
    Feedback,
    Identity,
    Interaction,
    Money,
)
from cxkit.model.interaction import Outcome
from cxkit.model.touchpoint import WORD, Direction, Kind, Nature, Presence, Reach, Stage, TouchpointSpec

__all__ = [
    "CONTENT_TYPE",
    "SCHEMA",
    "assemble",
    "check_context",
    "circumstances",
    "declaration",
    "decode",
    "encode",
    "occurrence",
]

CONTENT_TYPE: Final = "application/cloudevents+json"
SCHEMA: Final = "urn:cxkit:interaction:1"
"""The version of this form. A reader refuses another major version."""

_MAX_TEXT_CHARS: Final = 256
_MAX_CONTEXT_BYTES: Final = 16_384
_MAX_REMEMBERED: Final = 1024
_MILLISECOND: Final = timedelta(milliseconds=1)
_TYPE_PREFIX: Final = "io.cxkit."
_EMPTY_HEAD: Final = b'{"specversion":"1.0","id":"","time":""'


class _Data(msgspec.Struct, omit_defaults=True, kw_only=True):
    purpose: str | None = None
    nature: Nature | None = None
    presence: Presence | None = None
    reach: Reach | None = None
    via: str | None = None
    promise: str | None = None
    identity: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    consent: dict[str, bool] | None = None
    outcome: Outcome | None = None
    error: str | None = None
    duration_ms: float | None = None
    value: dict[str, str] | None = None
    feedback: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    cause: str | None = None
    case: str | None = None
    trimmed: dict[str, str] | None = None
    properties: dict[str, Any] | None = None


class _Event(msgspec.Struct, omit_defaults=True, kw_only=True):
    specversion: str | None = None
    id: str
    time: str | None = None
    source: str
    type: str
    datacontenttype: str | None = None
    dataschema: str | None = None
    cxkind: Kind | None = None
    cxchannel: str | None = None
    cxdirection: Direction | None = None
    cxstage: Stage | None = None
    cxplugin: str | None = None
    recordedtime: str | None = None
    data: _Data


_MALFORMED: Final = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(_Event)
_identity = converter(Identity)
_context = converter(Context)


def encode(interaction: Interaction) -> bytes:
    """One interaction as a structured CloudEvent (`CONTENT_TYPE`)."""
    return _encoder.encode(_to_event(interaction))


def decode(payload: bytes) -> Interaction:
    """The interaction that a structured CloudEvent holds.

    Raises:
        CodecError: It is no JSON, no CloudEvent of cxkit, or of a later major version.
    """
    try:
        return _from_event(_event_decoder.decode(payload))
    except CodecError:
        raise
    except (CXError, msgspec.MsgspecError, *_MALFORMED) as error:
        raise CodecError(
            f"a CloudEvent could not be read ({type(error).__name__})",
            fix="send CloudEvents 1.0 JSON as cxkit writes it",
        ) from error


@lru_cache(maxsize=1024)
def declaration(spec: TouchpointSpec, *, source: str, channel: str | None, plugin: str | None) -> bytes:
    """The part that all interactions of one touchpoint share."""
    event = _event(spec, source=source, channel=channel, plugin=plugin, id="", time="")
    return _encoder.encode(event)[len(_EMPTY_HEAD) : -2]


def circumstances(*, identity: Identity, context: Context, consent: Mapping[str, bool]) -> bytes:
    """The part that all interactions in one version of a scope share."""
    known = _inner(_Data(identity=plain(identity))) if identity else b""
    return known + _context_part(context) + (_inner(_Data(consent=dict(consent))) if consent else b"")


def occurrence(
    *,
    outcome: Outcome | None = None,
    error: str | None = None,
    duration: timedelta | None = None,
    value: Money | None = None,
    feedback: Feedback | None = None,
    decision: Decision | None = None,
    cause: str | None = None,
    case: str | None = None,
    trimmed: Mapping[str, str] | None = None,
) -> bytes:
    """What one occurrence adds, ready for `assemble`.

    Raises:
        InvalidInteractionError: A field is of another type, or too long.
    """
    fields = _Data(outcome=outcome, error=error, duration_ms=_milliseconds(duration))
    if value is not None:
        _check(value, Money, "value")
        fields.value = _amount(value)
    if feedback is not None:
        _check(feedback, Feedback, "feedback")
        fields.feedback = plain(feedback)
    if decision is not None:
        fields.decision = plain(decision)
    for name, text in (("cause", cause), ("case", case)):
        if text is not None:
            _check(text, str, name)
            if len(text) > _MAX_TEXT_CHARS:
                raise _invalid(name, f"is longer than {_MAX_TEXT_CHARS} characters")
    fields.cause, fields.case = cause, case
    if trimmed:
        fields.trimmed = dict(trimmed)
    return _inner(fields)


def check_context(context: Context) -> None:
    """Refuse a context that no reader would understand.

    Raises:
        InvalidInteractionError: A field is of another type, or too long.
    """
    try:
        told = plain(context)
        encoded = _encoder.encode(told)
        _context(told)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise _invalid("context", f"holds what it may not ({type(error).__name__})") from error
    if context.channel is not None and not WORD.fullmatch(context.channel):
        raise _invalid("channel", 'is not one lower-case word, such as "store"')
    if len(encoded) > _MAX_CONTEXT_BYTES:
        raise _invalid("context", f"is longer than {_MAX_CONTEXT_BYTES} bytes")


def assemble(id: str, time: str, shared: bytes, occurrence: bytes, properties: bytes) -> bytes:
    """The canonical bytes of an interaction from its parts; see the module's picture.

    Args:
        shared: The declaration and the circumstances, joined.
    """
    head = f'{{"specversion":"1.0","id":"{id}","time":"{time}"'
    return b"".join((head.encode(), shared, occurrence, b',"properties":', properties, b"}}"))


def rfc3339(time: datetime) -> str:
    """A time as it is written: UTC, six digits of a second.

    Example:
        >>> rfc3339(datetime(2026, 11, 21, 10, 30, tzinfo=UTC))
        '2026-11-21T10:30:00.000000Z'
    """
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _context_part(context: Context) -> bytes:
    """Remembered by the object, for that of a page serves all its visits."""
    remembered = _contexts.get(id(context))
    if remembered is not None and remembered[0] is context:
        return remembered[1]
    part = _inner(_Data(context=plain(context) or None))
    if len(_contexts) >= _MAX_REMEMBERED:
        _contexts.clear()
    _contexts[id(context)] = context, part
    return part


_contexts: Final[dict[int, tuple[Context, bytes]]] = {}


def _inner(fields: _Data) -> bytes:
    inner = _encoder.encode(fields)[1:-1]
    return b"," + inner if inner else b""


def _event(
    declared: TouchpointSpec | Interaction,
    *,
    source: str,
    channel: str | None,
    plugin: str | None,
    id: str,
    time: str,
) -> _Event:
    return _Event(
        specversion="1.0",
        id=id,
        time=time,
        source=source,
        type=_TYPE_PREFIX + declared.name,
        datacontenttype="application/json",
        dataschema=SCHEMA,
        cxkind=declared.kind,
        cxchannel=channel,
        cxdirection=declared.direction,
        cxstage=declared.stage,
        cxplugin=plugin,
        data=_Data(
            purpose=declared.purpose,
            nature=declared.nature,
            presence=None if declared.presence == "online" else declared.presence,
            reach=None if declared.reach == "direct" else declared.reach,
            via=declared.via,
            promise=declared.promise,
        ),
    )


def _to_event(one: Interaction) -> _Event:
    event = _event(
        one,
        source=one.source,
        channel=one.channel,
        plugin=one.plugin,
        id=one.id,
        time=rfc3339(one.occurred_at),
    )
    event.recordedtime = None if one.received_at is None else rfc3339(one.received_at)
    data = event.data
    data.identity = plain(one.identity) or None
    data.context = plain(one.context) or None
    data.consent = dict(one.consent) or None
    data.outcome = one.outcome
    data.error = one.error
    data.duration_ms = _milliseconds(one.duration)
    data.value = _amount(one.value)
    data.feedback = plain(one.feedback)
    data.decision = plain(one.decision)
    data.cause = one.cause
    data.case = one.case
    data.trimmed = dict(one.trimmed) or None
    data.properties = dict(one.properties)
    return event


def _check(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise _invalid(name, f"is a {type(value).__name__}, not a {kind.__name__}")


def _invalid(name: str, what: str) -> InvalidInteractionError:
    return InvalidInteractionError(f"{name} {what}", fix="give what its type says", code="CX3115")


def _milliseconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration / _MILLISECOND


def _amount(value: Money | None) -> dict[str, str] | None:
    return None if value is None else {"amount": str(value.amount), "currency": value.currency}


def _from_event(event: _Event) -> Interaction:
    if event.specversion != "1.0" or not event.type.startswith(_TYPE_PREFIX) or event.time is None:
        raise CodecError("a CloudEvent is not one of cxkit", fix='send type "io.cxkit.*" with a time', code="CX4003")
    if event.dataschema != SCHEMA:
        raise CodecError(
            f"an interaction has another schema than {SCHEMA}",
            fix="upgrade cxkit on this side",
            code="CX4004",
        )
    data = event.data
    return Interaction(
        id=event.id,
        occurred_at=_time(event.time),
        name=event.type.removeprefix(_TYPE_PREFIX),
        source=event.source,
        kind=event.cxkind or "action",
        purpose=data.purpose or "analytics",
        channel=event.cxchannel,
        direction=event.cxdirection or "inbound",
        stage=event.cxstage,
        nature=data.nature,
        presence=data.presence or "online",
        reach=data.reach or "direct",
        via=data.via,
        promise=data.promise,
        case=data.case,
        plugin=event.cxplugin,
        identity=_identity(data.identity or {}),
        context=_context(data.context or {}),
        consent=data.consent or {},
        outcome=data.outcome,
        error=data.error,
        duration=None if data.duration_ms is None else timedelta(milliseconds=data.duration_ms),
        value=None if data.value is None else Money(data.value["amount"], data.value["currency"]),
        feedback=None if data.feedback is None else Feedback(**known(Feedback, data.feedback)),
        decision=None if data.decision is None else decision_in(data.decision),
        cause=data.cause,
        properties=data.properties or {},
        trimmed=data.trimmed or {},
        received_at=None if event.recordedtime is None else _time(event.recordedtime),
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.utcoffset() is None:
        raise ValueError("a time has no offset")
    return time.astimezone(UTC)
