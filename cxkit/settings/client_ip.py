"""The settings of the client's address: how it is told, and whose word counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

from cxkit.errors import ConfigurationError

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

__all__ = ["MOST_HOPS", "ClientIP", "trusted_networks"]

Network: TypeAlias = "IPv4Network | IPv6Network"

MOST_HOPS: Final = 32
"""No more entries of a header are looked at."""

_WORDS: Final = {
    "private": (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
        "100.64.0.0/10",  # RFC 6598, shared: some platforms route within it
        "169.254.0.0/16", "fe80::/10",  # link-local
        "fc00::/7",  # RFC 4193
    ),
    "loopback": ("127.0.0.0/8", "::1"),
    "unix": (),
}  # fmt: skip
_WIDEST: Final = {4: 8, 6: 7}
"""The shortest prefix that is taken: a shorter one trusts strangers, and /0 everybody."""

_TAKES: Final = {
    "peer": (),
    "single_header": ("header", "trusted"),
    "rightmost_trusted_count": ("header", "hops", "trusted"),
    "rightmost_trusted_range": ("header", "trusted"),
}
_OF_A_PRESET: Final = ("trusted",)
_OPTIONAL: Final = {("rightmost_trusted_count", "header"), ("rightmost_trusted_range", "header")}
_EXAMPLES: Final = {"header": '"X-Real-IP"', "hops": "1", "trusted": '["10.0.0.0/8"]'}


def trusted_networks(trusted: Iterable[str]) -> tuple[Network, ...]:
    """The networks that words and CIDRs stand for; ``unix`` stands for none.

    Raises:
        ValueError: One is neither, has bits set outside its network, or is too wide to be anybody's.

    Example:
        >>> trusted_networks(["10.1.0.0/16", "unix"])
        (IPv4Network('10.1.0.0/16'),)
    """
    if not trusted:
        return ()
    from ipaddress import ip_network  # 3 ms that most do without

    texts = [text for one in trusted for text in _WORDS.get(one, (one,))]
    networks = tuple(_unmapped(ip_network(text)) for text in texts)
    if any(one.prefixlen < _WIDEST[one.version] for one in networks):
        raise ValueError("too wide")
    return networks


def _unmapped(network: Network) -> Network:
    """The IPv4 network that an IPv4-mapped one stands for, as addresses are folded alike."""
    from ipaddress import IPv4Network, IPv6Network

    if isinstance(network, IPv6Network):
        if network.network_address.scope_id is not None:
            raise ValueError("a zone is not part of a network")
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return IPv4Network((int(mapped), network.prefixlen - 96))
    return network


@attrs.frozen(kw_only=True)
class ClientIP:
    """``[web.client_ip]``: how the address of the client is told. It is never guessed."""

    strategy: Literal[
        "peer",
        "single_header",
        "rightmost_trusted_count",
        "rightmost_trusted_range",
        "app_engine",
        "cloudflare",
        "cloudfront",
        "fastly",
        "fly",
        "netlify",
        "vercel",
    ] = "peer"
    header: str | None = None
    """Which header is read. The rightmost ones read ``X-Forwarded-For`` if none is named."""
    hops: int | None = None
    """How many proxies of yours there are."""
    trusted: tuple[str, ...] = ()
    """CIDRs and addresses of proxies, and the words ``private``, ``loopback``, ``unix``."""

    def __attrs_post_init__(self) -> None:
        if self.header is not None and not re.fullmatch("[A-Za-z0-9-]{1,64}", self.header):
            raise _refused("header", "is not the name of a header", "use letters, digits and -")
        if self.hops is not None and not 1 <= self.hops <= MOST_HOPS:
            raise _refused("hops", "is out of its range", f"give a number from 1 to {MOST_HOPS}")
        try:
            trusted_networks(self.trusted)
        except ValueError:
            fix = 'write networks like "10.0.0.0/8" or "2001:db8::/32", or "private", "loopback", "unix"; never all'
            raise _refused("trusted", "holds what is no network, or one that is anybody's", fix) from None
        takes = _TAKES.get(self.strategy, _OF_A_PRESET)
        for name, given in (("header", self.header), ("hops", self.hops), ("trusted", self.trusted)):
            if given and name not in takes:
                fix = f"remove it, or choose a strategy that reads {name}"
                raise _refused(name, f"means nothing to the strategy {self.strategy}", fix, "CX1011")
            if not given and name in takes and (self.strategy, name) not in _OPTIONAL:
                fix = f"add {name} = {_EXAMPLES[name]}"
                raise _refused(name, f"is missing, and {self.strategy} needs it", fix, "CX1007")


def _refused(name: str, what: str, fix: str, code: str = "CX1006") -> ConfigurationError:
    return ConfigurationError(f'"{name}" {what}', fix=fix, code=code)
