"""Whatever comes in is read within limits, and told which; nothing in it raises."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit_email.inbound import (
    addresses,
    autoreply,
    classify,
    dsn,
    openings,
    ours,
    prose,
    reasons,
    refusals,
    reply,
    wordings,
)
from cxkit_email.inbound.mail import MAX_BYTES, MAX_DEPTH, MAX_HEADERS, MAX_LINES, MAX_PARTS, read

NOTICE = b"From: MAILER-DAEMON@mx.example.net\nSubject: failure notice\n"


def nested(levels: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(levels)
    )
    return b"Subject: deep\n" + opened + b"Content-Type: text/plain\n\nhello\n"


def test_a_thousand_nested_parts_are_read_to_a_depth() -> None:
    assert read(nested(MAX_DEPTH)).limits == ()
    found = classify(nested(1000))
    assert found.limits == ("depth",)


def test_a_thousand_messages_in_messages_are_read_to_a_depth() -> None:
    assert classify(b"Content-Type: message/rfc822\n\n" * 1000).limits == ("depth",)


def test_thousands_of_parts_are_read_to_a_number() -> None:
    found = read(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000)
    assert found.limits == ("parts",)
    assert len(found.parts) <= MAX_PARTS


def test_thousands_of_headers_are_read_to_a_number() -> None:
    found = read(b"X-One: y\n" * 5000 + b"\nhello")
    assert found.limits == ("headers",)
    assert len(found.headers.lines) == MAX_HEADERS
    assert found.parts[0].text == "hello"


def test_ten_megabytes_are_read_to_a_size() -> None:
    found = classify(b"Subject: big\n\n" + b"a" * 10_000_000)
    assert found.limits == ("bytes",)


def test_thousands_of_lines_are_read_to_a_number() -> None:
    found = read(b"Subject: long\n\n" + b"a\n" * (MAX_LINES + 9))
    assert found.limits == ("lines",)
    assert found.parts[0].text.count("\n") == MAX_LINES - 1


def test_an_attachment_may_be_as_long_as_it_is() -> None:
    raw = b"Subject: photo\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n"
    raw += (
        b"--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
        + b"AAAA\n" * (MAX_LINES + 9)
        + b"--b--\n"
    )
    found = classify(raw)
    assert found.limits == ()
    assert found.reply is not None
    assert found.reply.full == "Hello"


def test_thousands_of_recipients_are_told_to_a_number() -> None:
    group = b"Final-Recipient: rfc822; a%d@b.example\nAction: failed\n\n"
    raw = b"Content-Type: message/delivery-status\n\n" + b"".join(group % number for number in range(500))
    found = classify(raw)
    assert found.limits == ("recipients",)
    assert len(found.reports) == 100


def test_a_line_without_end_is_cut() -> None:
    text = read(b"Subject: long\n\n" + b"a" * 100_000).parts[0].text
    assert len(text) == 1000


@pytest.mark.parametrize(
    "charset", ["utf-8", "no-such-charset", "bz2", "idna", "punycode", "unicode_escape", "a\\x00b", "iso-2022-jp", ""]
)
def test_a_charset_that_is_none_or_wrong_leaves_a_text(charset: str) -> None:
    raw = f'Content-Type: text/plain; charset="{charset}"\n\n'.encode() + b"caf\xe9 \xff\xfe \\x41"
    assert "caf" in read(raw).parts[0].text


def test_headers_in_eight_bits_are_read() -> None:
    mail = read("Subject: Réponse automatique\nX: ".encode() + b"\xff\xfe\n\nhello")
    assert mail.headers.get("subject") == "Réponse automatique"
    assert classify("Subject: Réponse automatique\n\n...".encode("latin-1")).kind == "autoreply"


@pytest.mark.parametrize(
    "word",
    [
        "=?utf-8?b?!!!!?=",
        "=?utf-8?b?4?=",
        "=?no-such?q?a?=",
        "=?utf-8?q?=FF?=",
        "=?utf-8?x?a?=",
        "=?utf-8?q?",
        "=?" * 900,
    ],
)
def test_encoded_words_that_are_none_stay_as_they_are(word: str) -> None:
    assert classify(f"Subject: {word}\n\nhello".encode()).kind == "reply"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"\n\n\n", b":", b": x\n\n", b" folded before any\n\nx",
        b"\x00" * 99, b"\xff" * 99, b"From \n\n", b"no headers",
        b"Content-Type:\n\nx", b"Content-Type: ;;;\n\nx", b"Content-Type: multipart/mixed\n\n--\n--\n",
        b"Content-Type: multipart/mixed; boundary=\n\n--\n", b'Content-Type: multipart/mixed; boundary="\n\n--"\n',
        b"Content-Type: multipart/mixed; boundary=b\n\n--b", b"Content-Type: multipart/mixed; boundary=b\n\n--b--",
        b"Content-Transfer-Encoding: base64\n\nA", b"Content-Transfer-Encoding: quoted-printable\n\n=",
        b"Date: 99 Foo 99999\n\nx",
        b"Date: Fri, 01 May 2026 10:00:00 +9999\n\nx", b"Content-Type: message/delivery-status\n\n:\n:::\n",
        b"Content-Type: message/feedback-report\n\n\xff", b"Content-Type: message/disposition-notification\n\n",
    ],
)  # fmt: skip
def test_malformed_mail_is_some_kind_of_mail(raw: bytes) -> None:
    assert classify(raw).kind


HOSTILE = {
    "addresses": NOTICE + b"\n" + b"a@" * 200_000,
    "angles": b"Content-Type: text/html\n\n" + b"<" * 500_000,
    "tags": b"Content-Type: text/html\n\n" + b"<style " * 100_000,
    "words": b"Subject: " + b"=?utf-8?q?a?= " * 5000 + b"\n\n",
    "folds": b"X: y\n" + b" y\n" * 200_000,
    "spaces": NOTICE + b"\n" + (b" " * 999 + b"\n") * 900,
    "openings": NOTICE + b"\n" + b"could not be delivered ----- the following original message \n" * 9000,
    "diagnostics": b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.c\nAction: failed\n"
    b"Diagnostic-Code: smtp; " + b"user no such mailbox is not the account over domain host " * 9000,
    "groups": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@b.c\nAction: failed\n\n" * 9000,
    "attributions": b"Subject: r\n\n" + b"On 1.1 wrote wrote wrote <a@b> wrote:x\n" * 9000,
    "headers in text": b"Subject: r\n\n" + b"From: x\n" * 90_000,
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bb\n" * 90_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_be_slow_is_read(name: str) -> None:
    """Quadratic time would take minutes for each of these."""
    assert len(HOSTILE[name]) <= MAX_BYTES or "bytes" in classify(HOSTILE[name]).limits
    assert classify(HOSTILE[name]).kind


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_message(raw: bytes) -> None:
    assert classify(raw).kind


PIECES = st.sampled_from([
    b"From: MAILER-DAEMON@mx\n", b"Subject: failure notice\n", b"Auto-Submitted: auto-replied\n", b"\n", b"\n\n",
    b"--b\n", b"--b--\n",
    b"Content-Type: multipart/report; boundary=b\n", b"Content-Type: message/delivery-status\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Type: message/feedback-report\n", b"Feedback-Type: abuse\n", b"Final-Recipient: rfc822; a@b.example\n",
    b"Action: failed\n",
    b"Status: 5.1.1\n", b"Content-Type: text/html; charset=utf-7\n", b"Content-Transfer-Encoding: base64\n",
    b"<a@b.example>:\n",
    b"550 5.1.1 No such user\n", b"--- Below this line is a copy of the message.\n", b"> quoted\n",
    b"On 1 May, A <a@b> wrote:\n",
    b"To: x@y.example\n", b"Received: by z\n", b"Message-ID: <1@z>\n",
    b"Original-Recipient: utf-8; \\x{D800}@b.example\n",
    b"Date: 1 Jan 0001 00:00:00 +2359\n", b"X-Failed-Recipients: a@b.example, c@d.example\n", b"\xff\x00\r",
])  # fmt: skip


@given(st.lists(PIECES, max_size=40))
def test_any_order_of_what_reports_are_made_of_is_a_message(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    found = classify(raw)
    assert classify(raw) == found
    assert all(one.send is None for one in found.reports)
    assert (found.kind == "reply") == (found.reply is not None)


@pytest.mark.parametrize("room", [addresses, autoreply, dsn, openings, ours, prose, reasons, refusals, reply, wordings])
def test_no_expression_repeats_without_a_bound(room: ModuleType) -> None:
    """Two of those in one after the other take quadratic time of a text that is made for it."""
    expressions = [value for value in vars(room).values() if isinstance(value, re.Pattern)]
    assert expressions
    for expression in expressions:
        plain = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", expression.pattern)
        assert not re.search(r"[*+]|,\}", plain), expression.pattern[:300]


def test_a_complaint_of_no_known_kind_is_told_in_no_words_of_its_writer() -> None:
    raw = (
        b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
        b"Content-Type: message/feedback-report\n\nFeedback-Type: victim@example.com\nVersion: 1\n\n--b--\n"
    )
    found = classify(raw)
    assert (found.kind, found.why) == ("feedback", ("arf", "arf_unknown"))
    assert [(one.happened, one.reason) for one in found.reports] == [("unknown", "unknown")]
