"""What apps and customers may give to be sent, and what must not come of it."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cxkit
from cxkit.errors import InvalidInteractionError, StoreError
from cxkit.model import Report
from cxkit.stores.memory import MemoryStore
from cxkit_email import Prepared, prepare
from cxkit_email.wire import wire, wire_faults
from tests.flows.world import eventually

Make = Callable[..., Any]
NANCY = "nancy@example.com"


@pytest.mark.parametrize(
    "campaign", ["spring\r\nBcc: eve@example.com", "a\nb", "", "é", "a b", "x" * 65, "nancy@example.com", 3, "A"]
)
def test_a_campaign_is_a_word(post: Make, campaign: Any) -> None:
    here = post()
    with pytest.raises(InvalidInteractionError) as caught:
        prepare(here.mail(), NANCY, topic="news", campaign=campaign, kit=here.kit)
    assert caught.value.code == "CX9270"
    assert "eve" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["nancy@example.com\r\nBcc: eve@example.com", "a\n@b", "", "nobody", "a@b@c", "@", "\0@x"]
)
def test_what_is_no_address_is_not_written_to(post: Make, address: str) -> None:
    here = post(strict=False)
    answer = prepare(here.mail(), address, topic="news", kit=here.kit)
    assert isinstance(answer, cxkit.Blocked)
    assert "eve" not in repr(answer)


def test_an_address_is_written_to_without_what_is_around_it(post: Make) -> None:
    assert post().prepared(address=" nancy@example.com\r\n").recipient == NANCY


def nested(depth: int) -> Message:
    inner: Message = MIMEText('<a href="https://shop.example/a">A</a>', "html")
    for _ in range(depth):
        outer = MIMEMultipart()
        outer.attach(inner)
        inner = outer
    return inner


def test_a_thousand_parts_within_each_other_are_refused(post: Make) -> None:
    here = post()
    here.allows("analytics")
    assert "https://shop.example/cx/c/" in here.prepared(message=nested(20)).message.as_string()
    with pytest.raises(InvalidInteractionError) as caught:
        prepare(nested(1000), NANCY, topic="news", kit=here.kit)
    assert caught.value.code == "CX9271"


def test_ten_megabytes_of_html(post: Make) -> None:
    here = post()
    here.allows("analytics")
    html = '<p><a href="https://shop.example/a">A</a></p>\n' * 220_000
    mail = EmailMessage()
    mail.set_content(html, subtype="html", cte="7bit")
    prepared = here.prepared(message=mail)
    assert prepared.html.count("https://shop.example/cx/c/") == 220_001


RAW = st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f"Content-Type: text/html\n\n{text}".encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f"Content-Type: text/html\n\n{text}".encode())
)
def test_any_bytes_that_parse_as_a_mail_are_prepared(shared: Any, raw: bytes) -> None:
    for rules in (policy.default, policy.compat32):
        prepared = shared.prepared(message=message_from_bytes(raw, policy=rules))
        assert prepared.message["X-CX-Send"]


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Any:
    """One kit for all examples."""
    make = request.getfixturevalue("posts")
    here = make()
    here.allows("analytics")
    return here


@pytest.mark.parametrize(
    "headers",
    [
        b"Subject: \xe9\xe8\xff 8-bit\nFrom: \xff@shop.example\n",
        b"Content-Type: text/html; charset=\"no-such-charset\"\n",
        b"Content-Type: multipart/mixed\n",  # without a boundary
        b"Content-Type: multipart/alternative; boundary=\"\"\n",
        b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n",  # and is none
        b"Content-Type: text/html; charset*=utf-8''%E9%E8\n",
        b"List-Unsubscribe: <https://evil.example/u>\nX-CX-Send: forged\n",
    ],
)  # fmt: skip
def test_malformed_mails(post: Make, headers: bytes) -> None:
    here = post()
    here.allows("analytics")
    mail = message_from_bytes(headers + b"\n<a href='https://shop.example/a'>\xe9</a>\n", policy=policy.default)
    prepared = here.prepared(message=mail)
    assert "evil" not in str(prepared.message["List-Unsubscribe"])
    assert "forged" not in str(prepared.message["X-CX-Send"])


def test_what_is_prepared_is_plain_on_the_wire(post: Make) -> None:
    here = post(bounces="bounces.shop.example", unsubscribe="leave@shop.example")
    here.allows("analytics")
    assert wire_faults(wire(here.prepared().message)) == ()


def test_what_a_customer_is_called_is_no_template(post: Make) -> None:
    here = post()
    here.allows("analytics")
    html = '<p>Hello {{ 7*7 }} {% include "/etc/passwd" %} ${7*7}</p><a href="https://shop.example/a">A</a>'
    prepared = here.prepared(message=here.mail(html=html))
    assert '<p>Hello {{ 7*7 }} {% include "/etc/passwd" %} ${7*7}</p>' in prepared.html


class Down(MemoryStore):
    """A store that can be down."""

    down = deaf = False

    def get_many(self, *given: Any) -> Any:
        if self.deaf:
            raise StoreError("it is down", fix="start it")
        return super().get_many(*given)

    def commit(self, *given: Any, **named: Any) -> Any:
        if self.down:
            raise StoreError("it is down", fix="start it")
        return super().commit(*given, **named)


def test_while_the_store_is_down_a_receipt_goes_out_unfollowed_and_the_rest_waits(post: Make) -> None:
    store = Down()
    here = post(strict=False, store=store)
    here.allows("analytics")
    assert here.kit.flush(timeout_s=10).complete
    store.down = True
    waits = prepare(here.mail(), NANCY, topic="news", kit=here.kit)
    assert isinstance(waits, cxkit.Deferred)
    receipt = prepare(here.mail(), NANCY, topic="receipt", kit=here.kit)
    assert isinstance(receipt, Prepared)
    assert receipt.html == here.html_of(receipt)
    assert "cx/c/" not in receipt.message.as_string()
    receipt.sent()
    assert here.kit.intake.noted["store_failed"] >= 2


def test_who_leaves_while_the_store_is_down_has_left_when_it_is_back(post: Make) -> None:
    store = Down()
    here = post(strict=False, store=store)
    prepared = here.prepared()
    assert here.kit.flush(timeout_s=10).complete
    store.down = store.deaf = True
    path = urlsplit(str(prepared.message["List-Unsubscribe"]).strip("<>")).path
    assert here.client().post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    store.down = store.deaf = False
    eventually(lambda: here.may_send() == "opted_out")


def test_what_a_provider_tells_of_somebody_who_allows_nothing_names_no_message(post: Make) -> None:
    here = post()
    prepared = here.prepared()
    for happened in ("opened", "clicked"):
        told = Report(happened=happened, send=prepared.id, provider_id="m-1", at=here.kit.intake.stamper.now())
        here.kit.messages.reported(told, channel="email")
    kept = [*here.captured("message.opened"), *here.captured("message.clicked")]
    assert kept
    for one in kept:
        assert not one.identity
        assert not {"message", "provider_id", "told_at"} & set(one.properties)
    assert here.kit.messages.of(prepared.id).happened == {}


def test_a_header_of_the_apps_own_for_a_provider_stays(post: Make) -> None:
    here = post(webhooks={"mailgun": {"type": "mailgun", "secrets": ["key-0123456789abcdef"]}})
    mail = here.mail()
    mail["X-Mailgun-Variables"] = '{"category": "news"}'
    assert here.prepared(message=mail).message["X-Mailgun-Variables"] == '{"category": "news"}'
