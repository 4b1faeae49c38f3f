"""Consent and preference as values; and the key under which what was blocked is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model.consent import (
    PURPOSES,
    Blocked,
    Consent,
    Gate,
    Suppression,
    purpose_bits,
)
from tests import strategies as some

blocked = st.builds(
    Blocked,
    gate=st.sampled_from(get_args(Gate)),
    purpose=some.purposes | st.sampled_from(["marketing", "service"]),
    reason=some.words,
    destination=st.text(max_size=20),
)


@given(blocked)
def test_a_blocked_case_is_read_as_it_was_written(case: Blocked) -> None:
    assert Blocked.from_text(str(case)) == case


@given(blocked, blocked)
def test_two_blocked_cases_are_counted_together_only_if_they_are_one(one: Blocked, other: Blocked) -> None:
    assert (str(one) == str(other)) == (one == other) == (hash(one) == hash(other))


@pytest.mark.parametrize("text", ["", "capture", "capture:analytics:undecided", "door:analytics:undecided:"])
def test_what_is_no_blocked_case_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the text"):
        Blocked.from_text(text)


def test_there_are_five_gates() -> None:
    assert get_args(Gate) == ("capture", "identity", "decision", "export", "send")


@given(st.sets(some.purposes))
def test_purposes_are_bits(purposes: set[str]) -> None:
    bits = purpose_bits(purposes)
    assert {purpose for place, purpose in enumerate(PURPOSES) if bits >> place & 1} == purposes


def test_a_record_says_what_little_todays_callers_say() -> None:
    made = Consent(
        choices={"analytics": "granted"}, decided_at=datetime(2026, 11, 22, tzinfo=UTC), method="api", policy="x/1"
    )
    assert (made.expires_at, made.conflicts, made.jurisdiction_from, made.signals) == (None, (), "unknown", {})


def test_a_suppression_has_one_of_three_reasons() -> None:
    with pytest.raises(ValueError, match="reason"):
        Suppression(channel="email", reason="unsubscribe", at=datetime(2026, 11, 22, tzinfo=UTC))  # type: ignore[arg-type]
