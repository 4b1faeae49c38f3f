"""Traces: interactions carry the span they happened in; delivering them makes neither spans nor interactions (F38)."""

from __future__ import annotations

import asyncio
import functools
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest
from opentelemetry import context
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import cxkit
from cxkit.settings import load
from cxkit.testing.receiver import Answer
from cxkit.transport import Transport
from cxkit.web import ASGIMiddleware
from cxkit_otel import traceparent
from cxkit_otel.traces import parsed

SEEN = cxkit.touchpoint("otel.seen", purpose="necessary")
LOGGED = cxkit.touchpoint("otel.logged", purpose="necessary")
SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Iterator[Any]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("shop")
    provider.shutdown()


def kit_for(collector: Any, directory: Path, **tables: Any) -> cxkit.Kit:
    table = {
        "type": "otel", "endpoint": collector.url, "customer": "none", "properties": ["*"], "purposes": ["necessary"],
    }  # fmt: skip
    overrides = {"directory": str(directory), "exporters": {"collector": table}, **tables}
    return cxkit.Kit(load(environ={}, overrides=overrides))


async def app(scope: Any, receive: Any, send: Any) -> None:
    SEEN.capture(path=scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def visit(middleware: Any, path: str) -> None:
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": path, "query_string": b"", "headers": []}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    await middleware(scope, receive, send)


# --- from the span to the interaction ----------------------------------------------------------------


def test_an_interaction_carries_the_span_of_its_request(
    collector: Any, tracer: Any, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    kit = kit_for(collector, tmp_path)
    middleware = ASGIMiddleware(app, kit=kit)

    async def visits() -> None:
        for path in ("/a", "/b"):
            with tracer.start_as_current_span(path):
                await visit(middleware, path)
        await visit(middleware, "/untraced")

    asyncio.run(visits())
    assert kit.close(timeout_s=10).complete

    found = {
        log.attributes["cx.p.path"]: (log.record.trace_id, log.record.span_id, log.record.flags)
        for log in collector.logs
        if log.event == "cx.otel.seen"
    }
    expected = {
        span.name: (
            span.context.trace_id.to_bytes(16, "big"),
            span.context.span_id.to_bytes(8, "big"),
            span.context.trace_flags,
        )
        for span in spans.get_finished_spans()
    }
    assert len(expected) == 2
    assert found == {**expected, "/untraced": (b"", b"", 0)}


def test_it_can_be_switched_off(collector: Any, tracer: Any, tmp_path: Path) -> None:
    kit = kit_for(collector, tmp_path, otel={"traceparent": False})
    with tracer.start_as_current_span("request"):
        asyncio.run(visit(ASGIMiddleware(app, kit=kit), "/a"))
    assert kit.close(timeout_s=10).complete
    assert {log.record.trace_id for log in collector.logs} == {b""}


def test_the_current_span_can_be_asked_for(tracer: Any) -> None:
    assert traceparent() is None
    with tracer.start_as_current_span("here") as span:
        found = parsed(traceparent())
    assert found is not None
    assert found.trace_id == span.get_span_context().trace_id.to_bytes(16, "big")


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        (SPAN, True),
        (SPAN.replace("00-", "01-", 1) + "-later", True),
        (SPAN + "-later", False),
        (SPAN.replace("00-", "ff-", 1), False),
        (SPAN.upper(), False),
        (SPAN.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), False),
        (SPAN.replace("b7ad6b7169203331", "0" * 16), False),
        (SPAN + "\n", False),
        ("", False),
        (None, False),
    ],
)
def test_a_traceparent_is_read_as_w3c_has_it(text: str | None, understood: bool) -> None:
    assert (parsed(text) is not None) is understood


def test_where_nobody_uses_opentelemetry_it_is_not_imported(tmp_path: Path) -> None:
    program = """
import sys, cxkit
from cxkit.settings import load
kit = cxkit.Kit(load(environ={}, overrides={"exporters": {"collector": {
    "type": "otel", "endpoint": "http://127.0.0.1:1", "customer": "none", "purposes": ["necessary"]}}}))
with cxkit.scope(kit=kit):
    cxkit.touchpoint("otel.seen", purpose="necessary").capture()
kit.close(timeout_s=1)
print(*(name for name in sys.modules if name.startswith(("opentelemetry", "google"))), "left", kit.account().spooled)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.split() == ["left", "1"], ran.stderr


# --- F38: nothing watches itself --------------------------------------------------------------------


@pytest.fixture
def instrumented(tracer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Httpcore watched as OpenTelemetry's instrumentations watch HTTP clients: a span for each request."""
    request = httpcore.HTTPConnection.handle_request

    @functools.wraps(request)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if context.get_value(context._SUPPRESS_INSTRUMENTATION_KEY) or context.get_value("suppress_instrumentation"):
            return request(self, *args, **kwargs)
        with tracer.start_as_current_span("HTTP"):
            return request(self, *args, **kwargs)

    monkeypatch.setattr(httpcore.HTTPConnection, "handle_request", watched)


@pytest.fixture
def logging_plugin() -> Iterator[logging.Handler]:
    """What captures an interaction for every line that is logged, down to the last detail."""

    class Capturing(logging.Handler):
        lines = 0

        def emit(self, record: logging.LogRecord) -> None:
            Capturing.lines += 1
            LOGGED.capture(line=record.getMessage(), severity=SeverityNumber.INFO.value)

    handler, root = Capturing(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_f38_delivering_makes_no_spans_and_no_interactions(
    collector: Any, spans: InMemorySpanExporter, instrumented: None, logging_plugin: Any, tmp_path: Path
) -> None:
    """F38: the exporter's own client and logging are watched, and the collector is out for a while."""
    collector.script(*(Answer(status=503, headers={"Retry-After": "0"}) for _ in range(3)))
    kit = kit_for(collector, tmp_path)
    with cxkit.scope(kit=kit):
        SEEN.capture()
    assert kit.flush(timeout_s=30).complete
    kit.close()

    assert [log.event for log in collector.logs] == ["cx.otel.seen"] * 4  # three attempts failed
    assert kit.account().spooled == 1
    assert spans.get_finished_spans() == ()


def test_the_watch_would_have_seen_requests(
    collector: Any, spans: InMemorySpanExporter, instrumented: None, logging_plugin: Any
) -> None:
    transport = Transport()
    transport.request("POST", collector.url, deadline_s=5.0)
    transport.close()
    assert [span.name for span in spans.get_finished_spans()] == ["HTTP"]
    logging.getLogger("shop").debug("a line")
    assert logging_plugin.lines > 0
