"""A real collector, rotel, between the exporter and a receiver of ours: all that goes in comes out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.settings import load
from cxkit.testing.ports import free_port

pytestmark = pytest.mark.services

SOLD = cxkit.touchpoint("otel.sold", kind="transaction", stage="purchase", purpose="necessary")
PATIENCE_S = 30.0


class Rotel:
    """The collector as a process of its own; it passes everything on to a receiver."""

    def __init__(self, sink: str, directory: Path) -> None:
        import rotel

        self.port, grpc = free_port(), free_port()
        self._command = [
            str(Path(rotel.__file__).with_name("rotel-agent")), "start",
            "--otlp-http-endpoint", f"127.0.0.1:{self.port}",
            "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
            "--exporter", "otlp",
            "--otlp-exporter-endpoint", sink,
            "--otlp-exporter-protocol", "http",
        ]  # fmt: skip
        # The binary is linked to libpython, which not every interpreter has where the system looks.
        self._environ = {**os.environ, "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR") or ""}
        self._directory = directory
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._directory / "rotel.log").open("ab") as log:
            self._running = subprocess.Popen(
                self._command, cwd=self._directory, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )
        until(self._listens)

    def _listens(self) -> bool:
        assert self._running is not None
        assert self._running.poll() is None, (self._directory / "rotel.log").read_text("utf-8", "replace")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self, number: int) -> None:
        """End it by a signal, and if that does not help, kill it."""
        if self._running is not None:
            os.kill(self._running.pid, number)
            try:
                self._running.wait(10)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
            self._running = None


def until(true: Callable[[], bool]) -> None:
    """Wait for what must become true."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, true
        time.sleep(0.02)


@pytest.fixture
def rotel(collector: Any, tmp_path: Path) -> Iterator[Rotel]:
    agent = Rotel(collector.url.rstrip("/"), tmp_path)
    agent.start()
    yield agent
    agent.end(signal.SIGTERM)


def sold(kit: cxkit.Kit, numbers: range) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for number in numbers:
            SOLD.on(value=cxkit.money("24.90", "EUR")).capture(number=number, big=2**80, nested={"a": [1, None]})


def numbers(collector: Any) -> list[int]:
    return sorted(log.attributes["cx.p.number"] for log in collector.logs if log.event == "cx.otel.sold")


def kit_for(agent: Rotel, directory: Path) -> cxkit.Kit:
    table = {
        "type": "otel",
        "endpoint": f"http://127.0.0.1:{agent.port}",
        "hash_key": "a key of sixteen characters",
        "purposes": ["necessary"],
        "properties": ["*"],
        "gzip": True,
        "resource": {"deployment.environment.name": "test"},
    }
    overrides = {"service": "shop", "directory": str(directory), "exporters": {"collector": table}}
    return cxkit.Kit(load(environ={}, overrides=overrides))


def test_what_goes_into_a_real_collector_comes_out_of_it(rotel: Rotel, collector: Any, tmp_path: Path) -> None:
    kit = kit_for(rotel, tmp_path / "cx")
    sold(kit, range(100))
    assert kit.close(timeout_s=PATIENCE_S).complete
    until(lambda: len(numbers(collector)) >= 100)

    assert numbers(collector) == list(range(100))
    log = next(log for log in collector.logs if log.event == "cx.otel.sold")
    assert (log.resource["service.name"], log.resource["deployment.environment.name"]) == ("shop", "test")
    assert (log.scope, log.record.severity_text) == ("cxkit", "INFO")
    assert log.attributes["cx.value.minor"] == 2490
    assert log.attributes["cx.p.big"] == str(2**80)
    assert log.attributes["cx.p.nested"] == {"a": [1, None]}
    assert len(log.attributes["user.hash"]) == 32


def test_nothing_is_lost_when_the_collector_is_killed_and_restarted(
    rotel: Rotel, collector: Any, tmp_path: Path
) -> None:
    kit = kit_for(rotel, tmp_path / "cx")
    sold(kit, range(50))
    # All is passed on first: what a collector has accepted and not passed on when it is killed is its own loss.
    until(lambda: len(set(numbers(collector))) == 50)

    rotel.end(signal.SIGKILL)
    sold(kit, range(50, 100))
    assert not kit.flush(timeout_s=1.0).complete
    assert kit.account().exporters["collector"].pending == 50

    rotel.start()
    assert kit.flush(timeout_s=PATIENCE_S).complete
    until(lambda: len(set(numbers(collector))) == 100)
    kit.close()

    account = kit.account()
    assert account.balanced
    assert account.exporters["collector"].dead == 0
    assert account.exporters["collector"].pending == 0
