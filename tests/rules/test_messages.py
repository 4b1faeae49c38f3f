"""What holds of a message, whatever the order in which it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import Bounce, Identifier, Message
from cxkit.model.message import BOUNCES, HAPPENINGS, Happening
from cxkit.rules.messages import MOST_HITS, contradictory, state, with_hit, with_report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SENT = Message(
    id="0" * 32, channel="email", topic="news", at=NOON, to=Identifier(type="email", value="ab" * 16, evidence="token")
)
HARD, SOFT, FULL = Bounce(reason="user_unknown"), Bounce(reason="too_large"), Bounce(reason="mailbox_full")

bounces = st.builds(Bounce, reason=st.sampled_from([*BOUNCES]), status=st.sampled_from([None, "5.1.1", "4.2.2"]))
reports = st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 100), st.none() | bounces)


def told(message: Message, *given: tuple[Happening, int, Bounce | None]) -> Message:
    for happened, minute, bounce in given:
        at = NOON + timedelta(minutes=minute)
        message = with_report(message, happened, at=at, report=f"{happened}{minute}{bounce}", bounce=bounce)
    return message


@given(st.lists(reports, max_size=12), st.data())
def test_neither_order_nor_repetition_matters(
    given: list[tuple[Happening, int, Bounce | None]], data: st.DataObject
) -> None:
    once = told(SENT, *given)
    again = told(SENT, *data.draw(st.permutations([*given, *given])))
    assert attrs.evolve(again, reports=()) == attrs.evolve(once, reports=())
    assert set(again.reports) == set(once.reports)
    assert state(once.happened, bounce=once.bounce) == state(again.happened, bounce=again.bounce)


@pytest.mark.parametrize(
    ("happened", "bounce", "expected"),
    [
        ([], None, "unknown"),
        (["delivered", "queued", "sent"], None, "delivered"),
        (["sent", "deferred"], None, "deferred"),
        (["deferred", "delivered"], None, "delivered"),
        (["opened"], None, "delivered"),
        (["sent", "unsubscribed"], None, "delivered"),
        (["delivered", "read"], None, "read"),
        (["read", "bounced"], HARD, "bounced"),
        (["delivered", "bounced"], HARD, "bounced"),
        (["delivered", "bounced"], SOFT, "delivered"),
        (["sent", "bounced"], SOFT, "bounced"),
        (["delivered", "rejected"], None, "rejected"),
        (["failed", "rejected"], None, "rejected"),
        (["subscribed", "autoresponded", "received"], None, "unknown"),
    ],
)
def test_where_a_message_is(happened: list[Happening], bounce: Bounce | None, expected: Happening) -> None:
    assert state(happened, bounce=bounce) == expected


@given(st.sets(st.sampled_from(HAPPENINGS)), st.sampled_from(HAPPENINGS))
def test_a_message_that_bounced_for_good_stays_so(happened: set[Happening], more: Happening) -> None:
    assert state({*happened, "bounced", more}, bounce=HARD) == "bounced"


def test_what_was_delivered_and_bounced_for_good_is_told() -> None:
    assert contradictory(["delivered", "bounced"])
    assert contradictory(["clicked", "rejected"])
    assert not contradictory(["delivered", "deferred"])
    assert not contradictory(["sent", "bounced"])


def test_the_gravest_bounce_is_kept() -> None:
    assert told(SENT, ("bounced", 1, SOFT), ("bounced", 2, HARD), ("bounced", 3, FULL)).bounce == HARD
    graver = [Bounce(reason=reason) for reason in ("mailbox_full", "other", "blocked", "user_unknown")]
    for mild, grave in pairwise(graver):
        assert told(SENT, ("bounced", 1, grave), ("bounced", 2, mild)).bounce == grave


def test_a_report_that_comes_twice_changes_nothing() -> None:
    once = told(SENT, ("delivered", 1, None))
    assert told(once, ("delivered", 1, None)) is once


def test_of_many_hits_the_last_are_remembered() -> None:
    message = SENT
    for minute in range(MOST_HITS + 5):
        at = NOON + timedelta(minutes=minute)
        message = with_hit(message, {"id": str(minute), "at": at.isoformat()}, how="opened", at=at)
    assert [hit["id"] for hit in message.hits] == [str(minute) for minute in range(5, MOST_HITS + 5)]
    assert message.happened["opened"] == NOON


def test_a_hit_that_is_judged_again_replaces_itself() -> None:
    first = with_hit(SENT, {"id": "1", "at": "a", "actor": "human", "signs": ["b", "c"]}, how="clicked", at=NOON)
    more = with_hit(first, {"id": "1", "at": "a", "actor": "machine", "signs": ["a", "b"]})
    assert more.hits == ({"id": "1", "at": "a", "actor": "machine", "signs": ["a", "b", "c"]},), "nobody forgets a sign"
    first = with_hit(SENT, {"id": "1", "at": "a", "actor": "human"}, how="clicked", at=NOON)
    again = with_hit(first, {"id": "1", "at": "a", "actor": "machine"}, how="clicked", at=NOON)
    assert [hit["actor"] for hit in again.hits] == ["machine"]
