"""The session that every web plugin must pass, on Starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
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


def routes(handlers: Iterable[Handler], *, threaded: bool) -> list[BaseRoute]:
    found: list[BaseRoute] = []
    for one in handlers:
        path = one.path.removeprefix(one.mount)
        for name in one.ints:
            path = path.replace(f"{{{name}}}", f"{{{name}:int}}")
        route = (
            WebSocketRoute(path, talk(one))
            if one.method == "WEBSOCKET"
            else Route(path, endpoint(one, threaded=threaded), methods=[one.method])
        )
        found.append(Mount(one.mount, app=Starlette(routes=[route])) if one.mount else route)
    return found


class TestStarlette(WebSuite):
    websockets = background = True

    @pytest.fixture(params=[False, True], ids=["loop", "threads"], autouse=True)
    def _where(self, request: pytest.FixtureRequest) -> None:
        self.threaded = request.param

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app = Starlette(routes=routes(handlers, threaded=self.threaded))
        for _ in range(0 if kit is None else self.times):
            app.add_middleware(CXMiddleware, kit=kit)
        return served(app)
