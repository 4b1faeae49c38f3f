"""Amazon SNS: who signed, for which topic, and what is fetched from where.

Amazon itself cannot be had here: ``Amazon`` is a mock of it, with a certificate of our own that it signs by and a table
of what is at which address. The signatures are real ones.
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.errors import MissingDependencyError, TransportError
from cxkit.transport import Transport
from cxkit_email.webhooks.sns import Notifications, over_https
from cxkit_email.webhooks.verify import Refused, Verified

AT = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
NOW = AT.timestamp()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
HOST = "https://sns.eu-west-1.amazonaws.com"
PEM = HOST + "/SimpleNotificationService-0123456789abcdef.pem"
KEY = rsa.generate_private_key(65_537, 2_048)


def certificate(key: Any = KEY, *, since: datetime = AT - timedelta(days=1), days: int = 90) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(since).not_valid_after(since + timedelta(days=days))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Amazon:
    """A mock of Amazon: what it would post, and what it would answer."""

    def __init__(self, *, key: Any = KEY, pem: bytes | None = None) -> None:
        self.key = key
        self.at: dict[str, bytes] = {PEM: certificate() if pem is None else pem}
        self.asked: list[str] = []

    def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url in self.at:
            return self.at[url]
        raise TransportError("nobody is there", fix="try again")

    def posts(self, kind: str = "Notification", version: str = "2", **fields: Any) -> dict[str, Any]:
        said = {"Type": kind, "MessageId": "m-1", "TopicArn": TOPIC, "Message": '{"eventType": "Send"}'}
        said |= {"Timestamp": "2027-01-15T08:00:00.000Z", "SignatureVersion": version, "SigningCertURL": PEM}
        if kind != "Notification":
            said |= {"Token": "t0k3n", "SubscribeURL": self.subscribe()}
        said |= fields
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        if kind == "Notification":
            names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        signed = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
        hash = hashes.SHA1() if version == "1" else hashes.SHA256()
        said["Signature"] = base64.b64encode(self.key.sign(signed.encode(), padding.PKCS1v15(), hash)).decode()
        return said

    @staticmethod
    def subscribe(host: str = HOST, topic: str = TOPIC) -> str:
        return f"{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=t0k3n"


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def taken(amazon: Amazon) -> Any:
    """Takes one, by the only topic that is believed."""
    notifications = Notifications([TOPIC], get=amazon.get, where="email.webhooks.ses")
    return lambda said, now=NOW: notifications.take(json.dumps(said).encode(), now=now)


def reason(outcome: Verified | Refused) -> str | None:
    return outcome.reason if isinstance(outcome, Refused) else None


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Bounce"}, {"Subject": "zwei\nZeilen"}])
def test_what_amazon_signed_is_believed(version: str, subject: Any, amazon: Amazon, taken: Any) -> None:
    outcome = taken(amazon.posts(version=version, **subject))
    assert outcome == Verified(id="m-1", at=AT, payload=b'{"eventType": "Send"}')


def test_the_certificate_is_fetched_once(amazon: Amazon, taken: Any) -> None:
    for _ in range(50):
        assert isinstance(taken(amazon.posts()), Verified)
    assert amazon.asked == [PEM]


def test_the_topic_of_a_foreign_account_is_refused_before_anything_else(amazon: Amazon, taken: Any) -> None:
    """Anybody has an account there, and a signature by Amazon."""
    foreign = TOPIC.replace("123456789012", "999999999999")
    for kind in ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"):
        assert reason(taken(amazon.posts(kind, TopicArn=foreign))) == "foreign_topic"
    assert amazon.asked == [], "nothing is fetched, nothing confirmed"


@pytest.mark.parametrize("topic", [None, "", [TOPIC], {"a": TOPIC}, TOPIC + " ", TOPIC.upper(), TOPIC + "\n", 1])
def test_what_is_not_quite_the_topic(topic: Any, amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts() | {"TopicArn": topic})) == "foreign_topic"


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "TopicArn", "Type", "Subject", "Signature"])
def test_a_notification_altered_by_one_character(field: str, amazon: Amazon, taken: Any) -> None:
    said = amazon.posts(Subject="Bounce")
    text = said[field]
    changed = {"Timestamp": text.replace("08:00", "08:01"), "Signature": text[:-6] + "AAAA" + text[-2:]}
    assert isinstance(taken(said | {field: changed.get(field, text + "x")}), Refused)


def test_a_subject_that_was_not_signed(amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts() | {"Subject": "new"})) == "wrong_signature"


@pytest.mark.parametrize(
    "address",
    [PEM.replace("https", "http"), PEM.replace(".pem", ".txt"), PEM + "?x=.pem", PEM + "#.pem", PEM + "\n", " " + PEM,
     "https://evil.example/x.pem", "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
     "https://evil.example/sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
     "https://user:pass@sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com:8443/x.pem",
     "https://s3.eu-west-1.amazonaws.com/bucket/x.pem", "https://sns.amazonaws.com/x.pem",
     "https://sns.eu-west-1.amazonaws.com/../x.pem", "https://sns.eu-west-1.amazonaws.com/a/x.pem",
     "https://sns.eu-west-1.amazonaws.com\\@evil.example/x.pem", "https://SNS.eu-west-1.amazonaws.com/x.pem",
     "https://xsns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com.cn.evil.example/x.pem",
     "https://sns.eu-west-1.amazonaws.com%2eevil.example/x.pem", "//sns.eu-west-1.amazonaws.com/x.pem", "", None, 1],
)  # fmt: skip
def test_a_certificate_from_elsewhere_is_never_fetched(address: Any, amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts(SigningCertURL=address))) == "foreign_address"
    assert amazon.asked == []


@pytest.mark.parametrize("host", ["sns.us-gov-west-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn",
                                  "sns.ap-southeast-4.amazonaws.com"])  # fmt: skip
def test_amazons_other_regions(host: str, amazon: Amazon, taken: Any) -> None:
    address = PEM.replace("sns.eu-west-1.amazonaws.com", host)
    amazon.at[address] = certificate()
    assert isinstance(taken(amazon.posts(SigningCertURL=address)), Verified)


@pytest.mark.parametrize(
    ("away", "expected"),
    [(timedelta(minutes=60), None), (timedelta(minutes=66), "stale"), (timedelta(minutes=-5), None),
     (timedelta(minutes=-6), "future"), (timedelta(days=4000), "stale")],
)  # fmt: skip
def test_stale_and_future_notifications(away: timedelta, expected: str | None, amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts(), now=(AT + away).timestamp())) == expected
    assert bool(amazon.asked) == (expected is None)


@pytest.mark.parametrize("at", ["", "now", "2027-01-15T08:00:00", "2027-13-15T08:00:00Z", "NaN", "9" * 400, 1.8e9, None,
                                "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])  # fmt: skip
def test_a_timestamp_that_is_none(at: Any, amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts(Timestamp=at))) in ("malformed_timestamp", "missing_timestamp")


@pytest.mark.parametrize("version", ["", "0", "3", "none", 2, None])
def test_a_version_of_signatures_that_is_not_known(version: Any, amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts() | {"SignatureVersion": version})) == "unreadable"


def test_a_signature_by_one_hash_is_none_by_the_other(amazon: Amazon, taken: Any) -> None:
    for version, told in (("1", "2"), ("2", "1")):
        assert reason(taken(amazon.posts(version=version) | {"SignatureVersion": told})) == "wrong_signature"


def test_a_signature_by_a_key_that_is_not_amazons(amazon: Amazon, taken: Any) -> None:
    said = Amazon(key=rsa.generate_private_key(65_537, 2_048)).posts()
    assert reason(taken(said)) == "wrong_signature"
    assert reason(taken(said | {"Signature": "%%%"})) == "malformed_signature"
    assert reason(taken(said | {"Signature": ""})) == "missing_signature"


def curve() -> bytes:
    return certificate(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    "pem",
    [b"", b"-----BEGIN CERTIFICATE-----", b"<html>", curve(), certificate(since=AT - timedelta(days=91)),
     certificate(since=AT + timedelta(days=1)), certificate(rsa.generate_private_key(65_537, 1_024))],
    ids=["empty", "begun", "html", "curve", "expired", "early", "short"],
)  # fmt: skip
def test_a_certificate_that_does_not_do(pem: bytes) -> None:
    amazon = Amazon(pem=pem)
    notifications = Notifications([TOPIC], get=amazon.get, where="x")
    outcome = notifications.take(json.dumps(amazon.posts()).encode(), now=NOW)
    assert reason(outcome) == "bad_certificate"


def test_a_certificate_that_cannot_be_had_is_asked_for_again(amazon: Amazon, taken: Any) -> None:
    pem = amazon.at.pop(PEM)
    assert reason(taken(amazon.posts())) == "unreachable"
    amazon.at[PEM] = pem
    assert isinstance(taken(amazon.posts()), Verified)


def test_nobody_makes_us_fetch_without_end(amazon: Amazon, taken: Any) -> None:
    for number in range(200):
        outcome = taken(amazon.posts(SigningCertURL=f"{HOST}/{number}.pem"))
        assert reason(outcome) == "unreachable"
    assert len(amazon.asked) < 100, "twelve a minute, and what grew again while this ran"


# --- Subscriptions ---


def test_a_subscription_to_our_topic_is_confirmed(amazon: Amazon, taken: Any) -> None:
    amazon.at[amazon.subscribe()] = b"<ConfirmSubscriptionResponse/>"
    assert taken(amazon.posts("SubscriptionConfirmation")) == Verified(id="m-1", at=AT)
    assert amazon.asked == [PEM, amazon.subscribe()]


def test_a_confirmation_that_fails_is_tried_again(amazon: Amazon, taken: Any) -> None:
    assert reason(taken(amazon.posts("SubscriptionConfirmation"))) == "unreachable"


def test_that_a_subscription_ended_needs_nothing(amazon: Amazon, taken: Any) -> None:
    assert taken(amazon.posts("UnsubscribeConfirmation")) == Verified(id="m-1", at=AT)
    assert amazon.asked == [PEM]


@pytest.mark.parametrize(
    "address",
    [Amazon.subscribe("https://evil.example"), Amazon.subscribe("https://sns.us-east-1.amazonaws.com"),
     Amazon.subscribe("http://sns.eu-west-1.amazonaws.com"), Amazon.subscribe(HOST + ":443"),
     Amazon.subscribe(topic=TOPIC.replace("mail", "other")), Amazon.subscribe().replace("Confirm", "Delete"),
     Amazon.subscribe() + "&Action=Unsubscribe", Amazon.subscribe() + "&AuthenticateOnUnsubscribe=true",
     Amazon.subscribe().replace("/?", "/x?"), Amazon.subscribe().replace("https://", "https://user@"),
     Amazon.subscribe() + " ", "https://sns.eu-west-1.amazonaws.com/?" + "x" * 4_000, "x"],
)  # fmt: skip
def test_a_subscription_is_confirmed_nowhere_else(address: str, amazon: Amazon, taken: Any) -> None:
    """Even where it is signed: what is signed was, in part, for others to say."""
    assert reason(taken(amazon.posts("SubscriptionConfirmation", SubscribeURL=address))) == "foreign_address"
    assert amazon.asked == [PEM]


def test_a_forged_subscription_is_not_confirmed(amazon: Amazon, taken: Any) -> None:
    amazon.at[amazon.subscribe()] = b""
    said = amazon.posts("SubscriptionConfirmation") | {"Token": "another"}
    assert reason(taken(said)) == "wrong_signature"
    assert amazon.asked == [PEM]


# --- What is no notification ---


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"Type": "Other"}',
                                  b'{"Type": ["Notification"]}', b'{"eventType": "Bounce"}'])  # fmt: skip
def test_what_is_no_notification(body: bytes, amazon: Amazon) -> None:
    notifications = Notifications([TOPIC], get=amazon.get, where="x")
    assert reason(notifications.take(body, now=NOW)) == "unreadable"


@settings(deadline=None)
@given(st.dictionaries(
    st.sampled_from(["Message", "MessageId", "Subject", "Timestamp", "Token", "SubscribeURL", "Signature",
                     "SignatureVersion", "SigningCertURL"]),
    st.none() | st.text(max_size=20) | st.integers() | st.lists(st.text(max_size=3)) | st.sampled_from([PEM, "1", "2"]),
), st.sampled_from(["Notification", "SubscriptionConfirmation"]))  # fmt: skip
def test_nothing_raises_and_nothing_is_believed(fields: Any, kind: str) -> None:
    amazon = Amazon()
    notifications = Notifications([TOPIC], get=amazon.get, where="x")
    said = {"Type": kind, "TopicArn": TOPIC, "Timestamp": "2027-01-15T08:00:00Z", **fields}
    assert isinstance(notifications.take(json.dumps(said).encode(), now=NOW), Refused)


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, amazon: Amazon) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingDependencyError, match="CX9233"):
        Notifications([TOPIC], get=amazon.get, where="email.webhooks.ses")


def test_only_a_whole_answer_of_200_is_one(receiver_answers: Any) -> None:
    get = over_https()
    receiver_answers(200, b"pem")
    assert get(PEM) == b"pem"
    for status, truncated in ((404, False), (302, False), (500, False), (200, True)):
        receiver_answers(status, b"pem", truncated)
        with pytest.raises(TransportError, match="CX9234"):
            get(PEM)


@pytest.fixture
def receiver_answers(monkeypatch: pytest.MonkeyPatch) -> Any:
    from cxkit.transport import Response

    def answers(status: int, body: bytes, truncated: bool = False) -> None:
        answer = Response(status=status, body=body, truncated=truncated)
        monkeypatch.setattr(Transport, "request", lambda *_, **__: answer)

    return answers


def test_the_network_is_asked_for_public_addresses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of Amazon's that leads home: by a resolver that lies."""
    made = {}

    def transport(**settings: Any) -> Transport:
        made.update(settings)
        return Transport(**settings, resolver=lambda host: ["127.0.0.1"])

    monkeypatch.setattr("cxkit_email.webhooks.sns.Transport", transport)
    with pytest.raises(TransportError, match="CX5003"):
        over_https()(PEM)
    assert made["allow_private"] is False
