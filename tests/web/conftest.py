"""Apps without a framework, driven without a server; and kits with a clock and keys of one's own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit import Interaction, Kit
from cxkit.capture.stamp import Stamper
from cxkit.kit import install
from cxkit.settings import Settings
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.web import ASGIMiddleware
from tests.web.beacon import SAME, TEXT

Pairs = Iterable[tuple[bytes, bytes]]


@attrs.define
class Sent:
    """What came out of one request."""

    messages: list[dict[str, Any]] = attrs.field(factory=list)
    error: BaseException | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return list(self.messages[0]["headers"])

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name.encode()]

    @property
    def cookies(self) -> dict[str, str]:
        """Name to value of what is set; "" of what is deleted."""
        return dict(one.split(";")[0].split("=", 1) for one in self.all("set-cookie"))


class Client:
    """Drives an ASGI app, and keeps cookies if told to."""

    def __init__(self, app: Any, *, scheme: str = "http", kit: Kit | None = None) -> None:
        self._app = app
        self._scheme = scheme
        self._kit = kit
        self.cookies: dict[str, str] = {}

    def scope(self, path: str = "/", *, method: str = "GET", headers: Pairs = (), **fields: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": self._scheme,
            "path": path,
            "query_string": b"",
            "headers": self._headers(headers),
            "client": ("192.0.2.7", 4711),
            "server": ("127.0.0.1", 80),
            **fields,
        }

    def in_(self, other: Client) -> Client:
        """The same browser, in another app."""
        other.cookies = self.cookies
        return other

    def _headers(self, more: Pairs) -> Pairs:
        """A list, unless more is an iterator."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode("latin-1")
        headers = itertools.chain([(b"host", b"shop.example")], [(b"cookie", cookie)] if cookie else [], more)
        return headers if isinstance(more, Iterator) else list(headers)

    def ask(self, path: str = "/", *, received: Iterable[dict[str, Any]] = (), **fields: Any) -> Sent:
        """One request in a task of its own; whatever it raises is kept."""
        sent = Sent()
        incoming = iter(received)

        async def receive() -> dict[str, Any]:
            return next(incoming, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            sent.messages.append(message)

        async def run() -> None:
            try:
                await self._app(self.scope(path, **fields), receive, send)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                sent.error = error

        asyncio.run(run())
        if sent.messages and "headers" in sent.messages[0]:
            for name, value in sent.cookies.items():
                self.cookies[name] = value
                if not value:
                    del self.cookies[name]
        return sent


@pytest.fixture
def client() -> type[Client]:
    return Client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@attrs.define
class Kept:
    """A kit, and what it exported."""

    kit: Kit
    exporter: RecordingExporter

    @property
    def interactions(self) -> list[Interaction]:
        assert self.kit.flush(timeout_s=10).complete
        return list(self.exporter.interactions)

    def named(self, name: str) -> list[Interaction]:
        return [one for one in self.interactions if one.name == name]

    @property
    def viewed(self) -> Interaction:
        """The only visit."""
        (viewed,) = self.named("page.viewed")
        return viewed


@pytest.fixture
def make(tmp_path: Path, clock: FakeClock) -> Iterator[Callable[..., Kept]]:
    """Makes kits on disk, under the test's clock, strict unless told."""
    made: list[Kit] = []

    def make(settings: Mapping[str, Any] = {}, *, time_ns: Callable[[], int] | None = None, **parts: Any) -> Kept:
        exporter = RecordingExporter()
        kit = Kit(
            Settings(**{"directory": tmp_path / ".cxkit", "strict": True, **settings}),
            exporters={"recorder": exporter},
            stamper=Stamper(time_ns=time_ns or clock.time_ns),
            **parts,
        )
        made.append(kit)
        return Kept(kit, exporter)

    yield make
    for kit in made:
        kit.close()


@pytest.fixture
def kept(make: Callable[..., Kept]) -> Kept:
    return make()


@pytest.fixture
def as_default() -> Callable[[Kit], AbstractContextManager[None]]:
    """Makes a kit the default one for the time of a block."""

    @contextmanager
    def as_default(kit: Kit | None) -> Iterator[None]:
        before = install(kit)
        try:
            yield
        finally:
            install(before)

    return as_default


@pytest.fixture
def answering() -> Callable[..., Any]:
    """Makes an app that does something and then answers."""

    def answering(act: Callable[[], object] = lambda: None, *, status: int = 200, headers: Pairs = ()) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            act()
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            await send({"type": "http.response.body", "body": b"ok"})

        return app

    return answering


@pytest.fixture
def shop(kept: Kept, client: type[Client], answering: Any) -> Callable[..., Client]:
    """A client of an app that does one thing, with the test's kit."""

    def shop(
        act: Callable[[], object] = lambda: None, *, kit: Kit | None = None, scheme: str = "http", **answer: Any
    ) -> Client:
        return client(ASGIMiddleware(answering(act, **answer), kit=kit or kept.kit), scheme=scheme)

    return shop


@pytest.fixture
def visitor(shop: Callable[..., Client]) -> Client:
    """A client that has allowed everything, and holds both cookies."""
    everything = ("analytics", "personalization", "advertising", "sale_share", "identity_stitching")
    visitor = shop(lambda: cxkit.grant(*everything))
    visitor.ask()
    assert list(visitor.cookies) == ["cxkit_visitor", "cxkit_consent"]
    return visitor


@pytest.fixture
def post(shop: Any) -> Callable[..., Any]:
    """Sends a body as a page of the site does, unless told otherwise."""
    usual: list[Any] = []

    def post(
        body: bytes, *, by: Any = None, kit: Any = None, type: bytes = TEXT, more: Any = (SAME,), **fields: Any
    ) -> Any:
        if not usual:
            usual.append(shop(kit=kit))
        headers = [*([(b"content-type", type)] if type else []), *more]
        received = [{"type": "http.request", "body": body}]
        return (by or usual[0]).ask("/cx/i", method="POST", headers=headers, received=received, **fields)

    return post
