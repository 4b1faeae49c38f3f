"""What the modes of durability cost whoever captures: at one's own pace, and from eight threads at once."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from benchmarks.event import ITEM_ADDED, make_kit, make_scope, properties
from benchmarks.pairs import Row, rated, table
from cxkit.testing import RecordingExporter

__all__ = ["run"]

Mode = Literal["queue", "write", "sync"]
MODES: tuple[Mode, ...] = ("queue", "write", "sync")


def run(*, quick: bool) -> str:
    calls = 200 if quick else 1000
    paces: dict[str, Callable[[Mode], list[float]]] = {
        "one thread, 1,000 a second": lambda mode: _calls(mode, threads=1, each=calls, every_s=0.001),
        "8 threads, 1,000 a second in all": lambda mode: _calls(mode, threads=8, each=calls // 8, every_s=0.008),
        "8 threads, as fast as they can": lambda mode: _calls(mode, threads=8, each=calls // 4, every_s=0.0),
    }
    rows: list[Row] = []
    for pace, measure in paces.items():
        found: dict[str, list[list[float]]] = {mode: [] for mode in MODES}
        for _ in range(2 if quick else 9):
            for mode in MODES:
                found[mode].append(measure(mode))
        for name, place in (("median", 0.5), ("99th percentile", 0.99)):
            base = [_at(times, place) for times in found["queue"]]
            for mode in MODES:
                values = [_at(times, place) for times in found[mode]]
                rows.append(rated(f"{pace}: {mode}, {name} of a call", values, base, "us"))
    note = "Wall-clock time of `capture()`; the ratio is to the mode `queue` of the same round."
    return table("Durability", note, rows)


def _at(times: list[float], place: float) -> float:
    return statistics.quantiles(times, n=1000, method="inclusive")[int(place * 1000) - 1]


def _calls(mode: Mode, *, threads: int, each: int, every_s: float) -> list[float]:
    with tempfile.TemporaryDirectory() as directory:
        kit = make_kit(Path(directory), exporters={"sink": RecordingExporter()}, durability=mode)
        kit.intake.capture(make_scope(kit), ITEM_ADDED.spec, properties(0))
        kit.flush(timeout_s=30)
        times: list[float] = []

        def work() -> None:
            scope, own = make_scope(kit), []
            due = time.perf_counter()
            for number in range(each):
                due += every_s
                time.sleep(max(0.0, due - time.perf_counter()) if every_s else 0.0)
                began = time.perf_counter()
                kit.intake.capture(scope, ITEM_ADDED.spec, properties(number))
                own.append((time.perf_counter() - began) * 1e6)
            times.extend(own)

        started = [threading.Thread(target=work) for _ in range(threads)]
        for one in started:
            one.start()
        for one in started:
            one.join()
        assert kit.flush(timeout_s=60).complete
        kit.close()
    return times
