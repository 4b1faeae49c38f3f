"""Requests and what their answers mean; what is said of customers; what the settings refuse."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.codec import encode
from cxkit.errors import ConfigurationError
from cxkit.keyring import Keyring
from cxkit.model import Identifier, Identity
from cxkit.roles import Batch, Outcome
from cxkit.settings import Secret, load
from cxkit.testing.receiver import Answer, Request
from cxkit_otel.exporter import OTelExporter, Settings
from cxkit_otel.partial import locate
from cxkit_otel.testing import answer, logs_of

SHOWN = cxkit.touchpoint("otel.shown", purpose="necessary")


def kit_for(collector: Any, directory: Path, **more: Any) -> cxkit.Kit:
    table = {
        "type": "otel",
        "endpoint": collector.url,
        "hash_key": collector.key.reveal(),
        "purposes": ["necessary"],
        "properties": ["*"],
        **more,
    }
    overrides = {"service": "shop", "directory": str(directory), "exporters": {"collector": table}}
    return cxkit.Kit(load(environ={}, overrides=overrides))


# --- partial success ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rejected", "message", "outcome"),
    [
        (0, "", Outcome.delivered()),
        (0, "next time compress it", Outcome.delivered()),
        (3, "too old", Outcome.reject(dict.fromkeys(range(3), "rejected"))),
        (9, "too old", Outcome.reject(dict.fromkeys(range(3), "rejected"))),
        (-1, "", Outcome.delivered()),
    ],
)
def test_a_count_that_says_it_all(collector: Any, plainly: Any, rejected: int, message: str, outcome: Outcome) -> None:
    collector.script(answer(rejected=rejected, message=message))
    assert collector.export(*(plainly(id=name) for name in "abc")) == outcome
    assert len(collector.requests) == 1


def refusing(refused: set[str]) -> Any:
    """How a collector answers that refuses these, and says how many."""

    def judged(request: Request) -> Answer:
        ids = [log.attributes["cx.event.id"] for log in logs_of(request.body)]
        return answer(rejected=sum(one in refused for one in ids), message="too old")

    return judged


@pytest.mark.parametrize("refused", ["a", "h", "ah", "bcd", "abcdefg"])
def test_it_is_found_out_which_are_refused(collector: Any, plainly: Any, refused: str) -> None:
    collector._answer = refusing(set(refused))
    outcome = collector.export(*(plainly(id=name) for name in "abcdefgh"))
    assert outcome == Outcome.reject({"abcdefgh".index(one): "rejected" for one in refused})


def test_what_is_not_found_out_in_time_is_tried_again(collector: Any, plainly: Any) -> None:
    collector._answer = refusing({"h"})
    collector.script(answer(rejected=1), answer(rejected=0), Answer(status=503))
    outcome = collector.export(*(plainly(id=name) for name in "abcdefgh"))
    assert (outcome.verdict, outcome.rejected, outcome.again) == ("reject", {}, frozenset(range(4, 8)))
    assert len(collector.requests) == 3


def test_where_answers_contradict_each_other_rather_too_much_is_kept(collector: Any, plainly: Any) -> None:
    collector.script(answer(rejected=1), answer(rejected=2))
    outcome = collector.export(*(plainly(id=name) for name in "abcd"))
    assert outcome == Outcome.reject(dict.fromkeys(range(4), "rejected_unnamed"))


@given(refused=st.sets(st.integers(0, 99), max_size=100), size=st.integers(1, 100))
def test_those_refused_are_found_whichever_they_are(refused: set[int], size: int) -> None:
    refused &= set(range(size))
    sent: list[int] = []

    def ask(part: range) -> int:
        sent.extend(part)
        return len(refused & set(part))

    located = locate(size, len(refused), ask)
    assert (sorted(located.refused), located.unnamed, located.later) == (sorted(refused), [], [])
    assert len(sent) <= size * max(1, size.bit_length() - 1) / 2 + size
    if len(refused) == 1:
        assert len(sent) <= size


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"{}", "delivered"),
        (b'{"partialSuccess":{}}', "delivered"),
        (b'{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}', "reject"),
        (b'{"partialSuccess":{"rejectedLogRecords":3}}', "reject"),
        (b"[", "delivered"),
    ],
)
def test_an_answer_in_json_is_understood_too(collector: Any, plainly: Any, body: bytes, verdict: str) -> None:
    collector.script(Answer(status=200, headers={"Content-Type": "application/json; charset=utf-8"}, body=body))
    assert collector.export(*(plainly(id=name) for name in "abc")).verdict == verdict


@pytest.mark.parametrize("count", [1, 3])
def test_f26_those_refused_become_dead_letters_and_all_others_arrive(
    collector: Any, tmp_path: Path, count: int
) -> None:
    """F26: a collector that refuses some, and says only how many."""
    accepted: set[int] = set()
    refused = set(range(0, 40, 40 // count)[:count])

    def judge(request: Request) -> Answer:
        numbers = [log.attributes["cx.p.number"] for log in logs_of(request.body)]
        accepted.update(set(numbers) - refused)
        return answer(rejected=len(refused & set(numbers)), message="too old")

    collector._answer = judge
    kit = kit_for(collector, tmp_path)
    with cxkit.scope(kit=kit):
        for number in range(40):
            SHOWN.capture(number=number)
    assert kit.close(timeout_s=30).complete

    assert accepted == set(range(40)) - refused
    account = kit.account()
    assert account.balanced
    assert (account.exporters["collector"].delivered, account.exporters["collector"].dead) == (40 - count, count)


def test_an_answer_too_long_to_be_read_splits_the_batch(collector: Any, plainly: Any) -> None:
    collector.script(answer(rejected=2, message="x" * 70_000))
    assert collector.export(*(plainly(id=name) for name in "abc")) == Outcome.split("answer_unreadable")


# --- other answers --------------------------------------------------------------------------------


def test_a_web_page_is_no_collector(collector: Any, plainly: Any) -> None:
    collector.script(Answer(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<p>Sign in"))
    assert collector.export(plainly()) == Outcome.pause("not_a_collector")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(500, "retry"), (501, "retry"), (502, "retry"), (503, "retry"), (504, "retry"), (429, "retry"), (408, "retry"),
     (400, "split"), (413, "split"), (401, "pause"), (403, "pause"), (404, "pause")],
)  # fmt: skip
def test_statuses(collector: Any, plainly: Any, status: int, verdict: str) -> None:
    collector.script(Answer(status=status, headers={"Retry-After": "7"}))
    outcome = collector.export(plainly(), plainly(id="i2"))
    assert (outcome.verdict, outcome.reason) == (verdict, f"http_{status}")
    assert outcome.retry_after_s == (7.0 if verdict == "retry" else None)


def test_two_answers_of_500_lose_nothing(collector: Any, tmp_path: Path) -> None:
    collector.script(Answer(status=500), Answer(status=500))
    kit = kit_for(collector, tmp_path)
    with cxkit.scope(kit=kit):
        for number in range(250):
            SHOWN.capture(number=number)
    assert kit.flush(timeout_s=30).complete
    kit.close()

    answered = [log.attributes["cx.p.number"] for request in collector.requests[2:] for log in logs_of(request.body)]
    assert sorted(answered) == list(range(250))
    assert kit.account().exporters["collector"].delivered == 250


def test_one_that_cannot_be_read_holds_up_no_other(collector: Any, plainly: Any) -> None:
    outcome = collector.export(plainly(id="a"), b"\xff", plainly(id="b"))
    assert outcome == Outcome.reject({1: "unreadable"})
    assert [log.attributes["cx.event.id"] for log in collector.logs] == ["a", "b"]
    assert collector.export(b"{}") == Outcome.reject({0: "unreadable"})
    assert len(collector.requests) == 1

    collector.script(Answer(status=503), answer(rejected=2))
    assert collector.export(plainly(), b"{}").verdict == "retry"
    assert collector.export(plainly(), b"{}", plainly()).rejected.keys() == {0, 1, 2}


# --- the request ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/v1/logs"),
        ("/", "/v1/logs"),
        ("/otlp", "/otlp/v1/logs"),
        ("/otlp/", "/otlp/v1/logs"),
        ("/otlp/v1/logs", "/otlp/v1/logs"),
        ("/?key=k", "/v1/logs?key=k"),
    ],
)
def test_the_endpoint_is_that_of_opentelemetry(collector: Any, plainly: Any, path: str, asked: str) -> None:
    collector.export(plainly(), endpoint=collector.url.rstrip("/") + path, headers={"Api-Key": Secret("k1")})
    (request,) = collector.requests
    assert (request.method, request.path) == ("POST", asked)
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["api-key"] == "k1"


def test_an_attempt_repeats_the_same_bytes(collector: Any, plainly: Any) -> None:
    for _ in range(2):
        collector.export(plainly(), gzip=True)
    first, second = collector.requests
    assert first.body == second.body
    assert first.headers["content-encoding"] == "gzip"
    (log,) = logs_of(gzip.decompress(first.body))
    assert log.event == "cx.page.viewed"


def test_the_preview_is_for_people_and_keeps_secrets(collector: Any, plainly: Any) -> None:
    exporter = collector.exporter(headers={"Api-Key": Secret("hidden1")}, endpoint="https://me:hidden2@otel.example")
    shown = exporter.preview(Batch("b", (encode(plainly(properties={"sku": "hidden3"})),)))
    exporter.close()
    assert shown.startswith("POST https://otel.example:443/v1/logs\n")
    assert '"event":"cx.page.viewed"' in shown
    assert "hidden" not in shown


# --- customers and what they did ------------------------------------------------------------------

WHO = Identity(
    identifiers=(
        Identifier(type="user_id", value="nancy", evidence="login"),
        Identifier(type="visitor", value="v-1", evidence="cookie"),
        Identifier(type="email", value="hash-of-an-address", evidence="claim"),
    )
)


@pytest.mark.parametrize(
    ("customer", "said"),
    [
        ("hash", {"user.hash", "enduser.pseudo.id", "cx.identity.evidence"}),
        ("id", {"user.id", "enduser.pseudo.id", "cx.identity.evidence"}),
        ("none", set()),
    ],
)
def test_how_a_customer_is_named(collector: Any, plainly: Any, customer: str, said: set[str]) -> None:
    log = collector.one(plainly(identity=WHO), customer=customer)
    names = {"user.hash", "user.id", "enduser.pseudo.id", "cx.identity.evidence"}
    assert names & log.attributes.keys() == said
    body = collector.requests[0].body
    assert (b"nancy" in body) == (customer == "id")
    assert (b"v-1" in body) == (customer != "none")
    assert b"hash-of-an-address" not in body


def test_the_hash_is_that_of_the_store_if_the_key_is(collector: Any, plainly: Any) -> None:
    keyring = Keyring(signing=[b"another secret key"], identifier=collector.key.reveal().encode())
    log = collector.one(plainly(identity=WHO))
    assert log.attributes["user.hash"] == keyring.identifier_key("user_id", "nancy").hex()


def test_of_a_visitor_who_did_not_sign_in_the_cookie_is_said(collector: Any, plainly: Any) -> None:
    log = collector.one(plainly(identity=Identity(identifiers=WHO.identifiers[1:])))
    assert log.attributes["enduser.pseudo.id"] == "v-1"
    assert log.attributes["cx.identity.evidence"] == "cookie"
    assert "user.hash" not in log.attributes


@pytest.mark.parametrize(
    ("allowed", "sent"),
    [((), set()), (("sku",), {"cx.p.sku"}), (("*",), {"cx.p.sku", "cx.p.note"}), (("s*",), set())],
)
def test_properties_are_sent_only_if_named(collector: Any, plainly: Any, allowed: tuple[str], sent: set[str]) -> None:
    log = collector.one(plainly(properties={"sku": "A", "note": "n"}), properties=allowed)
    assert {name for name in log.attributes if name.startswith("cx.p.")} == sent


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "CX9011"),
        ({"hash_key": Secret("short")}, "CX9011"),
        ({"endpoint": "localhost:4318", "customer": "none"}, "CX1051"),
        ({"headers": {"Content-Type": Secret("text/plain")}, "customer": "none"}, "CX1054"),
        ({"headers": {"A": Secret("b\r\nc")}, "customer": "none"}, "CX1052"),
    ],
)
def test_what_the_settings_refuse(settings: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**settings)
    assert caught.value.code == code


def test_defaults_are_those_of_the_protocol() -> None:
    settings = Settings(customer="none")
    assert (settings.endpoint, settings.gzip, settings.properties) == ("http://localhost:4318", False, ())
    assert OTelExporter.purposes == frozenset()


def test_it_is_configured_by_cxkit_alone(collector: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    environ = {
        "CXKIT_EXPORTERS__COLLECTOR__TYPE": "otel",
        "CXKIT_EXPORTERS__COLLECTOR__ENDPOINT": collector.url,
        "CXKIT_EXPORTERS__COLLECTOR__HASH_KEY": "a key of sixteen characters",
        "CXKIT_EXPORTERS__COLLECTOR__HEADERS__X-SCOPE-ORGID": "shop",
        "CXKIT_EXPORTERS__COLLECTOR__PURPOSES": "necessary",
        "CXKIT_EXPORTERS__COLLECTOR__PROPERTIES": "sku,number",
        "CXKIT_DIRECTORY": str(tmp_path),
    }
    kit = cxkit.Kit(load(environ=environ))
    with cxkit.scope(kit=kit):
        SHOWN.capture(number=7)
    assert kit.close(timeout_s=10).complete
    (log,) = collector.logs
    assert log.attributes["cx.p.number"] == 7
    assert collector.requests[0].headers["x-scope-orgid"] == "shop"
