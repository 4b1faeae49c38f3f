"""What is peculiar to the specification: the same messages as the official client, who is in them, and the limits.

The other side is a stand-in that takes what it is given. No test here has ever spoken to Segment.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from segment.analytics.client import Client as OfficialClient

from cxkit.codec import encode
from cxkit.errors import ConfigurationError
from cxkit.model import (
    Acquisition,
    Context,
    Decision,
    Device,
    Identifier,
    Identity,
    Interaction,
    Money,
)
from cxkit.roles import Batch, Outcome
from cxkit.settings import Secret
from cxkit.testing.receiver import Answer, Receiver, Request
from cxkit_segment import SegmentExporter, Settings, message_of
from cxkit_segment.exporter import MAX_BODY_BYTES, MAX_MESSAGE_BYTES

AT = datetime(2027, 1, 15, 8, 0, 0, 123000, tzinfo=UTC)
KEY = "write-key-1"


def interaction(number: int = 1, **fields: Any) -> Interaction:
    given = {
        "id": f"01a3185c-5000-7000-b000-{number:012}",
        "occurred_at": AT,
        "name": "cart.item_added",
        "source": "/shop",
        "consent": {"necessary": True, "analytics": True, "identity_stitching": True},
    }
    return Interaction(**given | fields)


def known(**evidence: tuple[str, str]) -> Identity:
    """Type to value and evidence."""
    found = (Identifier(type=type, value=value, evidence=how) for type, (value, how) in evidence.items())  # type: ignore[arg-type]
    return Identity(identifiers=tuple(found))


NANCY = known(user_id=("nancy", "login"), visitor=("v-1", "cookie"))


def batch(*interactions: Interaction) -> Batch:
    return Batch("b1", tuple(map(encode, interactions)))


def messages(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.content)["batch"]
    return found


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with Receiver(answer=lambda _: Answer(status=200, body=b'{"success":true}')) as receiver:
        yield receiver


@pytest.fixture
def exporter(endpoint: Receiver) -> Iterator[SegmentExporter]:
    exporter = SegmentExporter(Settings(write_key=Secret(KEY), url=endpoint.url))
    yield exporter
    exporter.close()


# --- the official client --------------------------------------------------------------------------

WHO = {"user_id": "nancy", "anonymous_id": "v-1"}
CONTEXT = {
    "app": {"name": "/shop"},
    "locale": "fr-CA",
    "timezone": "America/Toronto",
    "consent": {"categoryPreferences": {"necessary": True, "analytics": True, "identity_stitching": True}},
    "campaign": {"name": "winter", "source": "news", "medium": "email"},
    "device": {"type": "phone"},
    "os": {"name": "iOS"},
}
SAME_CONTEXT = Context(
    locale="fr-CA",
    timezone="America/Toronto",
    acquisition=Acquisition(source="news", medium="email", campaign="winter"),
    device=Device(type="phone", os="iOS"),
)
SAME_FACTS = {
    "track": (
        {"event": "cart.item_added", "properties": {"kind": "action", "sku": "ALM-200", "tags": ["é", None]}},
        {"properties": {"sku": "ALM-200", "tags": ["é", None]}},
    ),
    "identify": (
        {"traits": {"plan": "gold", "since": 2019}},
        {"name": "identity.identified", "kind": "identity", "properties": {"plan": "gold", "since": 2019}},
    ),
    "page": (
        {"properties": {"kind": "view"}},
        {"name": "page.viewed", "kind": "view"},
    ),
    "screen": (
        {"properties": {"kind": "view", "tab": 2}},
        {"name": "screen.viewed", "kind": "view", "properties": {"tab": 2}},
    ),
}


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("kind", SAME_FACTS)
def test_the_official_client_says_the_same(endpoint: Receiver, kind: str, gzip: bool) -> None:
    """Field by field, of the same facts, to the same endpoint; and where it does not, the difference is known."""
    theirs, ours = SAME_FACTS[kind]
    one = interaction(identity=NANCY, context=SAME_CONTEXT, **ours)
    official = OfficialClient(KEY, host=endpoint.url, sync_mode=True, gzip=gzip)
    getattr(official, kind)(**WHO, **theirs, context=dict(CONTEXT), timestamp=AT, message_id=one.id)
    exporter = SegmentExporter(Settings(write_key=Secret(KEY), url=endpoint.url, gzip=gzip))
    assert exporter.export(batch(one), deadline_s=5) == Outcome.delivered()
    exporter.close()

    their_request, our_request = endpoint.requests
    for field in ("content-type", "authorization"):
        assert their_request.headers[field] == our_request.headers[field]
    assert their_request.headers.get("content-encoding") == our_request.headers.get("content-encoding")
    assert (their_request.method, their_request.path) == (our_request.method, our_request.path) == ("POST", "/v1/batch")

    their_body, our_body = json.loads(their_request.content), json.loads(our_request.content)
    assert their_body.keys() - our_body.keys() == {"writeKey"}, "it repeats the key that the header has"
    assert not our_body.keys() - their_body.keys()
    assert all(datetime.fromisoformat(body["sentAt"]).tzinfo for body in (their_body, our_body))

    (their_message,), (our_message,) = their_body["batch"], our_body["batch"]
    assert their_message.pop("integrations") == {}, "no word on integrations means all, as does an empty one"
    if kind in ("page", "screen"):
        assert (their_message.pop("category", None), their_message.pop("name", None)) == (None, None)
    for message in (their_message, our_message):
        assert message["context"].pop("library").keys() == {"name", "version"}
        message["timestamp"] = datetime.fromisoformat(message["timestamp"])
    assert our_message == their_message


def test_the_official_client_draws_the_line_at_the_same_place(endpoint: Receiver, exporter: SegmentExporter) -> None:
    """32 KiB of JSON. It counts its own spelling of it, so its limit may be a few bytes off; ours never is above."""
    official = OfficialClient(KEY, host=endpoint.url, sync_mode=True)
    frame = len(json.dumps(message_of(interaction(properties={"text": ""})), separators=(",", ":")))
    for size, fits in ((MAX_MESSAGE_BYTES - frame - 1, True), (MAX_MESSAGE_BYTES - frame, False)):
        one = interaction(properties={"text": "x" * size})
        outcome = exporter.export(batch(one), deadline_s=5)
        assert outcome == (Outcome.delivered() if fits else Outcome.reject({0: "message_too_large"}))
    assert len(json.dumps(messages(endpoint.requests[0])[0], separators=(",", ":"))) == MAX_MESSAGE_BYTES - 1
    with pytest.raises(RuntimeError, match="limit"):
        official.track(**WHO, event="cart.item_added", properties={"text": "x" * MAX_MESSAGE_BYTES})
    official.track(**WHO, event="cart.item_added", properties={"text": "x" * (MAX_MESSAGE_BYTES - 500)})
    assert len(endpoint.requests) == 2


# --- limits -----------------------------------------------------------------------------------------


def carried(exporter: SegmentExporter, interactions: list[Interaction]) -> Mapping[str, str]:
    """As a lane does; id to reason of those refused."""
    refused: dict[str, str] = {}
    while interactions:
        outcome = exporter.export(batch(*interactions), deadline_s=5)
        assert outcome.verdict in ("delivered", "reject"), outcome
        refused |= {interactions[index].id: reason for index, reason in outcome.rejected.items()}
        interactions = [interactions[index] for index in sorted(outcome.again)]
    return refused


def test_a_large_batch_is_several_requests(endpoint: Receiver, exporter: SegmentExporter) -> None:
    many = [interaction(number, properties={"text": "é" * 10_000}) for number in range(60)]
    assert carried(exporter, many) == {}
    sizes = [len(request.body) for request in endpoint.requests]
    assert len(sizes) == 3
    assert all(size <= MAX_BODY_BYTES for size in sizes)
    assert sizes[0] > MAX_BODY_BYTES - 21_000, "no emptier than it must be"
    assert [one["messageId"] for request in endpoint.requests for one in messages(request)] == [one.id for one in many]


def test_no_request_has_too_many_messages(endpoint: Receiver, exporter: SegmentExporter) -> None:
    """Above 2,500 Segment would answer 200 and take none; but the smallest there can be fill a request before."""
    smallest = [interaction(id=f"{number:x}", name="a", source="", consent={}) for number in range(2600)]
    assert carried(exporter, smallest) == {}
    counts = [len(messages(request)) for request in endpoint.requests]
    assert sum(counts) == 2600
    assert max(counts) < 2500


def test_too_large_is_refused_alone_and_nothing_is_cut(endpoint: Receiver, exporter: SegmentExporter) -> None:
    large = interaction(2, properties={"text": "x" * 40_000})
    assert carried(exporter, [interaction(1), large, interaction(3)]) == {large.id: "message_too_large"}
    assert [one["messageId"][-1] for one in messages(endpoint.requests[0])] == ["1", "3"]


def test_what_was_accepted_is_not_sent_again(endpoint: Receiver, exporter: SegmentExporter) -> None:
    """The second part fails: the first is delivered, the wait that is asked for reaches the lane."""
    many = [interaction(number, properties={"text": "x" * 20_000}) for number in range(40)]
    first = exporter.export(batch(*many), deadline_s=5)
    assert first.verdict == "reject"
    assert not first.rejected
    rest = [many[index] for index in sorted(first.again)]
    endpoint.script(Answer(status=429, headers={"Retry-After": "7"}))
    assert exporter.export(batch(*rest), deadline_s=5) == Outcome.retry("http_429", retry_after_s=7.0)
    assert carried(exporter, rest) == {}
    taken = [one["messageId"] for request in (endpoint.requests[0], endpoint.requests[2]) for one in messages(request)]
    assert taken == [one.id for one in many]


# --- who is in a message ----------------------------------------------------------------------------

USER, CLAIM, TOKEN = ("nancy", "login"), ("nancy", "claim"), ("nancy", "token")
VISITOR = ("v-1", "cookie")


@pytest.mark.parametrize(
    ("identity", "stitching", "ids"),
    [
        ({"user_id": USER, "visitor": VISITOR}, True, {"userId": "nancy", "anonymousId": "v-1"}),
        ({"user_id": USER, "visitor": VISITOR}, False, {"userId": "nancy"}),
        ({"user_id": USER, "visitor": VISITOR}, None, {"userId": "nancy"}),
        ({"loyalty": ("c-7", "login"), "visitor": VISITOR}, False, {"anonymousId": "OWN"}),
        ({"visitor": VISITOR}, False, {"anonymousId": "v-1"}),
        ({"user_id": CLAIM, "visitor": VISITOR}, True, {"anonymousId": "v-1"}),
        ({"user_id": TOKEN, "visitor": VISITOR}, True, {"anonymousId": "v-1"}),
        ({"user_id": TOKEN}, True, {"anonymousId": "OWN"}),
        ({"email": ("5f2c", "login")}, True, {"anonymousId": "OWN"}),
        ({}, True, {"anonymousId": "OWN"}),
    ],
)
def test_only_what_is_proven_and_allowed_is_joined(
    identity: dict[str, tuple[str, str]], stitching: bool | None, ids: dict[str, str]
) -> None:
    consent = {"necessary": True} | ({} if stitching is None else {"identity_stitching": stitching})
    one = interaction(identity=known(**identity), consent=consent)
    message = message_of(one)
    sent = {name: message[name] for name in ("userId", "anonymousId") if name in message}
    assert sent == {name: one.id if value == "OWN" else value for name, value in ids.items()}
    assert "externalIds" not in message["context"]
    assert not any(value in json.dumps(message) for value, _ in identity.values() if value not in sent.values())


def test_contacts_are_never_addresses() -> None:
    """The keyed hash of an e-mail goes only if asked for, and where nobody takes it for an address."""
    one = interaction(identity=known(user_id=USER, email=("5f2c", "login"), phone=("77aa", "claim")))
    message = message_of(one, external_ids=["email", "phone"])
    assert message["context"]["externalIds"] == [
        {"id": "5f2c", "type": "email_hash", "collection": "users", "encoding": "none"}
    ]
    identified = message_of(attrs.evolve(one, name="identity.identified", properties={"plan": "gold"}))
    assert identified["traits"] == {"plan": "gold"}


def test_nobody_can_be_one() -> None:
    """Segment bills by the number of ids it sees in a month."""
    made = {message_of(interaction(number), unrecognised="one")["anonymousId"] for number in range(3)}
    assert made == {"cxkit-unrecognised"}


def test_who_cannot_be_named_is_not_identified() -> None:
    """A profile for an id that never comes again would be a ghost."""
    one = interaction(name="identity.identified", identity=known(loyalty=("c-7", "login")))
    assert (message_of(one)["type"], message_of(one)["event"]) == ("track", "identity.identified")


# --- what is in it ------------------------------------------------------------------------------------


def test_the_apps_own_property_stands() -> None:
    one = interaction(stage="purchase", properties={"stage": "theirs", "kind": 3})
    assert message_of(one)["properties"] == {"stage": "theirs", "kind": 3}


def test_money_is_exact(endpoint: Receiver, exporter: SegmentExporter) -> None:
    amount = "9007199254740993.10"
    exporter.export(batch(interaction(kind="transaction", value=Money(amount, "EUR"))), deadline_s=5)
    assert f'"revenue":{amount},"currency":"EUR"'.encode() in endpoint.requests[0].body
    assert message_of(interaction(value=Money("3", "EUR")))["properties"]["value"] == 3


def test_names_of_the_specification() -> None:
    shown = interaction(name="experience.shown", kind="exposure", decision=Decision(experience="home", variant="B"))
    assert message_of(shown)["event"] == "Experiment Viewed"
    assert message_of(shown)["properties"]["variation_id"] == "B"
    chosen = interaction(name="consent.changed", kind="consent")
    assert message_of(chosen)["event"] == "Segment Consent Preference Updated"
    assert message_of(attrs.evolve(chosen, consent={}))["event"] == "consent.changed", "it needs the categories"
    assert message_of(chosen, names={"consent.changed": "Chosen"})["event"] == "Chosen"


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://api.segment.io/?a=b", "https://k:s@api.segment.io", "https://a.example/#x"])
def test_the_address_is_plain(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(write_key=Secret(KEY), url=url)
    assert caught.value.code == "CX9021"


def test_a_preview_says_what_would_not_go(endpoint: Receiver, exporter: SegmentExporter) -> None:
    large = interaction(2, properties={"text": "x" * 40_000})
    shown = exporter.preview(Batch("b1", (*batch(interaction(1), large).payloads, b"{")))
    assert '"messageId":"01a3185c-5000-7000-b000-000000000001"' in shown
    assert "refused: interaction 1 (message_too_large)\nrefused: interaction 2 (undecodable)" in shown
    assert base64.b64encode(f"{KEY}:".encode()).decode() not in shown
    assert endpoint.requests == []


def test_consent_goes_in_the_other_sides_categories() -> None:
    """One is allowed if all that it stands for is; what is undecided is not."""
    consent = {"necessary": True, "analytics": True, "advertising": False}
    one = interaction(consent=consent)
    mine = {"C1": ["necessary"], "C2": ["analytics", "functional"], "C4": ["advertising"], "C5": []}
    told = message_of(one, categories=mine)["context"]["consent"]
    assert told == {"categoryPreferences": {"C1": True, "C2": False, "C4": False, "C5": False}}


def test_a_category_of_no_known_purpose_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(write_key=Secret("k"), categories={"C2": ("analytic",)})
    assert (caught.value.code, caught.value.fix) == ("CX9022", 'did you mean "analytics"?')
