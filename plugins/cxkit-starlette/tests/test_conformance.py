"""The session that every web plugin must pass, on Starlette and on FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from cxkit import Kit
from cxkit.testing.web_suite import Answer, Ask, Handler, WebSuite, served
from cxkit_starlette import CXMiddleware


def endpoint(handler: Handler, *, threaded: bool) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        into = handler.into and handler.into()
        if into is not None:
            async for piece in request.stream():
                into.update(piece)
        body = await request.body() if handler.reads and into is None else b""
        ask = Ask(params=request.path_params, body=body, into=into)
        answer = await run_in_threadpool(handler.answer, ask) if threaded else handler.answer(ask)
        return response(answer)

    return respond


def response(answer: Answer) -> Response:
    after = BackgroundTask(answer.after) if answer.after else None
    made: Response
    if answer.file is not None:
        made = FileResponse(answer.file, answer.status, background=after)
    else:
        kind = Response if isinstance(answer.body, bytes) else StreamingResponse
        made = kind(answer.body, answer.status, background=after)
    for name, value in answer.headers:
        made.headers.append(name, value)
    return made


def talk(handler: Handler) -> Callable[[WebSocket], Awaitable[None]]:
    async def respond(websocket: WebSocket) -> None:
        await websocket.accept()
        said = (await websocket.receive_text()).encode()
        answer: Any = handler.answer(Ask(params=websocket.path_params, body=said))
        await websocket.send_text(answer.body.decode())
        await websocket.close()

    return respond


def starlette(handlers: Iterable[Handler], *, threaded: bool = False) -> Any:
    found: list[BaseRoute] = []
    for one in handlers:
        path = typed(one)
        route = (
            WebSocketRoute(path, talk(one))
            if one.method == "WEBSOCKET"
            else Route(path, endpoint(one, threaded=threaded), methods=[one.method])
        )
        found.append(Mount(one.mount, app=Starlette(routes=[route])) if one.mount else route)
    return Starlette(routes=found)


def fastapi(handlers: Iterable[Handler]) -> Any:
    made = pytest.importorskip("fastapi")
    app = made.FastAPI()
    for one in handlers:
        within = made.FastAPI() if one.mount else app
        if one.method == "WEBSOCKET":
            within.add_api_websocket_route(typed(one), talk(one))
        else:
            within.add_api_route(typed(one), endpoint(one, threaded=False), methods=[one.method])
        if one.mount:
            app.mount(one.mount, within)
    return app


def typed(handler: Handler) -> str:
    path = handler.path.removeprefix(handler.mount)
    for name in handler.ints:
        path = path.replace(f"{{{name}}}", f"{{{name}:int}}")
    return path


class TestStarlette(WebSuite):
    websockets = background = True

    @pytest.fixture(
        params=[starlette, partial(starlette, threaded=True), fastapi], ids=["loop", "threads", "fastapi"], autouse=True
    )
    def _made(self, request: pytest.FixtureRequest) -> None:
        self.made = request.param

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app = self.made(handlers)
        for _ in range(0 if kit is None else self.times):
            app.add_middleware(CXMiddleware, kit=kit)
        return served(app)
