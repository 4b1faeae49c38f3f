"""Candy Haven under Django, in one file. Run it with ``gunicorn examples.candy_haven.fronts.django:app``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from itertools import groupby
from urllib.parse import parse_qsl

from django.conf import settings  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from examples.candy_haven.shop import MAX_BYTES, ROUTES, Answer, Asked, Route, answer, refused

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["cxkit_django.CXMiddleware"],  # (6) the one line: visits are captured, visitors recognised
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(),
)


def view(routes: Mapping[str, Route]) -> Callable[..., HttpResponse]:
    """The shop reads forms itself, so that every front reads them alike."""

    def act(request: HttpRequest, **values: str) -> HttpResponse:
        route = routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return refuse(request, 405, allow=", ".join(routes))
        form = form_of(request) if request.method == "POST" else b""
        if form is None:
            return refuse(request, 413)
        return response(answer(route, asked_of(request, values, form)))

    return act


def form_of(request: HttpRequest) -> bytes | None:
    """What was submitted; None if it is too long: then all of it is read, so that they read our answer."""
    form: bytes = request.read(MAX_BYTES + 1)
    if len(form) <= MAX_BYTES:
        return form
    while request.read(MAX_BYTES):
        pass
    return None


def asked_of(request: HttpRequest, values: Mapping[str, str], form: bytes = b"") -> Asked:
    query = parse_qsl(request.META.get("QUERY_STRING", ""), keep_blank_values=True)
    return Asked(
        path=values,
        fields=query if request.method != "POST" else parse_qsl(form.decode("utf-8", "replace")),
        cookies=request.COOKIES,
    )


def response(answered: Answer) -> HttpResponse:
    made = HttpResponse(answered.html, status=answered.status, headers=dict(answered.headers))
    if answered.location is not None:
        made = HttpResponse(status=answered.status, headers={"Location": answered.location})
    for name, value in answered.cookies.items():
        made.set_cookie(name, value, httponly=True, samesite="Lax")  # on https: secure=True as well
    return made


def refuse(request: HttpRequest, status: int, *, allow: str | None = None) -> HttpResponse:
    page = response(refused(asked_of(request, {}), status))
    if allow is not None:
        page.headers["Allow"] = allow
    return page


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refuse(request, 404)


urlpatterns = [
    path(template[1:].replace("{", "<").replace("}", ">"), view({one.method: one for one in routes}))
    for template, routes in groupby(ROUTES, key=lambda one: one.path)
]
app = get_wsgi_application()
