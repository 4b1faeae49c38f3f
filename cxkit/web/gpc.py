"""Global Privacy Control: what a site says of it at ``/.well-known/gpc.json``.

Source: Global Privacy Control (W3C), section 4.
"""

from __future__ import annotations

from typing import Final

from cxkit.model import Facts
from cxkit.roles import Endpoint, Reply

__all__ = ["gpc_endpoint"]

_HONOURED: Final = Reply(
    status=200,
    headers=(("Content-Type", "application/json"), ("Cache-Control", "public, max-age=86400")),
    body=b'{"gpc":true}',
)


def gpc_endpoint() -> Endpoint:
    """What says, to whoever asks, that this site honours the signal, which cxkit does."""

    def told(facts: Facts, body: bytes) -> Reply:
        return _HONOURED

    return Endpoint(path="/.well-known/gpc.json", methods=frozenset({"GET"}), handle=told, waits=False)
