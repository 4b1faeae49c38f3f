"""Candy Haven under Starlette. Run it with ``uvicorn examples.candy_haven.fronts.starlette:app``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import cxkit
from cxkit_starlette import CXMiddleware
from examples.candy_haven.shop import MAX_BYTES, ROUTES, Answer, Asked, Route, answer, refused


def endpoint(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """The shop waits for nobody, so it may act in the event loop itself."""

    async def act(request: Request) -> Response:
        asked = asked_of(request, await form_of(request))
        return response(answer(route, asked))

    return act


async def form_of(request: Request) -> bytes:
    """What was submitted.

    Raises:
        HTTPException: It is too long: none of it is kept, but all of it read, so that they read our answer.
    """
    form, size = b"", 0
    async for piece in request.stream():
        size += len(piece)
        form = form + piece if size <= MAX_BYTES else b""
    if size > MAX_BYTES:
        raise HTTPException(413)
    return form


def asked_of(request: Request, form: bytes = b"") -> Asked:
    query = request.query_params.multi_items()
    return Asked(
        path=request.path_params,
        fields=query if request.method != "POST" else parse_qsl(form.decode("utf-8", "replace")),
        cookies=request.cookies,
    )


def response(answered: Answer) -> Response:
    made: Response
    if answered.location is not None:
        made = RedirectResponse(answered.location, answered.status)
    else:
        made = HTMLResponse(answered.html, answered.status, headers=dict(answered.headers))
    for name, value in answered.cookies.items():
        made.set_cookie(name, value, httponly=True, samesite="lax")  # on https: secure=True as well
    return made


async def refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    page = response(refused(asked_of(request), error.status_code))
    page.headers.update(error.headers or {})
    return page


def make(kit: cxkit.Kit | None = None) -> Starlette:
    """The shop.

    Args:
        kit: Where there are several in one process; else the one that is configured.
    """
    made = Starlette(
        routes=[routing.Route(one.path, endpoint(one), methods=[one.method]) for one in ROUTES],
        exception_handlers={HTTPException: refuse},
    )
    made.add_middleware(CXMiddleware, kit=kit)  # (6) the one line: visits are captured, visitors recognised
    return made


app = make()
