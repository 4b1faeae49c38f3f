"""Litestar as plain ASGI: the middleware that knows no framework finds what Litestar leaves in the ASGI scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from cxkit import Kit
from cxkit.testing.web_suite import Answer, Ask, Handler, WebSuite, served
from cxkit.web import ASGIMiddleware

litestar = pytest.importorskip("litestar")
response = pytest.importorskip("litestar.response")
background_tasks = pytest.importorskip("litestar.background_tasks")


def page(handler: Handler) -> Any:
    async def respond(request: Any) -> Any:
        into = handler.into and handler.into()
        if into is not None:
            async for piece in request.stream():
                into.update(piece)
        body = await request.body() if handler.reads and into is None else b""
        return answered(handler.answer(Ask(params=request.path_params, body=body, into=into)))

    respond.__annotations__ = {"request": litestar.Request, "return": litestar.Response}
    return litestar.route(at(handler), http_method=[handler.method], status_code=200)(respond)


def talk(handler: Handler) -> Any:
    async def respond(socket: Any) -> None:
        await socket.accept()
        said = (await socket.receive_text()).encode()
        answer: Any = handler.answer(Ask(params=socket.path_params, body=said))
        await socket.send_text(answer.body.decode())
        await socket.close()

    respond.__annotations__ = {"socket": litestar.WebSocket, "return": None}
    return litestar.websocket(at(handler))(respond)


def at(handler: Handler) -> str:
    return re.sub(
        r"{(\w+)}", lambda found: f"{{{found[1]}:{'int' if found[1] in handler.ints else 'str'}}}", handler.path
    )


def answered(answer: Answer) -> Any:
    headers = [litestar.datastructures.ResponseHeader(name=name, value=value) for name, value in answer.headers]
    after = background_tasks.BackgroundTask(answer.after) if answer.after else None
    if answer.file is not None:
        return response.File(answer.file, background=after)
    kind: Callable[..., Any] = litestar.Response if isinstance(answer.body, bytes) else response.Stream
    return kind(answer.body, status_code=answer.status, headers=headers, background=after, media_type="text/plain")


class TestLitestar(WebSuite):
    websockets = background = True
    tells_errors = False  # Litestar answers by itself, further in than any ASGI middleware around the app

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        pages = [talk(one) if one.method == "WEBSOCKET" else page(one) for one in handlers]
        app: Any = litestar.Litestar(route_handlers=pages, openapi_config=None, request_max_body_size=None)
        for _ in range(0 if kit is None else self.times):
            app = ASGIMiddleware(app, kit=kit)
        return served(app)
