"""apply: commands into the store; twice, late, in any order and against others, with one result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec import encode
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus, Committed
from cxkit.model import Interaction
from cxkit.roles import Batch, Outcome
from cxkit.stores.memory import MemoryStore
from tests import strategies as some
from tests.flows.world import KEYS, Faulty, batch, chose, command, held, identified, identity, key, lives, traits

NANCY = identity(user_id="nancy", visitor="v1")


class Desk:
    """An applier, its store, and what it announced."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.announced: list[Committed] = []
        bus = Bus()
        bus.subscribe(self.announced.append)
        self.applier = Applier(lambda: store, KEYS, bus)

    def apply(self, *commands: Interaction) -> Outcome:
        return self.applier.export(batch(*commands), deadline_s=5.0)

    @property
    def token(self) -> int:
        changes = self.store.changes_since(0)
        return changes[-1].token if changes else 0


def test_an_identification_makes_a_person(store: Faulty) -> None:
    desk = Desk(store)
    assert desk.apply(identified(NANCY, id="01", plan="gold")) == Outcome.delivered()
    keys = [key("user_id", "nancy"), key("visitor", "v1")]
    ((id, life),) = lives(store).items()
    assert id == life.graph.id == "01"
    assert [(one.key, one.type, one.by, one.rule) for one in life.graph.links] == [
        (keys[0], "user_id", "01", "new_person"),
        (keys[1], "visitor", "01", "new_person"),
    ]
    assert traits(store) == [{"plan": "gold"}]
    assert life.graph.born_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert held(store, "identifier") == {
        keys[0]: {"type": "user_id", "person": "01"},
        keys[1]: {"type": "visitor", "person": "01"},
    }


def test_a_choice_is_kept_under_every_identifier(store: Faulty) -> None:
    desk = Desk(store)
    desk.apply(chose(NANCY, id="01", analytics="granted"), chose(NANCY, id="02", analytics="denied"))
    found = held(store, "consent")
    assert found.keys() == {key("user_id", "nancy"), key("visitor", "v1")}
    for body in found.values():
        by_id = {one["id"]: one["choices"] for one in body["records"]}
        assert by_id == {"01": {"analytics": "granted"}, "02": {"analytics": "denied"}}


def test_applying_again_changes_nothing(store: Faulty) -> None:
    desk = Desk(store)
    commands = [
        identified(NANCY, id="01", plan="gold"),
        chose(NANCY, id="02", analytics="granted"),
        identified(NANCY, id="03", plan="silver", town="Lyon"),
    ]
    desk.apply(*commands)
    before, written = {kind: held(store, kind) for kind in ("person", "consent", "identifier")}, desk.token
    for again in ([commands[0]], commands, commands[::-1]):
        assert desk.apply(*again) == Outcome.delivered()
    assert {kind: held(store, kind) for kind in before} == before
    assert desk.token == written, "not even a new version of a document"


def test_a_late_command_of_a_dead_process_does_not_win_over_a_newer_one(store: Faulty) -> None:
    desk = Desk(store)
    desk.apply(identified(NANCY, id="05", plan="gold"))
    desk.apply(identified(NANCY, id="02", plan="basic", town="Lyon"))
    assert traits(store) == [{"plan": "gold", "town": "Lyon"}]


@settings(max_examples=40)
@given(st.data())
def test_any_order_and_any_repetition_give_the_same_traits_and_choices(data: st.DataObject) -> None:
    makers: list[Any] = [
        lambda id: identified(NANCY, id=id, plan=id),
        lambda id: identified(NANCY, id=id, town=id, plan=id),
        lambda id: chose(NANCY, id=id, minute=int(id), analytics="granted"),
        lambda id: chose(NANCY, id=id, minute=int(id), analytics="denied", advertising="granted"),
    ]
    kinds = data.draw(st.lists(st.sampled_from(makers), min_size=1, max_size=6))
    commands = [make(f"{place:02d}") for place, make in enumerate(kinds)]
    straight, shuffled = Desk(MemoryStore()), Desk(MemoryStore())
    straight.apply(*commands)
    shuffled.apply(*data.draw(st.permutations([*commands, *commands])))
    assert traits(straight.store) == traits(shuffled.store)
    assert [{one.key for one in life.graph.links} for life in lives(straight.store).values()] == [
        {one.key for one in life.graph.links} for life in lives(shuffled.store).values()
    ]
    by_id = [
        {key: sorted(body["records"], key=lambda one: one["id"]) for key, body in held(desk.store, "consent").items()}
        for desk in (straight, shuffled)
    ]
    assert by_id[0] == by_id[1]


def test_each_commit_is_announced_with_whom_it_concerns(store: Faulty) -> None:
    desk = Desk(store)
    first = identified(NANCY, id="01")
    desk.apply(first)
    (told,) = desk.announced
    assert told.command == first
    assert told.keys == {key("user_id", "nancy"), key("visitor", "v1")}
    assert "person/01" in told.documents


def test_a_conflict_is_retried_on_what_the_other_wrote(store: Faulty) -> None:
    desk = Desk(store)
    store.conflicts = 3
    assert desk.apply(identified(NANCY, id="01", plan="gold")) == Outcome.delivered()
    assert len(held(store, "person")) == 1
    assert len(desk.announced) == 1


def test_two_who_write_at_once_lose_nothing(store: Faulty) -> None:
    """The other's command comes between reading and committing."""
    desk, other = Desk(store), Desk(store.inner)

    def between() -> None:
        store.meanwhile = lambda: None
        other.apply(identified(NANCY, id="01", plan="gold"), chose(NANCY, id="02", analytics="denied"))

    store.meanwhile = between
    desk.apply(identified(identity(user_id="nancy", visitor="v2"), id="03", town="Lyon"))
    assert traits(store) == [{"plan": "gold", "town": "Lyon"}]
    (life,) = lives(store).values()
    assert {one.key for one in life.graph.links} == {
        key("user_id", "nancy"),
        key("visitor", "v1"),
        key("visitor", "v2"),
    }


def test_while_documents_change_all_the_time_the_command_waits(store: Faulty) -> None:
    desk = Desk(store)
    store.conflicts = 10_000
    assert desk.apply(identified(NANCY)) == Outcome.retry("CX6020")
    assert desk.announced == []


def test_while_the_store_is_broken_commands_wait_in_order(store: Faulty) -> None:
    desk = Desk(store)
    store.broken = True
    commands = [identified(NANCY, id="01"), chose(NANCY, id="02", analytics="denied")]
    assert desk.apply(*commands).verdict == "retry"
    assert desk.announced == []
    store.broken = False
    assert desk.apply(*commands) == Outcome.delivered()


def test_when_the_store_breaks_half_way_the_rest_waits() -> None:
    desk = Desk(Faulty(MemoryStore()))
    store = desk.store
    broken_after_first = Bus()
    broken_after_first.subscribe(lambda event: setattr(store, "broken", True))
    applier = Applier(lambda: store, KEYS, broken_after_first)
    store.conflicts = 1  # or all of them would be one commit
    outcome = applier.export(batch(*(identified(NANCY, id=f"0{n}", n=n) for n in (1, 2, 3))), deadline_s=5.0)
    assert (outcome.verdict, outcome.again, outcome.rejected) == ("reject", {1, 2}, {})


def test_what_comes_together_is_one_commit_and_each_command_is_told_of() -> None:
    desk = Desk(Faulty(MemoryStore()))
    otto = identity(user_id="otto")
    desk.apply(identified(NANCY, id="01"), identified(otto, id="02"), chose(otto, id="03", analytics="denied"))
    assert (desk.store.asked["commit"], desk.store.asked["get_many"]) == (1, 1)
    told = {one.command.id: {name.partition("/")[0] for name in one.documents} for one in desk.announced}
    assert told == {"01": {"identifier", "person"}, "02": {"identifier", "person"}, "03": {"consent"}}
    assert [one.command.id for one in desk.announced] == ["03", "01", "02"]


def test_one_that_cannot_be_followed_costs_none_of_those_with_it() -> None:
    desk = Desk(Faulty(MemoryStore()))
    wrong = command("consent.changed", NANCY, {"choices": 7}, id="02")
    outcome = desk.apply(identified(NANCY, id="01"), wrong, identified(identity(user_id="otto"), id="03"))
    assert (outcome.verdict, outcome.rejected.keys()) == ("reject", {1})
    assert lives(desk.store).keys() == {"01", "03"}


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        encode(identified(NANCY)).replace(b"interaction:1", b"interaction:2"),
        encode(command("identity.unheard_of", NANCY, {})),
        encode(command("consent.changed", NANCY, {})),
        encode(command("consent.changed", NANCY, {"choices": ["analytics"], "method": "api", "policy": "x"})),
        encode(identified(identity(email="not a key in hexadecimal"))),
    ],
    ids=["no event", "of a later version", "unknown", "empty", "malformed", "no key"],
)
def test_what_can_never_be_applied_is_put_aside_and_holds_nothing_up(payload: bytes) -> None:
    desk = Desk(MemoryStore())
    good = encode(identified(NANCY, id="09"))
    outcome = desk.applier.export(Batch("b", (payload, good)), deadline_s=5.0)
    assert (outcome.verdict, set(outcome.rejected), outcome.again) == ("reject", {0}, frozenset())
    assert [one.command.id for one in desk.announced] == ["09"]


@given(some.identities)
def test_nobody_is_made_of_claims(who: Any) -> None:
    """Contacts are given as keys here, as identify leaves them."""
    claims = identity("claim", **{one.type: one.value for one in who.identifiers if one.type not in ("email", "phone")})
    desk = Desk(MemoryStore())
    assert desk.apply(identified(claims, plan="gold")) == Outcome.delivered()
    assert held(desk.store, "person") == {}


def test_who_was_refused_is_told_so_that_a_login_may_be_recorded_again() -> None:
    told: list[str] = []
    store = Faulty(MemoryStore())

    def broken() -> None:
        raise KeyError("a document of somebody else's making")

    store.meanwhile = broken
    applier = Applier(lambda: store, KEYS, Bus(), refused=lambda keys, command: told.append(command))
    one = identified(NANCY)
    assert applier.export(batch(one), deadline_s=1).rejected == {0: "KeyError"}
    assert told == [one.id]
