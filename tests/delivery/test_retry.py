"""Backoff: full jitter, the other side's wish as a lower bound, and the size of what is tried."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.delivery.retry import Backoff


class Most(random.Random):
    """Always draws the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Least(random.Random):
    """Always draws the least."""

    def uniform(self, a: float, b: float) -> float:
        return a


def test_the_ceiling_doubles_up_to_five_minutes() -> None:
    backoff = Backoff(max_records=500, random_float=Most())
    waits = []
    for _ in range(12):
        backoff.failed("http_503", now=100.0)
        waits.append(backoff.not_before - 100.0)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@given(st.integers(1, 5000))
def test_however_often_it_failed_it_waits_five_minutes_at_most(failures: int) -> None:
    backoff = Backoff(max_records=500)
    for _ in range(failures % 50):
        backoff.failed("network", now=0.0)
    backoff.failures += failures
    backoff.failed("network", now=0.0)
    assert 0 <= backoff.not_before <= 300


@pytest.mark.parametrize(
    ("wish", "asked"),
    [(0.0, 0), (120.0, 120), (-5.0, 0), (1e9, 3600), (float("inf"), 3600), (float("nan"), 0), (None, 0)],
)
def test_what_the_other_side_asks_for_is_a_lower_bound_and_clamped(wish: float | None, asked: float) -> None:
    """F17."""
    for draw, jitter in ((Least(), 0), (Most(), 1)):
        backoff = Backoff(max_records=500, random_float=draw)
        backoff.failed("http_429", now=100.0, retry_after_s=wish)
        assert backoff.asked_until == 100.0 + asked
        assert backoff.not_before == 100.0 + max(asked, jitter)


def test_a_pause_lasts_a_minute_or_more() -> None:
    """F25."""
    backoff = Backoff(max_records=500, random_float=Least())
    backoff.failed("http_401", now=0.0, pause=True)
    assert backoff.not_before == 60


def test_what_is_tried_shrinks_to_one_and_ramps_up_again() -> None:
    """The breaker."""
    backoff = Backoff(max_records=500)
    sizes = []
    for _ in range(6):
        backoff.failed("network", now=0.0)
        sizes.append((backoff.size, backoff.open))
    assert sizes == [(250, False), (125, False), (62, False), (31, False), (1, True), (1, True)]
    grown = []
    for _ in range(10):
        backoff.succeeded()
        grown.append(backoff.size)
    assert grown == [2, 4, 8, 16, 32, 64, 128, 256, 500, 500]
    assert (backoff.failures, backoff.not_before, backoff.reason, backoff.open) == (0, 0, "", False)


def test_what_was_too_large_grows_slowly() -> None:
    backoff = Backoff(max_records=500)
    backoff.too_large(accepted=62)
    sizes = [backoff.size]
    for _ in range(60):
        backoff.succeeded()
        sizes.append(backoff.size)
    assert sizes[:4] == [62, 65, 69, 73]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 500


@given(st.lists(st.sampled_from(["failed", "succeeded", "too_large"]), max_size=60))
def test_it_always_tries_something_and_never_too_much(events: list[str]) -> None:
    backoff = Backoff(max_records=7)
    for event in events:
        if event == "failed":
            backoff.failed("network", now=0.0)
        elif event == "succeeded":
            backoff.succeeded()
        else:
            backoff.too_large(accepted=backoff.size // 2)
        assert 1 <= backoff.size <= 7
