"""The event loop of one connection, which can be thrown away at any moment with all that is in it.

It differs from asyncio's own in four ways. It waits with poll, which, unlike epoll, a forked child
does not share with its parent. It looks up names in a daemon thread, since those of asyncio would
hold up the exit of the process for as long as a name server is silent. It remembers its transports,
so that they can be aborted when a graceful end would hang. And where TLS is asked for it lets
nothing be written before TLS has begun: the client would believe a server, or whoever stands
between, that says it has none.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from cxkit.errors import TransportError

__all__ = ["Loop"]

T = TypeVar("T")


class Loop(asyncio.SelectorEventLoop):
    """See the module. Run by one thread at a time, only while there is something to do."""

    def __init__(self, *, needs_tls: bool) -> None:
        super().__init__(selectors.PollSelector())
        self._needs_tls = needs_tls
        self._opened: list[asyncio.BaseTransport] = []

    def within(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run it; whatever it does, this returns in time.

        Raises:
            TimeoutError: It did not end. It is cancelled, but may linger until `dispose`.
        """
        task = self.create_task(work)
        done, _ = self.run_until_complete(asyncio.wait({task}, timeout=timeout_s))
        if not done:
            task.cancel()
            raise TimeoutError
        return task.result()

    def dispose(self) -> None:
        """Drop connections and tasks, at once, and close."""
        for transport in self._opened:
            transport.abort()  # type: ignore[attr-defined]
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=0.2))
        self.run_until_complete(asyncio.sleep(0))
        self.close()

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        self._opened.append(transport)
        return (_Unencrypted(transport) if self._needs_tls else transport), protocol

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        transport = transport.inner if isinstance(transport, _Unencrypted) else transport
        encrypted: Any = await super().start_tls(transport, *args, **kwargs)
        self._opened.insert(0, encrypted)
        return encrypted

    async def getaddrinfo(self, host: Any, port: Any, **wishes: Any) -> Any:
        answer: asyncio.Future[Any] = self.create_future()

        def ask() -> None:
            try:
                found: Any = socket.getaddrinfo(host, port, **wishes)
            except OSError as error:
                found = error
            try:
                self.call_soon_threadsafe(tell, found)
            except RuntimeError:  # nobody waits any more
                pass

        def tell(found: Any) -> None:
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        threading.Thread(target=ask, name="cxkit-nats-resolver", daemon=True).start()
        return await answer


class _Unencrypted:
    """A transport that must not be written to."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.inner = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, _: bytes) -> None:
        raise TransportError(
            "a server of NATS does not offer TLS",
            fix="have it offer TLS, or write nats:// where the network is trusted",
            code="CX9037",
        )

    writelines = write
