"""What this plugin registers."""

from __future__ import annotations

from collections.abc import Sequence

from cxkit.hookspecs import hookimpl
from cxkit.roles import Enricher, Factory
from cxkit_acquisition import enricher


@hookimpl
def cxkit_enrichers() -> Sequence[Factory[Enricher]]:
    return [enricher.FACTORY]
