"""History: sessions, stage and channel from the last contacts, the same whatever comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.model import Context, Interaction, Page, Person
from cxkit.model.profile import Recent, Trait
from cxkit.rules.profile import (
    HISTORY_LENGTH,
    PASSED_LENGTH,
    History,
    Traits,
    fold,
    in_sessions,
    last_seen_at,
    merge_histories,
    preferred_channel,
    profile_of,
    recent_of,
    stage_now,
    with_traits,
)
from tests import strategies as some

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
GAP = timedelta(minutes=30)
facts = st.builds(
    Recent,
    id=st.uuids(version=4).map(lambda one: one.hex),
    at=st.integers(0, 12).map(lambda tens: NOON + 10 * tens * MINUTE),
    name=st.just("a"),
    kind=st.sampled_from(["view", "action", "message", "exposure", "consent"]),
    channel=st.sampled_from([None, "web", "phone"]),
    direction=st.sampled_from(["inbound", "outbound"]),
    stage=st.sampled_from([None, "purchase", "service"]),
)
stories = st.lists(facts, max_size=10, unique_by=lambda one: one.id)


def folded(story: object, history: History = History()) -> History:
    for fact in story:  # type: ignore[attr-defined]
        history = fold(history, fact)
    return history


def fact(minutes: float, **fields: object) -> Recent:
    return Recent(id=f"{minutes:09.2f}", at=NOON + minutes * MINUTE, name="a", **fields)  # type: ignore[arg-type]


def contacts(story: list[Recent]) -> list[Recent]:
    return sorted((one for one in story if one.kind not in ("exposure", "consent")), key=lambda one: (one.at, one.id))


# --- The law --------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.data(), stories)
def test_any_order_and_any_repetition_give_the_same_history(data: st.DataObject, story: list[Recent]) -> None:
    again = data.draw(st.lists(st.sampled_from(story), max_size=5)) if story else []
    assert folded(data.draw(st.permutations([*story, *again]))) == folded(story)
    assert folded(story).recent == tuple(contacts(story))


@given(stories)
def test_sessions_are_runs_of_what_the_person_did(story: list[Recent]) -> None:
    times = [one.at for one in contacts(story) if one.direction == "inbound"]
    gaps = sum(later - earlier > GAP for earlier, later in pairwise(times))
    history = folded(story)
    assert in_sessions(history) == (gaps + 1 if times else 0)
    assert last_seen_at(history) == (times[-1] if times else None)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([10, 30, 31, 90]), min_size=HISTORY_LENGTH, max_size=HISTORY_LENGTH + 30), st.data())
def test_what_is_forgotten_is_still_counted(gaps: list[int], data: st.DataObject) -> None:
    story, minutes = [], 0
    for number, gap in enumerate(gaps):
        minutes += gap
        story.append(fact(minutes, stage="purchase" if number == 0 else None))
    expected = 1 + sum(gap > 30 for gap in gaps[1:])
    history = folded(story)
    assert in_sessions(history) == expected
    assert len(history.recent) == HISTORY_LENGTH
    assert stage_now(history) == "purchase"
    late = data.draw(st.integers(1, HISTORY_LENGTH - 1))  # comes after everything that followed it
    delayed = [*story[: -late - 1], *story[-late:], story[-late - 1]]
    assert folded(delayed) == history
    assert folded(story, history) == history  # all of it once more, the forgotten too


@given(stories)
def test_a_history_is_written_and_read_as_it_is(story: list[Recent]) -> None:
    for history in (folded(story), folded(fact(10 * n) for n in range(HISTORY_LENGTH + 2))):
        assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(history)), History) == history


@given(stories, stories)
def test_two_histories_are_one_of_both(mine: list[Recent], theirs: list[Recent]) -> None:
    one, other = folded(mine), folded(theirs)
    both = merge_histories(one, other)
    assert both == merge_histories(other, one) == folded([*mine, *theirs])
    assert merge_histories(one, History()) == one


@settings(max_examples=20)
@given(st.integers(0, 150), st.integers(0, 150))
def test_long_histories_merge_within_the_bound(mine: int, theirs: int) -> None:
    one = folded(fact(40 * n) for n in range(mine))
    other = folded(fact(40 * n + 100_000) for n in range(theirs))
    both = merge_histories(one, other)
    assert in_sessions(both) == mine + theirs
    assert len(both.recent) == min(mine + theirs, HISTORY_LENGTH)
    assert last_seen_at(both) == max(filter(None, [last_seen_at(one), last_seen_at(other)]), default=None)
    assert both == merge_histories(other, one)


# --- Sessions, stage, channel ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "sessions"),
    [([], 0), ([0], 1), ([0, 30], 1), ([0, 30.02], 2), ([0, 20, 40, 60], 1), ([0, 31, 62], 3)],
)
def test_half_an_hour_is_no_gap_and_a_second_more_is(minutes: list[float], sessions: int) -> None:
    assert in_sessions(folded(fact(one) for one in minutes)) == sessions


def test_a_message_of_ours_neither_begins_nor_prolongs_a_session() -> None:
    history = folded([fact(0), fact(20, kind="message", direction="outbound"), fact(40)])
    assert in_sessions(history) == 2
    assert in_sessions(folded([fact(0, direction="outbound")])) == 0


@given(stories, st.sampled_from([None, "loyalty"]))
def test_a_declared_stage_beats_the_last_one_seen(story: list[Recent], declared: str | None) -> None:
    seen = [one.stage for one in contacts(story) if one.stage is not None]
    expected = declared or (seen[-1] if seen else None)
    assert stage_now(folded(story), declared=declared) == expected  # type: ignore[arg-type]


@given(stories)
def test_a_channel_is_concluded_only_with_profiling(story: list[Recent]) -> None:
    history = folded(story)
    now = NOON + DAY
    assert preferred_channel(history, profiling=False, now=now) is None
    assert preferred_channel(history, declared="store", profiling=False, now=now) == "store"
    assert preferred_channel(history, declared="store", profiling=True, now=now) == "store"
    used = [one.channel for one in contacts(story) if one.channel and one.direction == "inbound"]
    found = preferred_channel(history, profiling=True, now=now)
    if not used:
        assert found is None
        return
    most = max(used.count(channel) for channel in used)
    assert found == [channel for channel in used if used.count(channel) == most][-1]


def test_what_was_common_long_ago_does_not_count() -> None:
    story = [fact(n, channel="phone") for n in range(5)] + [fact(100, channel="web")]
    history = folded(story)
    assert preferred_channel(history, profiling=True, now=NOON + DAY) == "phone"
    assert preferred_channel(history, profiling=True, now=NOON + 90 * DAY + 50 * MINUTE) == "web"
    assert preferred_channel(history, profiling=True, now=NOON + 91 * DAY) is None


@some.few
@given(some.interactions)
def test_of_an_interaction_no_property_and_no_identifier_is_remembered(interaction: Interaction) -> None:
    found = recent_of(interaction)
    assert {field.name for field in attrs.fields(Recent)} == {
        "id",
        "at",
        "name",
        "kind",
        "channel",
        "direction",
        "stage",
        "route",
        "outcome",
    }
    assert (found.id, found.at, found.name, found.stage) == (
        interaction.id, interaction.occurred_at, interaction.name, interaction.stage,
    )  # fmt: skip


def test_the_channel_is_the_touchpoints_else_the_scopes() -> None:
    called = Interaction(id="1", occurred_at=NOON, name="a", source="/", context=Context(channel="phone"))
    assert recent_of(called).channel == "phone"
    assert recent_of(attrs.evolve(called, channel="web")).channel == "web"


# --- The profile ----------------------------------------------------------------------------------


def test_a_profile_is_put_together() -> None:
    traits = with_traits(Traits(), {"plan": Trait(value="gold"), "stage": Trait(value="loyalty")}, id="a", at=NOON)
    history = folded(
        [fact(0, channel="web", stage="purchase"), fact(60, channel="web", kind="message", direction="outbound")]
    )
    found = profile_of(
        person=Person(id="1"), traits=traits, history=history, choices={"profiling": "granted"},
        preferences={"news": {"email": "denied"}}, profiling=True, now=NOON + DAY,
    )  # fmt: skip
    assert (found.stage, found.sessions, found.last_seen_at, found.preferred_channel) == ("loyalty", 1, NOON, "web")
    assert found.traits == {"plan": "gold", "stage": "loyalty"}
    assert [one.at for one in found.recent] == [NOON, NOON + 60 * MINUTE]
    assert (found.choices, found.preferences) == ({"profiling": "granted"}, {"news": {"email": "denied"}})


@pytest.mark.parametrize(
    "trait",
    [Trait(value="loyalty", provenance="inferred"), Trait(value="bored"), Trait(value=["loyalty"]), Trait(value=None)],
)
def test_a_stage_that_is_not_declared_or_none_is_not_taken(trait: Trait) -> None:
    traits = with_traits(Traits(), {"stage": trait, "preferred_channel": Trait(value=3)}, id="a", at=NOON)
    found = profile_of(
        person=None, traits=traits, history=folded([fact(0, stage="purchase")]), choices={}, preferences={},
        profiling=False, now=NOON,
    )  # fmt: skip
    assert (found.stage, found.preferred_channel) == ("purchase", None)


# --- What was passed ------------------------------------------------------------------------------


def test_the_last_contact_at_each_place_outlives_the_newest() -> None:
    begun = [fact(1, channel="web"), fact(2, channel="phone"), fact(3, outcome="failed")]
    pages = [attrs.evolve(fact(10 + n), name="page.viewed", route=f"/{n % 3}") for n in range(HISTORY_LENGTH + 30)]
    history = folded([*begun, *pages])
    first = history.passed[0]
    assert (first.place, first.channel) == ("a", "phone")  # the last that did not fail
    assert {one.place for one in history.passed} == {"a", "/0", "/1", "/2"}
    assert history.contacts == (*history.passed, *history.recent)


def test_so_many_places_are_kept_and_no_more() -> None:
    far = [attrs.evolve(fact(n), name=f"a{n}") for n in range(HISTORY_LENGTH + PASSED_LENGTH + 7)]
    history = folded(far)
    assert [one.name for one in history.contacts] == [one.name for one in far[7:]]


@settings(max_examples=30)
@given(st.permutations(range(HISTORY_LENGTH + 20)), st.integers(1, 9))
def test_merged_histories_have_passed_what_both_had(order: list[int], places: int) -> None:
    far = [attrs.evolve(fact(n), name=f"a{n % places}") for n in range(2 * HISTORY_LENGTH + 40)]
    mine, theirs = {n for n in order if n % 2}, {n for n in order if not n % 2}
    one = folded(each for n, each in enumerate(far) if n in mine or n >= HISTORY_LENGTH + 20)
    other = folded(each for n, each in enumerate(far) if n in theirs)
    both = merge_histories(one, other)
    assert both == merge_histories(other, one)
    assert both.passed == folded(far).passed


def test_a_history_from_before_places_were_kept_is_read() -> None:
    body = msgspec.to_builtins(folded(fact(10 * n) for n in range(HISTORY_LENGTH + 2)))
    del body["passed"]
    for one in body["recent"]:
        del one["route"], one["outcome"]
    assert msgspec.convert(body, History, strict=False).passed == ()


def test_a_page_is_remembered_by_its_route_and_how_anything_ended() -> None:
    at = {"id": "1", "occurred_at": NOON, "source": "/shop", "context": Context(page=Page(route="/checkout"))}
    seen, clicked = (Interaction(name=name, outcome="failed", **at) for name in ("page.viewed", "order.paid"))  # type: ignore[arg-type]
    assert (recent_of(seen).place, recent_of(clicked).place) == ("/checkout", "order.paid")
    assert not recent_of(clicked).succeeded
