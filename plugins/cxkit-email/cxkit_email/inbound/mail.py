"""A message as it came, read within limits: any bytes are a message, and some of what they hold may be given up on.

Sources: RFC 5322 (headers), RFC 2045 to 2047 (MIME), RFC 6532 (UTF-8 in headers). The standard library's parser reads
nested parts by recursion, once more for each level, so parts are found here; words and bodies are decoded by it.
"""

from __future__ import annotations

import binascii
import re
from codecs import lookup
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from functools import cached_property
from typing import Final

import attrs

__all__ = ["Headers", "Mail", "Part", "read"]

MAX_BYTES: Final = 1 << 20
MAX_HEADERS: Final = 256
MAX_HEADER_CHARS: Final = 4096
MAX_DEPTH: Final = 12
MAX_PARTS: Final = 64
MAX_LINES: Final = 4000
MAX_LINE_CHARS: Final = 1000

_SLOW: Final = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape"})
"""Codecs of text which no message is in, and whose time is not linear."""
_NAME: Final = re.compile(r"([!-9;-~]{1,80})[ \t]{0,4}:(.*)", re.S)
_ESCAPED: Final = re.compile(r"=\?[^\s?]{1,40}\?[bBqQ]\?")
_RETURNED: Final = frozenset({
    "message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "text/rfc822", "message/global",
    "message/global-headers", "message/partial",
})  # fmt: skip


@attrs.frozen(kw_only=True)
class Headers:
    """Names in lower case with what each says, in order."""

    lines: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    def all(self, *names: str) -> list[str]:
        """Every value of these names, encoded words decoded."""
        return [_words(value) for name, value in self.lines if name in names]

    def get(self, *names: str) -> str:
        """The first value of any of these names; ``""`` if there is none."""
        return next((_words(value) for name, value in self.lines if name in names), "")

    def __bool__(self) -> bool:
        return bool(self.lines)


@attrs.define(kw_only=True)
class Part:
    """A leaf of the tree, or a message in a message."""

    headers: Headers
    kind: str
    """``text/plain``, in lower case."""
    body: bytes = attrs.field(repr=False)
    returned: bool = False
    """Whether it is a message, or its headers, within this one: what a report brings back, and whatever is in it."""

    @cached_property
    def text(self) -> str:
        """The body as text: transfer encoding and charset undone as far as they can be, lines cut to their limit."""
        coding = self.headers.get("content-transfer-encoding").strip().lower()
        body = _decoded(self.body, coding)
        text = _unicode(body, parameter(self.headers.get("content-type"), "charset"))
        lines = text.splitlines()[:MAX_LINES]
        return "\n".join(line[:MAX_LINE_CHARS] for line in lines).replace("\0", "").replace("\u00a0", " ")

    @cached_property
    def inner(self) -> Headers:
        """The headers of the message that the body begins with."""
        return _split(self.text.encode("utf-8", "replace").lstrip(b"\n"))[0]


@attrs.frozen(kw_only=True)
class Mail:
    """Headers, and all leaves in order, those of a returned message after it."""

    headers: Headers
    kind: str
    parameters: str = attrs.field(repr=False)
    parts: tuple[Part, ...]
    limits: tuple[str, ...]
    """What was not read to its end: ``bytes``, ``headers``, ``depth``, ``parts``, ``lines``."""

    @property
    def own(self) -> list[Part]:
        """The leaves that are not of a returned message."""
        return [part for part in self.parts if not part.returned]

    @property
    def original(self) -> Headers:
        """The headers of the first returned message, where it is a part of its own."""
        return next((part.inner for part in self.parts if part.kind in _RETURNED and part.inner), Headers())


def read(raw: bytes) -> Mail:
    r"""Reads a message. Never raises; the time is linear in ``min(len(raw), MAX_BYTES)``.

    Example:
        >>> mail = read(b"Subject: Hello\nContent-Type: text/plain\n\nWorld")
        >>> mail.headers.get("subject"), mail.parts[0].text, mail.limits
        ('Hello', 'World', ())
    """
    limits: dict[str, None] = {"bytes": None} if len(raw) > MAX_BYTES else {}
    raw = raw[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    headers, body, more = _split(raw)
    if more:
        limits["headers"] = None
    declared = headers.get("content-type")
    parts = tuple(_walk(headers, body, limits))
    if any(part.body.count(b"\n") > MAX_LINES for part in parts if part.kind.startswith("text/")):
        limits["lines"] = None
    return Mail(headers=headers, kind=_kind(declared), parameters=declared, parts=parts, limits=tuple(limits))


def _walk(headers: Headers, body: bytes, limits: dict[str, None]) -> Iterator[Part]:
    """Leaves in document order, from a stack instead of by recursion."""
    found = 0
    stack = [(headers, body, 0, False)]
    while stack:
        headers, body, depth, returned = stack.pop()
        declared = headers.get("content-type")
        kind = _kind(declared)
        deeper: list[tuple[Headers, bytes, int, bool]] = []
        if kind.startswith("multipart/"):
            deeper = [
                (*_split(part)[:2], depth + 1, returned) for part in _pieces(body, parameter(declared, "boundary"))
            ]
        elif kind in {"message/rfc822", "message/global"}:
            part = Part(headers=headers, kind=kind, body=body, returned=True)
            yield part
            found += 1
            text = _decoded(body, headers.get("content-transfer-encoding").strip().lower()).lstrip(b"\n")
            deeper = [(*_split(text)[:2], depth + 1, True)]
        if not deeper:
            found += 1
            leaf = "text/plain" if kind.startswith("multipart/") else kind  # which has no parts
            yield Part(headers=headers, kind=leaf, body=body, returned=returned or kind in _RETURNED)
        elif depth >= MAX_DEPTH:
            limits["depth"] = None
        elif found + len(stack) + len(deeper) > MAX_PARTS:
            limits["parts"] = None
            stack.extend(reversed(deeper[: max(0, MAX_PARTS - found - len(stack))]))
        else:
            stack.extend(reversed(deeper))


def _split(raw: bytes) -> tuple[Headers, bytes, bool]:
    """Headers, body, and whether there were too many headers."""
    lines: list[tuple[str, str]] = []
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start)
        end = len(raw) if end < 0 else end
        line = raw[start : min(end, start + MAX_HEADER_CHARS)]
        if not line.strip():
            return Headers(lines=tuple(lines)), raw[end + 1 :], False
        if len(lines) >= MAX_HEADERS:
            body = raw.find(b"\n\n", start)
            return Headers(lines=tuple(lines)), raw[body + 2 :] if body >= 0 else b"", True
        text = _unicode(line, "")
        if text[0] in " \t" and lines:
            name, value = lines[-1]
            if len(value) < MAX_HEADER_CHARS:
                lines[-1] = name, f"{value}{text}"
        elif match := _NAME.match(text):
            lines.append((match[1].lower(), match[2].strip()))
        elif not (text.startswith(("From ", ">From ")) and not lines):  # of a mailbox file
            return Headers(lines=tuple(lines)), raw[start:], False
        start = end + 1
    return Headers(lines=tuple(lines)), b"", False


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """What is between the lines of a boundary; nothing if there is none, and then the whole is a leaf."""
    if not boundary:
        return []
    mark = b"--" + boundary.encode("utf-8", "surrogateescape")
    found: list[bytes] = []
    start = -1
    at = 0 if body.startswith(mark) else body.find(b"\n" + mark)
    while at >= 0:
        at += body[at : at + 1] == b"\n"
        end = body.find(b"\n", at)
        rest = body[at + len(mark) : end if end >= 0 else len(body)].strip()
        if rest in {b"", b"--"}:
            if start >= 0:
                found.append(body[start : max(start, at - 1)])
            start = end + 1 if end >= 0 else len(body)
            if rest == b"--" or len(found) > MAX_PARTS:
                return found
        at = body.find(b"\n" + mark, end) if end >= 0 else -1
    if start >= 0:
        found.append(body[start:])  # never closed
    return found


def _kind(declared: str) -> str:
    kind = declared.split(";", 1)[0].strip().lower()
    return kind if "/" in kind else "text/plain"


def parameter(declared: str, name: str) -> str:
    """What a header of MIME says of one of its parameters; ``""`` if nothing."""
    match = re.search(rf';\s{{0,99}}{name}\s{{0,9}}=\s{{0,9}}(?:"([^"]*)"?|([^\s;"]+))', declared, re.I)
    return (match[1] or match[2] or "") if match else ""


def _decoded(body: bytes, coding: str) -> bytes:
    if coding == "quoted-printable":
        return binascii.a2b_qp(body)
    if coding == "base64":
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        return binascii.a2b_base64(kept[: len(kept) - (len(kept) % 4 == 1)] + b"=" * (-len(kept) % 4))
    return body


def _unicode(body: bytes, charset: str) -> str:
    for one, errors in ((charset, "strict"), ("utf-8", "strict"), (charset, "replace")):
        try:
            if one and lookup(one).name not in _SLOW:
                return body.decode(one, errors)
        except (LookupError, ValueError):
            continue
    return body.decode("latin-1")


def _words(value: str) -> str:
    """RFC 2047, and what its users make of it."""
    if not _ESCAPED.search(value):
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(one if isinstance(one, str) else _unicode(one, charset or "") for one, charset in pieces)
