"""Whether a request that changes something comes from the site itself.

What a browser says of itself decides, with neither tokens nor cookies: ``Sec-Fetch-Site`` (W3C
Fetch Metadata), else ``Origin`` (RFC 6454) against ``Host``. A request that says neither is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from cxkit.model import Facts

__all__ = ["same_origin"]

_ORIGIN: Final = re.compile(r"(https?)://([^/?#@\\\s]+)", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def same_origin(facts: Facts, *, allowed: Collection[str] = ()) -> bool:
    """Whether a request was made by a page of this very site.

    The scheme does not count: a proxy in front may speak https where the app hears http.

    Args:
        allowed: Further origins from which it may come, exactly as a browser writes them: ``https://www.example.com``.

    Example:
        >>> asked = Facts(method="POST", scheme="https", host="shop.example", path="/", headers={})
        >>> same_origin(asked)
        False
        >>> import attrs
        >>> same_origin(attrs.evolve(asked, headers={"origin": "https://shop.example"}))
        True
    """
    origin, site = facts.headers.get("origin"), facts.headers.get("sec-fetch-site")
    if origin is not None and origin in allowed:
        return True
    if site is not None:
        return site == "same-origin"
    parts = _ORIGIN.fullmatch(origin or "")
    if parts is None or not facts.host:
        return False
    port = _DEFAULT_PORTS[parts[1].lower()]
    return parts[2].lower().removesuffix(port) == facts.host.lower().removesuffix(port)
