"""The ASGI middleware behind a real server: bytes, bodies, and requests that share a connection."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cxkit
from cxkit.api import Touchpoint
from cxkit.model import TouchpointSpec
from cxkit.testing import recorder
from cxkit.testing.web_shop import Shop, bare_app, served
from cxkit.web import ASGIMiddleware

SEEN = Touchpoint(TouchpointSpec(name="sockets.seen"))


@contextlib.contextmanager
def opened(app: Any) -> Iterator[Shop]:
    """The app, running, with a shop's kit around it."""
    shop = Shop()
    try:
        with served(ASGIMiddleware(app, kit=shop.kit)) as shop.port:
            yield shop
    finally:
        shop.kit.close()


def exchanged(port: int, request: bytes) -> bytes:
    """All that the server says until it hangs up, less the time of day."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        said = b"".join(iter(lambda: client.recv(65_536), b""))
    return re.sub(rb"date: [^\r]*\r\n", b"", said)


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"HEAD / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"GET /headers HTTP/1.1",
     b"GET /cached HTTP/1.1", b"GET /nowhere?x=%00%ff HTTP/1.1", b"GET /broken HTTP/1.1", b"GET /torn HTTP/1.1",
     b"CANARY / HTTP/1.1", b"NONSENSE"],
    ids=repr,
)  # fmt: skip
def test_the_bytes_on_the_wire_are_the_same(request_line: bytes) -> None:
    handlers = Shop().handlers()
    request = request_line + b"\r\nHost: x\r\nConnection: close\r\nCookie: a=\xff\r\n\r\n"
    with opened(bare_app(handlers)) as shop, served(bare_app(handlers)) as plain:
        assert exchanged(shop.port, request) == exchanged(plain, request) != b""


def test_fifty_megabytes_pass_in_both_directions() -> None:
    piece = random.Random(3).randbytes(1_000_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        assert size == 50_000_000
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(50):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with opened(app) as shop:
        assert shop.browser().ask("/", method="POST", body=piece * 50).body == piece * 50
        (viewed,) = shop.named("page.viewed")
    assert viewed.outcome == "completed"


def test_a_body_that_the_app_does_not_read_is_not_read(answering: Any) -> None:
    """The server answers although fifty megabytes are announced and not one byte of them arrives."""
    with opened(answering()) as shop:
        with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        (viewed,) = shop.named("page.viewed")
    assert viewed.properties == {"status": 200}


def test_a_client_that_hangs_up_is_noticed_by_the_apps_own_listening() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with opened(app) as shop:
        connection, response = shop.browser().open("/")
        with connection, response:
            assert response.read(5) == b"first"
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.properties) == ("abandoned", {"status": 200})


def test_requests_on_one_connection_are_apart() -> None:
    """Pipelined: the server starts the second within the first one's context, while that one's scope is open."""
    shop, second_over, tasks = Shop(), threading.Event(), set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/allow":
            cxkit.grant("analytics")
        elif scope["path"] == "/second":
            tasks.add(asyncio.create_task(later()))
            SEEN.capture(which="second")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        if scope["path"] == "/first":
            assert await asyncio.to_thread(second_over.wait, 20)
            SEEN.capture(which="first, after its response")

    async def later() -> None:
        await asyncio.to_thread(shop.named, "page.viewed", count=3)
        SEEN.capture(which="second, after its end")
        second_over.set()

    with served(ASGIMiddleware(app, kit=shop.kit)) as shop.port, recorder() as other:
        browser = shop.browser()
        browser.ask("/allow")
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items()).encode()
        with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as client:
            first = b"GET /first HTTP/1.1\r\nHost: x\r\nCookie: " + cookie + b"\r\n\r\n"
            client.sendall(first + b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
            assert second_over.wait(20)
        seen = [*shop.named("sockets.seen", count=2), *other.named("sockets.seen")]
    shop.kit.close()
    assert {one.properties["which"]: bool(one.identity) for one in seen} == {
        "second": False,
        "second, after its end": False,
        "first, after its response": True,
    }
