"""For tests: what an OTLP collector is sent, and what it answers. Needs the package ``opentelemetry-proto``.

With `cxkit.testing.receiver.Receiver` this is a collector on your own machine::

    with Receiver(answer=lambda request: answer()) as receiver:
        ...                                  # an exporter with endpoint = receiver.url
        [log for request in receiver.requests for log in logs_of(request.body)]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from cxkit.testing.receiver import Answer

__all__ = ["Log", "answer", "logs_of", "value_of"]


@attrs.frozen(kw_only=True)
class Log:
    """A log record, its attributes as plain values."""

    resource: Mapping[str, Any]
    scope: str
    event: str
    attributes: Mapping[str, Any]
    record: Any = attrs.field(repr=False)
    """The message as the official class reads it."""


def logs_of(body: bytes) -> list[Log]:
    """The log records of an ``ExportLogsServiceRequest``.

    Raises:
        google.protobuf.message.DecodeError: It is none.

    Example:
        >>> logs_of(b"")
        []
    """
    return [
        Log(
            resource=_attributes(logs.resource),
            scope=scoped.scope.name,
            event=record.event_name,
            attributes=_attributes(record),
            record=record,
        )
        for logs in ExportLogsServiceRequest.FromString(body).resource_logs
        for scoped in logs.scope_logs
        for record in scoped.log_records
    ]


def answer(*, rejected: int = 0, message: str = "", status: int = 200) -> Answer:
    """A collector's answer: with neither a number nor a message, that all is accepted.

    Example:
        >>> answer().body
        b''
    """
    response = ExportLogsServiceResponse()
    if rejected or message:
        response.partial_success.rejected_log_records = rejected
        response.partial_success.error_message = message
    headers = {"Content-Type": "application/x-protobuf"}
    return Answer(status=status, headers=headers, body=response.SerializeToString())


def value_of(value: Any) -> Any:
    """What an ``AnyValue`` holds."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {one.key: value_of(one.value) for one in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def _attributes(holder: Any) -> dict[str, Any]:
    return {one.key: value_of(one.value) for one in holder.attributes}
