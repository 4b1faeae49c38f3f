"""What the middleware adds to a request, the visit captured."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.event import make_kit
from benchmarks.pairs import paired, table
from cxkit.kit import Kit
from cxkit.web.cookies import choices_to_text
from cxkit_starlette import CXMiddleware

__all__ = ["run"]

HEADERS = [
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"fr-FR,fr;q=0.8,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"referer", b"https://shop.example/"),
    (b"sec-fetch-mode", b"navigate"),
]


async def product(request: Request) -> PlainTextResponse:
    return PlainTextResponse("almonds")


def make_app() -> Starlette:
    return Starlette(routes=[Route("/products/{sku}", product)])


def run(*, quick: bool) -> str:
    kit = make_kit(None, queue_bytes=1 << 40)
    kit.intake._running = True  # the queue alone: what the request's own thread pays
    app = make_app()
    app.add_middleware(CXMiddleware, kit=kit)
    loop = asyncio.new_event_loop()
    subjects: dict[str, Callable[[int], object]] = {
        "bare": _requests(loop, make_app(), []),
        "cxkit, before a choice": _requests(loop, app, []),
        "cxkit, a recognised visitor": _requests(loop, app, [(b"cookie", _cookies(kit))]),
    }
    posthog, otel = _posthog(loop), _otel(loop)
    if posthog:
        subjects["PostHog middleware and one capture()"] = posthog
    if otel:
        subjects["OpenTelemetry ASGI middleware (a span)"] = otel
    rows = paired(
        subjects,
        base="cxkit, before a choice",
        less="bare",
        calls=200,
        rounds=5 if quick else 40,
        after=lambda: kit.intake.release(kit.intake.take(0)),
    )
    loop.close()
    kit.close()
    note = (
        "CPU time added to Starlette's own, per request. Budget: at most half of PostHog with a capture, "
        "a quarter of OpenTelemetry; so their ratios should be 2.0 and 4.0 or more."
    )
    return table("Middleware, per request", note, rows)


def _requests(
    loop: asyncio.AbstractEventLoop,
    app: Any,
    more: list[tuple[bytes, bytes]],
    before: Callable[[], object] = lambda: None,
) -> Callable[[int], object]:
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
            "path": "/products/ALM-200",
            "raw_path": b"/products/ALM-200",
            "query_string": b"",
            "root_path": "",
            "headers": HEADERS + more,
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", 443),
        }
        loop.run_until_complete(app(scope, receive, send))

    return request


def _cookies(kit: Kit) -> bytes:
    names = f"{kit.settings.web.cookie_prefix}_consent", f"{kit.settings.web.cookie_prefix}_visitor"
    now = datetime.now(UTC)
    choices = choices_to_text({"analytics": ("granted", now)}, despite_gpc=False)
    consent = kit.desk.keyring.sign(names[0], choices, now=time.time())
    visitor = kit.desk.keyring.sign(names[1], "A" * 22, now=time.time())
    return f"{names[0]}={consent}; {names[1]}={visitor}".encode()


def _posthog(loop: asyncio.AbstractEventLoop) -> Callable[[int], object] | None:
    with contextlib.suppress(ImportError):
        import logging

        from posthog import Posthog
        from posthog.integrations.asgi import PosthogASGIMiddleware

        logging.getLogger("posthog").setLevel(logging.CRITICAL)
        client = Posthog("phc_none", host="http://127.0.0.1:9", max_retries=0, max_queue_size=1000)

        async def captured(request: Request) -> PlainTextResponse:
            client.capture("page viewed", distinct_id="nancy", properties={"route": "/products/{sku}", "status": 200})
            return PlainTextResponse("almonds")

        app = Starlette(routes=[Route("/products/{sku}", captured)])
        return _requests(loop, PosthogASGIMiddleware(app), [])
    return None


def _otel(loop: asyncio.AbstractEventLoop) -> Callable[[int], object] | None:
    with contextlib.suppress(ImportError):
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
        return _requests(loop, OpenTelemetryMiddleware(make_app(), tracer_provider=provider), [])
    return None
