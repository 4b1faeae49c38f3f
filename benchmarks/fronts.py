"""One page in three frameworks, bare and behind each middleware; it is asked for without a socket."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from posthog import Posthog

from cxkit.kit import Kit, install

__all__ = ["FRONTS", "HEADERS", "PATH", "ROUTE", "Front", "Served"]

PATH: Final = "/products/ALM-200"
ROUTE: Final = "/products/{sku}"
HEADERS: Final = {
    "host": "shop.example",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "fr-FR,fr;q=0.8,en;q=0.5",
    "accept-encoding": "gzip, deflate, br",
    "referer": "https://shop.example/",
    "sec-fetch-mode": "navigate",
}

Served = Callable[[int], object]
"""One request, from what a server hands over to the last byte of the response."""


@attrs.frozen(kw_only=True)
class Front:
    """The page in one framework."""

    name: str
    bare: Any
    cxkit: Any
    posthog: Any
    otel: Any
    served: Callable[[Any, Mapping[str, str]], Served]
    """Asks an app for the page, with further headers."""


class _Dropping(SpanExporter):
    """Takes what it is given, and that is all: what a request's own thread pays is measured, not a network."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _tracing() -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_Dropping()))
    return provider


_posthog = Posthog("phc_none", host="http://127.0.0.1:9", send=False)  # all of capture() but its queue


def _capture() -> None:
    _posthog.capture("page viewed", distinct_id="nancy", properties={"route": ROUTE, "status": 200})


# --- Starlette ---


def starlette(kit: Kit) -> Front:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from posthog.integrations.asgi import PosthogASGIMiddleware
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from cxkit_starlette import CXMiddleware

    async def product(request: Request) -> PlainTextResponse:
        return PlainTextResponse("almonds")

    async def captured(request: Request) -> PlainTextResponse:
        _capture()
        return PlainTextResponse("almonds")

    def app(view: Any) -> Starlette:
        return Starlette(routes=[Route(ROUTE, view)])

    ours = app(product)
    ours.add_middleware(CXMiddleware, kit=kit)
    loop = asyncio.new_event_loop()
    return Front(
        name="Starlette",
        bare=app(product),
        cxkit=ours,
        posthog=PosthogASGIMiddleware(app(captured)),
        otel=OpenTelemetryMiddleware(app(product), tracer_provider=_tracing()),
        served=lambda app, headers: _asgi(loop, app, headers),
    )


def _asgi(loop: asyncio.AbstractEventLoop, app: Any, more: Mapping[str, str]) -> Served:
    headers = [(name.encode(), value.encode()) for name, value in {**HEADERS, **more}.items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    def request(number: int) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", 443),
        }
        loop.run_until_complete(app(scope, receive, send))

    return request


# --- WSGI: Flask and Django ---


def flask(kit: Kit) -> Front:
    from flask import Flask, Response
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from posthog.integrations.flask import PosthogFlaskIntegration

    def product(sku: str) -> Response:
        return Response("almonds", mimetype="text/plain")

    def captured(sku: str) -> Response:
        _capture()
        return Response("almonds", mimetype="text/plain")

    def app(view: Any) -> Flask:
        made = Flask(__name__)
        made.add_url_rule("/products/<sku>", "product", view)
        return made

    ours, posthog, otel = app(product), app(captured), app(product)
    _install_flask(ours, kit)
    PosthogFlaskIntegration(posthog, client=_posthog)
    FlaskInstrumentor.instrument_app(otel, tracer_provider=_tracing())
    return Front(name="Flask", bare=app(product), cxkit=ours, posthog=posthog, otel=otel, served=_wsgi)


def _install_flask(app: Any, kit: Kit) -> None:
    from cxkit_flask import CXFlask

    CXFlask(app, kit=kit)


def django(kit: Kit) -> Front:
    from django.conf import settings

    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="a key of the benchmark's", MIDDLEWARE=[])
    import django as package
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.test import override_settings
    from django.urls import path
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    package.setup()

    def product(request: HttpRequest, sku: str) -> HttpResponse:
        return HttpResponse("almonds", content_type="text/plain")

    def captured(request: HttpRequest, sku: str) -> HttpResponse:
        _capture()
        return HttpResponse("almonds", content_type="text/plain")

    urlpatterns.extend([path("products/<str:sku>", product), path("captured/<str:sku>", captured)])

    def app(*middleware: str, traced: bool = False) -> WSGIHandler:
        with override_settings(MIDDLEWARE=list(middleware), POSTHOG_MW_CLIENT=_posthog):
            if traced:
                DjangoInstrumentor().instrument(tracer_provider=_tracing())
            return WSGIHandler()

    posthog = app("posthog.integrations.django.PosthogContextMiddleware")

    def capturing(environ: dict[str, Any], start_response: Any) -> Any:
        environ["PATH_INFO"] = PATH.replace("products", "captured")
        return posthog(environ, start_response)

    install(kit)
    ours = app("cxkit_django.CXMiddleware")
    return Front(name="Django", bare=app(), cxkit=ours, posthog=capturing, otel=app(traced=True), served=_wsgi)


urlpatterns: list[Any] = []
"""Django's, which reads them here."""


def _wsgi(app: Any, more: Mapping[str, str]) -> Served:
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in {**HEADERS, **more}.items()}

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        pass

    def request(number: int) -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": PATH,
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **headers,
        }
        body = app(environ, start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()

    return request


FRONTS: Final[Mapping[str, Callable[[Kit], Front]]] = {"Starlette": starlette, "Flask": flask, "Django": django}
