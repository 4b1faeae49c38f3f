"""Ports for servers of tests."""

from __future__ import annotations

import random
import socket

_BELOW_CLIENTS = range(20_000, 32_000)
"""Systems give clients ports above these, so no connection of another test, open or just closed, has one."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    while True:
        try:
            with socket.create_server(("127.0.0.1", random.choice(_BELOW_CLIENTS))) as listener:
                port: int = listener.getsockname()[1]
                return port
        except OSError:
            continue
