"""Why a message did not arrive: words before codes, and hard only where nothing is against it."""

from __future__ import annotations

import pytest

from cxkit_email.inbound.reasons import bounce


@pytest.mark.parametrize(
    ("diagnostic", "reason"),
    [
        ("550 5.1.1 <n@example.org>: Recipient address rejected: User unknown in local table", "user_unknown"),
        ("550 5.1.1 The email account that you tried to reach does not exist.", "user_unknown"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "user_unknown"),
        ("550 5.4.1 Recipient address rejected: Access denied. [XYZ.prod.protection.outlook.com]", "user_unknown"),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "user_unknown"),
        ("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient.", "user_unknown"),
        ("550 5.1.1 Empfänger unbekannt", "user_unknown"),
        ("550 5.1.1 El usuario no existe", "user_unknown"),
        ("550 5.1.1 utente sconosciuto", "user_unknown"),
        ("550 5.1.1 нет такого пользователя", "user_unknown"),
        ("550 5.1.2 Host or domain name not found", "host_unknown"),
        ("Host or domain name not found. Name service error for name=nowhere.example: Host not found", "host_unknown"),
        ("556 5.1.10 Recipient address has null MX", "host_unknown"),
        ("551 5.1.6 User has moved; please try nancy@example.net", "moved"),
        ("552 5.2.2 Mailbox full", "mailbox_full"),
        ("452 4.2.2 The email account that you tried to reach is over quota", "mailbox_full"),
        ("550 5.1.1 user's mailbox exceeded the storage quota", "mailbox_full"),
        ("552 5.2.2 La boîte aux lettres est pleine", "mailbox_full"),
        ("552 5.2.2 Das Postfach ist voll", "mailbox_full"),
        ("552 5.2.2 casella piena", "mailbox_full"),
        ("550 Почтовый ящик переполнен", "mailbox_full"),
        ("550 5.2.1 The email account that you tried to reach is disabled.", "disabled"),
        ("550 5.2.1 This account has been suspended", "disabled"),
        ("554 5.7.1 mailbox is inactive", "disabled"),
        ("552 5.3.4 Message size exceeds fixed maximum message size", "too_large"),
        ("550 5.7.1 Relaying denied", "relay"),
        ("554 5.7.1 <nancy@example.org>: Relay access denied", "relay"),
        ("550-5.7.26 This message does not pass authentication checks (SPF and DKIM both do not pass)", "auth_failure"),
        ("550 5.7.1 Email rejected per DMARC policy for shop.example", "auth_failure"),
        ("421 4.7.28 Our system has detected an unusual rate of unsolicited mail", "rate_limited"),
        ("452 4.5.3 Too many recipients", "rate_limited"),
        ("421 4.7.0 Too many concurrent SMTP connections from this IP", "rate_limited"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "reputation"),
        ("550 5.7.25 The IP address sending this message does not have a PTR record", "reputation"),
        ("554 5.7.1 Message rejected because of unacceptable spam content", "content_spam"),
        ("552 5.7.0 Our virus scanner found a virus in your message", "content_virus"),
        ("550 5.7.1 Access denied, banned sending IP [192.0.2.1]", "blocked"),
        ("550 5.7.1 Message rejected due to local policy", "policy"),
        ("connect to mx.example.org[192.0.2.9]:25: Connection timed out", "deferred_expired"),
        ("451 4.7.1 Greylisted, please try again later", "deferred_expired"),
        ("554 5.4.6 Too many hops", "other"),
        ("", "other"),
    ],
)  # fmt: skip
def test_words_say_why(diagnostic: str, reason: str) -> None:
    assert bounce(None, diagnostic).reason == reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", "user_unknown"), ("5.1.2", "host_unknown"), ("5.1.6", "moved"), ("5.1.10", "host_unknown"),
        ("5.2.1", "disabled"),
        ("5.2.2", "mailbox_full"), ("5.2.3", "too_large"), ("5.3.4", "too_large"), ("5.4.7", "deferred_expired"),
        ("5.7.1", "policy"),
        ("5.7.25", "reputation"), ("5.7.26", "auth_failure"), ("5.0.0", "other"), ("5.9.9", "other"),
        ("4.4.1", "deferred_expired"),
        ("4.2.2", "mailbox_full"), (None, "other"),
    ],
)  # fmt: skip
def test_a_code_says_why_where_there_are_no_words(status: str | None, reason: str) -> None:
    assert bounce(status, "").reason == reason


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        ("5.1.1", "550 5.1.1 Mailbox full"),
        ("5.1.1", "550 5.1.1 account is suspended"),
        ("5.2.1", "550 5.2.1 User unknown"),
        ("5.7.1", "550 5.7.1 No such user"),
        ("4.1.1", "450 4.1.1 User unknown"),
        ("5.1.8", "553 5.1.8 Domain of sender address does not exist"),
        (None, "550 No such user (in reply to end of DATA command)"),
        (None, "550 5.1.7 No such domain (in reply to MAIL FROM command)"),
        (None, "550 Unknown user nancy@example.org"),
        (None, "550 : User unknown"),
        (None, "Name service error for name=example.org type=MX: Host not found, try again"),
        (None, "550 mailbox unavailable, 5.7.1 blocked"),
        ("5.0.0", "550 no such user"),
    ],
)
def test_nothing_is_hard_that_something_is_against(status: str | None, diagnostic: str) -> None:
    assert bounce(status, diagnostic).kind != "hard"


def test_a_reply_to_the_recipient_needs_no_code() -> None:
    assert (
        bounce("5.0.0", "550 no such user", "host mx said: 550 no such user (in reply to RCPT TO command)").kind
        == "hard"
    )


def test_what_is_around_a_reply_says_why_where_the_reply_does_not() -> None:
    assert bounce("5.0.0", "550 sorry", "The following mailbox is full").reason == "mailbox_full"


def test_codes_are_those_of_the_reply_where_a_report_is_vague() -> None:
    found = bounce("5.0.0", "smtp; 552 5.2.2 over quota")
    assert (found.status, found.smtp) == ("5.2.2", 552)


@pytest.mark.parametrize(
    "address", ["no.such.user@example.org", "virus@example.org", "mailbox.full@example.org", "a@spam.example"]
)
def test_what_an_address_says_is_no_reason(address: str) -> None:
    assert bounce("5.0.0", f"550 <{address}>: something went wrong").reason == "other"


def test_addresses_and_versions_are_no_codes() -> None:
    found = bounce(None, "host 192.0.2.550 (8.13.5/8.13.1) port 587: something went wrong at 5.6.7.8")
    assert (found.status, found.smtp) == (None, None)


@pytest.mark.parametrize(("told", "status"), [("5.1.1 (no such user)", "5.1.1"), ("A <a@b.example>", None), ("", None)])
def test_a_status_is_a_code_and_nothing_else_that_is_told_for_it(told: str, status: str | None) -> None:
    assert bounce(told, "it failed").status == status
