"""The scope is the right one wherever Django takes a request: threads, event loops, streams, files."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import path

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.testing import Recorder
from cxkit.testing.web_shop import Shop

Serve = Callable[..., AbstractContextManager[int]]
Configured = Callable[..., AbstractContextManager[None]]

SEEN = cxkit.touchpoint("django.seen")
BOTH = pytest.mark.parametrize("gateway", ["wsgi", "asgi"])

# Where a stream fails, Django's ASGI handler leaves the file with the request's body open.
pytestmark = pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")


def sync_middleware(get_response: Any) -> Any:
    def answered(request: HttpRequest) -> Any:
        SEEN.capture(where="before")
        response = get_response(request)
        SEEN.capture(where="after")
        return response

    return answered


def async_middleware(get_response: Any) -> Any:
    async def answered(request: HttpRequest) -> Any:
        SEEN.capture(where="before")
        response = await get_response(request)
        SEEN.capture(where="after")
        return response

    return answered


async_middleware.async_capable = True  # type: ignore[attr-defined]
async_middleware.sync_capable = False  # type: ignore[attr-defined]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The paths of middleware of this file."""
    module = ModuleType("cxkit_django_others")
    module.__dict__.update(sync_middleware=sync_middleware, async_middleware=async_middleware)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return lambda *kinds: [f"{module.__name__}.{kind}_middleware" for kind in kinds]


@pytest.fixture
def opened(serve: Serve) -> Callable[..., AbstractContextManager[Shop]]:
    """A running app, and the shop's kit in its middleware."""

    @contextlib.contextmanager
    def opened(*urls: Any, **changed: Any) -> Iterator[Shop]:
        shop = Shop()
        try:
            with serve(urls, kit=shop.kit, **changed) as shop.port:
                yield shop
                shop.gate.set()
        finally:
            shop.kit.close()

    return opened


Opened = Callable[..., AbstractContextManager[Shop]]


# --- threads and event loops ---


def sync_view(request: HttpRequest, who: str) -> HttpResponse:
    SEEN.capture(where="view", who=who)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(cxkit.carry(SEEN.capture), where="carried", who=who).result()
    async_to_sync(_say_later)(who)
    return HttpResponse("ok")


async def async_view(request: HttpRequest, who: str) -> HttpResponse:
    SEEN.capture(where="view", who=who)
    await asyncio.gather(*(asyncio.create_task(_say_later(who)) for _ in range(2)))
    await sync_to_async(SEEN.capture)(where="thread", who=who)
    await sync_to_async(SEEN.capture, thread_sensitive=False)(where="pool", who=who)
    return HttpResponse("ok")


async def _say_later(who: str) -> None:
    for _ in range(random.randrange(4)):
        await asyncio.sleep(0)
    SEEN.capture(where="task", who=who)


def allow(request: HttpRequest) -> HttpResponse:
    cxkit.grant("analytics", "personalization")
    return HttpResponse("ok")


@BOTH
@pytest.mark.parametrize("kinds", [(), ("sync",), ("async",), ("sync", "async"), ("async", "sync", "async")])
def test_the_scope_is_there_across_all_switches(
    gateway: str, kinds: tuple[str, ...], opened: Opened, others: Callable[..., list[str]]
) -> None:
    urls = [path("allow/", allow), path("sync/<who>", sync_view), path("async/<who>", async_view)]
    with opened(*urls, gateway=gateway, others=others(*kinds)) as shop:
        browser = shop.browser()
        for asked in ("/allow/", "/sync/a", "/async/a"):
            assert browser.ask(asked).status == 200
        viewed = shop.named("page.viewed", count=3)
        seen = [one for one in shop.all() if one.name == "django.seen"]
    assert len(seen) == 3 + 5 + 2 * 3 * len(kinds)
    visitors = {one.identity.get("visitor") for one in (*viewed, *seen) if one.properties.get("where") != "before"}
    assert len(visitors - {None}) == 1
    late = [one for one in seen if "who" in one.properties]
    assert [one.context.page and one.context.page.route for one in viewed[1:]] == ["/sync/{who}", "/async/{who}"]
    if not kinds:  # else something was captured before there was a route
        assert {one.context.page and one.context.page.route for one in late} == {"/sync/{who}", "/async/{who}"}
    assert all(one.identity.get("visitor") for one in late)


_WRONG: list[str] = []


async def checked_later(request: HttpRequest, who: str) -> HttpResponse:
    for _ in range(random.randrange(3)):
        _check(request, who)
        await asyncio.sleep(0)
    return checked(request, who)


def checked(request: HttpRequest, who: str) -> HttpResponse:
    _check(request, who)
    return HttpResponse(who)


def _check(request: HttpRequest, who: str) -> None:
    marks: Any = getattr(request, "scope", request.META)
    if current_scope() is not marks["cxkit.scope"]:
        _WRONG.append(who)


def _ask(handler: BaseHandler, start: int, count: int) -> None:
    for number in range(start, start + count):
        assert handler.get_response(RequestFactory().get(f"/now/{number}")).content == str(number).encode()
        if current_scope() is not None:
            _WRONG.append(f"left by {number}")


async def _ask_later(handler: BaseHandler, start: int, count: int) -> None:
    for number in range(start, start + count):
        response = await handler.get_response_async(AsyncRequestFactory().get(f"/later/{number}"))
        assert response.content == str(number).encode()
        if current_scope() is not None:
            _WRONG.append(f"left by {number}")


@pytest.mark.anyio
async def test_ten_thousand_interleaved_requests_leak_no_scope(configured: Configured, cx: Recorder) -> None:
    """Half of them on one event loop, half in threads."""
    _WRONG.clear()
    with configured([path("later/<who>", checked_later), path("now/<who>", checked)], others=()):
        handler, later = BaseHandler(), BaseHandler()
        handler.load_middleware(is_async=False)
        later.load_middleware(is_async=True)
        threads = (asyncio.to_thread(_ask, handler, number, 1250) for number in range(0, 5000, 1250))
        await asyncio.gather(*threads, *(_ask_later(later, number, 100) for number in range(0, 5000, 100)))
    assert _WRONG == []
    assert cx.account.captured == 10_000


# --- streams ---


def pieces() -> Iterator[bytes]:
    SEEN.capture(where="stream")
    yield b"first"
    yield b"second"


async def apart() -> AsyncIterator[bytes]:
    SEEN.capture(where="stream")
    yield b"first"
    await asyncio.sleep(0)
    yield b"second"


def torn() -> Iterator[bytes]:
    yield b"first"
    raise ZeroDivisionError


async def torn_apart() -> AsyncIterator[bytes]:
    yield b"first"
    raise ZeroDivisionError


async def endless() -> AsyncIterator[str]:
    while True:
        yield "data: tick\n\n" + "x" * 1000
        await asyncio.sleep(0.001)


def for_ever() -> Iterator[bytes]:
    while True:
        yield b"x" * 100_000


def streaming(make: Callable[[], Any], *, awaits: bool, **more: Any) -> Any:
    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(make(), **more)

    async def later(request: HttpRequest) -> StreamingHttpResponse:
        return view(request)

    return later if awaits else view


@BOTH
@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize("make", [pieces, apart])
def test_streams_of_both_kinds_on_both_gateways(
    make: Callable[[], Any], awaits: bool, gateway: str, opened: Opened
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")  # Django's own, without us as well
        with opened(path("", streaming(make, awaits=awaits)), gateway=gateway) as shop:
            assert shop.browser().ask("/").body == b"firstsecond"
            (viewed,), (seen,) = shop.named("page.viewed"), shop.named("django.seen")
    assert (viewed.outcome, seen.context.page) == ("completed", viewed.context.page)


@pytest.mark.parametrize(("gateway", "make"), [("wsgi", torn), ("asgi", torn_apart)])
def test_streams_that_are_torn(gateway: str, make: Callable[[], Any], opened: Opened) -> None:
    with opened(path("", streaming(make, awaits=gateway == "asgi")), gateway=gateway) as shop:
        with contextlib.suppress(OSError, Exception):
            shop.browser().ask("/")
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.error) == ("failed", "ZeroDivisionError")


def test_a_client_that_leaves_a_stream(opened: Opened) -> None:
    with opened(path("", streaming(for_ever, awaits=False))) as shop:
        connection, response = shop.browser().open("/")
        with connection, response:
            response.read(10)
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.properties) == ("abandoned", {"status": 200})


@pytest.mark.skipif(django.VERSION < (5,), reason="Django 4.2 does not notice that a client has left")
def test_a_client_that_leaves_server_sent_events(opened: Opened) -> None:
    view = streaming(endless, awaits=True, content_type="text/event-stream")
    with opened(path("", view), gateway="asgi") as shop:
        connection, response = shop.browser().open("/")
        with connection, response:
            assert response.read(10) == b"data: tick"
        (viewed,) = shop.named("page.viewed")
    assert viewed.outcome == "abandoned"


@pytest.mark.skipif(django.VERSION < (5,), reason="Django 4.2 does not notice that a client has left")
def test_a_client_that_leaves_a_slow_view(opened: Opened) -> None:
    begun = threading.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        begun.set()
        await asyncio.sleep(60)
        return HttpResponse("late")

    with opened(path("", slow), gateway="asgi", others=()) as shop:
        with socket.create_connection(("127.0.0.1", shop.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert begun.wait(20)
        (viewed,) = shop.named("page.viewed")
    assert viewed.outcome == "abandoned"


@BOTH
def test_compressed_streams(gateway: str, opened: Opened) -> None:
    make = apart if gateway == "asgi" else pieces
    urls = path("", streaming(make, awaits=gateway == "asgi"))
    with opened(urls, gateway=gateway, others=["django.middleware.gzip.GZipMiddleware"]) as shop:
        reply = shop.browser().ask("/", headers={"Accept-Encoding": "gzip"})
        assert reply.all("content-encoding") == ["gzip"]
        (viewed,), (_,) = shop.named("page.viewed"), shop.named("django.seen")
    assert viewed.outcome == "completed"


# --- files ---


def test_files_are_sent_in_the_servers_own_way(configured: Configured, cx: Recorder, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_bytes(b"x" * 100_000)
    files: list[Any] = []

    def view(request: HttpRequest) -> FileResponse:
        files.append((tmp_path / "file.txt").open("rb"))
        return FileResponse(files[-1])

    class Wrapper:
        def __init__(self, file: Any, size: int) -> None:
            self.file = file

    with configured([path("", view)]):
        environ = RequestFactory().get("/").environ | {"wsgi.file_wrapper": Wrapper}
        body = WSGIHandler()(environ, lambda status, headers: None)
    assert isinstance(body, Wrapper)
    assert body.file is files[0]
    assert not files[0].closed
    assert cx.one("page.viewed").outcome == "completed"
    body.file.close()
    assert files[0].closed


@BOTH
def test_files_arrive_whole(gateway: str, opened: Opened, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(300_000)
    (tmp_path / "file.bin").write_bytes(content)

    def view(request: HttpRequest) -> FileResponse:
        return FileResponse((tmp_path / "file.bin").open("rb"))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")
        with opened(path("", view), gateway=gateway) as shop:
            assert shop.browser().ask("/").body == content
            assert shop.browser().ask("/", method="HEAD").body == b""
            viewed = shop.named("page.viewed", count=2)
    assert [one.outcome for one in viewed] == ["completed", "completed"]
