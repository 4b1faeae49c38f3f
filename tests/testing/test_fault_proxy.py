"""The fault proxy between real sockets: what a client sees of each fault."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cxkit.testing.fault_proxy import FaultProxy

PATIENCE_S = 10


class Echo:
    """A server that says back what it hears."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client: socket.socket) -> None:
        with client:
            try:
                while said := client.recv(65_536):
                    client.sendall(said)
            except OSError:
                return


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    echo = Echo()
    with FaultProxy(port=echo.port) as proxy:
        yield proxy
    echo.close()


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S)


def read(client: socket.socket, size: int) -> bytes:
    """So many bytes, or all until it ends."""
    found = b""
    while len(found) < size and (more := client.recv(size - len(found))):
        found += more
    return found


def becomes(count: int, proxy: FaultProxy) -> bool:
    until = time.monotonic() + PATIENCE_S
    while proxy.open_connections != count and time.monotonic() < until:
        time.sleep(0.01)
    return proxy.open_connections == count


def test_bytes_go_through_both_ways_and_connections_are_counted(proxy: FaultProxy) -> None:
    said = bytes(range(256)) * 4096
    with connected(proxy) as client, connected(proxy) as other:
        threading.Thread(target=client.sendall, args=(said,), daemon=True).start()
        assert read(client, len(said)) == said
        other.sendall(b"x")
        assert read(other, 1) == b"x"
        assert (proxy.connections, proxy.open_connections) == (2, 2)
    assert becomes(0, proxy)
    assert proxy.connections == 2


def test_refuse_breaks_off_and_refuses_until_healed_on_the_same_port(proxy: FaultProxy) -> None:
    port = proxy.port
    with connected(proxy) as client:
        client.sendall(b"x")
        assert read(client, 1) == b"x"
        proxy.fault = "refuse"
        assert read(client, 1) == b""
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.fault = None
    assert proxy.port == port
    with connected(proxy) as client:
        client.sendall(b"x")
        assert read(client, 1) == b"x"


def test_hang_holds_back_what_comes_late_afterwards(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.fault = "hang"
        client.sendall(b"late")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(PATIENCE_S)
        proxy.fault = None
        assert read(client, 4) == b"late"


def test_drip_gives_byte_after_byte(proxy: FaultProxy) -> None:
    proxy.fault = "drip"
    with connected(proxy) as client:
        client.sendall(b"abc")
        assert [client.recv(100) for _ in range(3)] == [b"a", b"b", b"c"]
        client.sendall(b"d" * 10_000)
        assert len(client.recv(100_000)) < 10_000
        proxy.fault = None  # the rest comes at once
        assert len(read(client, 9_990)) == 9_990


def test_reset_is_one(proxy: FaultProxy) -> None:
    proxy.fault = "reset"
    with connected(proxy) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert becomes(0, proxy)


def test_cut_ends_after_five_bytes(proxy: FaultProxy) -> None:
    proxy.fault = "cut"
    with connected(proxy) as client:
        client.sendall(b"good morning")
        assert read(client, 100) == b"good "


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with FaultProxy(port=port) as proxy, connected(proxy) as client:
        assert client.recv(1) == b""
        assert proxy.connections == 0


def test_stop_ends_its_threads(proxy: FaultProxy) -> None:
    clients = [connected(proxy) for _ in range(3)]
    assert becomes(3, proxy)
    proxy.fault = "hang"
    clients[0].sendall(b"x")
    proxy.stop()
    proxy.stop()
    assert [client.recv(1) for client in clients] == [b"", b"", b""]
    assert proxy.open_connections == 0
    for client in clients:
        client.close()


def test_a_connection_ends_though_its_answer_ends_first(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for what the client says hears of it, whichever thread closes the socket."""
    shutdown, wait_while, waits = socket.socket.shutdown, proxy.wait_while, threading.Event()

    def waiting(holds: Callable[[], bool], **more: float) -> None:
        waits.set()
        wait_while(holds, **more)

    def late(one: socket.socket, how: int) -> None:
        if threading.current_thread() is threading.main_thread():
            proxy.tell()
            wait_while(lambda: proxy.open_connections > 0, timeout_s=0.2)  # in vain, unless the answer has ended
        shutdown(one, how)

    with connected(proxy) as client:
        assert becomes(1, proxy)
        proxy.fault = "hang"
        monkeypatch.setattr(proxy, "wait_while", waiting)
        client.sendall(b"x")
        assert waits.wait(PATIENCE_S)
        (one,) = proxy._open
        monkeypatch.setattr(socket.socket, "shutdown", late)
        one.end()
        assert client.recv(1) == b""
