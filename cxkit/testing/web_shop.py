"""The app that a web plugin is tested with, a browser that visits it, and a server (uvicorn) for ASGI apps."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import http.client
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import attrs

from cxkit.api import Experience, Touchpoint, grant, identify, withdraw
from cxkit.kit import Kit
from cxkit.model import Decision, ExperienceSpec, Interaction, TouchpointSpec, Variant
from cxkit.roles import Batch, Outcome
from cxkit.settings import Settings
from cxkit.testing.recorder import RecordingExporter

__all__ = ["Answer", "Ask", "Browser", "Handler", "Reply", "Shop", "bare_app", "served"]

_PATIENCE_S: Final = 20.0
_CACHED: Final = (("Cache-Control", "public, max-age=60"),)
_HEADERS: Final = (("X-Z", "1"), ("X-A", "2"), ("Set-Cookie", "a=1"), ("Vary", "Accept"), ("Set-Cookie", "b=2"))
_SEEN: Final[Touchpoint[...]] = Touchpoint(TouchpointSpec(name="suite.seen"))
_HERO: Final = Experience(
    ExperienceSpec(
        name="suite.hero",
        fallback=Variant(name="all", content="Welcome"),
        variants=(Variant(name="known", content="Welcome back", depth=2),),
    )
)


@attrs.frozen(kw_only=True)
class Ask:
    """What a handler is given."""

    params: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    """Only where the handler reads it."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a handler returns."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Iterable[bytes] = b"ok"
    """Pieces are to be streamed as they come."""


@attrs.frozen(kw_only=True)
class Handler:
    """One page of the app that the plugin is tested with."""

    method: str = "GET"
    path: str
    """With parameters as ``{name}``, which is also how the route is to be captured."""
    answer: Callable[[Ask], Answer]
    reads: bool = False


@attrs.frozen(kw_only=True)
class Reply:
    """What the browser got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of one header."""
        return [value for key, value in self.headers if key.lower() == name]


class Browser:
    """Keeps cookies, as a browser does.

    Args:
        port: Where the server is, on this machine.
        patience_s: How long to wait for an answer, or for more of one.
    """

    def __init__(self, port: int, *, patience_s: float = _PATIENCE_S) -> None:
        self._port = port
        self._patience_s = patience_s
        self.cookies: dict[str, str] = {}

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] = {}, body: bytes | None = None
    ) -> Reply:
        """One request, on a connection of its own."""
        connection, response = self.open(path, method=method, headers=headers, body=body)
        with connection, response:
            return Reply(status=response.status, headers=response.getheaders(), body=response.read())

    def open(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] = {}, body: bytes | None = None
    ) -> tuple[AbstractContextManager[object], http.client.HTTPResponse]:
        """One request whose response is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience_s)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        connection.request(method, path, body, {**(cookies if self.cookies else {}), **headers})
        response = connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._keep(value)
        return _closing(connection), response

    def _keep(self, set_cookie: str) -> None:
        pair, *attributes = set_cookie.split(";")
        name, _, value = pair.partition("=")
        self.cookies[name] = value
        if "max-age=0" in [one.strip().lower() for one in attributes]:
            del self.cookies[name]


class Shop:
    """The app under test, running; and what was captured of it.

    Args:
        strict: Whether what goes wrong in cxkit is raised into the app.
        patience_s: How long to wait for what should come.
        parts: Of the kit, as `cxkit.Kit` takes them.

    Attributes:
        gate: Set it, and whatever of the app waits for it goes on.
    """

    def __init__(self, *, strict: bool = True, patience_s: float = _PATIENCE_S, **parts: Any) -> None:
        self.gate = threading.Event()
        self._patience_s = patience_s
        self._exporter = _Watched()
        self.kit = Kit(Settings(strict=strict), exporters={"suite": self._exporter}, in_memory=True, **parts)
        self.port = 0

    def browser(self) -> Browser:
        """A new one, without cookies."""
        return Browser(self.port, patience_s=self._patience_s)

    def named(self, name: str, *, count: int = 1) -> list[Interaction]:
        """Those of one touchpoint, once there are so many: a response may come before its visit is kept."""
        return self._exporter.wait(name, count, timeout_s=self._patience_s)

    def all(self) -> list[Interaction]:
        """All that was captured so far."""
        self.kit.flush(timeout_s=self._patience_s)
        return list(self._exporter.interactions)

    def handlers(self) -> list[Handler]:
        """The pages."""
        return [
            Handler(path="/", answer=lambda ask: Answer(body=b"home")),
            Handler(path="/products/{sku}", answer=_product),
            Handler(path="/products/{sku}/reviews/{number}", answer=_product),
            Handler(path="/broken", answer=_broken),
            Handler(path="/closed", answer=lambda ask: Answer(status=503)),
            Handler(path="/hero", answer=_hero),
            Handler(path="/cached", answer=lambda ask: Answer(headers=_CACHED, body=_told(_HERO.decide()))),
            Handler(path="/cached-hero", answer=lambda ask: attrs.evolve(_hero(ask), headers=_CACHED)),
            Handler(path="/headers", answer=lambda ask: Answer(headers=_HEADERS)),
            Handler(path="/torn", answer=lambda ask: Answer(body=_torn())),
            Handler(path="/stream", answer=lambda ask: Answer(body=self._pieces())),
            Handler(path="/later", answer=self._later),
            Handler(path="/static/app.js", answer=lambda ask: Answer(body=b"js")),
            Handler(method="POST", path="/allow", answer=_allow),
            Handler(method="POST", path="/refuse", answer=_refuse),
            Handler(method="POST", path="/login/{name}", answer=_login),
            Handler(method="POST", path="/digest", answer=_digest, reads=True),
            Handler(method="POST", path="/ignore", answer=lambda ask: Answer(body=b"ignored")),
        ]

    def _pieces(self) -> Iterator[bytes]:
        yield b"first"
        assert self.gate.wait(self._patience_s), "the first piece was held back until the second"
        _SEEN.capture(where="stream")
        yield b"second"

    def _later(self, ask: Ask) -> Answer:
        context = contextvars.copy_context()

        def capture() -> None:
            self.gate.wait(self._patience_s)
            context.run(_SEEN.capture, where="later")

        threading.Thread(target=capture).start()
        return Answer()


def bare_app(handlers: Iterable[Handler]) -> Callable[..., Awaitable[None]]:
    """The handlers as an ASGI app without any framework; ``scope["bare.route"]`` is the route that was found."""
    routes = [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", one.path)), one) for one in handlers]

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("there is neither a lifespan nor a websocket")
        found = [(match, one) for path, one in routes if (match := path.fullmatch(scope["path"]))]
        fitting = [pair for pair in found if pair[1].method == scope["method"]]
        answer = Answer(status=405 if found else 404, body=b"")
        if fitting:
            match, handler = fitting[0]
            scope["bare.route"] = handler.path
            body = await _body(receive) if handler.reads else b""
            answer = handler.answer(Ask(params=match.groupdict(), body=body))
        await _send(answer, send)

    return app


async def _body(receive: Any) -> bytes:
    pieces: list[bytes] = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _send(answer: Answer, send: Any) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if not isinstance(answer.body, bytes):
        pieces = iter(answer.body)
        while piece := await asyncio.to_thread(next, pieces, b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    body = answer.body if isinstance(answer.body, bytes) else b""
    await send({"type": "http.response.body", "body": body})


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
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), "the server did not stop"


class _Watched(RecordingExporter):
    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        with self._changed:
            outcome = super().export(batch, deadline_s=deadline_s)
            self._changed.notify_all()
        return outcome

    def wait(self, name: str, count: int, *, timeout_s: float) -> list[Interaction]:
        def found() -> list[Interaction]:
            return [one for one in self.interactions if one.name == name]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, timeout_s), f"{name}: {len(found())}"
            return found()


def _product(ask: Ask) -> Answer:
    _SEEN.capture(**ask.params)
    return Answer(body=b"product")


def _broken(ask: Ask) -> Answer:
    return Answer(status=1 // 0)


def _torn() -> Iterator[bytes]:
    yield b"first"
    raise ZeroDivisionError


def _hero(ask: Ask) -> Answer:
    return Answer(body=_told(_HERO.show()))


def _told(decision: Decision) -> bytes:
    return str(decision.content).encode()


def _allow(ask: Ask) -> Answer:
    grant("analytics", "personalization", "advertising", "identity_stitching")
    return Answer()


def _refuse(ask: Ask) -> Answer:
    withdraw("analytics", "personalization", "advertising", "identity_stitching")
    return Answer()


def _login(ask: Ask) -> Answer:
    grant("analytics")
    identify(user_id=ask.params["name"])
    _SEEN.capture()
    return Answer()


def _digest(ask: Ask) -> Answer:
    return Answer(body=hashlib.sha256(ask.body).hexdigest().encode())


@contextmanager
def _closing(connection: http.client.HTTPConnection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.close()
