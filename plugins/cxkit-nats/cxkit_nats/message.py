"""An interaction as a message: subject, headers, and the canonical bytes as they are.

Source: NATS Protocol Binding for CloudEvents, structured content mode; JetStream headers
``Nats-Msg-Id`` and ``Nats-Expected-Stream``; W3C Trace Context for ``traceparent``.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
import msgspec

from cxkit.codec import CONTENT_TYPE
from cxkit.errors import ConfigurationError

__all__ = ["Message", "Pattern"]

_TYPE_PREFIX: Final = "io.cxkit."
_NONE: Final = "_"
_PIECES: Final = re.compile(r"\{(\w*)\}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_LITERAL: Final = re.compile(r"[A-Za-z0-9_$.-]*")
_LINE: Final = re.compile(r"[!-~]{1,256}")
_MAX_SUBJECT_CHARS: Final = 255


class _InContext(msgspec.Struct):
    traceparent: str | None = None


class _InData(msgspec.Struct):
    context: _InContext | None = None


class _Event(msgspec.Struct):
    """What of an interaction its message needs; the rest is passed over unread."""

    id: str
    type: str
    cxkind: str = "action"
    cxchannel: str | None = None
    cxstage: str | None = None
    data: _InData | None = None


_decoder: Final = msgspec.json.Decoder(_Event)
_PARTS: Final = {
    "name": lambda event: event.type.removeprefix(_TYPE_PREFIX),
    "kind": lambda event: event.cxkind,
    "channel": lambda event: event.cxchannel,
    "stage": lambda event: event.cxstage,
}


@attrs.frozen
class Message:
    """What is published."""

    subject: str
    payload: bytes
    headers: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of headers and payload as the server counts them against its ``max_payload``."""
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        return len("NATS/1.0\r\n\r\n") + lines + len(self.payload)


class Pattern:
    """How subjects are made: ``cx.{name}``, from ``{name}``, ``{kind}``, ``{channel}`` and ``{stage}``.

    The dots of a name stay, as they part the tokens of a subject. Of what is inserted any character
    but letters, digits, ``_`` and ``-`` becomes ``_``, so that no wildcard, no space and no empty token
    ever gets into a subject; what is not known is ``_``.

    Raises:
        ConfigurationError: The pattern makes no subject.

    Example:
        >>> pattern = Pattern("cx.{channel}.{name}")
        >>> event = b'{"id":"1","type":"io.cxkit.cart.item_added","cxchannel":"web"}'
        >>> pattern.message(event, stream=None).subject
        'cx.web.cart.item_added'
    """

    def __init__(self, pattern: str) -> None:
        literals, names = _PIECES.split(pattern)[::2], _PIECES.findall(pattern)
        tried = _PIECES.sub("x", pattern).split(".")
        if not all(map(_LITERAL.fullmatch, literals)) or not all(tried) or not set(names) <= _PARTS.keys():
            raise ConfigurationError(
                '"subject" makes no subject',
                fix=f'write it like "cx.{{name}}", from {", ".join(f"{{{name}}}" for name in _PARTS)}',
                code="CX9031",
            )
        self._literals, self._names = literals, names

    def message(self, payload: bytes, *, stream: str | None) -> Message | None:
        """The message of an interaction; None if it is none."""
        try:
            event = _decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        subject = self._subject(event)
        if not _LINE.fullmatch(event.id) or len(subject) > _MAX_SUBJECT_CHARS:
            return None
        headers = {"Nats-Msg-Id": event.id, "Content-Type": CONTENT_TYPE}
        if stream is not None:
            headers["Nats-Expected-Stream"] = stream
        trace = event.data and event.data.context and event.data.context.traceparent
        if trace and _LINE.fullmatch(trace):
            headers["traceparent"] = trace
        return Message(subject, payload, headers)

    def _subject(self, event: _Event) -> str:
        parts = [self._literals[0]]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            tokens = (_PARTS[name](event) or _NONE).split(".")
            parts += (".".join(_UNSAFE.sub("_", token) or _NONE for token in tokens), literal)
        return "".join(parts)
