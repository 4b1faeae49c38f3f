"""What ``capture()`` costs the thread that calls it, arguments included."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.event import CONTEXT, ITEM_ADDED, Floor, make_kit, make_scope, properties, whole
from benchmarks.pairs import Row, paired, table
from cxkit.capture.scope import enter
from cxkit.testing import RecordingExporter

__all__ = ["run"]


def run(*, quick: bool) -> str:
    with tempfile.TemporaryDirectory() as directory:
        idle = make_kit(None, queue_bytes=1 << 40)
        idle.intake._running = True  # this one never starts: it only builds the floor's event
        floor = Floor(whole(idle, make_scope(idle)))
        kit = make_kit(Path(directory), exporters={"sink": RecordingExporter()}, queue_bytes=1 << 40)
        scope = make_scope(kit)
        enter(scope)
        subjects = {
            "floor: build, msgspec-encode, keep the bytes": floor,
            "cxkit capture()": lambda number: ITEM_ADDED.capture(**properties(number)),
        }
        otel = _otel()
        if otel is not None:
            subjects["OpenTelemetry logs emit()"] = otel

        def after() -> None:
            floor.kept.clear()
            kit.flush(timeout_s=30)

        rows: list[Row] = paired(
            subjects, base=next(iter(subjects)), calls=2000, rounds=5 if quick else 30, after=after
        )
        kit.close()
        idle.close()
    note = (
        "CPU time of the calling thread; spool and exporter run beside it. "
        "Budget: 2.0, and 1/2.5 of OpenTelemetry logs."
    )
    return table("capture() on the calling thread", note, rows)


def _otel():  # type: ignore[no-untyped-def]
    try:
        from opentelemetry._logs import LogRecord, SeverityNumber
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
    except ImportError:
        return None
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=10_000))
    logger = provider.get_logger("shop")
    context = {
        "url.template": CONTEXT.page.route,  # type: ignore[union-attr]
        "http.request.method": "GET",
        "device.type": "phone",
        "os.name": "Android",
        "user_agent.name": "Chrome",
        "geo.country.iso_code": "FR",
        "geo.region.iso_code": "IDF",
        "cx.locale": "fr-FR",
        "cx.campaign": "spring",
        "user.id": "nancy",
        "enduser.pseudo.id": "0123456789abcdef012345",
    }

    def emit(number: int) -> None:
        logger.emit(
            LogRecord(
                event_name="cart.item_added",
                severity_number=SeverityNumber.INFO,
                attributes={**context, **properties(number)},
            )
        )
        if number % 2000 == 1999:
            exporter.clear()

    return emit
