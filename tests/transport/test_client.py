"""The transport: what arrives, what is never shown, and its life."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable

import pytest

from cxkit.errors import ConfigurationError, StateError, TransportError
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Transport

CANARY = "hunter2-canary"


# --- What arrives ---------------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_given(receiver: Receiver, transport: Transport) -> None:
    receiver.script(Answer(status=200, headers={"X-Shop": "7"}, body=b"thanks"))
    response = transport.request(
        "PUT", receiver.url + "in?a=1&b=%20", headers={"X-Key": " abc "}, body=b"hello", deadline_s=5.0
    )
    assert (response.status, response.headers["x-shop"], response.body, response.truncated) == (
        200,
        "7",
        b"thanks",
        False,
    )
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("PUT", "/in?a=1&b=%20", b"hello")
    assert request.headers["x-key"] == "abc"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_body_larger_than_the_socket_buffers_arrives_whole(receiver: Receiver, transport: Transport) -> None:
    body = os.urandom(8 * 1024 * 1024)
    transport.request("POST", receiver.url, body=body, deadline_s=20.0)
    assert receiver.requests[0].body == body


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, transport: Transport, status: int) -> None:
    """S6."""
    receiver.script(Answer(status=status, headers={"Location": receiver.url + "elsewhere"}))
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == status
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_ignored(
    receiver: Receiver, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202


def test_a_header_value_with_a_line_end_is_not_sent(receiver: Receiver, transport: Transport) -> None:
    with pytest.raises(ConfigurationError):
        transport.request("POST", receiver.url, headers={"X": "1\r\nY: 2"}, deadline_s=5.0)
    assert receiver.requests == []


# --- What is never shown --------------------------------------------------------------------------


def test_credentials_of_the_url_become_a_header(receiver: Receiver, transport: Transport) -> None:
    url = f"http://us%40er:p%3Ass@127.0.0.1:{receiver.port}/"
    transport.request("POST", url, deadline_s=5.0)
    transport.request("POST", url, headers={"Authorization": "Bearer 1"}, deadline_s=5.0)
    assert [request.headers["authorization"] for request in receiver.requests] == [
        "Basic dXNAZXI6cDpzcw==",
        "Bearer 1",
    ]
    assert all("@" not in request.headers["host"] for request in receiver.requests)


def test_nothing_is_logged_and_nothing_shown(
    receiver: Receiver, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """S12: also httpcore's own loggers."""
    caplog.set_level(logging.DEBUG)
    receiver.script(Answer(headers={"Set-Cookie": CANARY}), Answer(cut_bytes=0, end="close"))
    url = f"http://someone:{CANARY}@127.0.0.1:{receiver.port}/{CANARY}?key={CANARY}"
    headers = {"X-Key": CANARY}
    transport.request("POST", url, headers=headers, body=CANARY.encode(), deadline_s=5.0)
    with pytest.raises(TransportError) as caught:
        transport.request("POST", url, headers=headers, body=CANARY.encode(), deadline_s=5.0)
    assert caplog.records == []
    assert CANARY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__dict__}"
    assert caught.value.__suppress_context__


def test_the_hosts_own_use_of_httpcore_still_logs(
    receiver: Receiver, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    import httpcore

    caplog.set_level(logging.DEBUG)
    transport.request("POST", receiver.url, deadline_s=5.0)
    with httpcore.ConnectionPool() as pool:
        pool.request("GET", receiver.url)
    assert {"httpcore.connection", "httpcore.http11"} <= {record.name for record in caplog.records}


# --- Its life -------------------------------------------------------------------------------------


def test_connections_are_kept_and_the_oldest_is_used_first(receiver: Receiver, transport: Transport) -> None:
    for _ in range(3):
        transport.request("POST", receiver.url, deadline_s=5.0)
    assert len({request.peer for request in receiver.requests}) == 1


def test_a_connection_that_the_other_side_closed_is_not_used_again(receiver: Receiver, transport: Transport) -> None:
    """F19."""
    transport.request("POST", receiver.url, body=b"x", deadline_s=5.0)
    receiver.stop()
    receiver.start()
    assert transport.request("POST", receiver.url, body=b"x", deadline_s=5.0).status == 202
    assert len({request.peer for request in receiver.requests}) == 2


def test_a_changed_address_is_noticed_when_the_connection_is_old() -> None:
    """F22: within the age that a connection may have, 60 s."""
    addresses = ["127.0.0.1"]
    with Receiver() as old, Receiver(host="127.0.0.2", port=old.port) as new:
        url = f"http://collector.test:{old.port}/"
        for max_age_s, expected in ((60.0, (2, 0)), (0.0, (3, 1))):
            transport = Transport(resolver=lambda host: list(addresses), max_connection_age_s=max_age_s)
            addresses[:] = ["127.0.0.1"]
            transport.request("POST", url, deadline_s=5.0)
            addresses[:] = ["127.0.0.2"]
            transport.request("POST", url, deadline_s=5.0)
            assert (len(old.requests), len(new.requests)) == expected
            transport.close()


def test_several_threads_share_one_transport(receiver: Receiver, transport: Transport) -> None:
    def post() -> None:
        for _ in range(20):
            transport.request("POST", receiver.url, body=b"x" * 1000, deadline_s=20.0)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.requests) == 160
    assert {len(request.body) for request in receiver.requests} == {1000}
    assert len({request.peer for request in receiver.requests}) <= 8


def test_closed_it_makes_no_request(receiver: Receiver) -> None:
    transport = Transport()
    transport.request("POST", receiver.url, deadline_s=5.0)
    transport.close()
    transport.close()
    with pytest.raises(StateError):
        transport.request("POST", receiver.url, deadline_s=5.0)


def test_idle_connections_are_bounded(receiver: Receiver) -> None:
    transport = Transport(resolver=lambda host: ["127.0.0.1"])
    for name in (*range(17), *range(16, -1, -1)):
        transport.request("POST", f"http://h{name}.test:{receiver.port}/", deadline_s=5.0)
    peers = [request.peer for request in receiver.requests]
    assert peers[17:33] == peers[16:0:-1]
    assert peers[33] != peers[0]
    transport.close()


FORKING = """
    import os, sys
    from cxkit.transport import Transport

    transport = Transport(ca_file=sys.argv[2])
    transport.request("POST", sys.argv[1] + "parent", deadline_s=10.0)
    child = os.fork()
    if child == 0:
        transport.request("POST", sys.argv[1] + "child", deadline_s=10.0)
        transport.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    transport.request("POST", sys.argv[1] + "parent", deadline_s=10.0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_leaves_the_parents_connection_alone(
    serving: Callable[..., ssl.SSLContext], ca_file: str
) -> None:
    with Receiver(tls=serving("127.0.0.1")) as receiver:
        command = [sys.executable, "-c", textwrap.dedent(FORKING), receiver.url, ca_file]
        subprocess.run(command, check=True, timeout=60)
        peers = [(request.path, request.peer) for request in receiver.requests]
    (first, parent), (second, child), (third, again) = peers
    assert (first, second, third) == ("/parent", "/child", "/parent")
    assert parent == again != child


def test_the_network_library_is_imported_with_the_first_request_only(receiver: Receiver) -> None:
    program = """if True:
        import sys
        from cxkit.transport import Transport

        transport = Transport()
        before = "httpcore" in sys.modules
        transport.request("POST", sys.argv[1], deadline_s=10.0)
        transport.close()
        print(before, "httpcore" in sys.modules, "httpx" in sys.modules)
    """
    command = [sys.executable, "-c", program, receiver.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
