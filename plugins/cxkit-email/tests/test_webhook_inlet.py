"""Providers call: over real HTTP through both gateways, and at the endpoint itself for what no client can say well."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs
import pytest

from cxkit.errors import ConfigurationError, StoreError
from cxkit.model import Facts
from cxkit.model.message import Report
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Secret
from cxkit.testing.web_shop import Shop, bare_app, bare_wsgi, exchanged, served, served_wsgi
from cxkit.web import ASGIMiddleware, WSGIMiddleware
from cxkit_email.tokens import bounce_token
from cxkit_email.webhooks.inlet import MAX_BODY_BYTES, Outside, inlets
from cxkit_email.webhooks.settings import Webhook

KEY, SECRET = "key-0123456789abcdef", "a-long-enough-password"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
NOW = 1_800_000_000.0
SENT = {"x-cx-secret": SECRET, "content-type": "application/json"}
WEBHOOKS = {
    "mailgun": Webhook(type="mailgun", secrets=(Secret("another-key-of-theirs"), Secret(KEY))),
    "postmark": Webhook(type="postmark", secrets=(Secret(SECRET),)),
    "brevo": Webhook(type="brevo", secrets=(Secret(SECRET),)),
    "ses": Webhook(type="ses", topics=(TOPIC,)),
}


@attrs.define
class Kept:
    """What is behind the endpoints: it keeps each report once, and can refuse."""

    reports: list[Report] = attrs.field(factory=list)
    counted: Counter[str] = attrs.field(factory=Counter)
    refuses: Callable[[Report], bool] = lambda report: False
    now: float = NOW
    threads: set[int] = attrs.field(factory=set)
    proven: set[bool] = attrs.field(factory=set)
    _ids: set[str | None] = attrs.field(factory=set)
    _said: dict[str, bytes] = attrs.field(factory=dict)
    _guard: threading.Lock = attrs.field(factory=threading.Lock)

    def happened(self, report: Report, /, *, proven: bool) -> bool:
        self.proven.add(proven)
        self.threads.add(threading.get_ident())
        if self.refuses(report):
            raise StoreError("the store is down", fix="start it")
        with self._guard:
            new = report.event_id not in self._ids
            self._ids.add(report.event_id)
            self.reports += [report] if new else []
        return new

    def once(self, key: str, said: bytes, until: datetime) -> bool:
        return self._said.setdefault(key, said) == said

    def count(self, name: str) -> None:
        self.counted[name] += 1

    def endpoints(self, webhooks: Mapping[str, Webhook] = WEBHOOKS, **given: Any) -> dict[str, Endpoint]:
        around = Outside(happened=self.happened, count=self.count, once=self.once, now=lambda: self.now, **given)
        made = inlets(webhooks, outside=around)
        return {endpoint.path: endpoint for endpoint in made}


@pytest.fixture
def kept() -> Kept:
    return Kept()


def mailgun(token: str = "t0k3n", at: float = NOW, event: str = "delivered", key: str = KEY) -> bytes:
    stamp = str(int(at))
    signature = hmac.digest(key.encode(), (stamp + token).encode(), "sha256").hex()
    said = {"timestamp": stamp, "token": token, "signature": signature}
    return json.dumps({"signature": said, "event-data": {"event": event, "recipient": "nancy@example.com"}}).encode()


def postmark(**fields: Any) -> bytes:
    return json.dumps(
        {"RecordType": "Delivery", "MessageID": "m-1", "Recipient": "nancy@example.com", **fields}
    ).encode()


def facts(path: str, headers: Mapping[str, str] = {}, method: str = "POST") -> Facts:
    return Facts(method=method, scheme="https", host="shop.example", path="/cx" + path, headers=headers)


@pytest.fixture
def ask(kept: Kept) -> Callable[..., int]:
    """Posts to an endpoint; the status."""
    endpoints = kept.endpoints()

    def asked(name: str, body: bytes, headers: Mapping[str, str] = SENT) -> int:
        reply = endpoints[f"/webhooks/{name}"].handle(facts(f"/webhooks/{name}", headers), body)
        assert ("Cache-Control", "no-store") in reply.headers
        assert reply.body == b"", "whoever calls learns the status, and no more"
        return reply.status

    return asked


# --- Taken once ---


def test_a_report_is_handed_over(ask: Any, kept: Kept) -> None:
    assert ask("mailgun", mailgun()) == 200
    (report,) = kept.reports
    assert (report.happened, report.recipient, report.event_id) == ("delivered", "nancy@example.com", "t0k3n")
    assert kept.proven == {True}
    assert not kept.counted


def test_a_replayed_webhook_is_taken_once(ask: Any, kept: Kept) -> None:
    for _ in range(3):
        assert ask("mailgun", mailgun()) == 200
        assert ask("postmark", postmark()) == 200
    assert [report.provider for report in kept.reports] == ["mailgun", "postmark"]
    assert kept.counted == {"webhook_repeated.mailgun": 2, "webhook_repeated.postmark": 2}


def test_a_signature_of_mailgun_serves_no_second_body(ask: Any, kept: Kept) -> None:
    """It covers no body, so whoever overheard one could else say anything with it."""
    assert ask("mailgun", mailgun()) == 200
    assert ask("mailgun", mailgun(event="complained")) == 200
    assert [report.happened for report in kept.reports] == ["delivered"]


def test_nor_in_another_process(kept: Kept) -> None:
    for event in ("delivered", "complained"):
        kept.endpoints()["/webhooks/mailgun"].handle(facts("/webhooks/mailgun"), mailgun(event=event))
    assert [report.happened for report in kept.reports] == ["delivered"]
    assert kept.counted == {"webhook_repeated.mailgun": 1}


def test_a_replay_grows_stale(ask: Any, kept: Kept) -> None:
    kept.now += 301
    assert ask("mailgun", mailgun()) == 401
    assert kept.counted == {"webhook_refused.mailgun.stale": 1}


def test_how_far_back_is_a_setting(kept: Kept) -> None:
    patient = attrs.evolve(WEBHOOKS["mailgun"], tolerance_s=3_600.0)
    endpoint = kept.endpoints({"mailgun": patient})["/webhooks/mailgun"]
    assert endpoint.handle(facts("/webhooks/mailgun"), mailgun(at=NOW - 3_000)).status == 200


def test_what_could_not_be_kept_is_asked_for_again(ask: Any, kept: Kept) -> None:
    kept.refuses = lambda report: True
    assert ask("mailgun", mailgun()) == 503
    assert ask("mailgun", mailgun()) == 503, "it is no repetition: nothing was kept"
    kept.refuses = lambda report: False
    assert ask("mailgun", mailgun()) == 200
    assert len(kept.reports) == 1
    assert kept.counted == {"webhook_postponed.mailgun": 2}


def test_of_many_each_is_kept_once_though_the_store_fails_amid(kept: Kept) -> None:
    anybody = {"many": Webhook(type="sendgrid", insecure=True)}
    endpoint = kept.endpoints(anybody)["/webhooks/many"]
    body = json.dumps([{"event": "open", "sg_event_id": str(number)} for number in range(100)]).encode()
    kept.refuses = lambda report: report.event_id == "50"
    reply = endpoint.handle(facts("/webhooks/many"), body)
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (503, "60")
    kept.refuses = lambda report: False
    assert endpoint.handle(facts("/webhooks/many"), body).status == 200
    assert [report.event_id for report in kept.reports] == [str(number) for number in range(100)]


def test_what_cannot_be_read_is_counted_and_the_rest_is_taken(kept: Kept) -> None:
    endpoint = kept.endpoints({"many": Webhook(type="sendgrid", insecure=True)})["/webhooks/many"]
    assert endpoint.handle(facts("/webhooks/many"), b'[{"event": "open"}, 1, null]').status == 200
    assert len(kept.reports) == 1
    assert kept.counted == {"webhook_unreadable.many": 2}


def test_the_last_ten_thousand_are_remembered(kept: Kept) -> None:
    """Older ones are known again by whoever keeps them; here each is new."""
    webhook = Webhook(type="sendgrid", insecure=True)
    (endpoint,) = inlets(
        {"many": webhook}, outside=Outside(happened=lambda report, /, *, proven: True, count=kept.count)
    )

    def tell(*numbers: int) -> None:
        many = [{"event": "open", "sg_event_id": str(number)} for number in numbers]
        assert endpoint.handle(facts("/webhooks/many"), json.dumps(many).encode()).status == 200

    for start in (0, 6_000, 12_000):
        tell(*range(start, start + 6_000))
    tell(17_999, 8_000)
    assert kept.counted == {"webhook_repeated.many": 2}
    tell(7_000)
    assert kept.counted == {"webhook_repeated.many": 2}


# --- Inbound mails ---

MAIL = {"mail": Webhook(type="mail", secrets=(Secret(SECRET),))}
SEND = "0123456789abcdef" * 2
BOUNCE = b"""From: MAILER-DAEMON@mx.example.com\r
To: bounce+t0k3n@shop.example\r
Content-Type: multipart/report; report-type=delivery-status; boundary=x\r
\r
--x\r
Content-Type: text/plain\r
\r
It did not arrive.\r
--x\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.com\r
\r
Final-Recipient: rfc822; nancy@example.com\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 no such user\r
--x--\r
"""


def test_an_inbound_mail_is_read_and_its_writer_is_not_believed(kept: Kept) -> None:
    endpoints = kept.endpoints(MAIL, ours=lambda candidate: SEND if "+t0k3n@" in candidate else None)
    endpoint = endpoints["/webhooks/mail"]
    assert endpoint.max_body_bytes == 35 * 1024 * 1024
    for _ in range(2):
        assert endpoint.handle(facts("/webhooks/mail", SENT), BOUNCE).status == 200
    assert endpoint.handle(facts("/webhooks/mail"), BOUNCE).status == 401
    (report,) = kept.reports
    assert (report.happened, report.send, report.bounce and report.bounce.kind) == ("bounced", SEND, "hard")
    assert kept.proven == {False}


@pytest.mark.parametrize("body", [b"\xff" * 100, b"\0", b"Subject: x", b"[" * 10_000, gzip.compress(b"x", mtime=0)])
def test_any_bytes_are_a_mail(body: bytes, kept: Kept) -> None:
    endpoint = kept.endpoints(MAIL, ours=lambda candidate: None)["/webhooks/mail"]
    assert endpoint.handle(facts("/webhooks/mail", SENT), body).status == 200


# --- Refused, and nothing told of why ---


@pytest.mark.parametrize(
    ("name", "body", "headers", "reason"),
    [
        ("mailgun", mailgun(key="a-key-of-somebody-else"), {}, "wrong_signature"),
        ("mailgun", mailgun(at=NOW + 301), {}, "future"),
        ("mailgun", b"no json", {}, "missing_signature"),
        ("mailgun", b"[" * 1_000_000, {}, "missing_signature"),
        ("mailgun", gzip.compress(mailgun(), mtime=0), {}, "missing_signature"),
        ("mailgun", b"\xff" + mailgun(), {}, "missing_signature"),
        ("postmark", postmark(), {}, "wrong_signature"),
        ("postmark", postmark(), {"x-cx-secret": SECRET + "x"}, "wrong_signature"),
        ("postmark", postmark(), {"x-cx-secret": f"{SECRET}, {SECRET}"}, "wrong_signature"),
        ("postmark", b"no json", {"x-cx-secret": "guessed"}, "wrong_signature"),
        ("brevo", b"", {}, "wrong_signature"),
        ("ses", b'{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:9:mail"}', {}, "foreign_topic"),
        ("ses", b'{"Type": "SubscriptionConfirmation", "TopicArn": "x"}', {}, "foreign_topic"),
        ("ses", b"\xff", {}, "unreadable"),
    ],
)  # fmt: skip
def test_who_is_not_believed_learns_nothing(
    name: str, body: bytes, headers: Any, reason: str, ask: Any, kept: Kept
) -> None:
    assert ask(name, body, headers) == 401
    assert not kept.reports
    assert kept.counted == {f"webhook_refused.{name}.{reason}": 1}


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"\xff", b"[" * 100_000, b"null", gzip.compress(postmark(), mtime=0), b"RecordType=Delivery"],
)  # fmt: skip
def test_what_is_believed_and_cannot_be_read(body: bytes, ask: Any, kept: Kept) -> None:
    assert ask("postmark", body) == (400 if body else 200)
    assert kept.counted == ({"webhook_unreadable.postmark": 1} if body else {})


@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_wrong_content_type_changes_nothing(type: str, ask: Any, kept: Kept) -> None:
    """No signature covers it, and Amazon says text/plain of its JSON."""
    assert ask("postmark", postmark(), SENT | {"content-type": type}) == 200
    assert len(kept.reports) == 1


def test_a_secret_may_end_the_path(kept: Kept) -> None:
    endpoint = kept.endpoints()["/webhooks/brevo/{secret}"]
    for secret, status in ((SECRET, 200), ("guessed", 401), ("", 401)):
        assert endpoint.handle(facts(f"/webhooks/brevo/{secret}"), b'{"event": "opened"}').status == status


def test_only_where_a_secret_comes_along_may_it_end_the_path(kept: Kept) -> None:
    assert sorted(kept.endpoints()) == [
        "/webhooks/brevo", "/webhooks/brevo/{secret}", "/webhooks/mailgun", "/webhooks/postmark",
        "/webhooks/postmark/{secret}", "/webhooks/ses",
    ]  # fmt: skip
    assert all(endpoint.waits for endpoint in kept.endpoints().values())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_reads_and_changes_nothing(method: str, kept: Kept) -> None:
    for path, endpoint in kept.endpoints().items():
        assert endpoint.handle(facts(path, method=method), b"anything").status == 200
    assert not kept.reports
    assert not kept.counted


def test_amazon_unreachable_is_to_try_again(kept: Kept) -> None:
    """A mock of Amazon that is down: it takes a 4xx for an answer, and a 5xx for none."""

    def get(url: str) -> bytes:
        raise TimeoutError

    endpoint = kept.endpoints(get=get)["/webhooks/ses"]
    said = {"Type": "Notification", "TopicArn": TOPIC, "Timestamp": "2027-01-15T08:00:00Z", "SignatureVersion": "2",
            "Message": "{}", "MessageId": "m", "Signature": base64.b64encode(b"x").decode(),
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/a.pem"}  # fmt: skip
    assert endpoint.handle(facts("/webhooks/ses"), json.dumps(said).encode()).status == 503
    assert kept.counted == {"webhook_refused.ses.unreachable": 1}


def test_insecure_is_for_ones_own_machine(kept: Kept) -> None:
    said = {"Type": "Notification", "MessageId": "m", "Message": '{"eventType": "Send", "mail": {"messageId": "x"}}'}
    endpoint = kept.endpoints({"ses": Webhook(type="ses", insecure=True)})["/webhooks/ses"]
    assert endpoint.handle(facts("/webhooks/ses"), json.dumps(said).encode()).status == 200
    assert endpoint.handle(facts("/webhooks/ses"), b'{"Type": "SubscriptionConfirmation"}').status == 200
    assert [report.event_id for report in kept.reports] == ["m"]
    assert kept.proven == {False}, "so no address that is told there is believed"


@pytest.mark.parametrize(
    ("webhooks", "code"),
    [({"a/b": WEBHOOKS["brevo"]}, "CX9235"), ({"x": Webhook(type="brevo", secrets=(Secret("short"),))}, "CX9232"),
     ({"x": Webhook(type="sendgrid", secrets=(Secret("no key of theirs"),))}, "CX9232")],
)  # fmt: skip
def test_a_wrong_secret_is_an_error_of_the_start(webhooks: Any, code: str, kept: Kept) -> None:
    with pytest.raises(ConfigurationError, match=code):
        kept.endpoints(webhooks)


# --- Real HTTP ---


class Channel:
    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints

    def endpoints(self) -> Sequence[Endpoint]:
        return self._endpoints


def _route(given: Mapping[str, Any]) -> str | None:
    return given.get("bare.route")


@contextmanager
def asgi(shop: Shop) -> Iterator[int]:
    with served(ASGIMiddleware(bare_app(shop.handlers()), kit=shop.kit, route=_route)) as port:
        yield port


@contextmanager
def wsgi(shop: Shop) -> Iterator[int]:
    with served_wsgi(WSGIMiddleware(bare_wsgi(shop.handlers()), kit=shop.kit, route=_route)) as port:
        yield port


@pytest.fixture(params=[asgi, wsgi])
def shop(request: pytest.FixtureRequest, kept: Kept) -> Iterator[Shop]:
    kept.now = time.time()
    opened = Shop(channels=[Channel(tuple(kept.endpoints().values()))])
    try:
        with request.param(opened) as opened.port:
            yield opened
    finally:
        opened.kit.close()


def test_over_http_from_the_first_byte_to_the_report(shop: Shop, kept: Kept) -> None:
    browser = shop.browser()
    plain = {"content-type": "text/plain; charset=UTF-8"}
    for _ in range(2):
        assert (
            browser.ask("/cx/webhooks/mailgun", method="POST", body=mailgun(at=kept.now), headers=plain).status == 200
        )
    assert browser.ask("/cx/webhooks/postmark", method="POST", body=postmark(), headers=SENT).status == 200
    path = f"/cx/webhooks/brevo/{SECRET}"
    assert browser.ask(path, method="POST", body=b'{"event": "opened", "email": "a@b"}').status == 200
    assert [report.provider for report in kept.reports] == ["mailgun", "postmark", "brevo"]
    assert shop.settled() == [], "no page was viewed"


def test_over_http_what_is_refused(shop: Shop, kept: Kept) -> None:
    browser, path = shop.browser(), "/cx/webhooks/postmark"
    assert browser.ask(path, method="POST", body=postmark()).status == 401
    assert browser.ask(path, method="POST", body=postmark()[:-1] + b"x", headers=SENT).status == 400
    long = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\nConnection: close\r\n\r\n"
    assert exchanged(shop.port, long.encode(), patience_s=20.0).split()[1] == b"413"
    assert browser.ask(path, method="PUT", body=postmark(), headers=SENT).status == 405
    zipped = SENT | {"content-encoding": "gzip"}
    assert browser.ask(path, method="POST", body=gzip.compress(postmark()), headers=zipped).status == 415
    assert [browser.ask(path, method=method).status for method in ("GET", "HEAD")] == [200, 200]
    assert not kept.reports
    assert browser.ask(path, method="POST", body=postmark(), headers=SENT).status == 200
    assert len(kept.reports) == 1


def test_over_http_a_body_of_one_mebibyte_is_taken(shop: Shop, kept: Kept) -> None:
    body = postmark(Padding="x" * (MAX_BODY_BYTES - 200))
    assert shop.browser().ask("/cx/webhooks/postmark", method="POST", body=body, headers=SENT).status == 200
    assert len(kept.reports) == 1


def test_over_http_the_same_from_all_sides_at_once(shop: Shop, kept: Kept) -> None:
    body = mailgun(at=kept.now)

    def post(_: int) -> int:
        return shop.browser().ask("/cx/webhooks/mailgun", method="POST", body=body).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(32))) == {200}
    assert len(kept.reports) == 1


def test_a_store_that_waits_is_waited_for_on_no_event_loop(kept: Kept) -> None:
    kept.now = time.time()
    opened = Shop(channels=[Channel(tuple(kept.endpoints().values()))])
    loops: set[int] = set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loops.add(threading.get_ident())
        await ASGIMiddleware(bare_app(opened.handlers()), kit=opened.kit)(scope, receive, send)

    with served(app) as opened.port:
        sent = opened.browser().ask("/cx/webhooks/postmark", method="POST", body=postmark(), headers=SENT)
    opened.kit.close()
    assert sent.status == 200
    assert kept.threads
    assert not kept.threads & loops


def test_a_reply_says_nothing(kept: Kept) -> None:
    reply = kept.endpoints()["/webhooks/mailgun"].handle(facts("/webhooks/mailgun"), mailgun(key="somebody-elses-key"))
    assert reply == Reply(status=401, headers=(("Cache-Control", "no-store"),))


def test_what_a_provider_tells_is_captured_by_the_kit() -> None:
    opened = Shop(channels=[Channel(inlets({"postmark": WEBHOOKS["postmark"]}))])
    hard = {"RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "Email": "nancy-canary@example.com",
            "Details": "smtp;550 5.1.1 nancy-canary unknown", "BouncedAt": "2026-11-01T08:00:00Z"}  # fmt: skip
    with asgi(opened) as opened.port:
        for _ in range(2):
            assert (
                opened.browser().ask("/cx/webhooks/postmark", method="POST", body=postmark(**hard), headers=SENT).status
            )
        assert opened.browser().ask("/cx/webhooks/postmark", method="POST", body=postmark(**hard)).status == 401
        (bounced,) = opened.named("message.bounced")
        account = opened.kit.account()
    opened.kit.close()
    assert (bounced.properties["bounce"], bounced.properties["status"]) == ("hard", "5.1.1")
    assert account.noted["webhook_repeated.postmark"] == 1
    assert account.noted["webhook_refused.postmark.wrong_signature"] == 1
    assert "canary" not in repr(bounced), "no address is captured, nor what the other server wrote of it"


@pytest.mark.parametrize("genuine", [True, False])
def test_a_forged_bounce_names_nobody(genuine: bool) -> None:
    """Only the token in the address that it comes back to says which message it is about."""
    opened = Shop(channels=[Channel(inlets(MAIL))])
    token = bounce_token(opened.kit.desk.keyring, SEND)
    token = token if genuine else token[:-1] + ("a" if token[-1] != "a" else "q")
    told: list[Report] = []

    def reported(report: Report, **_: Any) -> bool:
        told.append(report)
        return True

    opened.kit.messages.reported = reported  # type: ignore[method-assign]  # to see what is told
    with asgi(opened) as opened.port:
        mail = BOUNCE.replace(b"t0k3n", token.encode()) + b"X-CX-Send: " + SEND.encode()
        assert opened.browser().ask("/cx/webhooks/mail", method="POST", body=mail, headers=SENT).status == 200
    opened.kit.close()
    (report,) = told
    assert report.send == (SEND if genuine else None)
