"""A TCP proxy in front of a real server, which misbehaves as it is told. It passes bytes on and understands none.

::

    with FaultProxy(port=4222) as proxy:
        client = connect("127.0.0.1", proxy.port)
        proxy.fault = "hang"        # from now on the server's answers are held back
        ...
        proxy.fault = None          # and now they come, late
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Literal, Self

__all__ = ["FaultProxy", "TCPFault"]

TCPFault = Literal["refuse", "hang", "drip", "reset", "cut"]

_CHUNK: Final = 65_536
_DRIP_S: Final = 0.05
_POLL_S: Final = 0.02
_CUT_BYTES: Final = 5
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, not with an end."""


class FaultProxy:
    """Stands between clients and a server on this machine. A context manager.

    Faults, set in `fault` at any time, hold for all connections until another or None is set:

    ======  ======================================================================================
    refuse  connections are refused, and those there are broken off
    hang    what the server says is held back; what clients say goes through
    drip    what the server says comes byte by byte, 20 a second
    reset   when the server says something, the client's connection is reset
    cut     five bytes of what the server says come through, then the connection ends
    ======  ======================================================================================

    Args:
        port: The server's.
        host: The server's.

    Example:
        >>> with socket.create_server(("127.0.0.1", 0)) as server, FaultProxy(port=server.getsockname()[1]) as proxy:
        ...     client = socket.create_connection(("127.0.0.1", proxy.port))
        ...     there, _ = server.accept()
        ...     there.sendall(b"hello")
        ...     client.recv(5)
        ...     proxy.fault = "cut"
        ...     there.sendall(b"good morning")
        ...     client.recv(100), client.recv(100)
        ...     client.close(), there.close()
        b'hello'
        (b'good ', b'')
        (None, None)
    """

    def __init__(self, *, port: int, host: str = "127.0.0.1") -> None:
        self._server = (host, port)
        self.port = 0
        """Where clients connect, on 127.0.0.1; known after the start."""
        self.connections = 0
        """How many were made so far."""
        self._fault: TCPFault | None = None
        self._changed = threading.Condition()
        self._open: set[_Connection] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def fault(self) -> TCPFault | None:
        """How it misbehaves now."""
        return self._fault

    @fault.setter
    def fault(self, fault: TCPFault | None) -> None:
        before, self._fault = self._fault, fault
        self.tell()
        if fault == "refuse":
            self._deafen()
            self._break_off()
        elif before == "refuse" and not self._stopped:
            self._listen()

    @property
    def open_connections(self) -> int:
        """How many clients hold open now."""
        return len(self._open)

    def start(self) -> None:
        """Listen; the port is free to choose the first time, and stays."""
        self._listen()

    def tell(self) -> None:
        """Something changed: whoever waits looks again."""
        with self._changed:
            self._changed.notify_all()

    def wait_while(self, holds: Callable[[], bool], *, timeout_s: float | None = None) -> None:
        """Wait until that does not hold any more."""
        with self._changed:
            self._changed.wait_for(lambda: not holds(), timeout_s)

    def stop(self) -> None:
        """Refuse and break off all connections; idempotent."""
        self._stopped = True
        self.fault = "refuse"
        while alive := [one for one in self._threads if one.is_alive()]:
            alive[0].join()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._listener.settimeout(_POLL_S)
        self._begin(partial(self._accept, self._listener))

    def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # who waits in accept keeps it for a while: so it is deaf at once
            listener.close()

    def _break_off(self) -> None:
        for one in list(self._open):
            one.end()

    def _begin(self, work: Callable[[], None]) -> None:
        self._threads = [one for one in self._threads if one.is_alive()]
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server, timeout=5)
        except OSError:
            client.close()
            return
        client.settimeout(None)
        server.settimeout(None)
        one = _Connection(self, client, server)
        self.connections += 1
        self._open.add(one)
        if self._fault == "refuse":  # it came in between
            one.end()
        self._begin(one.carry)
        self._begin(partial(self._answer, one))

    def _answer(self, one: _Connection) -> None:
        one.answer()
        self._open.discard(one)


class _Connection:
    """One of a client, with ours to the server."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._over = False

    def end(self) -> None:
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._over = True  # only now: `answer` closes without a shutdown what is over
        self._proxy.tell()

    def carry(self) -> None:
        """Give the server what the client says."""
        with contextlib.suppress(OSError):
            while chunk := self._client.recv(_CHUNK):
                self._server.sendall(chunk)
        self._over = True
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._proxy.tell()

    def answer(self) -> None:
        """Give the client what the server says, as the fault of the moment has it."""
        with self._client, self._server, contextlib.suppress(OSError):
            while (chunk := self._server.recv(_CHUNK)) and self._pass(chunk):
                pass
            if not self._over:
                self._client.shutdown(socket.SHUT_RDWR)

    def _pass(self, chunk: bytes) -> bool:
        proxy = self._proxy
        proxy.wait_while(lambda: proxy.fault == "hang" and not self._over)
        while proxy.fault == "drip" and chunk:
            self._client.sendall(chunk[:1])
            chunk = chunk[1:]
            proxy.wait_while(lambda: proxy.fault == "drip" and not self._over, timeout_s=_DRIP_S)
        if proxy.fault == "refuse":
            return False
        if proxy.fault == "reset":
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._client.shutdown(socket.SHUT_RD)  # says nothing, but ends the wait for what the client says
            self._over = True
            return False
        if proxy.fault == "cut":
            self._client.sendall(chunk[:_CUT_BYTES])
            return False
        self._client.sendall(chunk)
        return True
