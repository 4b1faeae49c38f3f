"""ASGI: a visit around each request. Bodies, streams, websockets, errors and cancellation pass untouched."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

from cxkit.capture.interruption import let_through
from cxkit.kit import Kit, current_kit
from cxkit.model import Facts
from cxkit.web.cookies import read_cookies
from cxkit.web.visit import Site, Visit

__all__ = ["ASGIMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Route = Callable[[Mapping[str, Any]], str | None]

_KEY: Final = "cxkit.scope"
_LIFE: Final = ("lifespan.startup.complete", "lifespan.shutdown.complete")
_LAST: Final = ("http.response.body", "http.response.pathsend")
_SECRET: Final = frozenset([b"authorization", b"cookie", b"proxy-authorization"])

logger = logging.getLogger("cxkit")


class ASGIMiddleware:
    """Put it around an ASGI app. Installed twice, the inner one steps aside.

    Args:
        app: The app.
        kit: Whose; by default the one that is current when a request comes.
        route: Finds the route's template in the ASGI scope after routing.
    """

    def __init__(self, app: App, *, kit: Kit | None = None, route: Route = lambda scope: None) -> None:
        self.app = app
        self._kit = kit
        self._route = route
        self._last: Site | None = None
        self._warned = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        visit = self._visit(scope)
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif visit is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(visit, scope, receive, send)
        else:
            try:
                await self.app(scope, receive, send)
            finally:
                visit.leave()

    async def _lifespan(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Deliver from the start what earlier processes left, and at the end what is left now.

        The kit is found when the app has started, for the app may configure it. And a server may end its
        process by a signal before anything else runs.
        """

        async def said(message: Message) -> None:
            kind = message.get("type")
            if kind in _LIFE and (site := self._site()) is not None:
                try:
                    if kind == "lifespan.startup.complete":
                        site.kit.start()
                    else:
                        await site.kit.astop()
                except Exception as error:  # noqa: BLE001 - the guest's promise
                    site.failed(error)
            await send(message)

        await self.app(scope, receive, said)

    def _visit(self, scope: MutableMapping[str, Any]) -> Visit | None:
        """The visit that begins; None where there is none of ours, or none can be made."""
        outer = scope.get(_KEY)
        if scope["type"] not in ("http", "websocket") or (outer is not None and not outer.closed):
            return None
        site = self._site()
        if site is None:
            return None
        try:
            if site.excludes(scope["path"]):
                return None
            answers = scope["type"] == "http"
            visit = Visit(site, _facts(scope, site), route=partial(self._route, scope), answers=answers)
        except Exception as error:  # noqa: BLE001 - the guest's promise: the app is served all the same
            site.failed(error)
            return None
        scope[_KEY] = visit.scope
        return visit

    def _site(self) -> Site | None:
        try:
            kit = self._kit or current_kit()
        except Exception as error:  # noqa: BLE001 - likewise
            let_through(error)
            if not self._warned:
                self._warned = True
                logger.error("cxkit: visits are not captured, for cxkit cannot be configured: %s", error)
            return None
        if self._last is None or self._last.kit is not kit:
            self._last = Site(kit)
        return self._last

    async def _request(self, visit: Visit, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            if message.get("type") == "http.disconnect":
                visit.left()
            return message

        async def said(message: Message) -> None:
            kind = message.get("type")
            if kind == "http.response.start":
                headers = message.get("headers", ())
                listed = headers if isinstance(headers, (list, tuple)) else list(headers)
                changed = visit.begin(message.get("status"), listed)
                if changed is not headers:
                    message = {**message, "headers": changed}
            try:
                await send(message)
            except OSError:
                visit.left()
                raise
            if kind in _LAST and not message.get("more_body", False):
                visit.end()

        try:
            await self.app(scope, heard, said)
        except BaseException as error:
            visit.close(error)
            raise
        visit.close()


def _facts(scope: MutableMapping[str, Any], site: Site) -> Facts:
    if not isinstance(scope["headers"], (list, tuple)):
        scope["headers"] = list(scope["headers"])  # it may be good for one reading only
    headers = _joined(scope["headers"])
    client, scheme = scope.get("client"), scope.get("scheme", "http")
    host, cookies = headers.get(b"host"), headers.get(b"cookie")
    for name in _SECRET:
        headers.pop(name, None)
    return Facts(
        method=scope.get("method", "GET"),
        scheme=scheme,
        host=None if host is None else host.decode("latin-1"),
        path=scope["path"],
        headers=_Headers(headers),
        peer=client[0] if client else None,
        cookies=read_cookies(cookies.decode("latin-1"), site.cookie_names(scheme)) if cookies else {},
    )


def _joined(raw: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """One value for each name; repeated ones joined (RFC 9110, section 5.3; RFC 9113, section 8.2.3)."""
    joined = dict(raw)
    if len(joined) < len(raw):
        joined = {}
        for name, value in raw:
            between = b"; " if name == b"cookie" else b", "
            joined[name] = joined[name] + between + value if name in joined else value
    return joined


class _Headers(Mapping[str, str]):
    """The request's headers, each decoded when it is asked for. What authenticates is not among them.

    Args:
        raw: With names in lower case, as ASGI has them.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        return self._raw[name.lower().encode("latin-1", "replace")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)
