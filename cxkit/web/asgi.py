"""ASGI: a visit around each request. Bodies, streams, websockets, errors and cancellation pass untouched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

from cxkit.kit import Kit
from cxkit.roles import Endpoint, Reply
from cxkit.web.beside import beside
from cxkit.web.mounted import PATIENCE_S, TOO_LONG, TOO_SLOW, UNREADABLE, answered, as_sent, refused
from cxkit.web.sites import Sites
from cxkit.web.visit import Visit, open_visit

__all__ = ["ASGIMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Finds = Callable[[Mapping[str, Any]], str | None]

_LIFE: Final = ("lifespan.startup.complete", "lifespan.shutdown.complete")
_LAST: Final = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")


def _template_of(scope: Mapping[str, Any]) -> str | None:
    """The template of the route, where the framework leaves it in the scope, as Litestar does."""
    template = scope.get("path_template")
    return template if isinstance(template, str) else None


class ASGIMiddleware:
    """Put it around an ASGI app. Installed twice, the inner one steps aside.

    Args:
        app: The app.
        kit: Whose; by default the one that is current when a request comes.
        route: Finds the route's template in the ASGI scope after routing.
        user: Finds there the id of who is signed in, if the app has asked its framework for that.
    """

    def __init__(
        self, app: App, *, kit: Kit | None = None, route: Finds = _template_of, user: Finds = lambda scope: None
    ) -> None:
        self.app = app
        self._sites = Sites(kit)
        self._route = route
        self._user = user

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        visit = self._visit(scope)
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif visit is None:
            await self.app(scope, receive, send)
        elif visit.endpoint is not None:
            await self._answer(visit, visit.endpoint, receive, send)
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
            if kind in _LIFE and (site := self._sites()) is not None:
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
        if scope["type"] not in ("http", "websocket"):
            return None
        return open_visit(
            self._sites,
            scope,
            lambda site: site.facts.asgi(scope),
            route=partial(self._route, scope),
            user=partial(self._user, scope),
            sets_cookies=scope["type"] == "http",
        )

    async def _answer(self, visit: Visit, endpoint: Endpoint, receive: Receive, send: Send) -> None:
        facts = visit.facts
        try:
            reply = refused(endpoint, facts)
            if reply is None:
                read = await _body(receive, at_most=endpoint.max_body_bytes)
                if isinstance(read, Reply):
                    reply = read
                elif endpoint.waits:
                    reply = await beside(answered, visit.site, endpoint, facts, read)
                else:
                    reply = answered(visit.site, endpoint, facts, read)
            status, raw, body = as_sent(visit.site, reply, facts)
            headers = visit.begin(status, raw)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            visit.close()

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


async def _body(receive: Receive, *, at_most: int) -> bytes | Reply:
    """The request's body; what to answer if it is too long, or too long in coming."""
    import asyncio  # here alone: an app under another loop can still be wrapped

    body = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":  # gone before the end of it
                    return UNREADABLE
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > at_most:
                    return TOO_LONG
    except TimeoutError:
        return TOO_SLOW
    return body
