"""From an interaction to the log event that it becomes, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import cxkit
from cxkit_otel.attributes import WORDS, attributes_of
from cxkit_otel.protobuf import log_record
from cxkit_otel.traces import Trace, parsed

if TYPE_CHECKING:
    from cxkit.model import JSON, Identity, Interaction

__all__ = ["Event", "Events"]

_MAX_NAMES: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS: Final = 2**63 - 1
_INFO: Final = (9, "INFO")
_ERROR: Final = (17, "ERROR")


class Event(NamedTuple):
    """A log event."""

    service: str
    scope: tuple[str, str]
    """Name and version of what captured it."""
    name: str
    time_ns: int
    """Since 1970; 0: not to be said so."""
    observed_ns: int
    severity: tuple[int, str]
    trace: Trace | None
    attributes: tuple[tuple[str, JSON], ...]

    def encoded(self) -> bytes:
        """As an OTLP ``LogRecord``."""
        return log_record(
            time_ns=self.time_ns,
            observed_ns=self.observed_ns,
            severity=self.severity,
            event_name=self.name,
            attributes=self.attributes,
            words=WORDS,
            trace=self.trace,
        )


class Events:
    """Makes log events. Names of events are few: beyond 1,000 it calls them ``cx.custom``.

    Args:
        customer: What may be said of the customer.
        properties: Which properties are sent.
    """

    def __init__(
        self, *, customer: Callable[[Identity], Iterable[tuple[str, str]]], properties: Collection[str]
    ) -> None:
        self._customer = customer
        self._properties = frozenset(properties)
        self._names: set[str] = set()

    def of(self, one: Interaction) -> Event:
        """The log event of an interaction."""
        attributes = attributes_of(one, customer=self._customer, properties=self._properties)
        name, stands_in = self._name(one.name)
        time_ns = _since_1970(one.occurred_at)
        if not time_ns:
            stands_in += (("cx.occurred_at", one.occurred_at.isoformat()),)
        return Event(
            service=one.source.removeprefix("/"),
            scope=(one.plugin, "") if one.plugin else ("cxkit", cxkit.__version__),
            name=name,
            time_ns=time_ns,
            observed_ns=time_ns if one.received_at is None else _since_1970(one.received_at),
            severity=_ERROR if one.outcome == "failed" else _INFO,
            trace=parsed(one.context.traceparent),
            attributes=(*attributes, *stands_in),
        )

    def _name(self, name: str) -> tuple[str, tuple[tuple[str, JSON], ...]]:
        if name not in self._names:
            if len(self._names) >= _MAX_NAMES:
                return "cx.custom", (("cx.name", name),)
            self._names.add(name)
        return f"cx.{name}", ()


def _since_1970(time: datetime) -> int:
    """Nanoseconds; 0 for a time that the protocol, or who reads it as int64, cannot hold."""
    nanoseconds = (time - _EPOCH) // timedelta(microseconds=1) * 1000
    return nanoseconds if 0 <= nanoseconds <= _LATEST_NS else 0
