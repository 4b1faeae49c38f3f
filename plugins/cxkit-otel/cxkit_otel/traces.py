"""Traces: interactions carry the span they happened in, and delivering them makes none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs

from cxkit.roles import Enricher, Factory

if TYPE_CHECKING:
    from cxkit.model import Context, Facts

__all__ = ["FACTORY", "Settings", "Trace", "TraceEnricher", "parsed", "traceparent", "unobserved"]

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


class Trace(NamedTuple):
    """Where in which trace."""

    trace_id: bytes
    span_id: bytes
    flags: int
    """As W3C trace context has them; 1: sampled."""


def parsed(text: str | None) -> Trace | None:
    """What a ``traceparent`` says; None if there is none that makes sense.

    Source: W3C Trace Context, level 1, section 3.2.

    Example:
        >>> parsed("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").flags
        1
        >>> parsed("00-00000000000000000000000000000000-b7ad6b7169203331-01")
    """
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None or (found[4] and found[0].startswith("00")):
        return None
    return Trace(bytes.fromhex(found[1]), bytes.fromhex(found[2]), int(found[3], 16))


def traceparent() -> str | None:
    """The span that is current here and now, as W3C trace context; None if there is none.

    Example:
        >>> traceparent()
    """
    # Where nobody has imported it there is no span either, and it takes 25 ms.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None


@attrs.frozen(kw_only=True)
class Settings:
    """Of the table ``[otel]``."""

    traceparent: bool = True
    """Whether interactions carry the span that was current when their scope was first used."""


class TraceEnricher:
    """Fills `Context.traceparent` from the current span; leaves it empty where there is none."""

    def __init__(self, settings: Settings) -> None:
        self._on = settings.traceparent

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        """The one field, if there is something to fill it with."""
        found = traceparent() if self._on else None
        return {} if found is None else {"traceparent": found}


@contextmanager
def unobserved() -> Iterator[None]:
    """What is called within makes no spans: OpenTelemetry's instrumentations are told to look away.

    They all ask for one key, under its plain or its private name; neither is a public API.
    """
    context = sys.modules.get("opentelemetry.context")
    if context is None:  # then nothing is instrumented
        yield
        return
    marked = context.set_value("suppress_instrumentation", True)
    private = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    if private is not None:
        marked = context.set_value(private, True, marked)
    token = context.attach(marked)
    try:
        yield
    finally:
        context.detach(token)


FACTORY: Final[Factory[Enricher]] = Factory(name="otel", settings=Settings, build=TraceEnricher)
