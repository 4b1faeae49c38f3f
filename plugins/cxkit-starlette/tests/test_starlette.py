"""What is peculiar to Starlette and FastAPI: routes, mounts, middleware, background tasks, websockets.

Over 400 lines, as a plugin has one file of tests for all that is peculiar to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fastapi.routing  # noqa: F401 - where it is imported, it is what unfolds routes
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import cxkit
from cxkit import Interaction
from cxkit.codec import encode
from cxkit.testing import recorder
from cxkit.testing.web_shop import Browser, Shop, served
from cxkit_starlette import CXMiddleware

SEEN = cxkit.touchpoint("starlette.seen")


async def page(request: Request) -> Response:
    return PlainTextResponse("page")


def threaded(request: Request) -> Response:
    SEEN.capture(where="thread")
    return PlainTextResponse("page")


class Resource(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("resource")


async def teapot(request: Request) -> Response:
    raise HTTPException(418)


async def redirect(request: Request) -> Response:
    return RedirectResponse("/elsewhere")


async def foreign(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("foreign")(scope, receive, send)


def distinct() -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("ok")

    return endpoint


@contextlib.contextmanager
def opened(*routes: Any, outside: tuple[Middleware, ...] = (), inside: tuple[Middleware, ...] = ()) -> Iterator[Shop]:
    """A running app with these routes, and the shop's kit in its middleware."""
    shop = Shop()
    ours = Middleware(CXMiddleware, kit=shop.kit)
    try:
        with served(Starlette(routes=list(routes), middleware=[*outside, ours, *inside])) as shop.port:
            yield shop
            shop.gate.set()
    finally:
        shop.kit.close()


# --- routes ---


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One app with all kinds of routes."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "canary.txt").write_text("file")
    sub = Starlette(routes=[Route("/page/{x}", distinct())], middleware=[Middleware(CXMiddleware)])
    twice = Starlette(routes=[Route("/page/{x}", distinct())])
    wrapped = GZipMiddleware(GZipMiddleware(Starlette(routes=[Route("/page/{x}", distinct())])))
    with opened(
        Route("/", distinct()),
        Route("/static-word", distinct()),
        Route("/items/{id:int}", distinct()),
        Route("/items/{id:int}.json", distinct()),
        Route("/pairs/{a}/{b}", distinct()),
        Route("/users/{name}/name", distinct()),
        Route("/files/{path:path}", distinct()),
        Route("/floats/{x:float}", distinct()),
        Route("/ids/{id:uuid}", distinct()),
        Route("/one/{x}", page),
        Route("/other/{y}", page),
        Route("/resource/{id}", Resource),
        Route("/thread/{id}", threaded),
        Route("/teapot/{id}", teapot),
        Route("/redirect/{id}", redirect),
        Route("/slash/{id}/", distinct()),
        Route("/canary-post", distinct(), methods=["POST"]),
        Mount("/town/{town}", routes=[Route("/stalls/{id}", distinct()), Route("/", distinct())]),
        Mount("/deep/{a}", routes=[Mount("/{a}", routes=[Route("/{a}", distinct())])]),
        Mount("/sub", sub),
        Mount("/twice/a/{t}", twice),
        Mount("/twice/b", twice),
        Mount("/wrapped", wrapped),
        Mount("/assets", StaticFiles(directory=folder)),
        Mount("/foreign", foreign),
        Host("{tenant}.example", Router([Route("/tenant/{id}", distinct())])),
        Host("other.test", foreign),
    ) as shop:
        yield shop


ROUTES = [
    ("/", "/", 200),
    ("/items/7", "/items/{id}", 200),
    ("/items/007", "/items/{id}", 200),
    ("/items/7.json", "/items/{id}.json", 200),
    ("/items/canary", None, 404),
    ("/pairs/canary/canary", "/pairs/{a}/{b}", 200),
    ("/pairs/pairs/canary", "/pairs/{a}/{b}", 200),
    ("/users/users/name", "/users/{name}/name", 200),
    ("/users/name/name", "/users/{name}/name", 200),
    ("/users/%7Bcanary%7D/name", "/users/{name}/name", 200),
    ("/files/canary/a/b.txt", "/files/{path}", 200),
    ("/files/", "/files/{path}", 200),
    ("/floats/1.50", "/floats/{x}", 200),
    ("/ids/0B6A1C6E7F3D4B1E8A55C0FFEE000001", "/ids/{id}", 200),
    ("/one/canary", "/one/{x}", 200),
    ("/other/canary", "/other/{y}", 200),
    ("/resource/canary", "/resource/{id}", 200),
    ("/thread/canary", "/thread/{id}", 200),
    ("/teapot/canary", "/teapot/{id}", 418),
    ("/redirect/canary", "/redirect/{id}", 307),
    ("/slash/canary", None, 307),
    ("/canary-post", "/canary-post", 405),
    ("/town/canary/stalls/canary", "/town/{town}/stalls/{id}", 200),
    ("/town/town/stalls/stalls", "/town/{town}/stalls/{id}", 200),
    ("/town/canary/", "/town/{town}/", 200),
    ("/town/canary/canary", None, 404),
    ("/deep/canary/canary/canary", "/deep/{a}/{a}/{a}", 200),
    ("/sub/page/canary", "/sub/page/{x}", 200),
    ("/sub/canary", None, 404),
    ("/twice/a/canary/page/canary", "/twice/a/{t}/page/{x}", 200),
    ("/twice/b/page/canary", "/twice/b/page/{x}", 200),
    ("/wrapped/page/canary", "/wrapped/page/{x}", 200),
    ("/wrapped/canary", None, 404),
    ("/assets/canary.txt", "/assets/{path}", 200),
    ("/assets/canary/none", "/assets/{path}", 404),
    ("/foreign/canary", "/foreign/{path}", 200),
    ("/canary/nowhere", None, 404),
]


@pytest.mark.parametrize(("path", "route", "status"), ROUTES)
def test_a_route_is_captured_as_its_template(town: Shop, path: str, route: str | None, status: int) -> None:
    viewed = after(town, lambda: town.browser().ask(path))
    assert viewed.context.page is not None
    assert (viewed.context.page.route, viewed.properties) == (route, {"status": status})
    assert b"canary" not in encode(viewed).replace(b"/canary-post", b"")


@pytest.mark.parametrize(
    ("host", "route"), [("canary.example", "/tenant/{id}"), ("other.test", None), ("canary.test", None)]
)
def test_hosts(town: Shop, host: str, route: str | None) -> None:
    viewed = after(town, lambda: town.browser().ask("/tenant/canary", headers={"Host": host}))
    assert viewed.context.page is not None
    assert viewed.context.page.route == route
    assert b"canary" not in encode(viewed)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 405), ("DELETE", 405)])
def test_methods(town: Shop, method: str, status: int) -> None:
    viewed = after(town, lambda: town.browser().ask("/one/1", method=method))
    assert viewed.context.page is not None
    assert (viewed.context.page.route, viewed.properties) == ("/one/{x}", {"status": status})
    assert viewed.context.page.method == method


def after(shop: Shop, act: Callable[[], object]) -> Interaction:
    """The visit that this makes."""
    before = len([one for one in shop.all() if one.name == "page.viewed"])
    act()
    visits = shop.named("page.viewed", count=before + 1)
    assert len(visits) == before + 1
    return visits[-1]


def test_routes_that_come_later_are_found(town: Shop) -> None:
    app = Starlette(routes=[Route("/", distinct())])
    app.add_middleware(CXMiddleware, kit=town.kit)
    with served(app) as port:
        browser = Browser(port)
        after(town, lambda: browser.ask("/"))
        app.router.routes.append(Route("/late/{x}", distinct()))
        app.router.routes.append(Mount("/late-mount", routes=[Route("/{y}", distinct())]))
        for path, route in (("/late/1", "/late/{x}"), ("/late-mount/1", "/late-mount/{y}")):
            viewed = after(town, lambda path=path: browser.ask(path))
            assert viewed.context.page is not None
            assert viewed.context.page.route == route


def test_endpoints_made_for_each_request_cost_a_route_and_no_memory(town: Shop) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.update(router=router, endpoint=object())
            await foreign(scope, receive, send)

    router = Router([Route("/known", page)])
    around = CXMiddleware(app, kit=town.kit)
    with served(around) as port:
        browser = Browser(port)
        for _ in range(150):
            browser.ask("/canary")
    assert len(around._route._known) < 150  # type: ignore[attr-defined]


def test_a_root_path_is_no_part_of_the_template() -> None:
    shop = Shop()
    app = Starlette(routes=[Mount("/m", routes=[Route("/a/{x}", page), Route("/b/{x}", page)])])
    app.add_middleware(CXMiddleware, kit=shop.kit)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/api", "path": "/api" + scope.get("path", "")}, receive, send)

    with served(behind) as shop.port:
        assert shop.browser().ask("/m/b/1").status == 200
    (viewed,) = shop.named("page.viewed")
    shop.kit.close()
    assert viewed.context.page is not None
    assert viewed.context.page.route == "/m/b/{x}"


# --- FastAPI ---


def test_fastapi(tmp_path: Path) -> None:
    fastapi = pytest.importorskip("fastapi")
    inner, outer, shop = fastapi.APIRouter(prefix="/inner"), fastapi.APIRouter(), Shop()
    sub, app = fastapi.FastAPI(), fastapi.FastAPI()

    async def item(id: int) -> dict[str, int]:
        return {"id": id}

    for router in (inner, sub, app):
        router.add_api_route("/items/{id}", item)
    outer.include_router(inner, prefix="/deep/{area}")
    outer.add_api_route("/plain/{id}", distinct_item())
    app.include_router(outer, prefix="/v1")
    app.include_router(outer, prefix="/v2")
    app.mount("/sub", sub)
    app.add_middleware(CXMiddleware, kit=shop.kit)
    cases = [
        ("/items/7", "/items/{id}", 200),
        ("/items/canary", "/items/{id}", 422),
        ("/v1/deep/canary/inner/items/7", "/v1/deep/{area}/inner/items/{id}", 200),
        ("/v2/deep/canary/inner/items/7", "/v2/deep/{area}/inner/items/{id}", 200),
        ("/v1/plain/7", "/v1/plain/{id}", 200),
        ("/v2/plain/7", "/v2/plain/{id}", 200),
        ("/sub/items/7", "/sub/items/{id}", 200),
        ("/sub/canary", None, 404),
        ("/v1/canary", None, 404),
        ("/openapi.json", "/openapi.json", 200),
    ]
    with served(app) as shop.port:
        for path, route, status in cases:
            viewed = after(shop, lambda path=path: shop.browser().ask(path))
            assert viewed.context.page is not None
            assert (viewed.context.page.route, viewed.properties["status"]) == (route, status), path
            assert b"canary" not in encode(viewed)
    shop.kit.close()


def distinct_item() -> Callable[[int], Awaitable[dict[str, int]]]:
    async def item(id: int) -> dict[str, int]:
        return {"id": id}

    return item


# --- how a visit ends ---


def test_an_unhandled_exception(town: Shop) -> None:
    def broken(request: Request) -> Response:
        raise KeyError("canary")

    with opened(Route("/broken/{x}", broken)) as shop:
        assert shop.browser().ask("/broken/1").status == 500
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.error, viewed.properties) == ("failed", "KeyError", {"status": 500})
    assert b"canary" not in encode(viewed)


def test_a_background_task_is_the_visitors_and_its_failure_spoils_no_visit() -> None:
    def background() -> None:
        SEEN.capture(where="background")
        raise RuntimeError("canary")

    async def respond(request: Request) -> Response:
        cxkit.grant("analytics")
        return PlainTextResponse("ok", background=BackgroundTask(background))

    with opened(Route("/", respond)) as shop:
        assert shop.browser().ask("/").status == 200
        (seen,), (viewed,) = shop.named("starlette.seen"), shop.named("page.viewed")
    assert (viewed.outcome, viewed.error) == ("completed", None)
    assert seen.identity == viewed.identity
    assert seen.identity


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_client_that_leaves_in_the_middle(kind: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    def sync_pieces() -> Iterator[bytes]:
        while True:
            yield b"x" * 10_000

    async def respond(request: Request) -> Response:
        return StreamingResponse(pieces() if kind == "async" else sync_pieces())

    with opened(Route("/endless", respond)) as shop:
        connection, response = shop.browser().open("/endless")
        with connection, response:
            response.read(10)
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.properties) == ("abandoned", {"status": 200})


def test_a_client_that_leaves_while_it_uploads() -> None:
    async def respond(request: Request) -> Response:
        await request.body()
        return PlainTextResponse("ok")

    with opened(Route("/", respond, methods=["POST"])) as shop:
        with socket.create_connection(("127.0.0.1", shop.port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        (viewed,) = shop.named("page.viewed")
    assert (viewed.outcome, viewed.properties, viewed.error) == (
        "abandoned",
        {"status": None},
        "ClientDisconnect",
    )


# --- bytes ---


@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=2-3"}, {"If-None-Match": "*"}], ids=["whole", "range", "etag"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_are_served_byte_for_byte(tmp_path: Path, method: str, headers: dict[str, str]) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 100)
    routes = [Mount("/files", StaticFiles(directory=tmp_path))]
    with opened(*routes) as shop, served(Starlette(routes=routes)) as plain:
        ours = shop.browser().ask("/files/a.txt", method=method, headers=headers)
        theirs = Browser(plain).ask("/files/a.txt", method=method, headers=headers)
    drop = {"date"}
    assert [pair for pair in ours.headers if pair[0] not in drop] == [
        pair for pair in theirs.headers if pair[0] not in drop
    ]
    assert (ours.status, ours.body) == (theirs.status, theirs.body)


# --- other middleware ---


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-passed"] = "yes"
        return response


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_base_http_middleware(place: Any) -> None:
    async def allow(request: Request) -> Response:
        cxkit.grant("analytics")
        SEEN.capture()
        return PlainTextResponse("ok", background=BackgroundTask(SEEN.capture))

    async def broken(request: Request) -> Response:
        raise KeyError

    async def pieces(request: Request) -> Response:
        return StreamingResponse(iter([b"a", b"b"]))

    routes = [Route("/allow/{x}", allow), Route("/broken", broken), Route("/pieces", pieces)]
    with opened(*routes, **{place: (Middleware(Passing),)}) as shop:
        browser = shop.browser()
        assert browser.ask("/allow/1").all("x-passed") == ["yes"]
        assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
        shop.named("page.viewed", count=1)
        assert browser.ask("/pieces").body == b"ab"
        shop.named("page.viewed", count=2)
        assert browser.ask("/broken").status == 500
        allowed, streamed, failed = shop.named("page.viewed", count=3)
        seen = shop.named("starlette.seen", count=2)
    assert [one.identity for one in (*seen, streamed)] == [allowed.identity] * 3
    assert allowed.identity
    assert [one.outcome for one in (allowed, streamed, failed)] == ["completed", "completed", "failed"]
    assert allowed.context.page is not None
    assert allowed.context.page.route == "/allow/{x}"


def test_a_client_that_leaves_through_base_http_middleware() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    async def respond(request: Request) -> Response:
        return StreamingResponse(pieces())

    for place in ("outside", "inside"):
        middleware: Any = {place: (Middleware(Passing),)}
        with opened(Route("/", respond), **middleware) as shop:
            connection, response = shop.browser().open("/")
            with connection, response:
                response.read(10)
            (viewed,) = shop.named("page.viewed")
        assert viewed.outcome == "abandoned", place


def test_lifespan_and_state_are_the_apps() -> None:
    told: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        told.append("start")
        yield {"kept": "state"}
        told.append("stop")

    async def respond(request: Request) -> Response:
        return PlainTextResponse(request.state.kept)

    with recorder() as record:
        app = Starlette(routes=[Route("/", respond)], lifespan=lifespan)
        app.add_middleware(CXMiddleware)
        with served(app) as port:
            assert Browser(port).ask("/").body == b"state"
        assert record.one("page.viewed").outcome == "completed"
    assert told == ["start", "stop"]


def test_websockets() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        SEEN.capture(said=await websocket.receive_text())
        await websocket.send_text("yes")
        await websocket.close()

    sent: list[dict[str, Any]] = []
    incoming = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}])

    async def run(app: Any) -> None:
        async def receive() -> Any:
            return next(incoming)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/talk/canary",
            "headers": [],
            "query_string": b"",
            "scheme": "ws",
        }
        await app(scope, receive, send)

    with recorder() as record:
        app = Starlette(routes=[WebSocketRoute("/talk/{x}", talk)])
        app.add_middleware(CXMiddleware)
        asyncio.run(run(app))
        seen = record.one("starlette.seen")
        assert not record.named("page.viewed")
    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert seen.context.page is not None
    assert (seen.context.page.route, seen.properties) == ("/talk/{x}", {"said": "hello"})


# --- apart ---


async def bleed_async(request: Request) -> Response:
    _say(request, "before")
    for _ in range(random.randrange(5)):
        await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.create_task(_say_later(request, f"task {n}")) for n in range(2)))
    return PlainTextResponse("ok", background=BackgroundTask(_say_later, request, "async background"))


def bleed_thread(request: Request) -> Response:
    _say(request, "thread")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(cxkit.carry(_say), request, "carried").result()
    return PlainTextResponse("ok", background=BackgroundTask(_say, request, "thread background"))


async def bleed_stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            _say(request, f"piece {number}")
            yield b"x"
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


async def bleed_sync_stream(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        for number in range(3):
            _say(request, f"piece {number}")
            yield b"x"

    return StreamingResponse(pieces())


async def bleed_leftover(request: Request) -> Response:
    task = asyncio.create_task(_say_later(request, "leftover"))
    _LEFTOVERS.add(task)
    task.add_done_callback(_LEFTOVERS.discard)
    return PlainTextResponse("ok")


_LEFTOVERS: set[asyncio.Task[None]] = set()


def _say(request: Request, how: str) -> None:
    SEEN.capture(who=request.path_params["who"], how=how)


async def _say_later(request: Request, how: str) -> None:
    for _ in range(random.randrange(5)):
        await asyncio.sleep(0)
    _say(request, how)


def test_two_thousand_interleaved_requests_of_fifty_visitors() -> None:
    """Over connections that visitors share, as they do behind a proxy."""
    bleeding = [bleed_async, bleed_thread, bleed_stream, bleed_sync_stream, bleed_leftover]
    routes = [Route(f"/{number}/{{who}}", one) for number, one in enumerate(bleeding)]
    with opened(*routes, Route("/allow/{what}", allow)) as shop, recorder():
        browsers = {str(number): shop.browser() for number in range(50)}
        for number, browser in browsers.items():
            if int(number) % 5:
                browser.ask("/allow/personalization" if int(number) % 2 else "/allow/functional")
        identities = [one.identity.get("visitor") for one in shop.named("page.viewed", count=40)]
        with ThreadPoolExecutor(8) as pool:
            statuses = [*pool.map(lambda seed: _wander(shop.port, browsers, seed, 250), range(8))]
        assert statuses == [{200}] * 8
        viewed = shop.named("page.viewed", count=2040)
        seen = shop.named("starlette.seen", count=4000)
    assert len(viewed) == 2040
    known = {one.value for one in identities if one is not None}
    assert len(known) == 40
    found: dict[str, set[str | None]] = {}
    for one in seen:
        visitor, who = one.identity.get("visitor"), str(one.properties["who"])
        if visitor is None and one.properties["how"] == "leftover":
            continue  # its request was over
        found.setdefault(who, set()).add(visitor and visitor.value)
        assert one.consent == _consent(int(who)), one.properties
    assert all(len(values) == 1 for values in found.values())
    assert {who for who, values in found.items() if values == {None}} == {str(n) for n in range(0, 50, 5)}
    assert set().union(*found.values()) == known | {None}


async def allow(request: Request) -> Response:
    cxkit.grant("analytics", request.path_params["what"])
    return PlainTextResponse("ok")


def _consent(number: int) -> dict[str, bool]:
    if not number % 5:
        return {"necessary": True}
    return {"necessary": True, "analytics": True, "personalization" if number % 2 else "functional": True}


def _wander(port: int, browsers: dict[str, Browser], seed: int, count: int) -> set[int]:
    """Requests of visitors chosen by chance, over one connection."""
    chance, statuses = random.Random(seed), set()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        for _ in range(count):
            who = chance.choice(list(browsers))
            cookie = "; ".join(f"{name}={value}" for name, value in browsers[who].cookies.items())
            connection.request("GET", f"/{chance.randrange(5)}/{who}", headers={"Cookie": cookie} if cookie else {})
            response = connection.getresponse()
            response.read()
            statuses.add(response.status)
    return statuses


# --- a guest ---


class Untouchable:
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"somebody touched it: {name}")


def test_session_user_and_body_are_not_touched() -> None:
    async def behind(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.update(session=Untouchable(), user=Untouchable(), auth=Untouchable())
            receive = _never
        await app(scope, receive, send)

    async def _never() -> Any:
        raise AssertionError("somebody read the body")

    app = Starlette(routes=[Route("/", page, methods=["POST"])])
    with recorder() as record:
        app.add_middleware(CXMiddleware)
        with served(behind) as port:
            assert Browser(port).ask("/", method="POST", body=b"body").status == 200
        assert record.one("page.viewed").outcome == "completed"


def test_importing_it_is_silent_and_starts_nothing() -> None:
    code = "import threading, cxkit_starlette; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
