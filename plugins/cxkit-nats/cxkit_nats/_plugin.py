"""What this plugin registers."""

from __future__ import annotations

from typing import Any

from cxkit.hookspecs import hookimpl
from cxkit.roles import Factory


@hookimpl
def cxkit_exporters() -> list[Factory[Any]]:
    """The exporter of ``type = "nats"``."""
    from cxkit_nats.exporter import FACTORY

    return [FACTORY]
