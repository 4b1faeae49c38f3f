"""The settings of ``type = "nats"``, and what the client library is told of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from cxkit.errors import ConfigurationError, MissingDependencyError
from cxkit.settings import Secret
from cxkit_nats.message import Pattern

if TYPE_CHECKING:
    import ssl

__all__ = ["Settings", "options_of"]


def _servers(_: object, attribute: attrs.Attribute[tuple[str, ...]], urls: tuple[str, ...]) -> None:
    for url in urls or ("",):
        parts = urlsplit(url)
        if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.username is not None or parts.path:
            raise ConfigurationError(
                '"servers" holds what is no address of a server of NATS',
                fix='write each like "nats://127.0.0.1:4222" or "tls://nats.example:4222", without credentials',
                code="CX9032",
            )


def _pattern(_: object, attribute: attrs.Attribute[str], pattern: str) -> None:
    Pattern(pattern)


def _word(_: object, attribute: attrs.Attribute[Any], word: str | None) -> None:
    if word is not None and (not word.isascii() or not word.isprintable() or not word or set(word) & set(" *>/\\")):
        raise ConfigurationError(
            f'"{attribute.name}" has characters that are not allowed there',
            fix="use letters, digits, - and _",
            code="CX9033",
        )


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "nats"``."""

    servers: tuple[str, ...] = attrs.field(validator=_servers)
    """Name each node of a cluster. With ``tls://`` nothing is sent unencrypted."""
    subject: str = attrs.field(default="cx.{name}", validator=_pattern)
    """Where to publish; ``{name}``, ``{kind}``, ``{channel}`` and ``{stage}`` are the interaction's."""
    stream: str | None = attrs.field(default=None, validator=_word)
    """The stream that must keep the messages. None: whichever listens to the subject."""
    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    creds_file: str | None = None
    """A file with a user's JWT and key, as made by ``nsc``."""
    ca_file: str | None = None
    """A PEM file of the certificate authorities to trust instead of the system's."""
    cert_file: str | None = None
    """A PEM file with the certificate of this side, for servers that ask for one."""
    key_file: str | None = None
    """A PEM file with its key, if that is another."""
    inbox_prefix: str = attrs.field(default="_INBOX", validator=_word)
    """Below which acknowledgements are awaited: what the user may subscribe to."""
    ack_timeout_s: float = attrs.field(
        default=5.0, validator=attrs.validators.and_(attrs.validators.gt(0), attrs.validators.le(60))
    )
    """How long to wait for the acknowledgements of a batch."""

    def __attrs_post_init__(self) -> None:
        ways = [self.user is not None or self.password is not None, self.token is not None, self.creds_file is not None]
        if sum(ways) > 1 or (self.user is None) != (self.password is None):
            raise ConfigurationError(
                "a server of NATS is given more than one way to know this side, or half of one",
                fix="set user and password, or token, or creds_file",
                code="CX9034",
            )


def options_of(settings: Settings) -> dict[str, Any]:
    """Options of ``nats.connect``.

    Raises:
        ConfigurationError: A file cannot be read.
        MissingDependencyError: A ``creds_file`` is given, and nothing that could read it installed.
    """
    options: dict[str, Any] = {"name": "cxkit", "tls": _tls(settings)}
    if settings.user is not None and settings.password is not None:
        options |= {"user": settings.user, "password": settings.password.reveal()}
    if settings.token is not None:
        options["token"] = settings.token.reveal()
    if settings.creds_file is not None:
        if not Path(settings.creds_file).is_file():
            raise ConfigurationError('"creds_file" is no file', fix="give the path of one made by nsc", code="CX9035")
        if find_spec("nkeys") is None:
            raise MissingDependencyError("a creds_file needs the package nkeys", fix='install "nats-py[nkeys]"')
        options["user_credentials"] = settings.creds_file
    return options


def _tls(settings: Settings) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise ConfigurationError(
            f"a file of certificates for NATS could not be read ({type(error).__name__})",
            fix="name PEM files as ca_file, cert_file and key_file",
            code="CX9036",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
