"""The session that every web plugin must pass, on Starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cxkit import Kit
from cxkit.testing.web_suite import Answer, Ask, Handler, WebSuite, served
from cxkit_starlette import CXMiddleware


def endpoint(handler: Handler, *, threaded: bool) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        body = await request.body() if handler.reads else b""
        ask = Ask(params=request.path_params, body=body)
        answer = await run_in_threadpool(handler.answer, ask) if threaded else handler.answer(ask)
        return response(answer)

    return respond


def response(answer: Answer) -> Response:
    kind = Response if isinstance(answer.body, bytes) else StreamingResponse
    made: Response = kind(answer.body, answer.status)
    for name, value in answer.headers:
        made.headers.append(name, value)
    return made


class TestStarlette(WebSuite):
    @pytest.fixture(params=[False, True], ids=["loop", "threads"], autouse=True)
    def _where(self, request: pytest.FixtureRequest) -> None:
        self.threaded = request.param

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app = Starlette(
            routes=[Route(one.path, endpoint(one, threaded=self.threaded), methods=[one.method]) for one in handlers]
        )
        if kit is not None:
            app.add_middleware(CXMiddleware, kit=kit)
        return served(app)
