"""The session that every web plugin must pass, on Flask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Flask, Response, request, send_file
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cxkit import Kit
from cxkit.testing.web_suite import Answer, Ask, Handler, WebSuite, served_wsgi
from cxkit_flask import CXFlask


def view(handler: Handler, *, awaits: bool) -> Callable[..., Any]:
    def respond(**params: str) -> Response:
        into = handler.into and handler.into()
        if into is not None:
            for piece in iter(lambda: request.stream.read(65_536), b""):
                into.update(piece)
        body = request.get_data() if handler.reads and into is None else b""
        return response(handler.answer(Ask(params=params, body=body, into=into)))

    async def respond_async(**params: str) -> Response:
        return respond(**params)

    return respond_async if awaits else respond


def response(answer: Answer) -> Response:
    if answer.file is not None:
        made: Response = send_file(answer.file, conditional=True)
    else:
        made = Response(answer.body, answer.status)
    for name, value in answer.headers:
        made.headers.add(name, value)
    return made


def app_of(handlers: Iterable[Handler], *, awaits: bool = False) -> Flask:
    app = Flask("suite", static_folder=None)
    for number, one in enumerate(handlers):
        rule = re.sub(r"{(\w+)}", lambda found, one=one: kind(found[1], one), one.path.removeprefix(one.mount))
        app.add_url_rule(rule, f"view {number}", view(one, awaits=awaits), methods=[one.method])
    return app


def kind(name: str, handler: Handler) -> str:
    return f"<int:{name}>" if name in handler.ints else f"<{name}>"


class TestFlask(WebSuite):
    @pytest.fixture(params=[False, True], ids=["sync", "async"], autouse=True)
    def _where(self, request: pytest.FixtureRequest) -> None:
        self.awaits = request.param

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app: Any = app_of([one for one in handlers if not one.mount], awaits=self.awaits)
        mounted = {one.mount: app_of([one], awaits=self.awaits) for one in handlers if one.mount}
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounted)
        for _ in range(self.times if kit is not None else 0):
            CXFlask(app, kit=kit)
        return served_wsgi(app)
