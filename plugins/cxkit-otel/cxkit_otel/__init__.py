"""cxkit for OpenTelemetry: interactions as OTLP log events, and the account as metrics."""

from __future__ import annotations

from cxkit_otel.metrics import instrument
from cxkit_otel.traces import traceparent

__all__ = ["instrument", "traceparent"]
