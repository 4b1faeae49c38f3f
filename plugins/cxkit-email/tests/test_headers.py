"""What is written on a message so that people can leave it, and it can be known again."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import InvalidInteractionError
from cxkit_email.headers import (
    MAX_LINE,
    ONE_CLICK,
    PlainHeader,
    automatic,
    feedback,
    unsubscribe_headers,
)

URL = "https://mail.example.com/cx/u/" + "a" * 55
HOSTILE = ("x\r\nBcc: victim@example.com", "x\ny", "x\ry", "x\0", "é", "x\u2028y", "x\x85y", "", " ", "x\udc80")


@pytest.fixture(params=[EmailMessage, Message, lambda: MIMEText("x")], ids=["EmailMessage", "Message", "MIMEText"])
def message(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_mail_programs_are_told_where_to_unsubscribe() -> None:
    headers = unsubscribe_headers(url=URL, mailto="leave+a@shop.example?subject=leave")
    assert headers["List-Unsubscribe"] == f"<{URL}>, <mailto:leave+a@shop.example?subject=leave>"
    assert headers["List-Unsubscribe-Post"] == ONE_CLICK == "List-Unsubscribe=One-Click"


def test_only_what_is_encrypted_is_unsubscribed_from_with_one_click() -> None:
    assert unsubscribe_headers(url="http://shop.example/u/a") == {"List-Unsubscribe": "<http://shop.example/u/a>"}


def test_headers_that_were_there_are_replaced(message: Any) -> None:
    for _ in range(2):
        feedback(message, sender="candy-haven")
        automatic(message)
    for name in ("Feedback-ID", "Auto-Submitted"):
        assert len(message.get_all(name)) == 1


def test_a_receipt_says_that_nobody_wrote_it(message: Any) -> None:
    automatic(message)
    assert message["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("value", HOSTILE)
def test_line_breaks_and_what_is_no_ascii_are_refused(value: str) -> None:
    """B77."""
    calls: list[Callable[[Any], object]] = [
        lambda to: PlainHeader("X-Campaign", value),
        lambda to: PlainHeader(value, "x"),
        lambda to: unsubscribe_headers(url=f"https://shop.example/{value}" if value.strip() else value),
        lambda to: unsubscribe_headers(url=URL, mailto=value),
        lambda to: unsubscribe_headers(url=URL, mailto=f"a@b.example{value}" if value.strip() else value),
        lambda to: feedback(to, sender=value),
        lambda to: feedback(to, sender="candy-haven", parts=[f"campaign {value}"]),
    ]
    for call in calls:
        message = EmailMessage()
        with pytest.raises(InvalidInteractionError) as refused:
            call(message)
        assert refused.value.code in ("CX9201", "CX9203")
        assert "victim" not in str(refused.value), "an error names nobody"
        assert not message.keys(), "and leaves the message as it was"


@pytest.mark.parametrize(
    "url",
    ["shop.example", "ftp://shop.example", "//shop.example", "https://", "https://a b", "https://a><b", "javascript:x"],
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(InvalidInteractionError, match="CX9203"):
        unsubscribe_headers(url=url)


@pytest.mark.parametrize(
    ("sender", "parts"),
    [
        ("nancy@example.com", []),
        ("shop", []),
        ("a" * 16, []),
        ("candy-haven", ["nancy@example.com"]),
        ("candy-haven", "abcd"),
    ],
)
def test_google_is_told_of_nobody(sender: str, parts: Any) -> None:
    with pytest.raises(InvalidInteractionError, match="CX9203"):
        feedback(EmailMessage(), sender=sender, parts=parts)


def test_a_line_is_never_longer_than_may_be() -> None:
    name = "List-Unsubscribe"
    longest = "https://shop.example/" + "a" * (MAX_LINE - len(name) - len(": <https://shop.example/>,"))
    unsubscribe_headers(url=longest, mailto="leave@shop.example")
    with pytest.raises(InvalidInteractionError, match="CX9202"):
        unsubscribe_headers(url=longest + "a", mailto="leave@shop.example")


@given(st.from_regex(r"[!-~]([ -~]{0,80}[!-~])?", fullmatch=True), st.sampled_from([60, 78, 0, None]))
def test_a_plain_header_reads_as_it_was_written(value: str, width: int | None) -> None:
    message = EmailMessage()
    message["X-Plain"] = PlainHeader("X-Plain", value)
    policy = message.policy.clone(max_line_length=width)
    name, _, written = message.as_string(policy=policy).removesuffix("\n\n").partition(": ")
    assert (name, written.replace("\n", "")) == ("X-Plain", value)
    assert "\n" not in written.replace(",\n ", "")


def test_a_plain_header_stays_one_when_it_is_copied() -> None:
    plain = PlainHeader("List-Unsubscribe", f"<{URL}>")
    for same in (copy.copy(plain), copy.deepcopy(plain), pickle.loads(pickle.dumps(plain))):  # noqa: S301 - its own
        assert (type(same), same, same.name) == (PlainHeader, plain, plain.name)
