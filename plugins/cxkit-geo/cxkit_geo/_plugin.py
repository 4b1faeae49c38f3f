"""What this plugin registers."""

from __future__ import annotations

from collections.abc import Sequence

from cxkit.hookspecs import hookimpl
from cxkit.roles import Channel, Enricher, Factory
from cxkit_geo import endpoint, enricher


@hookimpl
def cxkit_enrichers() -> Sequence[Factory[Enricher]]:
    return [enricher.FACTORY]


@hookimpl
def cxkit_channels() -> Sequence[Factory[Channel]]:
    return [endpoint.FACTORY]
