"""Clocks that differ, or are set back: what somebody refuses is refused, whatever time an earlier grant carries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.flows.documents import consents_in
from cxkit.kit import Kit
from cxkit.rules.consent import choices_of
from cxkit.settings import Settings
from cxkit.stores.memory import MemoryStore
from cxkit.testing import FakeClock
from tests.flows.post import NANCY, applied, cells, preferred, stopped
from tests.flows.world import Faulty, chose, held, identity

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
CLEAR = cxkit.Clear()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start_s=LATER.timestamp())


@pytest.fixture
def kit(store: Faulty, clock: FakeClock) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), store=store, in_memory=True, stamper=Stamper(time_ns=clock.time_ns))
    yield kit
    kit.close(timeout_s=10)


def nancy(kit: Kit) -> Any:
    return cxkit.scope(kit=kit, user_id="nancy", evidence="login")


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))
    kit.desk.view._know_nothing()


@pytest.fixture
def set_back(kit: Kit, clock: FakeClock) -> Kit:
    """They have allowed and joined things; then the clock is set back by an hour."""
    with nancy(kit):
        cxkit.grant("analytics", "advertising")
        cxkit.identify()
        cxkit.prefer("news", "email", "granted")
        cxkit.prefer("sales", "sms", "granted")
        cxkit.stop_marketing()
        clock.advance(1)
        cxkit.stop_marketing(lifted=True)
    settled(kit)
    clock.advance(-3601)
    return kit


def test_a_withdrawal_holds_in_its_scope_and_everywhere(set_back: Kit) -> None:
    with nancy(set_back):
        cxkit.withdraw("analytics")
        assert "analytics" not in cxkit.current().allowed
    with nancy(set_back):
        assert "analytics" not in cxkit.current().allowed, "before it is committed"
    settled(set_back)
    with nancy(set_back):
        assert cxkit.current().profile.choices == {"analytics": "denied", "advertising": "granted"}


def test_only_what_is_refused_is_of_another_time(set_back: Kit, store: Faulty) -> None:
    """What an answer allows besides is of the moment in which it was given."""
    with nancy(set_back):
        cxkit.choose("personalization")
    settled(set_back)
    (body,) = held(store, "consent").values()
    _, *answer = sorted(consents_in([body]), key=lambda one: -one.decided_at.timestamp())
    times = {purpose: one.decided_at for one in consents_in([body]) for purpose in one.choices if one.id < "01a20350"}
    assert (times["personalization"], times["analytics"], len(answer)) == (NOON, LATER, 2)
    with nancy(set_back):
        assert cxkit.current().allowed == {"necessary", "personalization"}


def test_under_an_objection_of_the_browser_too(set_back: Kit) -> None:
    """It hides what was granted elsewhere, for as long as it is sent."""
    with nancy(set_back):
        cxkit.signal(gpc="1")
        cxkit.withdraw("advertising")
    settled(set_back)
    with nancy(set_back):
        assert cxkit.current().profile.choices["advertising"] == "denied"


def test_a_cookie_from_ahead_does_not_outlive_a_withdrawal(kit: Kit, clock: FakeClock) -> None:
    clock.advance(-3600)
    with cxkit.scope(kit=kit):
        here: Any = cxkit.current()._scope
        here.choices = {"analytics": ("granted", LATER)}
        cxkit.withdraw("analytics")
        assert here.choices["analytics"] == ("denied", LATER)


def test_leaving_a_topic_holds(set_back: Kit) -> None:
    with nancy(set_back):
        cxkit.prefer("news", "email", "denied")
        assert cxkit.may_send("news", "email") != CLEAR, "before it is committed"
    settled(set_back)
    with nancy(set_back):
        assert cxkit.may_send("news", "email") != CLEAR
        assert cxkit.may_send("sales", "sms") == CLEAR, "another cell"


def test_so_does_a_stop_against_what_was_joined_and_lifted_later(set_back: Kit) -> None:
    with nancy(set_back):
        cxkit.stop_marketing()
        assert cxkit.may_send("sales", "sms") != CLEAR
    settled(set_back)
    with nancy(set_back):
        assert cxkit.may_send("sales", "sms") != CLEAR


def test_and_what_is_not_committed_yet_counts_as_well(kit: Kit, clock: FakeClock, store: Faulty) -> None:
    store.conflicts = 1_000_000
    with nancy(kit):
        cxkit.grant("analytics")
        cxkit.prefer("news", "email", "granted")
        clock.advance(-3600)
    with nancy(kit):
        cxkit.withdraw("analytics")
        cxkit.prefer("news", "email", "denied")
        assert cxkit.may_send("news", "email") != CLEAR
    store.conflicts = 0
    settled(kit)
    with nancy(kit):
        assert "analytics" not in cxkit.current().allowed
        assert cxkit.may_send("news", "email") != CLEAR


def test_where_the_store_cannot_be_asked_it_is_refused_all_the_same(set_back: Kit, store: Faulty) -> None:
    store.broken = True
    with nancy(set_back):
        cxkit.withdraw("analytics")
        cxkit.prefer("news", "email", "denied")
        cxkit.stop_marketing()
    store.broken = False
    settled(set_back)
    assert sum(len(body["records"]) for body in held(store, "consent").values()) == 2


def test_where_clocks_agree_nothing_says_another_time(kit: Kit) -> None:
    told: list[Any] = []
    kit.subscribe(lambda event: told.append(event.command.properties))
    with nancy(kit):
        cxkit.grant("analytics")
        cxkit.withdraw("analytics")
        cxkit.prefer("news", "email", "granted")
        cxkit.prefer("news", "email", "denied")
        cxkit.stop_marketing()
    settled(kit)
    assert len(told) == 5
    assert all("decided_at" not in one for one in told)


def test_two_processes_on_one_file(tmp_path: Path) -> None:
    settings = Settings(directory=tmp_path / ".cxkit")
    clock = FakeClock(start_s=NOON.timestamp() + 2)
    ahead = Kit(settings, stamper=Stamper(time_ns=clock.time_ns))
    clock = FakeClock(start_s=NOON.timestamp())
    right = Kit(settings, stamper=Stamper(time_ns=clock.time_ns))
    with nancy(ahead):
        cxkit.grant("analytics")
        cxkit.prefer("news", "email", "granted")
    settled(ahead)
    with nancy(right):
        cxkit.withdraw("analytics")
        cxkit.prefer("news", "email", "denied")
    settled(right)
    ahead.desk.view._know_nothing()
    for kit in (ahead, right):
        with nancy(kit):
            assert "analytics" not in cxkit.current().allowed
            assert cxkit.may_send("news", "email") != CLEAR
        kit.close(timeout_s=10)


# --- what the store makes of it ---


def at(minute: int) -> str:
    return datetime(2026, 11, 21, 10, minute, tzinfo=UTC).isoformat()


def refused(*, id: str, minute: int, until: int) -> Any:
    one = chose(NANCY, id=id, minute=minute, analytics="denied")
    return attrs.evolve(one, properties={**one.properties, "decided_at": at(until)})


steps = st.lists(
    st.tuples(st.sampled_from(["grant", "deny", "join", "leave", "stop", "lift"]), st.integers(0, 59)), max_size=8
)


@given(steps, st.data())
def test_law_every_refusal_that_saw_what_was_before_it_holds_in_whatever_order_they_come(
    story: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Clocks as they like; each refusal says the latest time that it has seen, as the verbs do."""
    commands: list[Any] = []
    seen = 0
    for place, (step, minute) in enumerate(story):
        said = {"id": f"{place:02d}", "minute": minute}
        seen = max(seen, minute)
        if step in ("grant", "join", "lift"):
            one: Any = {
                "grant": lambda said=said: chose(NANCY, analytics="granted", **said),
                "join": lambda said=said: preferred(NANCY, "news", "email", "granted", **said),
                "lift": lambda said=said: stopped(NANCY, lifted=True, **said),
            }[step]()
        else:
            one = {
                "deny": lambda said=said: chose(NANCY, analytics="denied", **said),
                "leave": lambda said=said: preferred(NANCY, "news", "email", "denied", **said),
                "stop": lambda said=said: stopped(NANCY, **said),
            }[step]()
            one = attrs.evolve(one, properties={**one.properties, "decided_at": at(seen)})
        commands.append(one)
    straight = applied(*commands)
    shuffled = applied(*data.draw(st.permutations([*commands, *commands])))
    assert held(straight, "preference") == held(shuffled, "preference")
    steps = [step for step, _ in story]
    for store in (straight, shuffled):
        bodies = held(store, "consent").values()
        if steps and steps[-1] == "deny":
            assert choices_of(consents_in(bodies))["analytics"][0] == "denied"
        if steps and steps[-1] in ("leave", "stop"):
            assert cells(store)["news", "email"] == "denied"


def test_a_time_that_is_told_never_makes_anything_earlier_and_no_grant_later() -> None:
    store = applied(refused(id="01", minute=30, until=10), chose(NANCY, id="02", minute=20, analytics="granted"))
    (body,) = held(store, "consent").values()
    assert choices_of(consents_in([body]))["analytics"][0] == "denied"
    granted = chose(identity(user_id="otto"), id="03", minute=1, analytics="granted")
    store = applied(attrs.evolve(granted, properties={**granted.properties, "decided_at": at(50)}), store=MemoryStore())
    (body,) = held(store, "consent").values()
    assert [one.decided_at.minute for one in consents_in([body])] == [1]
