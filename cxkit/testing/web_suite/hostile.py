"""Requests as no browser makes them, byte for byte. Nothing of theirs that says "canary" may be captured."""

from __future__ import annotations

from typing import Final

__all__ = ["HOSTILE"]


def _request(line: str = "GET / HTTP/1.1", *headers: str | bytes, host: str | None = "shop.example") -> bytes:
    given = [*([f"Host: {host}"] if host is not None else []), *headers, "Connection: close"]
    lines = [one if isinstance(one, bytes) else one.encode() for one in (line, *given)]
    return b"\r\n".join((*lines, b"", b""))


_MANY: Final = "; ".join(f"canary{number}=canary{number}" for number in range(500))

HOSTILE: Final = {
    "plain": _request(),
    "HTTP/1.0": _request("GET / HTTP/1.0"),
    "HTTP/1.0 without a host": _request("GET / HTTP/1.0", host=None),
    "HEAD": _request("HEAD / HTTP/1.1"),
    "OPTIONS": _request("OPTIONS / HTTP/1.1"),
    "not allowed": _request("DELETE /products/1 HTTP/1.1"),
    "not found": _request("GET /canary?canary=%00%ff HTTP/1.1"),
    "headers": _request("GET /headers HTTP/1.1"),
    "cached": _request("GET /cached HTTP/1.1"),
    "broken": _request("GET /broken HTTP/1.1"),
    "torn": _request("GET /torn HTTP/1.1"),
    "moved": _request("GET /moved/303 HTTP/1.1"),
    "excluded": _request("GET /static/app.js HTTP/1.1"),
    "a method of its own": _request("CANARY / HTTP/1.1"),
    "nonsense": b"CANARY\r\n\r\n",
    "a path": _request("GET /canary/%00%ff%FE%2e%2e%2f//../%25%3F HTTP/1.1"),
    "500 cookies": _request("GET / HTTP/1.1", "Cookie: " + _MANY),
    "50 headers of cookies": _request("GET / HTTP/1.1", *["Cookie: canary=canary; cxkit_visitor=canary"] * 50),
    "cookies that are none": _request(
        "GET / HTTP/1.1", b'Cookie: =;;; \xff\xfe=canary; cxkit_consent=\xff; cxkit_visitor="canary; $Version=1'
    ),
    "60 KB of a header": _request("GET / HTTP/1.1", "X-Canary: " + "canary" * 10_000),
    "60 KB of a cookie": _request("GET / HTTP/1.1", "Cookie: cxkit_visitor=" + "canary" * 10_000),
    "60 KB of semicolons": _request("GET / HTTP/1.1", "Cookie: " + ";" * 60_000),
    "more than 64 KB": _request("GET / HTTP/1.1", "X-Canary: " + "canary" * 12_000),
    "repeated": _request("GET / HTTP/1.1", *["User-Agent: canary", "Accept: canary", "X-Forwarded-For: canary"] * 20),
    "bytes that are no text": _request("GET / HTTP/1.1", b"X-Canary: \xff\xfecanary", b"User-Agent: \xff\xfe\x80"),
    "empty": _request("GET / HTTP/1.1", "User-Agent:", "Cookie:", "Sec-GPC:", "X-Forwarded-For:", "Accept:"),
    "forwarded": _request(
        "GET / HTTP/1.1", "Forwarded: for=canary;host=canary", "X-Forwarded-Host: canary", "X-Forwarded-Proto: canary"
    ),
    "another's host": _request(host="canary.example"),
    "no host": _request(host=""),
    "a host with a port": _request(host="canary.example:99999"),
    "a host with a name": _request(host="canary@shop.example"),
    "a host of IPv6": _request(host="[fe80::1%25canary]:80"),
    "a host that is none": _request(host="canary/../<script>"),
    "hosts": _request("GET / HTTP/1.1", "Host: canary.example"),
}
"""By what is odd about each."""
