"""ASGI: a visit around each request. Streams, websockets, errors and cancellation pass untouched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from cxkit.kit import Kit, current_kit
from cxkit.model import Facts
from cxkit.web.cookies import read_cookies
from cxkit.web.visit import Visit, cookie_names, excluded, made_private

__all__ = ["ASGIMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Route = Callable[[Mapping[str, Any]], str | None]

_KEY: Final = "cxkit.visit"


class ASGIMiddleware:
    """Put it around an ASGI app. Installed twice, the inner one steps aside.

    Args:
        app: The app.
        kit: Whose; by default the current kit when the first request comes.
        route: Finds the route's template in the ASGI scope after routing.
    """

    def __init__(self, app: App, *, kit: Kit | None = None, route: Route = lambda scope: None) -> None:
        self.app = app
        self._kit = kit
        self._route = route

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or _KEY in scope:
            await self.app(scope, receive, send)
            return
        kit = self._kit or current_kit()
        if excluded(scope["path"], kit.settings.web.exclude):
            await self.app(scope, receive, send)
            return
        visit = Visit(kit, _facts(scope, cookie_names(kit)), route=lambda: self._route(scope))
        scope[_KEY] = visit
        if scope["type"] == "websocket":
            await self._connection(visit, scope, receive, send)
        else:
            await self._request(visit, scope, receive, send)

    async def _connection(
        self, visit: Visit, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """A websocket has a scope, but is no page."""
        visit.headers()
        try:
            await self.app(scope, receive, send)
        finally:
            visit.scope.close()

    async def _request(
        self, visit: Visit, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        status: int | None = None
        ended = False

        async def observed(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                message = _with_headers(message, visit)
            elif message["type"] == "http.response.body":
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, observed)
        except BaseException as error:
            # An error after the last byte (a background task's, say) did not spoil the visit.
            visit.close(status=status if status is not None else 500, error=None if ended else error)
            raise
        visit.close(status=status)


def _facts(scope: Mapping[str, Any], names: tuple[str, str]) -> Facts:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    return Facts(
        method=scope.get("method", "GET"),
        scheme=scope.get("scheme", "http"),
        host=headers.get("host"),
        path=scope["path"],
        headers=headers,
        peer=client[0] if client else None,
        cookies=read_cookies(cookies, frozenset(names)),
    )


def _with_headers(message: Message, visit: Visit) -> Message:
    added = visit.headers()
    if not added and not visit.personal:
        return message
    headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
    if visit.personal:
        held = [value.decode("latin-1") for name, value in headers if name.lower() == b"cache-control"]
        headers = [pair for pair in headers if pair[0].lower() != b"cache-control"]
        headers.append((b"cache-control", made_private(", ".join(held)).encode("latin-1")))
        headers.append((b"vary", b"Cookie"))
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in added]
    return {**message, "headers": headers}
