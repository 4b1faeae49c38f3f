"""The HTTP exporter against a real collector: what it posts, and what it makes of each answer."""

from __future__ import annotations

import gzip
import itertools
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec import BATCH_CONTENT_TYPE, encode
from cxkit.errors import ConfigurationError
from cxkit.exporters.http import FACTORY, HTTPExporter, Settings
from cxkit.model import Interaction
from cxkit.roles import Batch, Exporter, Outcome
from cxkit.settings import Secret, structure
from cxkit.testing.receiver import Answer, Receiver

CANARY = "hunter2-canary"
WHEN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
INTERACTIONS = [
    Interaction(id=f"0198c0de-0000-7000-8000-{index:012}", occurred_at=WHEN, name="cart.item_added", source="/shop")
    for index in range(5)
]
BATCH = Batch("b1", tuple(map(encode, INTERACTIONS)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def exporter(receiver: Receiver) -> Iterator[HTTPExporter]:
    exporter = HTTPExporter(Settings(url=receiver.url))
    yield exporter
    exporter.close()


def test_the_factory_builds_an_exporter_without_a_purpose() -> None:
    table = {"url": "http://127.0.0.1:1/", "headers": {"X-Key": CANARY}, "gzip": True}
    settings = structure(FACTORY.settings, table, where="exporters.http")
    exporter = FACTORY.build(settings)
    assert isinstance(exporter, Exporter)
    assert (FACTORY.name, exporter.purposes) == ("http", frozenset())
    assert settings.headers["X-Key"].reveal() == CANARY
    exporter.close()


def test_a_batch_arrives(receiver: Receiver, exporter: HTTPExporter) -> None:
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.delivered()
    assert receiver.interactions == INTERACTIONS
    (request,) = receiver.requests
    assert (request.method, request.headers["content-type"]) == ("POST", BATCH_CONTENT_TYPE)
    assert request.headers["idempotency-key"] == "b1"


def test_headers_of_the_operator(receiver: Receiver) -> None:
    exporter = HTTPExporter(Settings(url=receiver.url, headers={"Authorization": Secret("Bearer 1")}))
    exporter.export(BATCH, deadline_s=5.0)
    exporter.close()
    assert receiver.requests[0].headers["authorization"] == "Bearer 1"


def test_compressed_attempts_repeat_the_same_bytes(receiver: Receiver) -> None:
    exporter = HTTPExporter(Settings(url=receiver.url, gzip=True))
    receiver.script(Answer(status=503))
    assert [exporter.export(BATCH, deadline_s=5.0).verdict for _ in range(2)] == ["retry", "delivered"]
    exporter.close()
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["content-encoding"] == "gzip"
    assert first.body[4:8] == bytes(4), "a time in it would differ a second later"
    assert gzip.decompress(first.body).startswith(b"[{")
    assert receiver.interactions == INTERACTIONS


# --- Answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.delivered()),
        (202, Outcome.delivered()),
        (204, Outcome.delivered()),
        *((status, Outcome.pause(f"http_{status}")) for status in (301, 307, 401, 403, 404, 405, 410)),
        *((status, Outcome.retry(f"http_{status}")) for status in (408, 425, 429, 500, 502, 503, 504)),
        *((status, Outcome.split(f"http_{status}")) for status in (400, 413, 422)),
    ],
)
def test_what_a_status_comes_to(receiver: Receiver, exporter: HTTPExporter, status: int, outcome: Outcome) -> None:
    receiver.script(Answer(status=status))
    assert exporter.export(BATCH, deadline_s=5.0) == outcome


def test_the_wait_that_was_asked_for_is_passed_on(receiver: Receiver, exporter: HTTPExporter) -> None:
    receiver.script(*(Answer(status=429, headers={"Retry-After": text}) for text in ("120", "1e9", "nan")))
    waits = [exporter.export(BATCH, deadline_s=5.0).retry_after_s for _ in range(3)]
    assert waits == [120.0, 3600.0, None]


@pytest.mark.parametrize("status", [200, 207])
def test_a_part_is_accepted(receiver: Receiver, exporter: HTTPExporter, status: int) -> None:
    receiver.script(Answer.partial({1: "unknown_type"}, retry=[0, 3], status=status))
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.reject({1: "unknown_type"}, again=[0, 3])
    assert receiver.interactions == [INTERACTIONS[2], INTERACTIONS[4]]


def answering(body: bytes, *, status: int = 200, type: str = "application/json") -> Answer:
    return Answer(status=status, headers={"Content-Type": type}, body=body)


@pytest.mark.parametrize(
    "answer",
    [
        answering(b""),
        answering(b"{}"),
        answering(b"{}", status=207),
        answering(b'{"rejected":[],"retry":[]}'),
        answering(b'{"rejected":[{"index":5},{"index":-1}],"retry":[99]}'),
        answering(b'{"accepted":5,"rejected":0}'),
        answering(b"ok"),
        answering(b"\xff"),
        answering(b'{"rejected":[{"index":1}]}', type="text/plain"),
        answering(b"x" * 70_000, type="text/html"),
    ],
)
def test_an_answer_that_names_nobody_accepts_all(receiver: Receiver, exporter: HTTPExporter, answer: Answer) -> None:
    receiver.script(answer)
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.delivered()


@pytest.mark.parametrize(
    "answer",
    [
        answering(b"", status=207),
        answering(b"<multistatus/>", status=207, type="application/xml"),
        answering(b'{"rejected":[{"index":1,"reason":"' + b"x" * 70_000 + b'"}]}'),
        answering(b"[" * 60_000, status=207),
    ],
)
def test_a_partial_answer_that_cannot_be_read_is_asked_for_in_halves(
    receiver: Receiver, exporter: HTTPExporter, answer: Answer
) -> None:
    receiver.script(answer)
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.split("answer_unreadable")


def test_who_is_both_refused_and_to_be_tried_again_is_refused(receiver: Receiver, exporter: HTTPExporter) -> None:
    receiver.script(answering(b'{"rejected":[{"index":1}],"retry":[1]}'))
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.reject({1: "rejected"})


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 207]))
def test_any_answer_comes_to_something(body: bytes, status: int) -> None:
    with Receiver(answer=lambda request: answering(body, status=status)) as receiver:
        exporter = HTTPExporter(Settings(url=receiver.url))
        outcome = exporter.export(BATCH, deadline_s=5.0)
        exporter.close()
    assert outcome.verdict in ("delivered", "split", "reject")
    assert outcome.rejected.keys() | outcome.again <= set(range(len(BATCH)))


# --- Failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(cut_bytes=0, end="hang"), "deadline"),
        (Answer(body=b"x" * 1000, drip_s=0.05), "deadline"),
        (Answer(cut_bytes=0, end="reset"), "network"),
        (Answer(body=b"x" * 1000, cut_bytes=500, end="reset"), "network"),
    ],
)
def test_a_failure_is_tried_again_and_duplicates_one_batch_at_most(
    receiver: Receiver, exporter: HTTPExporter, answer: Answer, reason: str
) -> None:
    receiver.script(answer)
    assert exporter.export(BATCH, deadline_s=0.3) == Outcome.retry(reason)
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.delivered()
    assert len(receiver.ids) == 2 * len(set(receiver.ids))
    assert {request.headers["idempotency-key"] for request in receiver.requests} == {"b1"}


def test_a_collector_that_is_down_and_comes_back(receiver: Receiver, exporter: HTTPExporter) -> None:
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.delivered()
    receiver.stop()
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.retry("network")
    receiver.start()
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.delivered()
    assert len(receiver.ids) == 10


def test_an_endless_answer_is_an_answer(receiver: Receiver, exporter: HTTPExporter) -> None:
    receiver.script(Answer(status=503, body=itertools.repeat(b"x" * 65_536)))
    assert exporter.export(BATCH, deadline_s=5.0) == Outcome.retry("http_503")


def test_tls_that_is_not_trusted_pauses(tmp_path: object) -> None:
    import ssl

    authority, path = trustme.CA(), f"{tmp_path}/ca.pem"
    authority.cert_pem.write_to_path(path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with Receiver(tls=tls) as receiver:
        for ca_file, outcome in ((None, Outcome.pause("tls")), (path, Outcome.delivered())):
            exporter = HTTPExporter(Settings(url=receiver.url, ca_file=ca_file))
            assert exporter.export(BATCH, deadline_s=10.0) == outcome
            exporter.close()


# --- Settings -------------------------------------------------------------------------------------


def test_nothing_shows_the_credentials(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"http://someone:{CANARY}@127.0.0.1:{receiver.port}/?key={CANARY}"
    settings = Settings(url=url, headers={"X-Key": Secret(CANARY)})
    exporter = HTTPExporter(settings)
    receiver.script(Answer(status=401, body=CANARY.encode()))
    outcome = exporter.export(BATCH, deadline_s=5.0)
    exporter.close()
    assert CANARY not in f"{settings} {settings!r} {attrs.astuple(settings)[1:]} {exporter!r} {outcome!r}"
    assert caplog.records == []


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "collector.example"},
        {"url": f"https//{CANARY}@x"},
        {"url": "http://x/", "headers": {"X": f"{CANARY}\r\nY: 1"}},
        {"url": "http://x/", "headers": {f"X {CANARY}": "1"}},
        {"url": "http://x/", "headers": {"Content-Type": CANARY}},
        {"url": "http://x/", "headers": {"idempotency-key": CANARY}},
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        structure(Settings, settings, where="exporters.http")
    assert CANARY not in str(caught.value)
