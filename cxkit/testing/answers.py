"""What comes in at a `cxkit.testing.receiver.Receiver`, and how it answers."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Final, Literal

import attrs
import msgspec

__all__ = ["Answer", "Request"]

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@attrs.frozen(kw_only=True)
class Request:
    """A request as it came in, accepted or not."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """As it was sent, perhaps compressed; empty if the answer came before it was read."""
    peer: int
    """The client's port: the same for requests over one connection."""

    @property
    def content(self) -> bytes:
        """The body as it was before it was compressed.

        Raises:
            ValueError: It is not what its ``Content-Encoding`` says, or longer than 64 MiB.
        """
        wbits = _WBITS.get(self.headers.get("content-encoding", "identity").strip().lower())
        if wbits is None:
            return self.body
        inflater = zlib.decompressobj(wbits)
        try:
            content = inflater.decompress(self.body, MAX_BODY_BYTES)
        except zlib.error as error:
            raise ValueError(f"not compressed as its Content-Encoding says: {error}") from None
        if not inflater.eof:
            raise ValueError("compressed, but cut off or longer than 64 MiB")
        return content

    @property
    def content_or_body(self) -> bytes:
        """The same; if it cannot be had, the body as it came."""
        try:
            return self.content
        except ValueError:
            return self.body


@attrs.frozen(kw_only=True)
class Answer:
    """How to answer one request. With a status of 2xx its events are accepted, answered or not.

    ==================================  ======================================================
    never answers                       ``Answer(cut_bytes=0, end="hang")``
    drops the connection                ``Answer(cut_bytes=0, end="close")``
    resets within the body              ``Answer(body=b"x" * 1000, cut_bytes=500, end="reset")``
    never ends                          ``Answer(body=itertools.repeat(b"x" * 65_536))``
    413 before the body is read         ``Answer(status=413, early=True)``
    accepts all but the fourth          ``Answer.partial({3: "unknown_type"})``
    ==================================  ======================================================
    """

    status: int = 202
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | Iterable[bytes] = b""
    """Several pieces are sent as chunks."""
    refused: Collection[int] = ()
    """Index of events that are not accepted although the status is 2xx."""
    early: bool = False
    """Answer before the request's body is read, and close."""
    delay_s: float = 0.0
    """Wait after accepting, before answering."""
    drip_s: float = 0.0
    """Wait after each single byte of the answer, head and body."""
    cut_bytes: int | None = None
    """Send only so many bytes of the answer, counted from the status line."""
    end: Literal["keep", "close", "reset", "half_close", "hang"] = "keep"
    """What then becomes of the connection. half_close: nothing more is sent, but all is read."""

    @classmethod
    def partial(cls, rejected: Mapping[int, str], *, retry: Collection[int] = (), status: int = 207) -> Answer:
        """Accept all but some: those refused (index to reason) and those to be tried again."""
        refused = [{"index": index, "reason": reason} for index, reason in rejected.items()]
        return cls(
            status=status,
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode({"rejected": refused, "retry": sorted(retry)}),
            refused=frozenset(rejected) | frozenset(retry),
        )

    def pieces(self) -> Iterator[bytes]:
        """The answer's bytes, piece by piece."""
        chunked = not isinstance(self.body, bytes)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(self.body)}"  # type: ignore[arg-type]
        fields = [framing, *(f"{name}: {value}" for name, value in self.headers.items())]
        reason = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "-"
        yield "\r\n".join((f"HTTP/1.1 {self.status} {reason}", *fields, "", "")).encode("latin-1")
        if isinstance(self.body, bytes):
            yield self.body
            return
        for chunk in self.body:
            yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
        yield b"0\r\n\r\n"
