"""OTLP logs as protobuf: what is written of a request, what is read of the answer.

Written by hand rather than with the generated classes. Those need the protobuf runtime, of which an
application can have one major version only; and importing them takes 120 ms, as long as all of
cxkit may, in the middle of an application at work or of its exit. They are no faster either: filling
them took 1.4 times the CPU time. The tests parse all of this with the official classes, which
write the very same bytes.

Source: opentelemetry-proto 1.x (common.proto, resource.proto, logs.proto, logs_service.proto);
protobuf encoding, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from cxkit.model import JSON

__all__ = ["Attributes", "Logs", "attribute", "log_record", "message", "rejected", "request"]

Attributes = Iterable[tuple[str, "JSON"]]
"""Names and values."""

Logs: TypeAlias = dict[str, dict[tuple[str, str], list[bytes]]]
"""Service to scope (name and version) to log records."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_WORD_CHARS: Final = 64
_INT64: Final = range(-(2**63), 2**63)


def _varint(number: int) -> bytes:
    if number < 128:
        return _SMALL[number]
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    octets.append(number)
    return bytes(octets)


_SMALL: Final = tuple(bytes((number,)) for number in range(128))
_TAGS: Final = {(number, wire): _varint(number << 3 | wire) for number in range(1, 16) for wire in (0, 1, 2, 5)}


def message(number: int, content: bytes) -> bytes:
    r"""A field that holds bytes, text or another message.

    Example:
        >>> message(1, b"cx")
        b'\n\x02cx'
    """
    size = len(content)
    return b"".join((_TAGS[number, _BYTES], _SMALL[size] if size < 128 else _varint(size), content))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair is no text elsewhere
        return text.encode("utf-8", "replace")


def _text(number: int, text: str) -> bytes:
    return message(number, _utf8(text))


def _key(name: str) -> bytes:
    return _text(1, name) if name else b""  # what is a field's default is not written


_name: Final = lru_cache(maxsize=1024)(_key)


def attribute(name: str, value: JSON) -> bytes:
    """A ``KeyValue``, without the tag and the length it has in a message."""
    if type(value) is str:
        octets = _utf8(value)
        size = len(octets)
        if size < 126:  # as nearly all are: then each length is one byte
            return b"".join((_name(name), b"\x12", _SMALL[size + 2], b"\x0a", _SMALL[size], octets))
    return _name(name) + message(2, _any_value(value))


@lru_cache(maxsize=4096)
def _word(name: str, value: str) -> bytes:
    """An attribute of a log record."""
    return message(6, attribute(name, value))


def _any_value(value: JSON) -> bytes:
    """An ``AnyValue``; the empty one is null. A number that no int64 holds is written out as text."""
    if isinstance(value, str):
        return _text(1, value)
    if value is None:
        return b""
    if isinstance(value, bool):
        return _TAGS[2, _VARINT] + _SMALL[value]
    if isinstance(value, int):
        return _TAGS[3, _VARINT] + _varint(value % 2**64) if value in _INT64 else _text(1, str(value))
    if isinstance(value, float):
        return _TAGS[4, _FIXED64] + struct.pack("<d", value)
    if isinstance(value, Mapping):
        # Names as the app's customers type them: not to be kept, as `_name` does.
        pairs = (_key(name) + message(2, _any_value(one)) for name, one in value.items())
        return message(6, b"".join(message(1, pair) for pair in pairs))
    return message(5, b"".join(message(1, _any_value(one)) for one in value))


def log_record(
    *,
    time_ns: int,
    observed_ns: int,
    severity: tuple[int, str],
    event_name: str,
    attributes: Attributes,
    words: Collection[str],
    trace: tuple[bytes, bytes, int] | None,
) -> bytes:
    """A ``LogRecord``.

    Args:
        time_ns: When it happened, in nanoseconds since 1970; 0: not known.
        observed_ns: When a collector received it, likewise.
        severity: Number and text.
        words: The names of attributes whose texts come again and again.
        trace: Trace id, span id, W3C flags.
    """
    trace_id, span_id, flags = trace or (b"", b"", 0)
    return b"".join(
        [
            _TAGS[1, _FIXED64] + struct.pack("<Q", time_ns) if time_ns else b"",
            _TAGS[2, _VARINT] + _varint(severity[0]),
            _text(3, severity[1]),
            *[
                _word(name, value)
                if name in words and type(value) is str and len(value) <= _MAX_WORD_CHARS
                else message(6, attribute(name, value))
                for name, value in attributes
            ],
            _TAGS[8, _FIXED32] + struct.pack("<I", flags) if flags else b"",
            message(9, trace_id) + message(10, span_id) if trace else b"",
            _TAGS[11, _FIXED64] + struct.pack("<Q", observed_ns) if observed_ns else b"",
            _text(12, event_name),
        ]
    )


def request(logs: Logs, *, resource: Mapping[str, str], schema_url: str) -> bytes:
    """An ``ExportLogsServiceRequest``.

    Args:
        resource: Attributes of the resource besides ``service.name``, which these may replace.
        schema_url: The version of the semantic conventions.
    """
    parts = []
    for service, scopes in logs.items():
        about = {"service.name": service, **resource}
        held = [message(1, b"".join(message(1, attribute(name, value)) for name, value in about.items()))]
        for (name, version), records in scopes.items():
            scope = message(1, _text(1, name) + (_text(2, version) if version else b""))
            held.append(message(2, scope + b"".join(message(2, one) for one in records) + _text(3, schema_url)))
        parts.append(message(1, b"".join(held)))
    return b"".join(parts)


def rejected(response: bytes) -> int:
    r"""How many log records an ``ExportLogsServiceResponse`` says are rejected.

    Raises:
        ValueError: It is none.

    Example:
        >>> rejected(b""), rejected(message(1, b"\x08\x03" + message(2, b"too old")))
        (0, 3)
    """
    count = 0
    for number, value in _fields(response):
        if number == 1 and isinstance(value, bytes):
            for inner, held in _fields(value):
                if inner == 1 and isinstance(held, int):
                    count = held if held < 2**63 else 0  # negative numbers make no sense here
    return count


def _fields(held: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(held):
        tag, at = _read_varint(held, at)
        wire = tag & 7
        if wire == _VARINT:
            number, at = _read_varint(held, at)
            yield tag >> 3, number
            continue
        if wire == _BYTES:
            size, at = _read_varint(held, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("a field of no known type")
        if at + size > len(held):
            raise ValueError("a field that is cut off")
        yield tag >> 3, held[at : at + size]
        at += size


def _read_varint(held: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(held):
            raise ValueError("a number that is cut off")
        octet = held[at]
        at += 1
        number |= (octet & 127) << shift
        if octet < 128:
            return number & 2**64 - 1, at
    raise ValueError("a number that is too long")
