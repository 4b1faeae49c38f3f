"""The HTTP seam against real sockets: what it bounds, whom it refuses, what it never shows."""

from __future__ import annotations

import ipaddress
import itertools
import logging
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import AddressRefusedError, ConfigurationError, DeadlineError, StateError, TransportError
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Response, Transport, check_field, is_public, judge, origin_of, retry_after_s

CANARY = "hunter2-canary"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@contextmanager
def listening(
    *, address: str = "127.0.0.1", port: int = 0, full: bool = False
) -> Iterator[tuple[socket.socket, int]]:
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


# --- Answers --------------------------------------------------------------------------------------


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


def test_a_body_larger_than_the_socket_buffers_arrives_whole(
    receiver: Receiver, transport: Transport
) -> None:
    body = os.urandom(8 * 1024 * 1024)
    transport.request("POST", receiver.url, body=body, deadline_s=20.0)
    assert receiver.requests[0].body == body


def test_connections_are_kept_and_the_oldest_is_used_first(receiver: Receiver, transport: Transport) -> None:
    for _ in range(3):
        transport.request("POST", receiver.url, deadline_s=5.0)
    assert len({request.peer for request in receiver.requests}) == 1


def test_a_connection_that_the_other_side_closed_is_not_used_again(
    receiver: Receiver, transport: Transport
) -> None:
    transport.request("POST", receiver.url, body=b"x", deadline_s=5.0)
    receiver.stop()
    receiver.start()
    assert transport.request("POST", receiver.url, body=b"x", deadline_s=5.0).status == 202
    assert len({request.peer for request in receiver.requests}) == 2


def test_a_changed_address_is_noticed_when_the_connection_is_old() -> None:
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


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, transport: Transport, status: int) -> None:
    receiver.script(Answer(status=status, headers={"Location": receiver.url + "elsewhere"}))
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == status
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_ignored(
    receiver: Receiver, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202


# --- Bounds (F19, F20, F21, F22) ------------------------------------------------------------------


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
    receiver.script(answer)
    with pytest.raises(DeadlineError, match=r"within 0\.3 s"):
        transport.request("POST", receiver.url, body=b"x", deadline_s=0.3)
    assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202


def test_the_deadline_covers_sending(transport: Transport) -> None:
    with listening() as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"http://127.0.0.1:{port}/", body=bytes(32 * 1024 * 1024), deadline_s=0.3)


def test_the_deadline_covers_connecting(transport: Transport) -> None:
    with listening(full=True) as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"http://127.0.0.1:{port}/", deadline_s=0.3)


def test_the_deadline_covers_tls(transport: Transport) -> None:
    with listening() as (_, port), pytest.raises(DeadlineError):
        transport.request("POST", f"https://127.0.0.1:{port}/", deadline_s=0.3)


def test_the_deadline_covers_the_name_look_up() -> None:
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
    def unknown(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(TransportError, match="does not resolve") as caught:
        Transport(resolver=unknown).request("POST", "http://collector.test/", deadline_s=5.0)
    assert judge(caught.value).verdict == "retry"


@pytest.mark.parametrize(("connect_timeout_s", "deadline_s"), [(0.2, 20.0), (20.0, 1.0)])
def test_an_address_nobody_answers_at_leaves_time_for_the_next(
    receiver: Receiver, connect_timeout_s: float, deadline_s: float
) -> None:
    addresses = ["127.0.0.2", "127.0.0.1"]
    transport = Transport(resolver=lambda host: addresses, connect_timeout_s=connect_timeout_s)
    with listening(address="127.0.0.2", port=receiver.port, full=True):
        url = f"http://collector.test:{receiver.port}/"
        assert transport.request("POST", url, deadline_s=deadline_s).status == 202
    transport.close()


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
def test_an_answer_that_breaks_off_is_no_answer(
    receiver: Receiver, transport: Transport, answer: Answer
) -> None:
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
    receiver.script(Answer(status=413, early=True))
    response = transport.request("POST", receiver.url, body=bytes(16 * 1024 * 1024), deadline_s=10.0)
    assert judge(response).verdict == "split"


def test_an_endless_body_is_cut_and_its_connection_dropped(receiver: Receiver) -> None:
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
    import gzip

    bomb = gzip.compress(bytes(10_000_000))
    receiver.script(Answer(status=200, headers={"Content-Encoding": "gzip"}, body=bomb))
    assert transport.request("GET", receiver.url, deadline_s=5.0).body == bomb


def test_header_fields_are_bounded(receiver: Receiver, transport: Transport) -> None:
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


# --- Whom it refuses ------------------------------------------------------------------------------

NOT_PUBLIC = [
    *(
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
    ),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"),
    *(
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
    ),
    *("3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)
    transport = Transport(allow_private=False, resolver=lambda host: ["93.184.215.14", address])
    with pytest.raises(AddressRefusedError) as caught:
        transport.request("POST", "http://webhook.test/", deadline_s=5.0)
    assert judge(caught.value) == ("pause", "address_refused", None)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_maps(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@given(st.ip_addresses(v=6))
def test_public_is_never_wider_than_what_python_calls_global(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)):
        assert address.is_global


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]"]
)
def test_no_spelling_reaches_this_machine(receiver: Receiver, host: str) -> None:
    transport = Transport(allow_private=False)
    with pytest.raises(TransportError):  # refused, or not even resolved
        transport.request("POST", f"http://{host}:{receiver.port}/", deadline_s=5.0)
    assert receiver.requests == []


def test_a_resolver_that_changes_its_mind_gains_nothing(receiver: Receiver) -> None:
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
    asked: list[str] = []

    def once(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    transport = Transport(resolver=once)
    transport.request("POST", f"http://no-such-host.invalid:{receiver.port}/", deadline_s=5.0)
    assert asked == ["no-such-host.invalid"]
    assert receiver.requests[0].headers["host"] == f"no-such-host.invalid:{receiver.port}"
    transport.close()


# --- TLS (F23) ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def serving(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    moment = datetime.now(UTC) - timedelta(days=1)
    certificate = authority.issue_cert(*names, **({"not_after": moment} if expired else {}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_tls_with_an_authority_of_ones_own(authority: trustme.CA, ca_file: str) -> None:
    transport = Transport(ca_file=ca_file)
    with Receiver(tls=serving(authority, "127.0.0.1", "collector.test")) as receiver:
        for _ in range(2):
            assert (
                transport.request("POST", receiver.url, body=b"x" * 1_000_000, deadline_s=10.0).status == 202
            )
        assert len({request.peer for request in receiver.requests}) == 1
    transport.close()


def test_the_name_is_verified_and_not_the_address(authority: trustme.CA, ca_file: str) -> None:
    transport = Transport(ca_file=ca_file, resolver=lambda host: ["127.0.0.1"])
    with Receiver(tls=serving(authority, "collector.test")) as receiver:
        assert (
            transport.request("POST", f"https://collector.test:{receiver.port}/", deadline_s=10.0).status
            == 202
        )
    transport.close()


@pytest.mark.parametrize("fault", ["expired", "wrong host", "unknown authority", "plaintext"])
def test_tls_that_cannot_be_trusted_gets_nothing(authority: trustme.CA, ca_file: str, fault: str) -> None:
    tls = {
        "expired": lambda: serving(authority, "127.0.0.1", expired=True),
        "wrong host": lambda: serving(authority, "other.test"),
        "unknown authority": lambda: serving(trustme.CA(), "127.0.0.1"),
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
def test_old_tls_is_refused(authority: trustme.CA, ca_file: str) -> None:
    tls = serving(authority, "127.0.0.1")
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Receiver(tls=tls) as receiver, pytest.raises(TransportError) as caught:
        Transport(ca_file=ca_file).request("POST", receiver.url, deadline_s=10.0)
    assert caught.value.code == "CX5004"


def test_the_systems_authorities_do_not_trust_a_stranger(authority: trustme.CA) -> None:
    with Receiver(tls=serving(authority, "127.0.0.1")) as receiver, pytest.raises(TransportError) as caught:
        Transport().request("POST", receiver.url, deadline_s=10.0)
    assert caught.value.code == "CX5004"


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_authorities(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match="ca_file"):
        Transport(ca_file=str(path))


# --- What it never shows --------------------------------------------------------------------------


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


MALFORMED = [
    *(
        "",
        "collector.example",
        "/in",
        "ftp://h/",
        "ws://h:80/",
        "http://",
        "http:///x",
        "http://:80/",
        "http://h:x/",
    ),
    *(
        "http://h:99999/",
        "http://h /",
        "http://h/a b",
        "http://h/\r\nX: 1",
        "http://h/\t",
        "http://h\\@x/",
        "http://[::1/",
    ),
    *("http://h/\u00e9", "http://a_b!c/", "http://h\x00/", f"http://{'a' * 70}\u00e9.example/"),
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url(transport: Transport, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        transport.request("GET", url, deadline_s=1.0)
    assert caught.value.code == "CX1051"


def test_a_malformed_url_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        origin_of(f"https//someone:{CANARY}@collector.example")
    assert CANARY not in str(caught.value)


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        origin = origin_of(text)
    except ConfigurationError:
        return
    assert origin.startswith(("http://", "https://"))


@given(st.from_regex(r"[!-~]{1,20}", fullmatch=True), st.from_regex(r"[!-~]{1,20}", fullmatch=True))
def test_an_origin_shows_no_credentials(user: str, password: str) -> None:
    from urllib.parse import quote

    url = f"https://{quote(user, safe='')}:{quote(password, safe='')}@collector.example/{quote(password)}"
    assert origin_of(url) == "https://collector.example:443"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://Shop.Example", "http://shop.example:80"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example:80"),
        ("https://[2606:2800::1]:8443/x", "https://[2606:2800::1]:8443"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "\u00e9"])
def test_a_header_name_cannot_break_out(name: str) -> None:
    with pytest.raises(ConfigurationError):
        check_field(name, "1")


@given(st.text())
def test_a_header_value_cannot_break_out(value: str) -> None:
    allowed = all(" " <= letter <= "~" or letter == "\t" or "\x80" <= letter <= "\xff" for letter in value)
    if allowed:
        check_field("x", value)
    else:
        with pytest.raises(ConfigurationError):
            check_field("x", value)


def test_a_header_value_with_a_line_end_is_not_sent(receiver: Receiver, transport: Transport) -> None:
    with pytest.raises(ConfigurationError):
        transport.request("POST", receiver.url, headers={"X": "1\r\nY: 2"}, deadline_s=5.0)
    assert receiver.requests == []


# --- Its life -------------------------------------------------------------------------------------


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
def test_a_forked_child_leaves_the_parents_connection_alone(authority: trustme.CA, ca_file: str) -> None:
    with Receiver(tls=serving(authority, "127.0.0.1")) as receiver:
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


# --- What an answer means (F17) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [
        ("delivered", (200, 201, 202, 204, 207, 299)),
        ("retry", (408, 409, 425, 429, 500, 502, 503, 504, 507, 599)),
        ("split", (400, 413, 422)),
        ("pause", (300, 301, 302, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 431, 451)),
    ],
)
def test_what_a_status_means(verdict: str, statuses: Sequence[int]) -> None:
    assert {judge(Response(status=status)).verdict for status in statuses} == {verdict}


@given(st.integers(100, 999))
def test_every_status_means_something(status: int) -> None:
    judgement = judge(Response(status=status))
    assert judgement.verdict in ("delivered", "retry", "split", "pause")
    assert judgement.reason == ("" if judgement.verdict == "delivered" else f"http_{status}")


def test_only_what_may_pass_says_when() -> None:
    headers = {"retry-after": "5"}
    waits = [judge(Response(status=status, headers=headers)).retry_after_s for status in (429, 503, 413, 401)]
    assert waits == [5.0, 5.0, None, None]


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1e9", 3600.0),
        ("9" * 400, 3600.0),
        *((text, None) for text in ("", "-5", "inf", "-inf", "nan", "soon", "12 s", "Mon, 99 Foo", "\x00")),
    ],
)
def test_the_wait_that_is_asked_for(text: str, wait_s: float | None) -> None:
    assert retry_after_s({"retry-after": text}) == wait_s


@pytest.mark.parametrize(("offset_s", "wait_s"), [(90, 90.0), (-90, 0.0), (10_000_000, 3600.0)])
def test_a_date_is_compared_with_the_answers_own(offset_s: int, wait_s: float) -> None:
    now = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=offset_s), usegmt=True)
    assert retry_after_s({"retry-after": later, "date": format_datetime(now, usegmt=True)}) == wait_s


def test_a_date_without_the_answers_own_is_compared_with_this_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    wait_s = retry_after_s({"retry-after": later})
    assert wait_s is not None
    assert 900 < wait_s <= 1000


@given(st.text() | st.floats().map(str) | st.datetimes().map(lambda moment: format_datetime(moment)))
def test_the_wait_is_bounded_or_none(text: str) -> None:
    wait_s = retry_after_s({"retry-after": text})
    assert wait_s is None or 0.0 <= wait_s <= 3600.0


def test_a_wait_arrives_from_the_wire(receiver: Receiver, transport: Transport) -> None:
    receiver.script(Answer(status=429, headers={"Retry-After": "120"}))
    assert judge(transport.request("POST", receiver.url, deadline_s=5.0)) == ("retry", "http_429", 120.0)
