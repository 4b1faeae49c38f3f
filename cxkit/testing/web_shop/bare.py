"""The handlers as apps without any framework, one for each gateway; and real servers for both."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from cxkit.testing.web_shop.browser import PATIENCE_S
from cxkit.testing.web_shop.handlers import Answer, Ask, Handler

__all__ = ["bare_app", "bare_wsgi", "served", "served_wsgi"]

_PIECE: Final = 65_536


class _Routes:
    """Finds handlers by method and path."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._routes = [(self._pattern(one), one) for one in handlers]

    def __call__(self, method: str, path: str) -> tuple[Handler | None, dict[str, str], Answer]:
        """The handler and its parameters; without one, what to answer instead."""
        found = [(match, one) for pattern, one in self._routes if (match := pattern.fullmatch(path))]
        for match, handler in found:
            if handler.method == method:
                return handler, match.groupdict(), Answer()
        return None, {}, Answer(status=405 if found else 404, body=b"")

    @staticmethod
    def _pattern(handler: Handler) -> re.Pattern[str]:
        def named(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{'[0-9]+' if found[1] in handler.ints else '[^/]+'})"

        return re.compile(re.sub(r"{(\w+)}", named, handler.path))


# --- ASGI ---


def bare_app(handlers: Iterable[Handler]) -> Callable[..., Awaitable[None]]:
    """The handlers as an ASGI app without any framework; ``scope["bare.route"]`` is the route that was found."""
    routes = _Routes(handlers)

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise NotImplementedError("there is no lifespan")
        talks = scope["type"] == "websocket"
        handler, params, answer = routes("WEBSOCKET" if talks else scope["method"], scope["path"])
        if handler is not None:
            scope["bare.route"] = handler.path
            if handler.mount:
                scope["root_path"] = handler.mount
        if talks:
            await _talk(handler, params, receive, send)
        else:
            if handler is not None:
                answer = handler.answer(await _asked(handler, params, receive))
            await _send(answer, receive, send)

    return app


async def _asked(handler: Handler, params: dict[str, str], receive: Any) -> Ask:
    pieces, into, more = [], handler.into and handler.into(), handler.reads or handler.into is not None
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        more = message.get("more_body", False)
        if into is None:
            pieces.append(message.get("body", b""))
        else:
            into.update(message.get("body", b""))
    return Ask(params=params, body=b"".join(pieces), into=into)


async def _talk(handler: Handler | None, params: dict[str, str], receive: Any, send: Any) -> None:
    await receive()
    if handler is not None:
        await send({"type": "websocket.accept"})
        said = (await receive())["text"].encode()
        answer = handler.answer(Ask(params=params, body=said)).body
        assert isinstance(answer, bytes)
        await send({"type": "websocket.send", "text": answer.decode()})
    await send({"type": "websocket.close"})


async def _send(answer: Answer, receive: Any, send: Any) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(answer.body, bytes):
        await send({"type": "http.response.body", "body": answer.body})
    else:
        await _stream(iter(answer.body), receive, send)
    if answer.after is not None:
        await asyncio.to_thread(answer.after)


async def _stream(pieces: Iterator[bytes], receive: Any, send: Any) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    leaving = asyncio.create_task(gone())
    try:
        while not leaving.done() and (piece := await asyncio.to_thread(next, pieces, b"")):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not leaving.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()


@contextmanager
def served(app: Any) -> Iterator[int]:
    """An ASGI app behind a real uvicorn on a port of this machine, in a thread, until the block ends.

    Yields:
        The port.
    """
    import uvicorn

    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "the server did not stop"


# --- WSGI ---


def bare_wsgi(handlers: Iterable[Handler]) -> Callable[..., Iterable[bytes]]:
    """The handlers as a WSGI app without any framework; ``environ["bare.route"]`` is the route that was found."""
    routes = _Routes(handlers)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        handler, params, answer = routes(environ["REQUEST_METHOD"], path.encode("latin-1").decode("utf-8", "replace"))
        if handler is not None:
            environ["bare.route"] = handler.path
            if handler.mount:
                environ.update(SCRIPT_NAME=handler.mount, PATH_INFO=path.removeprefix(handler.mount))
            answer = handler.answer(_asked_of(environ, handler, params))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(answer.headers))
        if answer.file is not None:
            return environ["wsgi.file_wrapper"](answer.file.open("rb"), _PIECE)  # type: ignore[no-any-return]
        return [answer.body] if isinstance(answer.body, bytes) else answer.body

    return app


def _asked_of(environ: dict[str, Any], handler: Handler, params: dict[str, str]) -> Ask:
    left, pieces, into = int(environ.get("CONTENT_LENGTH") or 0), [], handler.into and handler.into()
    while left and (handler.reads or into is not None):
        piece = environ["wsgi.input"].read(min(left, _PIECE))
        if not piece:
            raise ConnectionAbortedError
        left -= len(piece)
        if into is None:
            pieces.append(piece)
        else:
            into.update(piece)
    return Ask(params=params, body=b"".join(pieces), into=into)


@contextmanager
def served_wsgi(app: Any) -> Iterator[int]:
    """A WSGI app behind a real server (the standard library's) on a port of this machine, until the block ends.

    Each request has a thread of its own.

    Yields:
        The port.
    """
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.set_app(app)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False
    request_queue_size = 128

    def server_bind(self) -> None:
        """Without asking who this machine is: that can take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever left in the middle is no news."""


class _Connection(WSGIRequestHandler):
    timeout = PATIENCE_S

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if len(self.raw_requestline) > 65_536:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
        elif self.parse_request():
            handler = _Quiet(self.rfile, self.wfile, self.get_stderr(), self.get_environ(), multithread=True)  # type: ignore[arg-type]
            handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Quiet(SimpleHandler):
    def log_exception(self, exc_info: object) -> None:
        """What the app raised is answered with 500, which is enough."""
