"""What this plugin registers."""

from __future__ import annotations

from collections.abc import Sequence

from cxkit.hookspecs import hookimpl
from cxkit.roles import Enricher, Exporter, Factory
from cxkit_otel import exporter, traces


@hookimpl
def cxkit_exporters() -> Sequence[Factory[Exporter]]:
    return [exporter.FACTORY]


@hookimpl
def cxkit_enrichers() -> Sequence[Factory[Enricher]]:
    return [traces.FACTORY]
