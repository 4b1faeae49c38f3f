"""What answers and failures mean (F17)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Response, Transport, judge, retry_after_s


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [
        ("delivered", (200, 201, 202, 204, 207, 299)),
        ("retry", (408, 409, 425, 429, 500, 502, 503, 504, 507, 599)),
        ("split", (400, 413, 422)),
        ("pause", (300, 301, 302, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 431, 451)),
    ],
)
def test_what_a_status_means(verdict: str, statuses: Sequence[int]) -> None:
    """F18, F24, F25."""
    assert {judge(Response(status=status)).verdict for status in statuses} == {verdict}


@given(st.integers(100, 999))
def test_every_status_means_something(status: int) -> None:
    judgement = judge(Response(status=status))
    assert judgement.verdict in ("delivered", "retry", "split", "pause")
    assert judgement.reason == ("" if judgement.verdict == "delivered" else f"http_{status}")


def test_only_what_may_pass_says_when() -> None:
    headers = {"retry-after": "5"}
    waits = [judge(Response(status=status, headers=headers)).retry_after_s for status in (429, 503, 413, 401)]
    assert waits == [5.0, 5.0, None, None]


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1e9", 3600.0),
        ("9" * 400, 3600.0),
        *((text, None) for text in ("", "-5", "inf", "-inf", "nan", "soon", "12 s", "Mon, 99 Foo", "\x00")),
    ],
)
def test_the_wait_that_is_asked_for(text: str, wait_s: float | None) -> None:
    """F17."""
    assert retry_after_s({"retry-after": text}) == wait_s


@pytest.mark.parametrize(("offset_s", "wait_s"), [(90, 90.0), (-90, 0.0), (10_000_000, 3600.0)])
def test_a_date_is_compared_with_the_answers_own(offset_s: int, wait_s: float) -> None:
    now = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=offset_s), usegmt=True)
    assert retry_after_s({"retry-after": later, "date": format_datetime(now, usegmt=True)}) == wait_s


def test_a_date_without_the_answers_own_is_compared_with_this_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    wait_s = retry_after_s({"retry-after": later})
    assert wait_s is not None
    assert 900 < wait_s <= 1000


@given(st.text() | st.floats().map(str) | st.datetimes().map(lambda moment: format_datetime(moment)))
def test_the_wait_is_bounded_or_none(text: str) -> None:
    wait_s = retry_after_s({"retry-after": text})
    assert wait_s is None or 0.0 <= wait_s <= 3600.0


def test_a_wait_arrives_from_the_wire(receiver: Receiver, transport: Transport) -> None:
    receiver.script(Answer(status=429, headers={"Retry-After": "120"}))
    assert judge(transport.request("POST", receiver.url, deadline_s=5.0)) == ("retry", "http_429", 120.0)
