"""Addresses, of which only the network is used: what is looked up or remembered is nobody's own.

Sources: RFC 6890 and the IANA registries of special-purpose addresses; RFC 4291, section 2.5.5.2 (IPv4-mapped).
"""

from __future__ import annotations

from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final

__all__ = ["is_public", "network_of", "written"]

_MAPPED: Final = bytes(10) + b"\xff\xff"
_V4_BYTES: Final = 3
_V6_BYTES: Final = 6


def _ranges(*networks: str) -> tuple[tuple[bytes, bytes], ...]:
    """First and last address of each, truncated as `network_of` does: all of them are as wide, or wider."""
    parsed = [ip_network(one) for one in networks]
    size = _V4_BYTES if parsed[0].version == 4 else _V6_BYTES
    return tuple((one.network_address.packed[:size], one.broadcast_address.packed[:size]) for one in parsed)


_NOWHERE_V4: Final = _ranges(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
)  # fmt: skip
_UNICAST_V6: Final = _ranges("2000::/3")
_NOWHERE_V6: Final = _ranges("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
"""Among them Teredo and 6to4, whose first bits are not where somebody is, and of 6to4 a whole IPv4 address."""


def network_of(address: str | None) -> bytes | None:
    """The first 24 bits of an IPv4 address, the first 48 of an IPv6 address; None if it is no address.

    What IPv6 maps from IPv4 is IPv4. An address with a zone is none: it means something on its own machine only.

    Example:
        >>> network_of("81.2.69.142").hex("."), network_of("::ffff:81.2.69.142").hex(".")
        ('51.02.45', '51.02.45')
        >>> network_of("fe80::1%eth0")
    """
    if not address:
        return None
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)[:_V4_BYTES]
        packed = inet_pton(AF_INET6, address)
    except (OSError, ValueError):
        return None
    return packed[12:15] if packed.startswith(_MAPPED) else packed[:_V6_BYTES]


def is_public(network: bytes) -> bool:
    """Whether a network that `network_of` told is one of the internet's, so that it can be somewhere.

    Example:
        >>> is_public(network_of("81.2.69.142")), is_public(network_of("192.168.0.7"))
        (True, False)
    """
    if len(network) == _V4_BYTES:
        return not _within(network, _NOWHERE_V4)
    return _within(network, _UNICAST_V6) and not _within(network, _NOWHERE_V6)


def written(network: bytes) -> str:
    """Its first address, as text.

    Example:
        >>> written(network_of("81.2.69.142"))
        '81.2.69.0'
    """
    if len(network) == _V4_BYTES:
        return inet_ntop(AF_INET, network + b"\0")
    return inet_ntop(AF_INET6, network + bytes(10))


def _within(network: bytes, ranges: tuple[tuple[bytes, bytes], ...]) -> bool:
    return any(first <= network <= last for first, last in ranges)
