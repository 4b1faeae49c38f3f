"""Facts: what a request says of itself, as pure data. They are never stored or exported."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["Facts"]


@attrs.frozen(kw_only=True, eq=False)
class Facts:
    """A request as its framework received it. The only place of the raw address and user agent."""

    method: str
    scheme: str
    host: str | None
    path: str
    """The whole of it, with ``root`` at its beginning."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Lower-case names; repeated headers joined by ", "."""
    peer: str | None = attrs.field(default=None, repr=False)
    """The address of the socket's other end."""
    cookies: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Those that cxkit is to know, by name."""
    query: str = attrs.field(default="", repr=False)
    """As it came, without the question mark."""
    root: str = ""
    """Where the app is mounted; empty, or starts with a slash."""
    client_ip: str | None = attrs.field(default=None, repr=False)
    """The customer's address, as far as the setting ``web.client_ip`` lets it be known."""
    proxied: bool = False
    """Whether whoever is at the other end of the socket is a proxy of yours, whose headers count."""
