"""What an inbound message is: each step, in the words of its standard, on messages written for this."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cxkit_email.inbound import classify

SEND = "00112233445566778899aabbccddeeff"


def ours(candidate: str) -> str | None:
    """A verifier that knows one token, wherever it is met."""
    return SEND if "TOKEN" in candidate else None


def report(*recipients: str, text: str = "It could not be delivered.", headers: str = "", original: str = "") -> bytes:
    """A delivery report with a group of fields for each recipient."""
    groups = "\n\n".join(recipients)
    return f"""From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: bounces@shop.example
Subject: Undelivered Mail Returned to Sender
Date: Fri, 01 May 2026 10:00:00 +0200
Message-ID: <report-1@mx.example.net>
{headers}Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

{text}

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{groups}

--b1
Content-Type: message/rfc822

From: shop@shop.example
To: nancy@example.org
Subject: Your order
Message-ID: <order-1@shop.example>
{original}
Thank you.
--b1--
""".encode()


FAILED = (
    "Final-Recipient: rfc822; nancy@example.org\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 No such user here"
)


def test_a_report_says_of_whom_why_and_when() -> None:
    found = classify(report(FAILED))
    (one,) = found.reports
    assert found.kind == "bounce"
    assert found.why == ("dsn", "dsn_failed")
    assert one.happened == "bounced"
    assert one.recipient == "nancy@example.org"
    assert one.reason == "user_unknown"
    assert one.bounce is not None
    assert (one.bounce.kind, one.bounce.status, one.bounce.smtp) == ("hard", "5.1.1", 550)
    assert one.at == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert one.send is None


def test_a_report_of_several_recipients_tells_them_apart() -> None:
    full = (
        "Final-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp; 552 Mailbox full"
    )
    late = "Final-Recipient: rfc822; eve@example.org\nAction: delayed (will retry)\nStatus: 4.4.1"
    there = "Final-Recipient: rfc822; ann@example.org\nAction: delivered\nStatus: 2.0.0"
    found = classify(report(FAILED, full, late, there))
    told = {one.recipient: (one.happened, one.reason) for one in found.reports}
    assert told == {
        "nancy@example.org": ("bounced", "user_unknown"),
        "bob@example.org": ("bounced", "mailbox_full"),
        "eve@example.org": ("deferred", "deferred_expired"),
        "ann@example.org": ("delivered", None),
    }
    assert found.kind == "bounce"
    assert found.why == ("dsn", "dsn_failed", "dsn_delayed", "dsn_delivered")
    assert len({one.event_id for one in found.reports}) == 4


@pytest.mark.parametrize(
    ("action", "kind", "happened"),
    [
        ("failed", "bounce", "bounced"),
        ("Failure", "bounce", "bounced"),
        ("delayed", "delay", "deferred"),
        ("delivered", "delivered", "delivered"),
        ("relayed (to mx2)", "delivered", "delivered"),
        ("expanded", "delivered", "delivered"),
    ],
)
def test_only_what_failed_is_a_bounce(action: str, kind: str, happened: str) -> None:
    found = classify(report(f"Final-Recipient: rfc822; nancy@example.org\nAction: {action}\nStatus: 2.0.0"))
    assert found.kind == kind
    assert [one.happened for one in found.reports] == [happened]


def test_what_is_tried_again_is_never_hard() -> None:
    (one,) = classify(report(FAILED.replace("failed", "delayed"))).reports
    assert one.bounce is not None
    assert (one.happened, one.bounce.kind) == ("deferred", "soft")


def test_a_recipient_is_whom_it_was_sent_to_not_where_it_went() -> None:
    fields = (
        "Original-Recipient: rfc822; nancy+2Bcandy@example.org\n"
        "Final-Recipient: rfc822; n@mailbox.example\nAction: failed\nStatus: 5.2.2"
    )
    (one,) = classify(report(fields)).reports
    assert one.recipient == "nancy+2Bcandy@example.org"  # xtext is decoded only where there is no address without


def test_an_internationalised_recipient_is_told() -> None:
    """RFC 6533: UTF-8 as it is, and in ASCII."""
    plain = "Final-Recipient: utf-8; zoë@exämple.org\nAction: failed\nStatus: 5.1.1"
    escaped = r"Final-Recipient: utf-8; zo\x{EB}@example.org" + "\nAction: failed\nStatus: 5.1.1"
    assert classify(report(plain)).reports[0].recipient == "zoë@exämple.org"
    assert classify(report(escaped)).reports[0].recipient == "zoë@example.org"


@pytest.mark.parametrize(
    "kind", ["message/delivery-status", "text/delivery-status", "message/deliverystatus", "text/plain"]
)
def test_a_report_is_one_under_a_wrong_type(kind: str) -> None:
    found = classify(report(FAILED).replace(b"message/delivery-status", kind.encode()))
    assert found.why == ("dsn", "dsn_failed")


def test_groups_that_no_blank_line_parts_are_two() -> None:
    found = classify(report(f"{FAILED}\nFinal-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.2.2"))
    assert [one.recipient for one in found.reports] == ["nancy@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ("Delivered-To: bounce+TOKEN@shop.example\n", "ours_envelope"),
        ("X-Original-To: bounce+TOKEN@shop.example\n", "ours_envelope"),
        ("Envelope-To: bounce+TOKEN@shop.example\n", "ours_envelope"),
        ("In-Reply-To: <TOKEN@shop.example>\n", "ours_thread"),
        ("References: <a@b.example> <TOKEN@shop.example> <c@d.example>\n", "ours_thread"),
    ],
)
def test_a_token_says_which_message_it_is_about(headers: str, where: str) -> None:
    found = classify(report(FAILED, headers=headers), ours=ours)
    assert found.reports[0].send == SEND
    assert found.why == (where, "dsn", "dsn_failed")


@pytest.mark.parametrize("header", ["X-CX-Send: TOKEN", "Return-Path: <bounce+TOKEN@shop.example>"])
def test_a_token_in_what_is_brought_back_counts(header: str) -> None:
    found = classify(report(FAILED, original=f"{header}\n"), ours=ours)
    assert found.reports[0].send == SEND
    assert found.why[0] == "ours_returned"


def test_a_token_in_what_a_notice_quotes_counts() -> None:
    raw = (
        b"From: MAILER-DAEMON@mx\nSubject: failure notice\n\n<nancy@example.org>:\nNo such user\n\n"
        b"--- Below this line is a copy of the message.\n\nX-CX-Send: TOKEN\nTo: nancy@example.org\n\n"
        b"Hello"
    )
    assert classify(raw, ours=ours).reports[0].send == SEND


def test_a_forged_report_names_a_victim_and_nothing_of_ours() -> None:
    """Anybody can write one: it is told for what it is, and no send goes with it, so nothing follows."""
    found = classify(report(FAILED, headers="X-CX-Send: made-up\n", original="X-CX-Send: made-up\n"), ours=ours)
    assert found.kind == "bounce"
    assert found.reports[0].recipient == "nancy@example.org"
    assert found.reports[0].send is None


def complaint(kind: str, original: str = "") -> bytes:
    return f"""From: feedback@provider.example
To: abuse@shop.example
Subject: FW: Your order
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

This is an abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Reporter/1.0
Version: 1
Original-Rcpt-To: <nancy@example.org>

--b
Content-Type: message/rfc822

From: shop@shop.example
To: nancy@example.org
{original}
Hello
--b--
""".encode()


@pytest.mark.parametrize(
    ("told", "kind", "happened"),
    [
        ("abuse", "complaint", "complained"),
        ("fraud", "complaint", "complained"),
        ("virus", "complaint", "complained"),
        ("other", "complaint", "complained"),
        ("opt-out", "unsubscribe", "unsubscribed"),
        ("opt-out-list", "unsubscribe", "unsubscribed"),
        ("not-spam", "not_spam", "unknown"),
        ("auth-failure", "feedback", "unknown"),
        ("something-new", "feedback", "unknown"),
    ],
)
def test_a_complaint_is_what_its_type_says(told: str, kind: str, happened: str) -> None:
    found = classify(complaint(told))
    reason = "unknown" if told == "something-new" else told
    assert found.kind == kind
    assert [(one.happened, one.recipient, one.reason) for one in found.reports] == [
        (happened, "nancy@example.org", reason)
    ]
    assert found.why == ("arf", f"arf_{reason.replace('-', '_')}")


def test_a_forged_complaint_names_a_victim_and_nothing_of_ours() -> None:
    assert classify(complaint("abuse", "X-CX-Send: made-up\n"), ours=ours).reports[0].send is None
    assert classify(complaint("abuse", "X-CX-Send: TOKEN\n"), ours=ours).reports[0].send == SEND


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied", "Auto-Submitted: auto-replied (vacation)", "X-Autoreply: yes",
        "X-Autorespond: away",
        "Precedence: auto_reply",
    ],
)  # fmt: skip
def test_an_answer_of_a_program_says_so(headers: str) -> None:
    found = classify(f"From: nancy@example.org\nSubject: Hello\n{headers}\n\nI am away until Monday.".encode())
    assert found.kind == "autoreply"
    assert [(one.happened, one.recipient) for one in found.reports] == [("autoresponded", "nancy@example.org")]


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Your order", "Out of Office: Your order", "Out of the office", "Auto: Away",
        "I am on vacation",
        "Réponse automatique : Votre commande", "Absence du bureau", "Absent du bureau",
        "Automatische Antwort: Ihre Bestellung", "Abwesenheitsnotiz", "Abwesenheit: Ihre Bestellung",
        "Respuesta automática: Su pedido", "Fuera de la oficina", "Risposta automatica: Il suo ordine", "Fuori sede",
        "Resposta automática: O seu pedido", "Fora do escritório", "Automatisch antwoord: Uw bestelling",
        "Afwezig: tot maandag",
        "自動返信: ご注文", "不在通知", "自动回复: 订单", "Autosvar: Din beställning", "Frånvaro: Din beställning",
        "Automatisk svar: Din ordre", "Ikke på kontoret", "Autoodpowiedź: Zamówienie",
        "Odpowiedź automatyczna: Zamówienie",
        "Автоответ: Ваш заказ", "=?utf-8?q?R=C3=A9ponse_automatique?=",
    ],
)  # fmt: skip
def test_an_answer_of_a_program_is_told_by_its_subject(subject: str) -> None:
    found = classify(f"From: nancy@example.org\nSubject: {subject}\n\n...".encode())
    assert (found.kind, found.why) == ("autoreply", ("subject",))


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Out of office chairs",
        "Absence of my invoice",
        "Urlaub in Italien",
        "Ausencia de factura",
        "Vacation rental",
        "Offices",
    ],
)
def test_what_people_write_of_holidays_is_not_automatic(subject: str) -> None:
    assert classify(f"From: nancy@example.org\nSubject: {subject}\n\nWhen does it start?".encode()).kind == "reply"


@pytest.mark.parametrize(
    ("subject", "send"), [("unsubscribe TOKEN", SEND), ("Unsubscribe made-up", None), ("unsubscribe", None)]
)
def test_a_mail_that_asks_to_leave_is_no_reply(subject: str, send: str | None) -> None:
    """What mail programs send for an address in ``List-Unsubscribe``; one without our token says nothing for sure."""
    found = classify(f"From: nancy@example.org\nSubject: {subject}\n\n".encode(), ours=ours)
    assert found.kind == "unsubscribe"
    assert [(one.happened, one.send, one.reason) for one in found.reports] == [("unsubscribed", send, "mailto")]


def test_a_subject_that_is_more_than_that_is_a_reply() -> None:
    raw = b"From: nancy@example.org\nSubject: How do I unsubscribe from this?\n\nI cannot find it."
    assert classify(raw, ours=ours).kind == "reply"


def test_a_notice_that_calls_itself_automatic_is_a_bounce() -> None:
    """As RFC 3834 asks servers to."""
    raw = (
        b"From: MAILER-DAEMON@mx\nAuto-Submitted: auto-replied\nSubject: failure notice\n\n"
        b"<nancy@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)"
    )
    found = classify(raw)
    assert (found.kind, found.reports[0].reason) == ("bounce", "user_unknown")


def test_a_report_that_somebody_sends_on_is_not_theirs() -> None:
    passed_on = (
        b"From: nancy@example.org\nSubject: Look at this\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n\n"
        b"Your mail to me came back to a friend?\n\n--outer\nContent-Type: message/rfc822\n\n"
        + report(FAILED)
        + b"\n--outer--\n"
    )
    assert classify(passed_on).kind == "reply"


def test_a_message_that_was_displayed_was_read() -> None:
    raw = (
        b"From: nancy@example.org\n"
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n"
        b"Content-Type: text/plain\n\nRead.\n--b\nContent-Type: message/disposition-notification\n\n"
        b"Final-Recipient: rfc822; nancy@example.org\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n"
    )
    found = classify(raw)
    assert (found.kind, [one.happened for one in found.reports]) == ("read", ["read"])


def test_a_reply_comes_with_what_is_new_and_with_all_of_it() -> None:
    raw = (
        b"From: Nancy <nancy@example.org>\nTo: reply+TOKEN@shop.example\nSubject: Re: Your order\n"
        b"In-Reply-To: <order-1@shop.example>\n\nTwo more, please.\n\n"
        b"On Fri, 1 May 2026 at 10:00, Shop <shop@shop.example> wrote:\n> Thank you.\n"
    )
    found = classify(raw, ours=ours)
    assert (found.kind, found.why) == ("reply", ("ours_envelope", "answer"))
    assert found.reply is not None
    assert found.reply.text == "Two more, please."
    assert found.reply.full.endswith("> Thank you.")
    assert [(one.happened, one.send) for one in found.reports] == [("received", SEND)]


def test_a_customer_who_writes_of_a_failed_delivery_is_no_server() -> None:
    raw = (
        b"From: nancy@example.org\nSubject: Delivery failed\nIn-Reply-To: <TOKEN@shop.example>\n\n"
        b"My parcel could not be delivered, address unknown: nancy@example.org!\n"
    )
    assert classify(raw, ours=ours).kind == "reply"


def test_a_report_twice_is_the_same_event_and_another_is_not() -> None:
    again = report(FAILED, headers="Received: by another way\n")
    other = report(FAILED).replace(b"<report-1@", b"<report-2@")
    one, same, another = (classify(raw).reports[0].event_id for raw in (report(FAILED), again, other))
    assert one == same
    assert one != another


def test_what_ours_raises_is_not_swallowed() -> None:
    def broken(candidate: str) -> str | None:
        raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError):
        classify(report(FAILED), ours=broken)


def test_nobody_is_named_in_a_repr() -> None:
    for raw in (report(FAILED), complaint("abuse"), b"From: nancy@example.org\n\nnancy@example.org"):
        assert "nancy" not in repr(classify(raw))
