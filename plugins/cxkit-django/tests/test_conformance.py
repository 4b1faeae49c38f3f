"""The session that every web plugin must pass, on Django: both gateways, both kinds of views."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import django
import pytest
from asgiref.sync import sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import include, path

from cxkit import Kit
from cxkit.testing.web_suite import Answer, Ask, Handler, Shop, WebSuite

# Where a stream fails, Django's ASGI handler leaves the file with the request's body open.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"),
    # A file has no asynchronous iterator; Django reads it in a thread, and says so.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators"),
]


def pattern(handler: Handler, *, gateway: str, awaits: bool) -> Any:
    methods = [handler.method, "HEAD"] if handler.method == "GET" else [handler.method]

    def respond(request: HttpRequest, **params: str) -> HttpResponseBase:
        if request.method not in methods:
            return HttpResponseNotAllowed(methods)
        into = handler.into and handler.into()
        if into is not None:
            for piece in iter(partial(request.read, 65_536), b""):
                into.update(piece)
        body = request.body if handler.reads and into is None else b""
        return response(handler.answer(Ask(params=params, body=body, into=into)), gateway)

    async def respond_later(request: HttpRequest, **params: str) -> HttpResponseBase:
        return respond(request, **params)

    view: Any = respond_later if awaits else respond
    view.csrf_exempt = True  # Django 4.2 has decorators for synchronous views alone
    route = handler.path.removeprefix(handler.mount)[1:]
    for name in re.findall(r"{(\w+)}", route):
        route = route.replace(f"{{{name}}}", f"<int:{name}>" if name in handler.ints else f"<{name}>")
    return path(handler.mount[1:] + "/", include([path(route, view)])) if handler.mount else path(route, view)


def response(answer: Answer, gateway: str) -> HttpResponseBase:
    made: HttpResponseBase
    if answer.file is not None:
        made = FileResponse(answer.file.open("rb"), status=answer.status)
    elif isinstance(answer.body, bytes):
        made = HttpResponse(answer.body, status=answer.status)
    else:
        pieces: Any = _apart(answer.body) if gateway == "asgi" else answer.body
        made = StreamingHttpResponse(pieces, status=answer.status)
    for name, value in answer.headers:
        if name == "Set-Cookie":
            made.cookies.load(value)
        else:
            made.headers[name] = value
    return made


async def _apart(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    following = iter(pieces)
    while piece := await sync_to_async(next, thread_sensitive=False)(following, b""):
        yield piece


class TestDjango(WebSuite):
    @pytest.fixture(params=["wsgi", "wsgi-async", "asgi", "asgi-async"], autouse=True)
    def _where(self, request: pytest.FixtureRequest, serve: Callable[..., AbstractContextManager[int]]) -> None:
        self.gateway, _, kind = request.param.partition("-")
        self.awaits = bool(kind)
        self.start = serve

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        urls = [pattern(one, gateway=self.gateway, awaits=self.awaits) for one in handlers]
        return self.start(urls, gateway=self.gateway, kit=kit, times=0 if kit is None else self.times)

    def test_an_upload_that_nobody_reads_is_not_waited_for(self, shop: Shop) -> None:
        self._unless_read_already()
        super().test_an_upload_that_nobody_reads_is_not_waited_for(shop)

    def test_who_leaves_while_uploading_was_here_once(self, shop: Shop) -> None:
        self._unless_read_already()
        super().test_who_leaves_while_uploading_was_here_once(shop)

    def test_events_come_at_once_until_their_reader_leaves(self, shop: Shop) -> None:
        if self.gateway == "asgi" and django.VERSION < (5,):
            pytest.skip("Django 4.2 does not notice that a client has left")
        super().test_events_come_at_once_until_their_reader_leaves(shop)

    def _unless_read_already(self) -> None:
        if self.gateway == "asgi":
            pytest.skip("under ASGI Django reads the whole body before any middleware is asked")
