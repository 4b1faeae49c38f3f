"""Preferences: only an act changes a cell, and only its own; and what may be sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cxkit.model.consent import Act as By
from cxkit.model.consent import Answer, Blocked, GlobalStop, Preference, Suppression, Topic
from cxkit.rules.preferences import (
    Act,
    Clear,
    Deferred,
    FrequencyCap,
    QuietHours,
    Sent,
    answer,
    free_at,
    matrix,
    may_send,
    quiet_until,
    suppressed,
    wanted,
)
from tests import strategies as some

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPICS = (
    Topic(name="news", kind="marketing", defaults={"push": "granted"}),
    Topic(name="sales", kind="marketing"),
    Topic(name="repairs", kind="service"),
    Topic(name="receipt", kind="transactional"),
)
CHANNELS = ("email", "sms", "push")
NEWS, SALES, REPAIRS, RECEIPT = TOPICS

topics, channels = st.sampled_from(TOPICS), st.sampled_from(CHANNELS)
moments = st.integers(0, 5).map(lambda minutes: NOON + minutes * MINUTE)
single_acts = st.builds(
    Preference,
    topic=topics.map(lambda one: one.name),
    channel=channels,
    choice=some.choices,
    decided_at=moments,
    id=some.ids,
    by=st.sampled_from(get_args(By)),
)
stops = st.builds(GlobalStop, decided_at=moments, id=some.ids, lifted=st.booleans())
acts = st.lists(single_acts | stops, max_size=6)
suppression_lists = st.lists(
    st.builds(
        Suppression,
        channel=channels,
        reason=st.sampled_from(["complaint", "hard_bounce", "operator"]),
        at=moments,
        lifted=st.booleans(),
    ),
    max_size=4,
)
sendings = st.lists(
    topics.flatmap(
        lambda one: st.builds(Sent, topic=st.just(one.name), kind=st.just(one.kind), channel=channels, at=moments)
    ),
    max_size=6,
)
cap_lists = st.lists(
    st.builds(
        FrequencyCap,
        most=st.integers(0, 3),
        window_s=st.sampled_from([60, 180, 86_400]),
        kind=st.none() | st.sampled_from(["marketing", "service", "transactional"]),
        topic=st.none() | topics.map(lambda one: one.name),
        channel=st.none() | channels,
    ),
    max_size=3,
)
hours = st.builds(
    QuietHours, start=st.sampled_from([time(21), time(8)]), end=st.sampled_from([time(8), time(13), time(21)])
)


def cells(made: Sequence[Act]) -> dict[tuple[str, str], Answer]:
    found = matrix(made, topics=TOPICS, channels=CHANNELS)
    return {(topic, channel): one for topic, row in found.items() for channel, one in row.items()}


def no(topic: Topic, channel: str, at: datetime = NOON, **fields: object) -> Preference:
    return Preference(topic=topic.name, channel=channel, choice="denied", decided_at=at, **fields)  # type: ignore[arg-type]


def yes(topic: Topic, channel: str, at: datetime = NOON, **fields: object) -> Preference:
    return Preference(topic=topic.name, channel=channel, choice="granted", decided_at=at, **fields)  # type: ignore[arg-type]


# --- The law --------------------------------------------------------------------------------------


@given(acts, single_acts | stops)
def test_an_act_changes_only_its_own_cell_and_a_stop_only_marketing(made: list[Act], act: Act) -> None:
    before, after = cells(made), cells([*made, act])
    changed = {cell for cell, one in after.items() if one != before[cell]}
    if isinstance(act, Preference):
        assert changed <= {(act.topic, act.channel)}
    else:
        assert {topic for topic, _ in changed} <= {"news", "sales"}


@given(acts, topics, channels)
def test_leaving_one_topic_changes_no_other_cell(made: list[Act], topic: Topic, channel: str) -> None:
    left = no(topic, channel, NOON + 9 * MINUTE)
    before, after = cells(made), cells([*made, left])
    assert after == {**before, (topic.name, channel): "denied"}


def test_unticking_the_last_topic_is_not_a_global_stop() -> None:
    left = [no(topic, channel) for topic in TOPICS for channel in CHANNELS]
    new = Topic(name="recipes", kind="marketing", defaults={"email": "granted"})
    assert answer(left, topic=new, channel="email") == "default"
    assert wanted("default", topic=new, channel="email")
    stopped = [*left, GlobalStop(decided_at=NOON)]
    assert answer(stopped, topic=new, channel="email") == "denied"


@pytest.mark.parametrize("by", ["purchase", "subscription", "entitlement", ""])
def test_an_entitlement_has_no_path_to_a_cell(by: str) -> None:
    assert set(get_args(By)) == {"user", "one_click", "operator", "import"}
    with pytest.raises(ValueError, match="by"):
        Preference(topic="news", channel="email", choice="granted", decided_at=NOON, by=by)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by"):
        GlobalStop(decided_at=NOON, by=by)  # type: ignore[arg-type]


# --- Resolution -----------------------------------------------------------------------------------


@given(st.data(), acts)
def test_order_and_repetition_of_acts_do_not_matter(data: st.DataObject, made: list[Act]) -> None:
    assert cells([*data.draw(st.permutations(made)), *made]) == cells(made)


@given(st.lists(single_acts, max_size=6), topics, channels)
def test_the_latest_act_holds_and_of_two_at_one_moment_the_refusal(made: list[Act], topic: Topic, channel: str) -> None:
    mine = [one for one in made if isinstance(one, Preference) and (one.topic, one.channel) == (topic.name, channel)]
    last = [one.choice for one in mine if one.decided_at == max(each.decided_at for each in mine)]
    expected = "default" if not last else "denied" if "denied" in last else "granted"
    assert answer(made, topic=topic, channel=channel) == expected


@given(acts, channels)
def test_a_global_stop_stops_marketing_everywhere_and_nothing_else(made: list[Act], channel: str) -> None:
    before, after = cells(made), cells([*made, GlobalStop(decided_at=NOON + 9 * MINUTE)])
    assert {cell: one for cell, one in after.items() if cell[0] in ("repairs", "receipt")} == {
        cell: one for cell, one in before.items() if cell[0] in ("repairs", "receipt")
    }
    assert {one for cell, one in after.items() if cell[0] in ("news", "sales")} == {"denied"}


@given(st.lists(single_acts, max_size=6))
def test_a_stop_that_is_lifted_leaves_everything_as_it_was(made: list[Act]) -> None:
    stop = GlobalStop(decided_at=NOON + 7 * MINUTE)
    lifted = GlobalStop(decided_at=NOON + 8 * MINUTE, lifted=True)
    assert cells([*made, stop, lifted]) == cells(made)


@pytest.mark.parametrize(("by", "found"), [("user", "granted"), ("import", "denied"), ("operator", "denied")])
def test_after_a_stop_only_the_person_opens_a_topic_again(by: str, found: str) -> None:
    made = [GlobalStop(decided_at=NOON), yes(NEWS, "email", NOON + MINUTE, by=by)]
    assert answer(made, topic=NEWS, channel="email") == found
    assert answer(made, topic=SALES, channel="email") == "denied"
    assert answer([yes(NEWS, "email"), *made[:1]], topic=NEWS, channel="email") == "denied"


def test_defaults_are_per_channel() -> None:
    assert wanted("default", topic=NEWS, channel="push")
    assert not wanted("default", topic=NEWS, channel="email")
    assert wanted("default", topic=REPAIRS, channel="email")
    with pytest.raises(ValueError, match="kind"):
        Topic(name="x", kind="spam")  # type: ignore[arg-type]


# --- Suppression ----------------------------------------------------------------------------------


@given(st.data(), suppression_lists, topics, channels)
def test_a_suppression_holds_until_an_operator_lifts_it(
    data: st.DataObject, several: list[Suppression], topic: Topic, channel: str
) -> None:
    holding = set()
    for reason in ("complaint", "hard_bounce", "operator"):
        mine = [one for one in several if (one.reason, one.channel) == (reason, channel)]
        last = [one.lifted for one in mine if one.at == max(each.at for each in mine)]
        if last and not all(last):
            holding.add(reason)
    if topic.kind == "transactional":
        holding.discard("operator")
    found = suppressed(data.draw(st.permutations(several)), channel=channel, kind=topic.kind)
    assert found == next((one for one in ("complaint", "hard_bounce", "operator") if one in holding), None)


@pytest.mark.parametrize(("reason", "stops"), [("hard_bounce", True), ("complaint", True), ("operator", False)])
def test_a_bounce_and_a_complaint_stop_even_a_receipt(reason: str, stops: bool) -> None:
    several = [Suppression(channel="email", reason=reason, at=NOON)]  # type: ignore[arg-type]
    found = may_send(topic=RECEIPT, channel="email", now=NOON, suppressions=several)
    assert found == (
        Blocked(gate="send", purpose="transactional", reason=reason, destination="email") if stops else Clear()
    )
    assert may_send(topic=RECEIPT, channel="sms", now=NOON, suppressions=several) == Clear()


# --- Frequency caps -------------------------------------------------------------------------------


@given(st.lists(moments, max_size=8), st.integers(1, 3), st.sampled_from([60, 120, 300]))
def test_whoever_keeps_to_the_answer_never_breaks_the_cap(wishes: list[datetime], most: int, window_s: int) -> None:
    cap = FrequencyCap(most=most, window_s=window_s)
    sent: list[Sent] = []
    for wish in sorted(wishes):
        at = max([wish, *(one.at for one in sent)])
        at = free_at(cap, sent, now=at) or at
        assert free_at(cap, sent, now=at) is None
        sent.append(Sent(topic="news", kind="marketing", channel="email", at=at))
    for first, last in zip(sent, sent[most:], strict=False):
        assert last.at - first.at >= timedelta(seconds=window_s)


@given(sendings, moments)
def test_a_cap_counts_no_more_than_it_concerns(sent: list[Sent], now: datetime) -> None:
    cap = FrequencyCap(most=1, window_s=180, channel="email")
    counted = [one for one in sent if one.channel == "email" and one.kind != "transactional"]
    assert free_at(cap, sent, now=now) == free_at(cap, counted, now=now)


def test_a_message_leaves_the_window_as_it_closes() -> None:
    cap = FrequencyCap(most=1, window_s=60)
    sent = [Sent(topic="news", kind="marketing", channel="email", at=NOON)]
    assert free_at(cap, sent, now=NOON + timedelta(seconds=59)) == NOON + MINUTE
    assert free_at(cap, sent, now=NOON + MINUTE) is None


def test_of_more_than_a_cap_allows_so_many_have_to_leave() -> None:
    cap = FrequencyCap(most=2, window_s=3600)
    sent = [Sent(topic="news", kind="marketing", channel="email", at=NOON + n * MINUTE) for n in range(4)]  # imported
    assert free_at(cap, sent, now=NOON + 5 * MINUTE) == NOON + 62 * MINUTE


def test_what_a_cap_delays_into_the_night_waits_for_the_morning() -> None:
    sent = [Sent(topic="news", kind="marketing", channel="email", at=NOON)]
    found = may_send(
        topic=NEWS, channel="email", now=NOON + MINUTE, acts=[yes(NEWS, "email")], sent=sent, zone=UTC,
        caps=[FrequencyCap(most=1, window_s=11 * 3600)], quiet=QuietHours(start=time(21), end=time(8)),
    )  # fmt: skip
    assert found == Deferred(not_before=NOON + timedelta(hours=20), reason="frequency_cap")


# --- The gate -------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    topics,
    channels,
    moments,
    acts,
    suppression_lists,
    sendings,
    cap_lists,
    st.none() | hours,
    st.sampled_from([UTC, None]),
)
def test_no_answer_hides_another(
    topic: Topic,
    channel: str,
    now: datetime,
    made: list[Act],
    several: list[Suppression],
    sent: list[Sent],
    caps: list[FrequencyCap],
    quiet: QuietHours | None,
    zone: object,
) -> None:
    found = may_send(
        topic=topic, channel=channel, now=now, acts=made, suppressions=several, sent=sent, caps=caps, quiet=quiet,
        zone=UTC if zone is UTC else None,
    )  # fmt: skip
    transactional = topic.kind == "transactional"
    concerning = [one for one in caps if one.concerns(topic=topic.name, kind=topic.kind, channel=channel)]
    bans = {
        "suppression": suppressed(several, channel=channel, kind=topic.kind) is not None,
        "cap": any(one.most == 0 for one in concerning),
        "zone": not transactional and quiet is not None and quiet.start != quiet.end and zone is None,
        "wish": not wanted(answer(made, topic=topic, channel=channel), topic=topic, channel=channel),
    }
    assert isinstance(found, Blocked) == any(bans.values())
    if isinstance(found, Blocked):
        return
    full = any(free_at(one, sent, now=now) for one in concerning)
    silent = not transactional and quiet is not None and quiet_until(quiet, zone=UTC, now=now) is not None
    assert isinstance(found, Deferred) == (full or silent)
    if isinstance(found, Deferred):
        assert found.reason == ("frequency_cap" if full else "quiet_hours")
        assert found.not_before > now
        again = may_send(
            topic=topic, channel=channel, now=found.not_before, acts=made, suppressions=several, sent=sent, caps=caps,
            quiet=quiet, zone=UTC,
        )  # fmt: skip
        assert again == Clear()


@given(acts, sendings, cap_lists, hours, channels, moments)
def test_no_opt_out_cap_or_hour_stops_what_is_transactional(
    made: list[Act], sent: list[Sent], caps: list[FrequencyCap], quiet: QuietHours, channel: str, now: datetime
) -> None:
    left = [*made, no(RECEIPT, channel, NOON + 9 * MINUTE), GlobalStop(decided_at=NOON + 9 * MINUTE)]
    assert may_send(topic=RECEIPT, channel=channel, now=now, acts=left, sent=sent, caps=caps, quiet=quiet) == Clear()


@given(acts, topics, channels, moments)
def test_leaving_never_allows_more(made: list[Act], topic: Topic, channel: str, now: datetime) -> None:
    assume(topic.kind != "transactional")
    left = [*made, no(topic, channel, NOON + 9 * MINUTE)]
    found = may_send(topic=topic, channel=channel, now=now, acts=left)
    assert found == Blocked(gate="send", purpose=topic.kind, reason="opted_out", destination=channel)


def test_of_several_reasons_the_first_is_named() -> None:
    many = [Sent(topic="news", kind="marketing", channel="email", at=NOON)]
    night = QuietHours(start=time(21), end=time(8))
    now = NOON + timedelta(hours=10)
    asked = {"topic": NEWS, "channel": "email", "now": now, "sent": many, "quiet": night}
    bounced = [Suppression(channel="email", reason="hard_bounce", at=NOON)]
    never, once = FrequencyCap(most=0, window_s=60), FrequencyCap(most=1, window_s=86_400)

    def reason(**more: object) -> str:
        found = may_send(**{**asked, **more})  # type: ignore[arg-type]
        assert not isinstance(found, Clear)
        return found.reason

    assert reason(suppressions=bounced, caps=[never]) == "hard_bounce"
    assert reason(caps=[never, once]) == "frequency_cap"
    assert reason(caps=[once]) == "zone_unknown"
    assert reason(caps=[once], zone=UTC) == "not_granted"  # not the cap, nor the hour: it will never be sent
    granted = [yes(NEWS, "email")]
    assert reason(caps=[once], zone=UTC, acts=granted) == "frequency_cap"
    assert reason(zone=UTC, acts=granted) == "quiet_hours"
