"""The receiver itself: tests that lean on it must be able to trust it."""

from __future__ import annotations

import gzip
import itertools
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxkit.codec import BATCH_CONTENT_TYPE, CONTENT_TYPE, encode, encode_batch
from cxkit.errors import TransportError
from cxkit.model import Interaction
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Response, Transport

INTERACTIONS = [
    Interaction(
        id=f"0198c0de-0000-7000-8000-{index:012}",
        occurred_at=datetime(2026, 11, 21, 10, 30, tzinfo=UTC),
        name="cart.item_added",
        source="/shop",
    )
    for index in range(4)
]
BODY = encode_batch(map(encode, INTERACTIONS))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


def post(transport: Transport, url: str, body: bytes = BODY, type: str = BATCH_CONTENT_TYPE) -> Response:
    return transport.request("POST", url, headers={"Content-Type": type}, body=body, deadline_s=10.0)


def raw(receiver: Receiver, request: bytes = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") -> bytes:
    """All that it answers until it closes."""
    with socket.create_connection((receiver.host, receiver.port), timeout=10.0) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_a_batch_is_accepted(receiver: Receiver, transport: Transport) -> None:
    assert post(transport, receiver.url).status == 202
    assert receiver.interactions == INTERACTIONS
    assert receiver.ids == [one.id for one in INTERACTIONS]
    assert receiver.payloads == [encode(one) for one in INTERACTIONS]


def test_a_single_event_is_accepted(receiver: Receiver, transport: Transport) -> None:
    post(transport, receiver.url, encode(INTERACTIONS[0]), CONTENT_TYPE)
    assert receiver.interactions == INTERACTIONS[:1]


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"[{}]", b'[{"id":1}]'])
def test_what_is_no_batch_is_refused(receiver: Receiver, transport: Transport, body: bytes) -> None:
    assert post(transport, receiver.url, body).status == 400
    assert (receiver.ids, len(receiver.requests)) == ([], 1)


def test_other_requests_are_noted_only(receiver: Receiver, transport: Transport) -> None:
    assert transport.request("GET", receiver.url + "healthz", deadline_s=10.0).status == 202
    assert [(one.method, one.path) for one in receiver.requests] == [("GET", "/healthz")]
    assert receiver.ids == []


def test_the_script_comes_first_and_then_the_rule(transport: Transport) -> None:
    with Receiver(answer=lambda request: Answer(status=len(request.body) + 400)) as receiver:
        receiver.script(Answer(status=500), Answer(status=200))
        statuses = [post(transport, receiver.url, body, "text/plain").status for body in (b"", b"", b"abcd")]
    assert statuses == [500, 200, 404]


def test_refused_events_are_not_accepted(receiver: Receiver, transport: Transport) -> None:
    receiver.script(Answer(status=503), Answer.partial({0: "bad"}, retry=[3]))
    post(transport, receiver.url)
    assert receiver.ids == []
    response = post(transport, receiver.url)
    assert response.body == b'{"rejected":[{"index":0,"reason":"bad"}],"retry":[3]}'
    assert receiver.interactions == INTERACTIONS[1:3]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_what_was_compressed_is_read(
    receiver: Receiver, transport: Transport, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    headers = {"content-type": BATCH_CONTENT_TYPE, "content-encoding": encoding}
    whole = compress(BODY)
    for body, status in ((whole, 202), (whole[:-9], 400), (b"never compressed", 400)):
        answer = transport.request("POST", receiver.url, headers=headers, body=body, deadline_s=5.0)
        assert answer.status == status
    assert receiver.interactions == INTERACTIONS
    assert receiver.requests[0].content == receiver.requests[0].content_or_body == BODY
    assert receiver.requests[2].content_or_body == b"never compressed"


def test_connections_are_counted(receiver: Receiver) -> None:
    transports = [Transport() for _ in range(2)]
    for one in (*transports, *transports):
        post(one, receiver.url)
    assert (receiver.connections, receiver.open_connections) == (2, 2)
    transports[0].close()
    until = time.monotonic() + 10
    while receiver.open_connections == 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert (receiver.connections, receiver.open_connections) == (2, 1)
    transports[1].close()
    receiver.stop()
    assert (receiver.connections, receiver.open_connections) == (2, 0)


def test_duplicates_are_kept(receiver: Receiver, transport: Transport) -> None:
    for _ in range(2):
        post(transport, receiver.url)
    assert (len(receiver.ids), len(set(receiver.ids))) == (8, 4)


def test_who_waits_is_told(receiver: Receiver, transport: Transport) -> None:
    assert not receiver.wait_for(1, timeout_s=0.0)
    post(transport, receiver.url)
    post(transport, receiver.url)
    assert receiver.wait_for(4, timeout_s=0.0)
    assert not receiver.wait_for(5, timeout_s=0.0)


def test_what_cannot_be_kept_is_not_accepted(transport: Transport) -> None:
    kept: list[bytes] = []

    def keep(payloads: object) -> bool:
        kept.extend(payloads)  # type: ignore[call-overload]
        return len(kept) > 4

    with Receiver(keep=keep) as receiver:
        assert [post(transport, receiver.url).status for _ in range(2)] == [503, 202]
        assert len(receiver.ids) == 4


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(cut_bytes=0, end="close"), b""),
        (Answer(cut_bytes=0, end="half_close"), b""),
        (Answer(cut_bytes=8, end="close"), b"HTTP/1.1"),
        (Answer(end="close"), b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
        (Answer(status=599, end="close"), b"HTTP/1.1 599 -\r\nContent-Length: 0\r\n\r\n"),
        (
            Answer(headers={"A": "1"}, body=b"xyz", drip_s=0.0001, end="close"),
            b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nA: 1\r\n\r\nxyz",
        ),
        (
            Answer(body=[b"x", b"yz"], end="close"),
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n",
        ),
        (
            Answer(status=403, early=True),
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        ),
    ],
)
def test_an_answer_on_the_wire(receiver: Receiver, answer: Answer, expected: bytes) -> None:
    receiver.script(answer)
    assert raw(receiver) == expected


def test_a_reset_is_a_reset(receiver: Receiver) -> None:
    receiver.script(Answer(cut_bytes=0, end="reset"))
    with pytest.raises(ConnectionResetError):
        raw(receiver)


def test_a_connection_is_kept(receiver: Receiver) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    receiver.script(Answer(), Answer(end="close"))
    assert raw(receiver, request * 2).count(b"HTTP/1.1 202") == 2
    assert len({one.peer for one in receiver.requests}) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut_bytes=0, end="hang"),
        Answer(delay_s=600.0),
        Answer(drip_s=600.0),
        Answer(body=itertools.repeat(b"x" * 65_536)),
    ],
)
def test_stopping_frees_whoever_waits(transport: Transport, answer: Answer) -> None:
    with (
        Receiver() as receiver,
        socket.create_connection((receiver.host, receiver.port), timeout=10.0) as client,
    ):
        receiver.script(answer)
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        while not receiver.requests:
            time.sleep(0.001)
        receiver.stop()
        with pytest.raises(TransportError):
            post(transport, receiver.url)


def test_it_starts_again_on_its_port(receiver: Receiver, transport: Transport) -> None:
    post(transport, receiver.url)
    before = receiver.url
    receiver.stop()
    receiver.stop()
    receiver.start()
    assert receiver.url == before
    post(transport, receiver.url)
    assert len(receiver.ids) == 8


def test_as_a_process_of_its_own(tmp_path: Path, transport: Transport) -> None:
    path = tmp_path / "accepted.jsonl"
    command = [sys.executable, "-m", "cxkit.testing.receiver", "--port", "0", "--file", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "listening"
        for _ in range(2):
            assert post(transport, url).status == 202
            assert path.read_bytes().splitlines()[-4:] == [encode(one) for one in INTERACTIONS]
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "received 8 unique 4\n"
    assert process.returncode == 0


def test_a_process_that_cannot_write_accepts_nothing(tmp_path: Path, transport: Transport) -> None:
    command = [sys.executable, "-m", "cxkit.testing.receiver", "--file", str(tmp_path / "none" / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert post(transport, url).status == 503
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "received 0 unique 0\n"
