"""Preferences: what is kept answers as all of it would, whatever the order in which it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from cxkit.model.consent import Act as By
from cxkit.model.consent import GlobalStop, Preference, Suppression, Topic
from cxkit.rules.preferences import (
    MOST_COUNTED,
    FrequencyCap,
    Sending,
    Sent,
    abiding,
    abiding_suppressions,
    counted,
    free_at,
    matrix,
    suppressed,
)
from cxkit.settings import CapTable
from tests import strategies as some

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPICS = (Topic(name="news"), Topic(name="repairs", kind="service"))
CHANNELS = ("email", "sms")

moments = st.integers(0, 4).map(lambda minutes: NOON + timedelta(minutes=minutes))
bys = st.sampled_from(get_args(By))
numbers = st.integers(0, 99).map("{:02d}".format)
acts = st.lists(
    st.builds(
        Preference,
        topic=st.sampled_from([one.name for one in TOPICS]),
        channel=st.sampled_from(CHANNELS),
        choice=some.choices,
        decided_at=moments,
        id=numbers,
        by=bys,
    )
    | st.builds(GlobalStop, decided_at=moments, id=numbers, lifted=st.booleans(), by=bys),
    max_size=12,
    unique_by=lambda one: one.id,
)
suppressions = st.lists(
    st.builds(
        Suppression,
        channel=st.sampled_from(CHANNELS),
        reason=st.sampled_from(["complaint", "hard_bounce", "operator"]),
        at=moments,
        id=numbers,
        lifted=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


@given(acts)
def test_what_is_kept_of_acts_answers_as_all_would(made: list[Preference | GlobalStop]) -> None:
    kept = abiding(made)
    assert matrix(kept, topics=TOPICS, channels=CHANNELS) == matrix(made, topics=TOPICS, channels=CHANNELS)
    assert set(kept) <= set(made)
    assert len(kept) <= 2 * len(TOPICS) * len(CHANNELS) + 1


@given(acts, st.integers(0, 12))
def test_it_is_the_same_in_whatever_portions_they_come(made: list[Preference | GlobalStop], cut: int) -> None:
    some, more = made[:cut], made[cut:]
    assert abiding([*abiding(some), *more]) == abiding([*more, *some, *more])


@given(suppressions, st.integers(0, 12))
def test_so_it_is_of_suppressions(made: list[Suppression], cut: int) -> None:
    some, more = made[:cut], made[cut:]
    kept = abiding_suppressions([*abiding_suppressions(some), *more])
    assert kept == abiding_suppressions([*more, *some])
    for channel in CHANNELS:
        for kind in ("marketing", "transactional"):
            asked = {"channel": channel, "kind": kind}
            assert suppressed(kept, **asked) == suppressed([*some, *more], **asked)  # type: ignore[arg-type]


def message(minute: int, *, topic: str = "news", channel: str = "email") -> Sent:
    at = NOON - timedelta(minutes=minute)
    return Sent(topic=topic, kind="marketing", channel=channel, at=at, id=f"{topic}-{channel}-{minute}")


def test_of_many_messages_no_more_is_kept_than_a_cap_can_count() -> None:
    many = [message(minute) for minute in range(3 * MOST_COUNTED)]
    kept = counted([*many, message(1, topic="sales"), *many])
    assert len(kept) == MOST_COUNTED + 1
    assert kept[-1] == message(0), "the newest stay, and many of one topic do not drive out those of another"
    assert message(1, topic="sales") in kept


@given(
    st.lists(st.builds(message, st.integers(0, 300), topic=st.sampled_from(["news", "sales"])), max_size=150),
    st.integers(1, MOST_COUNTED),
)
def test_a_cap_finds_in_what_is_kept_what_it_would_find_in_all(sent: list[Sent], most: int) -> None:
    cap = FrequencyCap(most=most, window_s=7200)
    assert free_at(cap, counted(sent), now=NOON) == free_at(cap, set(sent), now=NOON)


def test_no_cap_can_be_configured_that_would_need_more() -> None:
    assert CapTable(most=MOST_COUNTED, window_s=60).most == MOST_COUNTED == 100


def test_where_topics_are_declared_there_are_no_others() -> None:
    assert Sending().topic("anything") == Topic(name="anything", kind="marketing")
    assert Sending(topics={"news": TOPICS[0]}).topic("anything") is None
