"""The client's address, by the strategy that the settings name: from headers and the socket's peer, or none.

A header says what its sender likes; what a proxy appends stands at its right end. So a header counts
only if whoever is at the other end of the socket is trusted, and lists are read from the right; what
stands left of the answer is never looked at. An entry on the way that cannot be read ends it without
an answer, for no address is better than a wrong one. Nothing is remembered of any address.

Sources: RFC 7239 (``Forwarded``), section 4 and 6; ``X-Forwarded-For`` has no standard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple, TypeAlias

from cxkit.settings import ClientIP
from cxkit.settings.client_ip import MOST_HOPS, trusted_networks

__all__ = ["PRESETS", "Preset", "client_ip_strategy", "proxy_check"]

Strategy: TypeAlias = Callable[[Mapping[str, str], str | None], str | None]
Reader: TypeAlias = Callable[[str], str | None]


class Preset(NamedTuple):
    """How a platform tells the address of its client.

    Attributes:
        header: Which header it sets, in lower case.
        port: Whether a port follows the address always; then IPv6 has no brackets.
    """

    header: str
    port: bool = False


PRESETS: Final[Mapping[str, Preset]] = {
    "app_engine": Preset("x-appengine-user-ip"),
    "cloudflare": Preset("cf-connecting-ip"),
    "cloudfront": Preset("cloudfront-viewer-address", port=True),
    "fastly": Preset("fastly-client-ip"),
    "fly": Preset("fly-client-ip"),
    "netlify": Preset("x-nf-client-connection-ip"),
    "vercel": Preset("x-vercel-forwarded-for"),
}
"""Strategy to what it reads. Whose word counts is in the settings: ranges of addresses age, headers hardly do."""

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4: Final = rf"({_OCTET}(?:\.{_OCTET}){{3}})"
_V6: Final = "([0-9A-Fa-f:.]{2,45})(?:%[A-Za-z0-9._~-]{1,64})?"
_PORT: Final = "(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,64}))?"
_NODE: Final = re.compile(rf"{_V4}{_PORT}|\[{_V6}\]{_PORT}")
"""RFC 7239, section 6, less ``unknown`` and obfuscated names: they are no addresses."""
_ENTRY: Final = re.compile(rf"{_NODE.pattern}|{_V6}")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")')
_ESCAPE: Final = re.compile(r"\\(.)")
_DIGITS: Final = re.compile("[0-9]{1,5}")
_LONGEST: Final = 1_024
"""Letters in an element of ``Forwarded``: a host's name has 253 at most."""
_NOBODY: Final = "0.0.0.0"
"""Like ``::``: what stands where there is no address (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.2)."""
_MAPPED: Final = bytes(10) + b"\xff\xff"


def client_ip_strategy(settings: ClientIP) -> Strategy:
    """How the client's address is told under these settings.

    Args:
        settings: Those of ``[web.client_ip]``.

    Returns:
        A function of the headers (lower-case names; repeated ones joined by commas) and the address of
        the socket's peer (None or empty: a Unix socket). It returns a canonical address without a
        zone, IPv4-mapped ones as IPv4, or None where it is not known. It raises nothing.

    Example:
        >>> tell = client_ip_strategy(ClientIP(strategy="rightmost_trusted_range", trusted=("10.0.0.0/8",)))
        >>> tell({"x-forwarded-for": "192.0.2.66, 203.0.113.9, 10.0.0.7"}, "10.0.0.1")
        '203.0.113.9'
        >>> tell({"x-forwarded-for": "192.0.2.66"}, "198.51.100.4")
        '198.51.100.4'
    """
    if settings.strategy == "peer":
        return _peer
    preset = PRESETS.get(settings.strategy)
    header = preset.header if preset else (settings.header or "x-forwarded-for").lower()
    read = _forwarded if header == "forwarded" else _with_port if preset and preset.port else _entry
    trusted = _Trusted(settings.trusted)
    if settings.strategy == "rightmost_trusted_count":
        return _counted(header, read, trusted, settings.hops or 1)
    if settings.strategy == "rightmost_trusted_range":
        return _walked(header, read, trusted)
    return _single(header, read, trusted)


def proxy_check(settings: ClientIP) -> Callable[[str | None], bool]:
    """Whether the address of a socket's peer (None: a Unix socket) is of a proxy whose headers count.

    Example:
        >>> proxied = proxy_check(ClientIP(strategy="cloudflare", trusted=("10.0.0.0/8",)))
        >>> proxied("10.0.0.1"), proxied("198.51.100.4")
        (True, False)
    """
    if settings.strategy == "peer":
        return lambda peer: False
    trusted = _Trusted(settings.trusted)
    return lambda peer: trusted.peer(peer, _entry(peer) if peer else None)


class _Trusted:
    """Whose word counts."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._unix = "unix" in trusted
        networks = trusted_networks(trusted)
        self._v4, self._v6 = (
            [(one.network_address.packed, one.broadcast_address.packed) for one in networks if one.version == version]
            for version in (4, 6)
        )

    def peer(self, peer: str | None, address: str | None) -> bool:
        """Whether a header from this peer counts."""
        return self._unix if not peer else address is not None and self.address(address)

    def address(self, address: str) -> bool:
        """Whether a canonical address is that of a trusted proxy."""
        family, ranges = (AF_INET6, self._v6) if ":" in address else (AF_INET, self._v4)
        packed = inet_pton(family, address)
        for first, last in ranges:  # noqa: SIM110 - half the cost of any(), and each hop is asked
            if first <= packed <= last:
                return True
        return False


def _peer(_: Mapping[str, str], peer: str | None) -> str | None:
    return _entry(peer) if peer else None


def _single(header: str, read: Reader, trusted: _Trusted) -> Strategy:
    def tell(headers: Mapping[str, str], peer: str | None) -> str | None:
        address = _entry(peer) if peer else None
        return read(headers.get(header, "")) if trusted.peer(peer, address) else address

    return tell


def _counted(header: str, read: Reader, trusted: _Trusted, hops: int) -> Strategy:
    def tell(headers: Mapping[str, str], peer: str | None) -> str | None:
        address = _entry(peer) if peer else None
        if not trusted.peer(peer, address):
            return address
        addresses = [read(text) for text in _from_the_right(headers.get(header, ""), hops)]
        return addresses[-1] if len(addresses) == hops and None not in addresses else None

    return tell


def _walked(header: str, read: Reader, trusted: _Trusted) -> Strategy:
    def tell(headers: Mapping[str, str], peer: str | None) -> str | None:
        address = _entry(peer) if peer else None
        if not trusted.peer(peer, address):
            return address
        for text in _from_the_right(headers.get(header, ""), MOST_HOPS):
            address = read(text)
            if address is None or not trusted.address(address):
                return address
        return None  # proxies only: one of them asks for itself

    return tell


def _from_the_right(header: str, most: int) -> list[str]:
    """The last entries, the last first.

    Each comma separates, also within quotes: an unpaired quote in what a client sent would hide
    what was appended to it. An entry with half a quoted text in it is not readable.
    """
    return header.rsplit(",", most)[: -most - 1 : -1]


def _entry(text: str) -> str | None:
    return _address(_ENTRY.fullmatch(text.strip(" \t")))


def _with_port(text: str) -> str | None:
    address, _, port = text.strip(" \t").rpartition(":")
    return _entry(address) if _DIGITS.fullmatch(port) else None


def _forwarded(text: str) -> str | None:
    """What ``for`` is in an element of ``Forwarded``, all of which must be well-formed."""
    node = None
    if len(text) > _LONGEST:
        return None
    for part in text.split(";"):
        bare = part.strip(" \t")
        pair = _PAIR.fullmatch(bare)
        if pair is None:
            if bare:
                return None
        elif pair[1].lower() == "for":
            if node is not None:
                return None
            node = pair[2] or _ESCAPE.sub(r"\1", pair[3])
    return _address(_NODE.fullmatch(node)) if node else None


def _address(found: re.Match[str] | None) -> str | None:
    if found is None:
        return None
    if found[1]:
        return found[1] if found[1] != _NOBODY else None
    try:
        packed = inet_pton(AF_INET6, found[found.lastindex or 0])  # a tenth of what IPv6Address costs
    except OSError:
        return None
    if not any(packed[12:]) and (packed.startswith(_MAPPED) or not any(packed)):
        return None
    if packed.startswith(_MAPPED):
        return inet_ntop(AF_INET, packed[12:])
    text = inet_ntop(AF_INET6, packed)
    return text if "." not in text else _without_dots(packed)


def _without_dots(packed: bytes) -> str:
    """An address of ``::/96``, which the system writes with an IPv4 address in it: RFC 5952, section 5."""
    from ipaddress import IPv6Address  # which nobody has had since 2006

    return str(IPv6Address(packed))
