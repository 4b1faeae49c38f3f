"""One connection: its deadline, what it reads (F19 to F22), whom it reaches and trusts (F23)."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from cxkit.errors import AddressRefusedError, ConfigurationError, DeadlineError, TransportError
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Transport, judge

CANARY = "hunter2-canary"
Serving = Callable[..., ssl.SSLContext]


@contextmanager
def listening(*, address: str = "127.0.0.1", port: int = 0, full: bool = False) -> Iterator[tuple[socket.socket, int]]:
    """A socket that listens and never accepts; if ``full``, not even the system answers for it."""
    with socket.create_server((address, port), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4 if full else 0)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((address, port))
        yield server, port
        for one in waiting:
            one.close()


# --- Its deadline ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut_bytes=0, end="hang"),
        Answer(cut_bytes=20, end="hang"),
        Answer(body=b"x" * 100, cut_bytes=90, end="hang"),
        Answer(drip_s=0.05),
        Answer(body=b"x" * 10_000, drip_s=0.05),
        Answer(delay_s=60.0),
    ],
    ids=["silent", "hangs in the head", "hangs in the body", "drips the head", "drips the body", "late"],
)
def test_the_deadline_is_absolute(receiver: Receiver, transport: Transport, answer: Answer) -> None:
    """F19, F20: a read that never ends, and one that goes on byte by byte in the head or in the body."""
    receiver.script(answer)
    with pytest.raises(DeadlineError, match=r"within 0\.3 s"):
        transport.request("POST", receiver.url, body=b"x", deadline_s=0.3)
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202


def test_the_deadline_covers_sending(transport: Transport) -> None:
    """F19."""
    with listening() as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"http://127.0.0.1:{port}/", body=bytes(32 * 1024 * 1024), deadline_s=0.3)


def test_the_deadline_covers_connecting(transport: Transport) -> None:
    """F19."""
    with listening(full=True) as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"http://127.0.0.1:{port}/", deadline_s=0.3)


def test_the_deadline_covers_tls(transport: Transport) -> None:
    """F19."""
    with listening() as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"https://127.0.0.1:{port}/", deadline_s=0.3)


def test_the_deadline_covers_the_name_look_up() -> None:
    """F22."""
    release = threading.Event()

    def stuck(host: str) -> Sequence[str]:
        release.wait()
        return []

    with pytest.raises(DeadlineError):
        Transport(resolver=stuck).request("POST", "http://collector.test/", deadline_s=0.2)
    release.set()


def test_no_time_at_all_is_a_deadline(receiver: Receiver, transport: Transport) -> None:
    with pytest.raises(DeadlineError):
        transport.request("POST", receiver.url, deadline_s=0.0)
    assert receiver.requests == []


def test_a_name_that_does_not_resolve() -> None:
    """F22."""

    def unknown(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(TransportError, match="does not resolve") as caught:
        Transport(resolver=unknown).request("POST", "http://collector.test/", deadline_s=5.0)
    assert judge(caught.value).verdict == "retry"


@pytest.mark.parametrize(("connect_timeout_s", "deadline_s"), [(0.2, 20.0), (20.0, 1.0)])
def test_an_address_nobody_answers_at_leaves_time_for_the_next(
    receiver: Receiver, connect_timeout_s: float, deadline_s: float
) -> None:
    """F22: a black hole in front of one that answers."""
    addresses = ["127.0.0.2", "127.0.0.1"]
    transport = Transport(resolver=lambda host: addresses, connect_timeout_s=connect_timeout_s)
    with listening(address="127.0.0.2", port=receiver.port, full=True):
        url = f"http://collector.test:{receiver.port}/"
        assert transport.request("POST", url, deadline_s=deadline_s).status == 202
    transport.close()


# --- What it reads --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut_bytes=0, end="close"),
        Answer(cut_bytes=0, end="reset"),
        Answer(cut_bytes=0, end="half_close"),
        Answer(cut_bytes=20, end="close"),
        Answer(body=b"x" * 1000, cut_bytes=500, end="reset"),
        Answer(body=b"x" * 1000, cut_bytes=500, end="close"),
        Answer(body=b"x" * 1000, cut_bytes=500, end="half_close"),
        Answer(body=[b"x" * 1000], cut_bytes=500, end="close"),
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(receiver: Receiver, transport: Transport, answer: Answer) -> None:
    """F19: closed, reset and half closed, before the head, in it and in the body."""
    receiver.script(answer)
    with pytest.raises(TransportError) as caught:
        transport.request("POST", receiver.url, body=b"x", deadline_s=5.0)
    assert not isinstance(caught.value, DeadlineError)
    assert judge(caught.value) == ("retry", "network", None)
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202


def test_nobody_listens(receiver: Receiver, transport: Transport) -> None:
    receiver.stop()
    with pytest.raises(TransportError, match=f"http://127.0.0.1:{receiver.port} was not reached"):
        transport.request("POST", receiver.url, deadline_s=5.0)


def test_an_early_refusal_is_read_although_the_body_was_not(receiver: Receiver, transport: Transport) -> None:
    """F19."""
    receiver.script(Answer(status=413, early=True))
    response = transport.request("POST", receiver.url, body=bytes(16 * 1024 * 1024), deadline_s=10.0)
    assert judge(response).verdict == "split"


def test_an_endless_body_is_cut_and_its_connection_dropped(receiver: Receiver) -> None:
    """F21."""
    transport = Transport(max_response_bytes=100_000)
    receiver.script(Answer(status=200, body=itertools.repeat(b"x" * 65_536)))
    tracemalloc.start()
    response = transport.request("POST", receiver.url, deadline_s=10.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(response.body), response.truncated) == (100_000, True)
    assert peak < 20 * 1024 * 1024
    transport.request("POST", receiver.url, deadline_s=5.0)
    assert len({request.peer for request in receiver.requests}) == 2
    transport.close()


def test_a_body_of_just_the_limit_is_whole(receiver: Receiver) -> None:
    transport = Transport(max_response_bytes=100)
    receiver.script(Answer(body=b"x" * 100), Answer(body=b"x" * 101))
    assert [transport.request("POST", receiver.url, deadline_s=5.0).truncated for _ in range(2)] == [
        False,
        True,
    ]
    transport.close()


def test_nothing_is_decompressed(receiver: Receiver, transport: Transport) -> None:
    """F21."""
    bomb = gzip.compress(bytes(10_000_000))
    receiver.script(Answer(status=200, headers={"Content-Encoding": "gzip"}, body=bomb))
    assert transport.request("GET", receiver.url, deadline_s=5.0).body == bomb


def test_header_fields_are_bounded(receiver: Receiver, transport: Transport) -> None:
    """F21."""
    receiver.script(
        Answer(headers={f"x-{index}": "1" for index in range(1_000)}),
        Answer(headers={f"x-{index}": "1" * 10 for index in range(10_000)}),
        Answer(headers={"x": "1" * 1_000_000}),
    )
    assert len(transport.request("POST", receiver.url, deadline_s=5.0).headers) == 100
    for _ in range(2):
        with pytest.raises(TransportError):
            transport.request("POST", receiver.url, deadline_s=5.0)


def test_what_is_not_http_is_an_error_without_its_text(transport: Transport) -> None:
    with listening() as (server, port):

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(f"220 {CANARY} ESMTP\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(TransportError) as caught:
            transport.request("POST", f"http://127.0.0.1:{port}/", deadline_s=5.0)
        thread.join()
    assert CANARY not in str(caught.value)


# --- Whom it reaches ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]"])
def test_no_spelling_reaches_this_machine(receiver: Receiver, host: str) -> None:
    """S6."""
    transport = Transport(allow_private=False)
    with pytest.raises(TransportError):  # refused, or not even resolved
        transport.request("POST", f"http://{host}:{receiver.port}/", deadline_s=5.0)
    assert receiver.requests == []


def test_a_resolver_that_changes_its_mind_gains_nothing(receiver: Receiver) -> None:
    """S6: what it says at the check is where the connection goes."""
    asked: list[str] = []

    def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.0.2.1"]

    transport = Transport(allow_private=False, resolver=rebinding)
    for expected in (1, 2, 3):
        with pytest.raises(AddressRefusedError):
            transport.request("POST", f"http://webhook.test:{receiver.port}/", deadline_s=5.0)
        assert len(asked) == expected
    assert receiver.requests == []


def test_the_connection_goes_to_the_address_that_was_looked_up(receiver: Receiver) -> None:
    """S6, S7: an operator's own collector may be anywhere, and is looked up once."""
    asked: list[str] = []

    def once(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    transport = Transport(resolver=once)
    transport.request("POST", f"http://no-such-host.invalid:{receiver.port}/", deadline_s=5.0)
    assert asked == ["no-such-host.invalid"]
    assert receiver.requests[0].headers["host"] == f"no-such-host.invalid:{receiver.port}"
    transport.close()


# --- Whom it trusts -------------------------------------------------------------------------------


def test_tls_with_an_authority_of_ones_own(serving: Serving, ca_file: str) -> None:
    transport = Transport(ca_file=ca_file)
    with Receiver(tls=serving("127.0.0.1", "collector.test")) as receiver:
        for _ in range(2):
            assert transport.request("POST", receiver.url, body=b"x" * 1_000_000, deadline_s=10.0).status == 202
        assert len({request.peer for request in receiver.requests}) == 1
    transport.close()


def test_the_name_is_verified_and_not_the_address(serving: Serving, ca_file: str) -> None:
    transport = Transport(ca_file=ca_file, resolver=lambda host: ["127.0.0.1"])
    with Receiver(tls=serving("collector.test")) as receiver:
        assert transport.request("POST", f"https://collector.test:{receiver.port}/", deadline_s=10.0).status == 202
    transport.close()


@pytest.mark.parametrize("fault", ["expired", "wrong host", "unknown authority", "plaintext"])
def test_tls_that_cannot_be_trusted_gets_nothing(serving: Serving, ca_file: str, fault: str) -> None:
    """F23, S32."""
    tls = {
        "expired": lambda: serving("127.0.0.1", expired=True),
        "wrong host": lambda: serving("other.test"),
        "unknown authority": lambda: serving("127.0.0.1", by=trustme.CA()),
        "plaintext": lambda: None,
    }[fault]()
    transport = Transport(ca_file=ca_file)
    with Receiver(tls=tls) as receiver:
        url = f"https://someone:{CANARY}@127.0.0.1:{receiver.port}/"
        with pytest.raises(TransportError) as caught:
            transport.request("POST", url, body=CANARY.encode(), deadline_s=10.0)
        assert receiver.requests == []
    assert caught.value.code == "CX5004"
    assert CANARY not in str(caught.value)
    assert judge(caught.value) == ("pause", "tls", None)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(serving: Serving, ca_file: str) -> None:
    """F23, S32: below 1.2."""
    tls = serving("127.0.0.1")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Receiver(tls=tls) as receiver, pytest.raises(TransportError) as caught:
        Transport(ca_file=ca_file).request("POST", receiver.url, deadline_s=10.0)
    assert caught.value.code == "CX5004"


def test_the_systems_authorities_do_not_trust_a_stranger(serving: Serving) -> None:
    """F23, S32: there is no way to switch verification off."""
    with Receiver(tls=serving("127.0.0.1")) as receiver, pytest.raises(TransportError) as caught:
        Transport().request("POST", receiver.url, deadline_s=10.0)
    assert caught.value.code == "CX5004"


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_authorities(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match="ca_file"):
        Transport(ca_file=str(path))
