"""To a real server of SMTP, by each of the ways that apps send: what it answers is known at once."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes, policy
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

import cxkit
from cxkit.errors import InvalidInteractionError
from cxkit.kit import install
from cxkit.model import Report
from cxkit.testing.ports import free_port
from cxkit_email.dkim import dkim_headers
from cxkit_email.sending import asend, send
from cxkit_email.wire import wire_faults

Make = Callable[..., Any]
NANCY = "nancy@example.com"


class Server:
    """A server that refuses whom it is told to."""

    def __init__(self) -> None:
        self.refuses: Mapping[str, str] = {}
        self.answers = "250 2.0.0 queued"
        self.taken: list[Envelope] = []
        self.port = 0

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        if self.answers.startswith("250"):
            self.taken.append(envelope)
        return self.answers


@pytest.fixture
def server() -> Iterator[Any]:
    """One that listens on this machine."""
    handler = Server()
    handler.port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


def by_smtplib(server: Any, prepared: Any) -> bool:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=30) as client:
        return send(client, prepared)


def by_aiosmtplib(server: Any, prepared: Any) -> bool:
    async def sending() -> bool:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, timeout=30) as client:
            return await asend(client, prepared)

    return asyncio.run(sending())


WAYS = [by_smtplib, by_aiosmtplib]


@pytest.mark.parametrize("way", WAYS)
def test_what_the_server_takes_was_sent(post: Make, server: Any, way: Any) -> None:
    here = post(bounces="bounces.shop.example")
    here.allows("analytics")
    prepared = here.prepared(campaign="spring")
    assert way(server, prepared)
    (taken,) = server.taken
    assert (taken.mail_from, taken.rcpt_tos) == (prepared.sender, [NANCY])
    assert wire_faults(taken.content) == ()
    arrived = message_from_bytes(taken.content, policy=policy.default)
    assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    lines = taken.content.split(b"\r\n")
    assert any(line.startswith(b"List-Unsubscribe: <https://shop.example/cx/u/") for line in lines), "in plain letters"
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= {name.lower() for name in dkim_headers()}
    assert len(here.captured("message.sent")) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("answer", "happened", "reason", "then"),
    [
        ("550 5.1.1 No such user here", "bounced", "user_unknown", "hard_bounce"),
        ("552 5.2.2 Mailbox full", "bounced", "mailbox_full", "Clear"),
        ("451 4.7.1 Greylisted, try again later", "deferred", None, "Clear"),
        ("554 5.7.1 Rejected as spam", "bounced", "content_spam", "Clear"),
    ],
)
def test_what_it_refuses_is_known_with_its_reason(
    post: Make, server: Any, way: Any, answer: str, happened: str, reason: str | None, then: str
) -> None:
    here = post()
    server.refuses = {NANCY: answer}
    assert not way(server, here.prepared())
    (told,) = here.captured(f"message.{happened}")
    assert reason is None or told.properties["reason"] == reason
    assert here.may_send() == then
    assert here.captured("message.sent") == []


@pytest.mark.parametrize("error", [smtplib.SMTPSenderRefused(550, b"5.1.1 User unknown", "x"),
                                   smtplib.SMTPHeloError(550, b"5.1.1 User unknown")])  # fmt: skip
def test_what_the_server_has_against_us_leaves_nobody_alone(post: Make, error: Exception) -> None:
    """A server that knows its own sender no more would else suppress whomever we write to."""

    class Refusing:
        def sendmail(self, sender: str, recipient: str, message: bytes) -> None:
            raise error

    here = post()
    assert not send(Refusing(), here.prepared())
    assert here.may_send() == "Clear"
    (told,) = here.captured("message.bounced")
    assert (told.properties["bounce"], told.properties["smtp"]) == ("unknown", 550)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_refused_after_it_was_read_is_known_too(post: Make, server: Any, way: Any) -> None:
    here = post()
    server.answers = "552 5.3.4 Message too big"
    assert not way(server, here.prepared())
    (told,) = here.captured("message.bounced")
    assert told.properties["reason"] == "too_large"


def test_where_there_is_no_connection_nothing_is_told(post: Make) -> None:
    here = post()
    prepared = here.prepared()

    class Gone:
        def sendmail(self, *_: Any) -> None:
            raise smtplib.SMTPServerDisconnected("gone")

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(Gone(), prepared)
    assert here.kit.messages.of(prepared.id).happened == {}


# --- frameworks -----------------------------------------------------------------------------------


@pytest.fixture
def default(post: Make) -> Iterator[Any]:
    """A kit that is the default one, as in an app."""
    here = post(bounces="bounces.shop.example")
    before = install(lambda: here.kit)
    yield here
    install(before)


def test_flask_mail(default: Any, server: Any) -> None:
    from flask import Flask
    from flask_mail import Mail, Message

    from cxkit_email.flask import send as send_by_flask

    default.allows("analytics")
    app = Flask("shop")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=server.port, MAIL_DEFAULT_SENDER="us@shop.example")
    message_html = '<a href="https://shop.example/almonds">Almonds</a>'
    with app.app_context(), Mail(app).connect() as connection:
        message = Message("Almonds", recipients=[NANCY], body="Almonds", html=message_html)
        prepared = send_by_flask(connection, message, topic="news")
        assert message.html == message_html
        default.kit.messages.reported(Report(happened="complained", send=prepared.id), channel="email")
        assert str(send_by_flask(connection, message, topic="news")) == "send:marketing:complaint:email"
    (taken,) = server.taken
    assert taken.mail_from == prepared.sender
    arrived = message_from_bytes(taken.content, policy=policy.default)
    assert "https://shop.example/cx/c/" in arrived.get_body(("html",)).get_content()
    assert wire_faults(taken.content) == ()
    assert len(default.captured("message.sent")) == 1


def test_flask_mail_wants_one_recipient(default: Any, server: Any) -> None:
    from flask_mail import Message

    from cxkit_email.flask import send as send_by_flask

    for recipients in ([NANCY, "bob@example.com"], []):
        with pytest.raises(InvalidInteractionError) as caught:
            send_by_flask(None, Message("Almonds", recipients=recipients, sender="us@shop.example"), topic="news")
        assert caught.value.code == "CX9263"


@pytest.fixture
def django(server: Any) -> Callable[..., Any]:
    """Django's own settings, with our backend before another."""
    import django
    from django.conf import settings
    from django.test import override_settings

    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")
    ours = "cxkit_email.django.EmailBackend"

    def configured(backend: str | None = None) -> Any:
        if django.VERSION < (6, 1):
            other = {"CXKIT_EMAIL_BACKEND": backend} if backend else {}
            return override_settings(EMAIL_BACKEND=ours, EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.port, **other)
        options = {"backend": backend} if backend else {"host": "127.0.0.1", "port": server.port}
        return override_settings(MAILERS={"default": {"BACKEND": ours, "OPTIONS": options}})

    return configured


def django_mail(**headers: str) -> Any:
    from django.core.mail import EmailMultiAlternatives

    mail = EmailMultiAlternatives("Almonds", "Almonds", "us@shop.example", [NANCY], headers=headers)
    mail.attach_alternative('<a href="https://shop.example/almonds">Almonds</a>', "text/html")
    return mail


def test_django(default: Any, server: Any, django: Any) -> None:
    default.allows("analytics")
    mail = django_mail(**{"X-CX-Topic": "news", "X-CX-Campaign": "spring"})
    with django():
        assert mail.send() == 1
    (taken,) = server.taken
    arrived = message_from_bytes(taken.content, policy=policy.default)
    assert taken.mail_from.startswith("bounce+")
    assert arrived["From"] == "us@shop.example"
    assert arrived["X-CX-Topic"] is arrived["X-CX-Campaign"] is None
    assert wire_faults(taken.content) == ()
    assert "https://shop.example/cx/c/" in arrived.get_body(("html",)).get_content()
    assert mail.alternatives[0][0] == '<a href="https://shop.example/almonds">Almonds</a>'
    (sent,) = default.captured("message.sent")
    assert sent.properties["campaign"] == "spring"


def test_django_sends_what_has_no_topic_as_it_is(default: Any, server: Any, django: Any) -> None:
    with django():
        assert django_mail().send() == 1
    (taken,) = server.taken
    assert taken.mail_from == "us@shop.example"
    assert b"https://shop.example/almonds" in taken.content
    assert default.captured("message.sent") == []


def test_django_sends_nothing_that_is_blocked_and_says_what_is_deferred(default: Any, server: Any, django: Any) -> None:
    with cxkit.scope(kit=default.kit):
        cxkit.prefer("news", "email", "denied", email=NANCY)
    with django():
        assert django_mail(**{"X-CX-Topic": "news"}).send() == 0
        assert django_mail(**{"X-CX-Topic": "receipt"}).send() == 1
    assert len(server.taken) == 1


def test_django_knows_what_the_server_refused(default: Any, server: Any, django: Any) -> None:
    server.refuses = {NANCY: "550 5.1.1 No such user"}
    with django(), pytest.raises(smtplib.SMTPRecipientsRefused):
        django_mail(**{"X-CX-Topic": "news"}).send()
    assert default.may_send() == "hard_bounce"


def test_django_wants_one_recipient_for_a_mail_with_a_topic(default: Any, server: Any, django: Any) -> None:
    mail = django_mail(**{"X-CX-Topic": "news"})
    mail.to.append("bob@example.com")
    with django(), pytest.raises(InvalidInteractionError) as caught:
        mail.send()
    assert caught.value.code == "CX9263"
    assert server.taken == []


def test_django_anymail(default: Any, django: Any) -> None:
    """With anymail's own backend for tests: no provider can be had."""
    from django.core import mail as outbox

    default.allows("analytics")
    with django("anymail.backends.test.EmailBackend"):
        outbox.outbox = []
        assert django_mail(**{"X-CX-Topic": "news"}).send() == 1
        (sent,) = outbox.outbox
    assert sent.from_email.startswith("bounce+") or sent.envelope_sender.startswith("bounce+")
    assert "https://shop.example/cx/c/" in sent.alternatives[0][0]
    assert len(default.captured("message.sent")) == 1
