"""What this plugin registers."""

from __future__ import annotations

from typing import Any

from cxkit.hookspecs import hookimpl
from cxkit.roles import Factory


@hookimpl
def cxkit_stores() -> list[Factory[Any]]:
    """The store of ``type = "postgres"``."""
    from cxkit_postgres.store import FACTORY

    return [FACTORY]
