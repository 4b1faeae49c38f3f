"""What every `cxkit.roles.Exporter` must do, as tests. Needs pytest.

::

    class OfficeBackend(HTTPBackend):
        fields = ("value",)

        def read(self, request):
            orders = map(json.loads, request.content.splitlines())
            return [Received(id=order["id"], fields={"value": ...}) for order in orders]

    TestOffice = exporter_suite(FACTORY, backend=OfficeBackend)

A *backend* is the exporter's other side: it starts and stops, says with which settings it is reached,
misbehaves on demand, and above all reads back what it really has. Nothing that the exporter says about
itself is believed. `HTTPBackend` plays everything over a real HTTP server, `ProxiedBackend` stands
before a real server, `LocalBackend` is for files.

A check that makes no sense for an exporter is skipped with a reason, which the report shows::

    TestOffice = exporter_suite(
        FACTORY, backend=OfficeBackend, skips={"test_partial_acceptance_is_exact": "the office takes all or nothing"}
    )
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cxkit.roles import Factory
from cxkit.testing.exporter_suite.backend import Backend, Fault, FaultName, Received, Traffic
from cxkit.testing.exporter_suite.backends import HTTPBackend, LocalBackend, ProxiedBackend
from cxkit.testing.exporter_suite.bench import Bench
from cxkit.testing.exporter_suite.delivery import DeliveryChecks
from cxkit.testing.exporter_suite.failures import FailureChecks
from cxkit.testing.exporter_suite.life import LifeChecks
from cxkit.testing.exporter_suite.privacy import PrivacyChecks

__all__ = [
    "Backend",
    "ExporterSuite",
    "Fault",
    "FaultName",
    "HTTPBackend",
    "LocalBackend",
    "ProxiedBackend",
    "Received",
    "Traffic",
    "checks",
    "exporter_suite",
]


class ExporterSuite(DeliveryChecks, FailureChecks, PrivacyChecks, LifeChecks):
    """The checks of one exporter against one backend; made by `exporter_suite`."""

    factory: ClassVar[Factory[Any]]
    backend: ClassVar[type[Backend]]
    skips: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
        """The workbench of one check, with a backend of its own."""
        reason = self.skips.get(request.function.__name__)
        if reason is not None:
            pytest.skip(reason)
        with Bench(self.factory, self.backend(tmp_path)) as bench:
            yield bench


def checks() -> dict[str, str]:
    """The names of all checks, each with what it is about.

    Example:
        >>> checks()["test_tries_once"]
        'One export is one attempt, also when it fails: the lane alone knows when to try again.'
    """
    found = inspect.getmembers(ExporterSuite, inspect.isfunction)
    return {name: inspect.getdoc(check) or "" for name, check in found if name.startswith("test_")}


def exporter_suite(
    factory: Factory[Any], *, backend: type[Backend], skips: Mapping[str, str] | None = None
) -> type[ExporterSuite]:
    """The suite for an exporter, as a class for pytest to collect: give it a name that starts with ``Test``.

    Args:
        factory: What builds the exporter.
        backend: Its other side; made anew for each check.
        skips: Name of a check to the reason why it makes no sense for this exporter.

    Raises:
        TypeError: The backend is not complete: above all it must read back what it has.
        ValueError: A check to skip is not known, or has no reason.

    Example:
        >>> from cxkit.exporters.http import FACTORY
        >>> class Forgetful(HTTPBackend):
        ...     pass
        >>> exporter_suite(FACTORY, backend=Forgetful)
        Traceback (most recent call last):
            ...
        TypeError: Forgetful leaves out read: without it nobody knows what was really delivered
    """
    left_out = sorted(getattr(backend, "__abstractmethods__", ()))
    if left_out:
        raise TypeError(
            f"{backend.__name__} leaves out {', '.join(left_out)}: without it nobody knows what was really delivered"
        )
    skipped = {**backend.skips, **(skips or {})}
    known = checks()
    for name, reason in skipped.items():
        if name not in known:
            raise ValueError(f"skips names {name}, and no check is called so; there are: {', '.join(known)}")
        if not reason.strip():
            raise ValueError(f"skips gives no reason for {name}: say why it makes no sense here")
    attributes = {"factory": factory, "backend": backend, "skips": skipped, "__module__": _caller()}
    return type("TestExporter", (ExporterSuite,), attributes)


def _caller() -> str:
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame and frame.f_back
    return str(frame.f_globals.get("__name__", __name__)) if frame else __name__
