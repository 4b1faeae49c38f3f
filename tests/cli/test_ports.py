from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from cxkit.cli.dev.ports import Listener, listeners

pytestmark = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="there is no /proc/net here")

LISTENING = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


def own(port: int) -> Listener | None:
    found = listeners(os.getpid())
    assert found is not None
    return next((one for one in found if one.port == port), None)


@pytest.mark.parametrize(
    ("family", "host", "told"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1:{port}"),
        (socket.AF_INET, "0.0.0.0", "0.0.0.0:{port}"),
        (socket.AF_INET6, "::1", "[::1]:{port}"),
        (socket.AF_INET6, "::", "[::]:{port}"),
    ],
)
def test_a_port_is_told_as_one_would_write_it(family: socket.AddressFamily, host: str, told: str) -> None:
    with ExitStack() as open_sockets:
        try:
            several = [socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") for _ in range(5)]
        except OSError:
            pytest.skip("this machine has no such address")
        for listener in several:
            open_sockets.enter_context(listener)
        ports = [listener.getsockname()[1] for listener in several]
        uncalled = [one for one in map(own, ports) if one is not None and not one.called]
        assert len(uncalled) > 2, "a port may be one that somebody else's connection had; not most of five"
        found = uncalled[0]
        port = found.port
        assert str(found) == told.format(port=port)
        assert found.url == f"http://{'[::1]' if host == '::1' else '127.0.0.1'}:{port}/"
    assert own(port) is None


@pytest.mark.parametrize("first", ["client", "server", "nobody"])
@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_call_is_seen_whoever_hangs_up_first(first: str, host: str) -> None:
    with ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.create_server((host, 0)))
        port = listener.getsockname()[1]
        client = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
        server = open_sockets.enter_context(listener.accept()[0])
        for end in {"client": [client, server], "server": [server, client], "nobody": []}[first]:
            end.shutdown(socket.SHUT_WR)
        if first != "nobody":
            assert client.recv(1) == server.recv(1) == b""  # now both know
            client.close()
            server.close()
        found = own(port)
        assert found is not None
        assert found.called


def test_a_call_to_another_port_is_none() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_connection(other.getsockname()),
    ):
        found = own(listener.getsockname()[1])
        assert found is not None
        assert not found.called


def test_children_listen_for_their_parents_and_nobody_else() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTENING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        assert own(port) is not None
        with socket.create_server(("127.0.0.1", 0)) as mine:
            found = listeners(child.pid)
            assert found is not None
            assert [one.port for one in found] == [port]
            assert mine.getsockname()[1] != port
        child.communicate()


def test_a_process_that_is_gone_listens_nowhere() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert listeners(child.pid) == []
