"""The world of the fault tests: processes that capture, collectors that misbehave, one judge for both.

The judge is the account. For each exporter: captured = delivered + pending + dropped (by reason) + dead.
What the account calls delivered must be what the collector has, and nothing may come of the app's own.

With ``CXKIT_FAULTS=full`` the slow ones run whole; else each is shortened, and judged in the same way.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cxkit.delivery.account import Account, read_account
from cxkit.testing.receiver import Receiver
from tests.delivery.processes import Child, Run

__all__ = ["FULL", "Run", "configure", "duplicates", "healed", "judge", "progress", "until", "whole"]

T = TypeVar("T")
FULL = os.environ.get("CXKIT_FAULTS") == "full"  # now: tests run without a setting of cxkit in their environment

DELIVER = """
def deliver(timeout_s=30):
    "Flush until nothing is pending: each time every lane tries at once, unless it was asked to wait."
    deadline = time.monotonic() + timeout_s
    while not (flushed := cxkit.flush(timeout_s=0.3)).complete:
        assert time.monotonic() < deadline, flushed

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""
"""More of what a script may use; put before it by `Start`."""


def whole(full: T, short: T) -> T:
    """The one for ``nox -s faults``, or the other for every day."""
    return full if FULL else short


class Start:
    """Starts processes in the test's folder; whatever still runs at the end of the test is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def __call__(self, script: str, *, folder: Path | None = None) -> Child:
        stderr = self._folder / f"stderr-{len(self._children)}"
        self._children.append(Child(DELIVER + script, folder=folder or self._folder, stderr=stderr))
        return self._children[-1]

    def end(self) -> None:
        for child in self._children:
            child.end()


def configure(folder: Path, extra: str = "", /, **sinks: Receiver | tuple[Receiver, Mapping[str, object]]) -> None:
    """A ``cxkit.toml`` with an HTTP exporter for each collector, with options if it comes with some.

    Args:
        extra: Comes first: settings without a table, then tables.
    """
    tables = []
    for name, sink in sinks.items():
        receiver, options = sink if isinstance(sink, tuple) else (sink, {})
        settings = {"type": "http", "url": receiver.url, "purposes": ["analytics"], **options}
        lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
        tables.append("\n".join([f"[exporters.{name}]", *lines, ""]))
    (folder / "cxkit.toml").write_text(extra + "\n" + "\n".join(tables))


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def judge(account: Account, *, captured: int, **sinks: Receiver) -> None:
    """All that was captured is accounted for, at every exporter, and it is the truth.

    Args:
        captured: By the app; cxkit's own reports of losses come on top.
    """
    reports = {id for sink in sinks.values() for id, payload in zip(sink.ids, sink.payloads, strict=True)
               if b"cxkit.loss_report" in payload}  # fmt: skip
    assert account.balanced
    assert account.captured == captured + len(reports), account
    assert account.queued == 0
    for name, sink in sinks.items():
        one = account.exporters[name]
        ended = one.before + one.delivered + one.dead + sum(one.dropped.values()) + one.pending
        assert ended == account.spooled, name
        assert one.delivered == len(set(sink.ids)), name
        assert len(set(sink.payloads)) == len(set(sink.ids)), f"{name}: an id came with two contents"


def healed(run: Run, folder: Path, *, captured: int, **sinks: Receiver) -> Account:
    """One more start, after the fault: what is fresh arrives, and so does what was left; then the judge."""
    child = run("capture(1); deliver()", folder=folder)
    assert child.wait() == 0, child.stderr
    account = read_account(folder / ".cxkit")
    judge(account, captured=captured + 1, **sinks)
    assert not any(account.exporters[name].pending for name in sinks)
    return account


def duplicates(receiver: Receiver) -> int:
    """How many came more than once."""
    return len(receiver.ids) - len(set(receiver.ids))


def until(true: Callable[[], bool], *, timeout_s: float = 30.0) -> bool:
    """Wait until a fact is one; whether it became one."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)  # between two looks, not instead of one
    return True


def progress(text: str) -> None:
    """Say how far a long test has come; ``pytest -s`` or ``nox -s faults`` shows it."""
    if FULL:
        print(f"    {text}", flush=True)  # noqa: T201 - or nobody knows whether it stands still
