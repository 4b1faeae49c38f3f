"""Law: only an act of preference writes a preference, and only its own cell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import cxkit
from cxkit.flows.apply import COMMANDS
from cxkit.flows.letterbox import read_letterbox
from cxkit.kit import Kit
from cxkit.model import Interaction, Topic
from cxkit.rules.preferences import matrix
from cxkit.stores.memory import MemoryStore
from tests.flows.post import CHANNELS, CONFIGURED, NANCY, TOPICS, applied, cells, preferred, stopped
from tests.flows.world import chose, command, held, identified, key

topics, channels, answers = (
    st.sampled_from([*TOPICS]),
    st.sampled_from(CHANNELS),
    st.sampled_from(["granted", "denied"]),
)
own_acts = st.builds(
    lambda topic, channel, choice: lambda **at: preferred(NANCY, topic, channel, choice, **at),
    topics,
    channels,
    answers,
) | st.builds(lambda lifted: lambda **at: stopped(NANCY, lifted=lifted, **at), st.booleans())
entitlements = st.sampled_from(["order.placed", "subscription.started", "gift.received", "news.subscribed"])
traits = st.dictionaries(
    st.sampled_from(["plan", "news", "preferences", "newsletter"]), st.sampled_from(["yes", 1, True])
)
other_acts = (
    st.builds(lambda name, told: lambda **at: contact(name, told, **at), entitlements, traits)
    | st.builds(lambda told: lambda **at: identified(NANCY, **at, **told), traits)
    | st.builds(lambda told: lambda **at: command("identity.linked", NANCY, told, **at), traits)
    | st.builds(
        lambda force: (
            lambda **at: command(
                "identity.merged",
                NANCY,
                {"with": {"type": "user_id", "value": "otto"}, "actor": "desk", "reason": "called", "force": force},
                **at,
            )
        ),
        st.booleans(),
    )
    | st.builds(
        lambda merge: (
            lambda **at: command("identity.unmerged", NANCY, {"merge": merge, "actor": "desk", "reason": "no"}, **at)
        ),
        st.sampled_from(["00", "01", "02"]),
    )
    | st.builds(
        lambda purpose, choice: lambda **at: chose(NANCY, **at, **{purpose: choice}),
        st.sampled_from(["advertising", "analytics", "personalization", "sale_share"]),
        answers,
    )
    | st.builds(
        lambda reason, lifted: (
            lambda **at: command(
                "contact.suppressed", NANCY, {"channel": "email", "reason": reason, "lifted": lifted}, **at
            )
        ),
        st.sampled_from(["complaint", "hard_bounce", "operator"]),
        st.booleans(),
    )
    | st.builds(
        lambda name, told: lambda **at: command(name, NANCY, {"question": "news", **told}, **at),
        st.sampled_from(["profile.asked", "profile.skipped", "profile.answered"]),
        st.sampled_from([{}, {"answer": "yes"}, {"choice": "granted", "topic": "news", "channel": "email"}]),
    )
    | st.just(
        lambda **at: command("experiment.assigned", NANCY, {"experiment": "a", "version": 0, "variation": "b"}, **at)
    )
    | st.just(lambda **at: command("experiment.ruled", NANCY, {"experiment": "a", "running": True, "version": 0}, **at))
    | st.just(
        lambda **at: command("message.counted", NANCY, {"topic": "news", "kind": "marketing", "channel": "sms"}, **at)
    )
)


def contact(name: str, told: Mapping[str, Any], *, id: str, minute: int) -> Interaction:
    return Interaction(
        id=id, occurred_at=datetime(2026, 11, 21, 10, minute, tzinfo=UTC), name=name, source="/app", identity=NANCY,
        properties=told, kind="transaction", consent={"profiling": True},
    )  # fmt: skip


def numbered(makers: list[Any]) -> list[Interaction]:
    return [make(id=f"{place:02d}", minute=place) for place, make in enumerate(makers)]


@settings(max_examples=150)
@given(st.lists(own_acts | other_acts, max_size=12), st.data())
def test_nothing_but_these_acts_ever_writes_a_preference(makers: list[Any], data: st.DataObject) -> None:
    """Not buying, not subscribing, not identifying, not consenting: with or without all that, it is the same."""
    everything = numbered(makers)
    own = [one for one in everything if one.name.startswith("preference.")]
    shuffled = data.draw(st.permutations([*everything, *everything]))
    assert held(applied(*shuffled), "preference") == held(applied(*own), "preference")


calls = (
    st.builds(
        lambda name: lambda: cxkit.touchpoint(name, kind="transaction", purpose="necessary").capture(list="news"),
        entitlements,
    )
    | st.builds(lambda told: lambda: cxkit.identify(traits=told), traits)
    | st.just(lambda: cxkit.link(loyalty="4711"))
    | st.builds(lambda choice: lambda: getattr(cxkit, choice)("advertising"), st.sampled_from(["grant", "withdraw"]))
    | st.just(lambda: cxkit.sent("news", "email"))
    | st.just(lambda: cxkit.answer(cxkit.Question(name="news", purpose="necessary"), "yes"))
    | st.just(lambda: cxkit.skip(cxkit.Question(name="news", purpose="necessary")))
    | st.just(lambda: cxkit.may_send("news", "email"))
    | st.just(cxkit.logout)
)


@settings(max_examples=30)
@given(st.lists(calls, min_size=1, max_size=8))
def test_nothing_that_an_app_can_call_writes_one_unasked(called: list[Any]) -> None:
    store = MemoryStore()
    kit = Kit(CONFIGURED, store=store, in_memory=True)
    for call in called:
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            call()
    assert kit.flush(timeout_s=30).complete
    assert kit.close(timeout_s=10).complete
    assert held(store, "preference") == {}


def test_no_other_command_can_even_be_added_without_being_tried_here() -> None:
    assert COMMANDS["profile.arrived"] is COMMANDS["identity.identified"]
    # The last two only take away: everything, and the topic of one message (test_messages.py).
    assert set(COMMANDS) - {"profile.arrived", "privacy.erased", "message.left"} == {
        "identity.identified", "identity.linked", "consent.changed", "preference.changed", "preference.stopped",
        "contact.suppressed", "message.counted", "identity.merged", "identity.unmerged", "profile.asked",
        "profile.skipped", "profile.answered", "experiment.assigned", "experiment.ruled",
    }  # fmt: skip


@settings(max_examples=150)
@given(st.lists(own_acts, max_size=8), topics, channels, answers)
def test_one_choice_changes_one_cell(makers: list[Any], topic: str, channel: str, choice: str) -> None:
    before = applied(*numbered(makers))
    after = applied(*numbered(makers), preferred(NANCY, topic, channel, choice, id="99", minute=59))
    expected = {**cells(before), (topic, channel): choice}
    assert cells(after) == expected


@settings(max_examples=100)
@given(st.lists(own_acts, max_size=8))
def test_leaving_everything_is_not_a_stop(makers: list[Any]) -> None:
    """What comes to be declared later was left by nobody."""
    left = [
        preferred(NANCY, topic, channel, "denied", id=f"a{place}{channel}", minute=30)
        for place, topic in enumerate(TOPICS)
        for channel in CHANNELS
    ]
    lifted = stopped(NANCY, lifted=True, id="98", minute=29)
    store = applied(*numbered(makers), lifted, *left)
    acts = read_letterbox(store, [key("user_id", "nancy")], ()).acts
    later = matrix(acts, topics=[Topic(name="events")], channels=["email"])
    assert later == {"events": {"email": "default"}}


@settings(max_examples=60)
@given(st.lists(own_acts | other_acts, max_size=8), st.data())
def test_order_and_repetition_make_no_difference(makers: list[Any], data: st.DataObject) -> None:
    commands = numbered(makers)
    straight = applied(*commands)
    shuffled = applied(*data.draw(st.permutations([*commands, *commands])))
    for kind in ("preference", "suppression", "sent"):
        assert held(straight, kind) == held(shuffled, kind)
    token = straight.changes_since(0)
    own = [one for one in commands if one.name.startswith(("preference.", "contact.", "message."))]
    applied(*own, store=straight)
    assert straight.changes_since(0) == token, "not even a new version of a document"
