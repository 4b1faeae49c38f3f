"""Bounces of servers that make no report for programs: whom they are about, why, and where they end."""

from __future__ import annotations

import pytest

from cxkit_email.inbound import classify

DAEMON = "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: bounces@shop.example\n"
ORIGINAL = """Return-Path: <bounces@shop.example>
Received: from shop.example by mx.example.net; Fri, 1 May 2026 10:00:00 +0200
Message-ID: <order-1@shop.example>
From: Shop <shop@shop.example>
To: nancy@example.org
Subject: Your order

Questions? Write to help@shop.example.
"""

NOTICES = {
    "qmail": """Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<nancy@example.org>:
192.0.2.9 does not like recipient.
Remote host said: 550 5.1.1 No such user here
Giving up on 192.0.2.9.

--- Below this line is a copy of the message.

""",
    "exim": """Subject: Mail delivery failed: returning message to sender
X-Failed-Recipients: nancy@example.org

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  nancy@example.org
    SMTP error from remote mail server after RCPT TO:<nancy@example.org>:
    host mx.example.org [192.0.2.9]: 550 5.1.1 Unknown recipient

------ This is a copy of the message, including all the headers. ------

""",
    "postfix": """Subject: Undelivered Mail Returned to Sender

This is the mail system at host mx.example.net.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<nancy@example.org>: host mx.example.org[192.0.2.9] said: 550 5.1.1
    <nancy@example.org>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)

""",
    "sendmail": """Subject: Returned mail: see transcript for details

The original message was received at Fri, 1 May 2026 10:00:00 +0200
from shop.example [192.0.2.1]

   ----- The following addresses had permanent fatal errors -----
<nancy@example.org>
    (reason: 550 5.1.1 <nancy@example.org>... User unknown)

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> DATA
<<< 550 5.1.1 <nancy@example.org>... User unknown

   ----- Original message follows -----

""",
    "exchange": """Subject: Undeliverable: Your order

Your message

  To:      orders@shop.example
  Subject: Your order
  Sent:    Fri, 1 May 2026 10:00:00 +0200

did not reach the following recipient(s):

nancy@example.org on Fri, 1 May 2026 10:00:03 +0200
    The recipient name is not recognized

""",
    "domino": """Subject: DELIVERY FAILURE: User nancy not listed in Domino Directory

Your message

  Subject: Your order

was not delivered to:

  nancy@example.org

because:

  User nancy (nancy@example.org) not listed in Domino Directory

""",
    "gmail": """Subject: Delivery Status Notification (Failure)

Delivery to the following recipient failed permanently:

     nancy@example.org

Technical details of permanent failure:
The error that the other server returned was:
550 5.1.1 The email account that you tried to reach does not exist.

----- Original message -----

""",
    "german": """Subject: Nachricht konnte nicht zugestellt werden

Ihre Nachricht konnte nicht zugestellt werden. Folgende Empfänger sind betroffen:

nancy@example.org:
550 5.1.1 Empfänger unbekannt

--- Es folgt die Kopie der Nachricht ---

""",
    "french": """Subject: Échec de la remise

Votre message n'a pas pu être remis aux destinataires suivants :

nancy@example.org
    550 5.1.1 Adresse inconnue : utilisateur inconnu

""",
    "japanese": """Subject: 配信エラー

以下のメールアドレスへの送信に失敗しました。

nancy@example.org

550 5.1.1 ユーザーが見つかりません

""",
    "russian": """Subject: Недоставленное сообщение

Ваше сообщение не было доставлено следующим получателям:

  nancy@example.org
    550 5.1.1 нет такого пользователя

""",
}


@pytest.mark.parametrize("server", NOTICES)
def test_a_notice_names_whom_it_is_about_and_why(server: str) -> None:
    found = classify((DAEMON + NOTICES[server] + ORIGINAL).encode())
    assert (found.kind, found.why) == ("bounce", ("notice",))
    assert [(one.happened, one.recipient, one.reason) for one in found.reports] == [
        ("bounced", "nancy@example.org", "user_unknown")
    ]


def test_a_notice_of_several_tells_them_apart() -> None:
    raw = f"""{DAEMON}Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.

<nancy@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

<bob@example.org>:
552 5.2.2 Mailbox full

<eve@nowhere.example>:
Sorry, I couldn't find any host named nowhere.example. (#5.1.2)

--- Below this line is a copy of the message.

{ORIGINAL}"""
    assert {one.recipient: one.reason for one in classify(raw.encode()).reports} == {
        "nancy@example.org": "user_unknown",
        "bob@example.org": "mailbox_full",
        "eve@nowhere.example": "host_unknown",
    }


@pytest.mark.parametrize(
    "text",
    [
        "A message that you sent has not yet been delivered to\n\n  nancy@example.org\n\nNo action is required.",
        "This is a warning message only.\nYou do not need to resend your message.\n\n<nancy@example.org>",
        "Delivery to the following recipient has been delayed:\n\n  nancy@example.org\n\nIt will be retried.",
    ],
)
def test_what_will_be_tried_again_is_a_delay(text: str) -> None:
    found = classify(f"{DAEMON}Subject: Warning: message delayed\n\n{text}".encode())
    assert found.kind == "delay"
    assert [(one.happened, one.recipient) for one in found.reports] == [("deferred", "nancy@example.org")]
    assert found.reports[0].bounce is not None
    assert found.reports[0].bounce.kind != "hard"


def test_what_it_brings_back_names_nobody() -> None:
    """Neither whom the message was from, nor who is named in it."""
    raw = DAEMON + NOTICES["postfix"].replace("<nancy@example.org>", "<bob@example.org>") + ORIGINAL
    assert [one.recipient for one in classify(raw.encode()).reports] == ["bob@example.org"]


def test_a_notice_that_names_nobody_is_about_whom_the_message_was_to() -> None:
    raw = f"{DAEMON}Subject: Returned mail\n\nYour message could not be delivered: mailbox full.\n\n{ORIGINAL}"
    found = classify(raw.encode())
    assert [one.recipient for one in found.reports] == ["nancy@example.org"]


def test_a_notice_that_brings_nothing_back_and_names_nobody_says_so() -> None:
    found = classify(f"{DAEMON}Subject: failure notice\n\nYour message could not be delivered.\n".encode())
    assert found.why == ("notice", "no_recipient")
    assert [one.recipient for one in found.reports] == [None]


def test_what_else_a_server_sends_is_unknown() -> None:
    found = classify(f"{DAEMON}Subject: Quarterly figures\n\nAll queues are empty.\n".encode())
    assert (found.kind, found.why) == ("unknown", ("from_server",))


def test_microsofts_complaints_are_older_than_the_format() -> None:
    raw = (
        "From: staff@provider.example\nSubject: complaint about message from 192.0.2.1\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
        f"X-HmXmrOriginalRecipient: nancy@example.org\n{ORIGINAL}\n--b--\n"
    )
    found = classify(raw.encode())
    assert (found.kind, [one.recipient for one in found.reports]) == ("complaint", ["nancy@example.org"])
