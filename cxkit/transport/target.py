"""Where a request goes: the URL taken apart, the header fields, the policy of addresses."""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import attrs

from cxkit.errors import ConfigurationError

__all__ = ["Target", "check_field", "check_headers", "fields_of", "is_public", "origin_of", "parse", "shown_request"]

_MASK: Final = "********"
_TOKEN: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w.~=-]{10,}")
"""What in a path may be a secret: hooks have their tokens there."""
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[0-9a-z._:%-]+")
_NOT_IN_URL: Final = re.compile(r"[^!-~\x80-\U0010ffff]|\\")  # some read a backslash as a slash
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")
# `is_global` differs between Python versions: IPv6 is judged by what is allocated, IPv4 with additions.
_V6_ALLOCATED: Final = ipaddress.IPv6Network("2000::/3")
_V6_SPECIAL: Final = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_V4_SPECIAL: Final = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))


@attrs.frozen
class Target:
    """A URL taken apart. Only its origin may be shown."""

    scheme: str
    host: str
    port: int
    path: str = attrs.field(repr=False)
    authorization: str | None = attrs.field(repr=False)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self._bracketed}:{self.port}"

    @property
    def host_field(self) -> str:
        return self._bracketed if self.port == _PORTS[self.scheme] else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def origin_of(url: str) -> str:
    """All that may be shown of a URL, which can hold credentials: ``scheme://host:port``.

    Raises:
        ConfigurationError: It is no http or https URL. The message does not repeat it.

    Example:
        >>> origin_of("https://key:secret@collector.example/in?token=secret")
        'https://collector.example:443'
    """
    return parse(url).origin


def parse(url: str) -> Target:
    """Take a URL apart.

    Raises:
        ConfigurationError: As `origin_of`.
    """
    malformed = ConfigurationError(
        "a URL is not a full http or https URL of visible characters",
        fix='write it like "https://collector.example/interactions"',
        code="CX1051",
    )
    if _NOT_IN_URL.search(url):  # urlsplit would drop line ends and tabs in silence
        raise malformed
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme]
        port = port if parts.port is None else parts.port
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except (ValueError, KeyError):
        raise malformed from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _HOST.fullmatch(host) or not path.isascii():
        raise malformed
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(pair.encode()).decode()}"
    return Target(parts.scheme, host, port, path, authorization)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and to no tunnel into something else.

    Raises:
        ValueError: It is no IP address.

    Source: IANA registries of special-purpose addresses; RFC 6052 and 8215 (64:ff9b), RFC 3056 (2002).

    Example:
        >>> [is_public(one) for one in ("93.184.215.14", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1")]
        [True, False, False, False]
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        return ip in _V6_ALLOCATED and not any(ip in network for network in _V6_SPECIAL)
    special = any(ip in network for network in _V4_SPECIAL)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or special)


def check_field(name: str, value: str) -> None:
    """Refuse a header field whose name or value could break out of its line.

    Raises:
        ConfigurationError: It could. The message repeats neither.

    Example:
        >>> check_field("Authorization", "Bearer abc")
    """
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise ConfigurationError(
            "the name or the value of a header field has characters that are not allowed there",
            fix="remove line ends, control characters and what is not Latin-1",
            code="CX1052",
        )


class _Hidden(Protocol):
    """A `cxkit.settings.Secret`, say."""

    def reveal(self) -> str: ...


def check_headers(headers: Mapping[str, _Hidden], *, own: Collection[str]) -> None:
    """Refuse header fields that a setting must not hold.

    Args:
        own: Names of those that the exporter sets itself; lower-case.

    Raises:
        ConfigurationError: As `check_field`, or one of them is the exporter's own. The message repeats no value.

    Example:
        >>> from cxkit.settings import Secret
        >>> check_headers({"Authorization": Secret("Bearer abc")}, own={"content-type"})
    """
    for name, value in headers.items():
        check_field(name, value.reveal())
        if name.lower() in own:
            raise ConfigurationError(
                f'"headers" holds {name.lower()}, which the exporter sets itself',
                fix="remove it",
                code="CX1054",
            )


def fields_of(target: Target, headers: Mapping[str, str], length: int) -> list[tuple[str, bytes]]:
    """The header fields of a request whose body has that many bytes.

    Raises:
        ConfigurationError: As `check_field`.
    """
    fields = {"user-agent": "cxkit", "accept-encoding": "identity"}
    if target.authorization is not None:
        fields["authorization"] = target.authorization
    for name, value in headers.items():
        check_field(name, value)
        fields[name.lower()] = value.strip()
    fields |= {"host": target.host_field, "content-length": str(length)}
    return [(name, value.encode("latin-1")) for name, value in fields.items()]


def shown_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    hidden: Collection[str] = (),
    text: str | None = None,
) -> str:
    """A request as `cxkit.transport.Transport.request` would make it, for people: credentials are masked.

    Args:
        hidden: Names of further header fields whose values are masked; lower-case.
        text: What to show of the body, if it is not text itself.

    Raises:
        ConfigurationError: The URL or a header field is malformed.

    Example:
        >>> print(shown_request("POST", "https://me:pw@host.example/in?key=abc", headers={}, body=b"[]"))
        POST https://host.example:443/in?key=********
        user-agent: cxkit
        accept-encoding: identity
        authorization: ********
        host: host.example
        content-length: 2
        <BLANKLINE>
        []
    """
    target = parse(url)
    path, mark, query = target.path.partition("?")
    pieces = [
        f"{name}={_MASK}" if equals else _MASK for name, equals, _ in (one.partition("=") for one in query.split("&"))
    ]
    path = "/".join(_MASK if _TOKEN.fullmatch(one) else one for one in path.split("/"))
    lines = [f"{method} {target.origin}{path}{mark}{'&'.join(pieces) if query else ''}"]
    for name, value in fields_of(target, headers, len(body)):
        lines.append(f"{name}: {_MASK if name in hidden or name == 'authorization' else value.decode('latin-1')}")
    return "\n".join([*lines, "", body.decode("utf-8", "replace") if text is None else text])
