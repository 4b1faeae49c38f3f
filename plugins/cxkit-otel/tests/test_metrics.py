"""The account as metrics: right figures, in one process and in many, and nothing that breaks the application."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import cxkit
from cxkit import Account
from cxkit.delivery.account import ExporterAccount
from cxkit.settings import load
from cxkit_otel import instrument

SEEN = cxkit.touchpoint("otel.counted", purpose="necessary")
REFUSED = cxkit.touchpoint("otel.refused", purpose="advertising")


def figures(reader: InMemoryMetricReader) -> dict[tuple[str, ...], int]:
    """Instrument, and its attributes' values, to the number."""
    collected = reader.get_metrics_data()
    return {
        (metric.name.removeprefix("cx.interactions."), *(point.attributes[key] for key in sorted(point.attributes))): (
            point.value
        )
        for resource in (collected.resource_metrics if collected else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    opened = MeterProvider(metric_readers=[reader])
    yield opened
    opened.shutdown()


def kit_at(directory: Path) -> cxkit.Kit:
    exporters = {"kept": {"type": "file", "path": str(directory / "kept.jsonl"), "purposes": ["necessary"]}}
    return cxkit.Kit(load(environ={}, overrides={"directory": str(directory), "exporters": exporters}))


def test_the_account_is_reported(tmp_path: Path, reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    kit = kit_at(tmp_path)
    instrument(meter_provider=provider, kit=kit)
    with cxkit.scope(kit=kit):
        for _ in range(3):
            SEEN.capture()
        cxkit.withdraw("advertising")
        REFUSED.capture()
    kit.intake.count("store_failed")
    assert kit.flush(timeout_s=10).complete

    account = kit.account()
    delivered = account.exporters["kept"].delivered
    assert figures(reader) == {
        ("captured",): account.captured,
        ("spooled",): account.spooled,
        ("dropped", "consent_refused"): 1,
        ("cx.blocked", "capture", "advertising", "refused"): 1,
        ("cx.noted", "store_failed"): 1,
        ("delivered", "kept"): delivered,
        ("pending", "kept"): 0,
        ("dead", "kept"): 0,
        ("queued",): 0,
    }
    assert delivered >= 3
    assert account.captured == account.spooled + 1

    with cxkit.scope(kit=kit):
        SEEN.capture()
    assert kit.close(timeout_s=10).complete
    assert figures(reader)["delivered", "kept"] == delivered + 1


def test_units_and_kinds(tmp_path: Path, reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    kit = kit_at(tmp_path)
    instrument(meter_provider=provider, kit=kit)
    with cxkit.scope(kit=kit):
        SEEN.capture()
    kit.flush(timeout_s=10)
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {one.name: one for one in data.resource_metrics[0].scope_metrics[0].metrics}
    assert {one.unit for one in metrics.values()} == {"{interaction}"}
    monotonic = {name for name, one in metrics.items() if getattr(one.data, "is_monotonic", False)}
    assert monotonic == {"cx.interactions.captured", "cx.interactions.spooled", "cx.interactions.delivered"}
    kit.close()


class Book:
    """An account that is whatever the test says, and counts how often it is read."""

    def __init__(self, account: Account = Account()) -> None:
        self.now = account
        self.read = 0

    def account(self) -> Account:
        self.read += 1
        return self.now


def test_an_account_is_read_once_for_a_collection(reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    book = Book(Account(spooled=1, exporters={"kept": ExporterAccount(delivered=1)}))
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    for turn in range(1, 4):
        book.now = attrs.evolve(book.now, spooled=turn)
        assert figures(reader)["spooled",] == turn
        assert book.read == turn


def test_counters_never_go_back(reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    book = Book(Account(spooled=5))
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    assert figures(reader)["spooled",] == 5
    book.now = Account(spooled=2)
    assert figures(reader)["spooled",] == 5


def test_an_account_that_cannot_be_read_costs_a_point_and_nothing_else(
    reader: InMemoryMetricReader, provider: MeterProvider, caplog: pytest.LogCaptureFixture
) -> None:
    book = Book(Account(spooled=5))
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    read = book.account

    def broken() -> Account:
        raise OSError("no disk")

    book.account = broken  # type: ignore[method-assign]
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    assert figures(reader)["spooled",] == 5  # of the first
    assert read().spooled == 5
    assert caplog.messages == []


def test_there_are_few_series(reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    book = Book()
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    for turn in range(10):
        dropped = {f"reason_{number}": 1 for number in range(turn * 100 + 100)}
        book.now = Account(exporters={"kept": ExporterAccount(dropped=dropped)})
        found = {key: value for key, value in figures(reader).items() if key[0] == "dropped"}
        assert len(found) <= 200
        assert sum(found.values()) == len(dropped)


def test_the_default_kit_is_reported_if_none_is_named(
    cx: Any, reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    instrument(meter_provider=provider)
    SEEN.capture()
    assert cx.one("otel.counted")
    assert figures(reader)["captured",] == 1


# --- several processes ----------------------------------------------------------------------------

SHOP = """
import json, os, sys, time
import cxkit
from cxkit.settings import load
from cxkit_otel import instrument
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

directory = sys.argv[1]
exporters = {"kept": {"type": "file", "path": directory + "/kept.jsonl", "purposes": ["necessary"]}}
kit = cxkit.Kit(load(environ={}, overrides={"directory": directory, "exporters": exporters}))
SEEN = cxkit.touchpoint("otel.counted", purpose="necessary")
reader = InMemoryMetricReader()
instrument(meter_provider=MeterProvider(metric_readers=[reader]), kit=kit)

def capture(count):
    with cxkit.scope(kit=kit):
        for _ in range(count):
            SEEN.capture()
    assert kit.flush(timeout_s=20).complete

def figures():
    data = reader.get_metrics_data()
    return {one.name: point.value for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics for one in scope.metrics for point in one.data.data_points}

def collect():
    print(json.dumps(figures()), flush=True)
"""

WORKER = """
for line in sys.stdin:
    verb, _, count = line.strip().partition(" ")
    capture(int(count)) if verb == "capture" else collect()
    print("done", flush=True)
"""

FORKED = """
collect()  # from here on this process reports
told, tell = os.pipe()
alive, dead = os.pipe()
if os.fork() == 0:
    os.close(dead)
    capture(5)
    collect()
    os.write(tell, b"x")
    os.read(alive, 1)  # until the parent is ending
    for _ in range(1000):
        found = figures()
        if "cx.interactions.spooled" in found:
            break
        time.sleep(0.01)
    print(json.dumps(found), flush=True)
else:
    os.close(alive)
    os.read(told, 1)
    collect()
    os._exit(0)
"""
REPORTED = ("cx.interactions.captured", "cx.interactions.spooled", "cx.interactions.delivered")


class Worker:
    """A process with a kit of the directory, and instruments of its own."""

    def __init__(self, directory: Path) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-c", SHOP + WORKER, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def do(self, command: str) -> dict[str, int]:
        """Have it do something, and return what it reports, if it does."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(command + "\n")
        self._running.stdin.flush()
        found: dict[str, int] = {}
        while (line := self._running.stdout.readline().strip()) != "done":
            assert line, "the worker has ended"
            found = json.loads(line)
        return found

    def end(self) -> None:
        """Kill it, as the system does."""
        self._running.kill()
        self._running.communicate()


def total(*reports: Mapping[str, int]) -> dict[str, int]:
    """What a backend makes of several processes' counters: their sum."""
    return {name: sum(one.get(name, 0) for one in reports) for name in REPORTED}


def test_workers_that_share_a_directory_do_not_count_twice(tmp_path: Path) -> None:
    first, second = Worker(tmp_path), Worker(tmp_path)
    try:
        first.do("capture 3")
        reported = first.do("collect")
        second.do("capture 4")
        silent = second.do("collect")
        assert set(silent) == {"cx.interactions.queued"}
        reported = first.do("collect")
        assert reported["cx.interactions.delivered"] == 7

        first.end()  # what it reported is all that anybody has of it
        second.do("capture 5")
        taken_over = second.do("collect")
    finally:
        first.end()
        second.end()
    third = Worker(tmp_path)
    try:
        third.do("capture 6")
        last = third.do("collect")
    finally:
        third.end()

    assert taken_over["cx.interactions.delivered"] == 5
    assert total(reported, taken_over, last) == dict.fromkeys(REPORTED, 18)


def test_a_forked_child_reports_only_when_its_parent_is_gone(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SHOP + FORKED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    first, child, parent, heir = map(json.loads, ran.stdout.splitlines())
    assert total(first, child) == dict.fromkeys(REPORTED, 0)
    assert total(parent) == dict.fromkeys(REPORTED, 5)
    assert set(child) == {"cx.interactions.queued"}
    assert "cx.interactions.spooled" in heir
    assert total(parent, heir) == dict.fromkeys(REPORTED, 5)


def test_a_directory_that_is_removed_begins_anew(
    tmp_path: Path, reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    directory = tmp_path / "a"
    directory.mkdir()
    book = Book(Account(spooled=5, directory=directory))
    instrument(meter_provider=provider, kit=book)  # type: ignore[arg-type]
    assert figures(reader)["spooled",] == 5
    (directory / "otel-metrics.json").unlink()
    directory.rmdir()
    assert figures(reader) == {}
    directory.mkdir()
    book.now = Account(spooled=2, directory=directory)
    assert figures(reader)["spooled",] == 2
    assert json.loads((directory / "otel-metrics.json").read_text())


@pytest.mark.parametrize("content", [b"", b"[", b'[["x"]]', b"\xff" * 100])
def test_a_file_that_cannot_be_read_begins_anew(
    tmp_path: Path, reader: InMemoryMetricReader, provider: MeterProvider, content: bytes
) -> None:
    (tmp_path / "otel-metrics.json").write_bytes(content)
    instrument(meter_provider=provider, kit=Book(Account(spooled=5, directory=tmp_path)))  # type: ignore[arg-type]
    assert figures(reader)["spooled",] == 5
