"""The settings of ``type = "redis"``."""

from __future__ import annotations

import re

import attrs

from cxkit.errors import ConfigurationError
from cxkit.settings import Secret

__all__ = ["Settings"]


def _prefix(_: object, attribute: attrs.Attribute[str], prefix: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", prefix) is None:
        raise ConfigurationError(
            '"prefix" is not one for keys',
            fix="use up to 100 letters, digits and _ . : -",
            code="CX9062",
        )


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "redis"``."""

    url: Secret
    """``redis://user:password@host:6379/0``; ``rediss://`` with TLS, ``unix://`` for a socket."""
    prefix: str = attrs.field(default="cxkit", validator=_prefix)
    """What its keys begin with, in braces: they are all in one slot. One for each store."""
    connections: int = attrs.field(default=4, validator=[attrs.validators.ge(1), attrs.validators.le(100)])
    """At most so many at a time, of each process; one more waits for changes."""
    timeout_s: float = attrs.field(default=5.0, validator=[attrs.validators.ge(0.1), attrs.validators.le(300)])
    """How long a connection, and then each answer, may take."""
    ca_file: str | None = None
    """With ``rediss://``: a PEM file of the certificate authorities to trust instead of the system's."""
    cert_file: str | None = None
    """A PEM file with the certificate of this side, and its key if ``key_file`` is not given."""
    key_file: str | None = None
