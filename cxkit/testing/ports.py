"""Ports for servers of tests."""

from __future__ import annotations

import secrets
import socket
from typing import Final

__all__ = ["free_port"]

_BELOW_CLIENTS: Final = range(20_000, 32_000)
"""Systems give clients ports above these, so no connection of another test, open or just closed, has one."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on. Where the server can take port 0, let it.

    Example:
        >>> free_port() in range(20_000, 32_000)
        True
    """
    while True:  # drawn by the system: what tests seed would have them all try the same ones
        try:
            with socket.create_server(("127.0.0.1", secrets.choice(_BELOW_CLIENTS))) as listener:
                port: int = listener.getsockname()[1]
                return port
        except OSError:
            continue
