"""Global Privacy Control: what a site says of it at ``/.well-known/gpc.json``.

Source: Global Privacy Control (W3C), section 4.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

__all__ = ["GPC_PATH", "gpc_json"]

GPC_PATH: Final = "/.well-known/gpc.json"
"""Where it is served, as ``application/json``."""


def gpc_json(*, updated: date) -> bytes:
    """That this site honours the signal, which cxkit does.

    Args:
        updated: When you last changed what you say about it.

    Example:
        >>> gpc_json(updated=date(2026, 11, 22))
        b'{"gpc":true,"lastUpdate":"2026-11-22"}'
    """
    return msgspec.json.encode({"gpc": True, "lastUpdate": updated})
