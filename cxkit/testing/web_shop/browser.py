"""A browser: over ``http.client`` for what is well said, over a bare socket for what is not."""

from __future__ import annotations

import base64
import http.client
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import attrs

__all__ = ["PATIENCE_S", "Browser", "Reply", "exchanged", "told"]

PATIENCE_S: Final = 20.0
_VARYING: Final = re.compile(rb"^(?:date|server): [^\r]*\r\n", re.IGNORECASE | re.MULTILINE)

Body = bytes | Iterable[bytes] | None


@attrs.frozen(kw_only=True)
class Reply:
    """What the browser got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of one header."""
        return [value for key, value in self.headers if key.lower() == name]


class Browser:
    """Keeps cookies, as a browser does.

    Args:
        port: Where the server is, on this machine.
        patience_s: How long to wait for an answer, or for more of one.
    """

    def __init__(self, port: int, *, patience_s: float = PATIENCE_S) -> None:
        self._port = port
        self._patience_s = patience_s
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | Iterable[bytes] | None = None,
    ) -> Reply:
        """One request, on a connection of its own."""
        connection, response = self.open(path, method=method, headers=headers, body=body)
        with connection, response:
            return Reply(status=response.status, headers=response.getheaders(), body=response.read())

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | Iterable[bytes] | None = None,
    ) -> tuple[AbstractContextManager[object], http.client.HTTPResponse]:
        """One request whose response is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience_s)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        try:
            connection.request(method, path, body, {**(cookies if self.cookies else {}), **headers})
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._keep(value)
        return _closing(connection), response

    def _keep(self, set_cookie: str) -> None:
        pair, *attributes = set_cookie.split(";")
        name, _, value = pair.partition("=")
        self.cookies[name] = value
        if "max-age=0" in [one.strip().lower() for one in attributes]:
            del self.cookies[name]


@contextmanager
def _closing(connection: http.client.HTTPConnection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.close()


def exchanged(port: int, request: bytes, *, patience_s: float = PATIENCE_S) -> bytes:
    """All that the server says to these bytes until it hangs up, less who it is and the time of day.

    Ask it to: ``Connection: close``. Where it hangs up on what it has not read, the answer may be lost on the way with
    that; it is asked again then.
    """
    said = _said(port, request, patience_s, again=2)
    head, between, body = said.partition(b"\r\n\r\n")
    return _VARYING.sub(b"", head + between[:2]) + between[2:] + body


def _said(port: int, request: bytes, patience_s: float, *, again: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65_536), b""))
    except ConnectionError:
        if not again:
            raise
        return _said(port, request, patience_s, again=again - 1)


def told(port: int, path: str, text: str, *, headers: Iterable[str] = (), patience_s: float = PATIENCE_S) -> str:
    """What a websocket answers to one short text (RFC 6455)."""
    key = base64.b64encode(os.urandom(16)).decode()
    opening = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket",
               "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers, "", "")  # fmt: skip
    said, mask = text.encode(), os.urandom(4)
    masked = bytes(byte ^ mask[number % 4] for number, byte in enumerate(said))
    with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as client, client.makefile("rb") as heard:
        client.sendall("\r\n".join(opening).encode())
        status = heard.readline()
        assert b" 101 " in status, status
        while heard.readline() not in (b"\r\n", b""):
            pass
        client.sendall(bytes([0x81, 0x80 | len(said)]) + mask + masked)
        kind, length = heard.read(2)
        assert kind == 0x81, "no text"
        answer = heard.read(length).decode()
        client.sendall(bytes([0x88, 0x80]) + mask)
        return answer
