"""Metrics: the account of what became of everything captured, as OpenTelemetry instruments.

The account belongs to a directory, and the workers of a server share one. If each reported it, a
sum over the workers would be many times too large. So one process at a time reports for the
directory: the one that holds the lock on ``otel-metrics.json`` there. The lock ends with its
process, whatever ends it, and the next collection of any other takes over.

Counters begin at 0 in each process, as backends expect. Whoever takes over counts from what was
last reported, which is in that file: so the counters of all processes that ever reported add up to
the account. The gauges are what stands now; that of the queue is each process's own.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import cxkit

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from cxkit import Account, Kit

__all__ = ["instrument"]

Series = tuple[str, str, str]
"""Instrument, exporter and reason; empty where it has none."""

_UNIT: Final = "{interaction}"
_MAX_SERIES: Final = 200
_REPORTED: Final = "otel-metrics.json"
_COUNTERS: Final = {
    "cx.interactions.captured": "Captured: spooled, or given up before.",
    "cx.interactions.spooled": "Written to the spool; from there each is delivered to an exporter, or counted.",
    "cx.interactions.delivered": "Accepted by the exporter's other side.",
    "cx.blocked": "Stopped by consent or preferences, by gate, purpose, reason and destination; interactions or not.",
    "cx.noted": "Went wrong without costing an interaction, by name: a store or a plugin that failed, say.",
    "cx.interactions.dropped": "Given up, by reason; without an exporter: before the spool, for all of them.",
}
_BLOCKED: Final = ("gate", "purpose", "reason", "destination")
_GAUGES: Final = {
    "cx.interactions.pending": "Spooled, and still owed to the exporter.",
    "cx.interactions.dead": "Refused for ever by the exporter's other side, and set aside as dead letters.",
    "cx.interactions.queued": "Captured in this process, and not yet spooled.",
}


def instrument(*, meter_provider: MeterProvider | None = None, kit: Kit | None = None) -> None:
    """Report the account as metrics. Call it once, when the application starts; before a fork is fine.

    Args:
        meter_provider: By default the global one.
        kit: By default the default kit, whichever that is when metrics are collected.

    Example:
        >>> instrument()
    """
    from opentelemetry import metrics

    meter = metrics.get_meter("cxkit", cxkit.__version__, meter_provider)
    reporter = _Reporter(cxkit.stats if kit is None else kit.account)
    for name, description in _COUNTERS.items():
        observe = partial(_observations, reporter, name)
        meter.create_observable_counter(name, callbacks=[observe], unit=_UNIT, description=description)
    for name, description in _GAUGES.items():
        observe = partial(_observations, reporter, name)
        meter.create_observable_gauge(name, callbacks=[observe], unit=_UNIT, description=description)


def _observations(reporter: _Reporter, name: str, options: CallbackOptions) -> Iterator[Observation]:
    from opentelemetry.metrics import Observation

    keys = _BLOCKED if name == "cx.blocked" else ("exporter", "reason")
    for (_, exporter, reason), value in reporter.figures(name):
        texts = reason.split(":", 3) if keys is _BLOCKED else (exporter, reason)
        yield Observation(value, {key: text for key, text in zip(keys, texts, strict=False) if text})


class _Reporter:
    """What this process has to say of an account.

    Args:
        account: Reads it; that takes files, so it is read once for all instruments of a collection.
    """

    def __init__(self, account: Callable[[], Account]) -> None:
        self._account = account
        self._guard = threading.Lock()
        self._asked: set[str] = set()
        self._figures: dict[Series, int] = {}
        self._base: dict[Series, int] = {}
        """What others had reported of the counters when this process took over."""
        self._said: dict[Series, int] = {}
        """What this one reports of them."""
        self._known: set[Series] = set()
        self._held: int | None = None
        os.register_at_fork(after_in_child=self._forked)

    def figures(self, name: str) -> list[tuple[Series, int]]:
        """Those of one instrument; an instrument that asks again begins another collection. Never raises."""
        with self._guard:
            if name in self._asked or not self._asked:
                self._asked.clear()
                try:
                    self._figures = self._read()
                except Exception:  # noqa: BLE001 - a disk that cannot be read costs a point, nothing else
                    self._figures = {}
            self._asked.add(name)
            return [(series, value) for series, value in self._figures.items() if series[0] == name]

    def _read(self) -> dict[Series, int]:
        account = self._account()
        queued = {("cx.interactions.queued", "", ""): account.queued}
        if account.directory is not None and not self._reports_for(account.directory):
            return queued
        counts = self._bounded(_counters(account))
        for series, value in counts.items():
            # Neither below 0, after somebody removed the directory, nor below what was said before.
            self._base[series] = base = min(self._base.get(series, 0), value)
            self._said[series] = max(value - base, self._said.get(series, 0))
        if self._held is not None:
            _keep(self._held, {series: self._base[series] + value for series, value in self._said.items()})
        return {**self._said, **self._bounded(_gauges(account)), **queued}

    def _reports_for(self, directory: Path) -> bool:
        path = directory / _REPORTED
        if self._held is not None:
            if _is_at(self._held, path):
                return True
            self._forget()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._held, self._base = descriptor, _kept(descriptor)
        return True

    def _forget(self) -> None:
        """The lock is not ours, or is worth nothing any more; closing it does not unlock it for another holder."""
        if self._held is not None:
            os.close(self._held)
        self._held, self._base, self._said = None, {}, {}

    def _bounded(self, figures: Mapping[Series, int]) -> dict[Series, int]:
        """The same with few series: those that come too late are taken together."""
        bounded: Counter[Series] = Counter()
        for series, value in figures.items():
            if series not in self._known and len(self._known) < _MAX_SERIES:
                self._known.add(series)
            bounded[series if series in self._known else (series[0], "other", "other")] += value
        return dict(bounded)

    def _forked(self) -> None:
        """In a child: the lock is the parent's, and must not outlive it here."""
        self._forget()
        self._guard, self._asked, self._figures = threading.Lock(), set(), {}


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether it is still this file: the directory may have been removed, or be another one now."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _counters(account: Account) -> dict[Series, int]:
    found = {
        ("cx.interactions.captured", "", ""): account.spooled + sum(account.dropped.values()),
        ("cx.interactions.spooled", "", ""): account.spooled,
    }
    for reason, count in account.dropped.items():
        found["cx.interactions.dropped", "", reason] = count
    for text, count in account.blocked.items():
        found["cx.blocked", "", text] = count
    for name, count in account.noted.items():
        found["cx.noted", "", name] = count
    for name, one in account.exporters.items():
        found["cx.interactions.delivered", name, ""] = one.delivered
        for reason, count in one.dropped.items():
            found["cx.interactions.dropped", name, reason] = count
    return found


def _gauges(account: Account) -> dict[Series, int]:
    found = {}
    for name, one in account.exporters.items():
        found["cx.interactions.pending", name, ""] = one.pending
        found["cx.interactions.dead", name, ""] = one.dead
    return found


def _kept(descriptor: int) -> dict[Series, int]:
    """What was reported last by whoever did; nothing, if nobody did or it cannot be read."""
    try:
        rows = msgspec.json.decode(os.pread(descriptor, 1 << 20, 0), type=list[tuple[str, str, str, int]])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {(name, exporter, reason): count for name, exporter, reason, count in rows}


def _keep(descriptor: int, reported: Mapping[Series, int]) -> None:
    text = msgspec.json.encode([(*series, count) for series, count in reported.items()])
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
    except OSError:
        pass  # only the next process would have wanted it
