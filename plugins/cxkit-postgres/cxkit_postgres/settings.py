"""The settings of ``type = "postgres"``."""

from __future__ import annotations

import re

import attrs

from cxkit.errors import ConfigurationError
from cxkit.settings import Secret

__all__ = ["Settings"]


def _schema(_: object, attribute: attrs.Attribute[str], name: str) -> None:
    if re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", name) is None or name.startswith("pg_"):
        raise ConfigurationError(
            '"schema" is not a name for a schema of its own',
            fix="use up to 40 lower-case letters, digits and _, such as cxkit",
            code="CX9042",
        )


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "postgres"``."""

    dsn: Secret
    """As libpq has it: ``postgresql://user:password@host:5432/name?sslmode=verify-full``, or ``host=... dbname=...``.
    What it does not say the environment does (``PGPASSFILE`` and the like)."""
    listen_dsn: Secret | None = None
    """For waiting for changes: past a PgBouncer in transaction mode, through which nobody can."""
    schema: str = attrs.field(default="cxkit", validator=_schema)
    """Made on first use, if the user may; one for each store."""
    connections: int = attrs.field(default=4, validator=[attrs.validators.ge(1), attrs.validators.le(100)])
    """At most so many at a time, of each process; one more waits for changes."""
    timeout_s: float = attrs.field(default=5.0, validator=[attrs.validators.ge(0.1), attrs.validators.le(300)])
    """How long a connection, and then each answer, may take."""
