"""Operators merge and unmerge: what is theirs, what they chose, and what comes again, late or too often."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus, Committed
from cxkit.flows.documents import consents_in
from cxkit.model import Interaction
from cxkit.rules.consent import choices_of
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, Faulty, batch, chose, command, held, identified, identity, key, lives
from tests.flows.world import traits as all_traits

NANCY, NAN = identity(user_id="nancy", visitor="v1"), identity(email="ab" * 16)


class Desk:
    """An applier, its store, and what it announced."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.heard: list[Committed] = []
        bus = Bus()
        bus.subscribe(self.heard.append)
        self._applier = Applier(lambda: store, KEYS, bus)

    def apply(self, *commands: Interaction) -> Committed:
        for one in commands:
            assert self._applier.export(batch(one), deadline_s=5.0).verdict == "delivered"
        return self.heard[-1]

    def owner(self, type: str, value: str) -> str:
        return str(held(self.store, "identifier")[key(type, value)]["person"])

    @property
    def nancys(self) -> str:
        return self.owner("user_id", "nancy")

    @property
    def nans(self) -> str:
        return self.owner("email", "ab" * 16)

    def choices(self, *named: tuple[str, str]) -> dict[str, str]:
        bodies = held(self.store, "consent")
        keys = [key(type, value) for type, value in named]
        records = consents_in([bodies[one] for one in keys if one in bodies])
        return {purpose: choice for purpose, (choice, _) in choices_of(records).items()}


@pytest.fixture
def desk(store: Faulty) -> Desk:
    desk = Desk(store)
    desk.apply(
        identified(NANCY, id="01", plan="gold", town="Lyon"),
        identified(NAN, id="02", plan="basic", pet="cat"),
    )
    return desk


def merged(
    one: Any = NANCY, other: tuple[str, str] = ("email", "ab" * 16), /, *, id: str = "10", minute: int = 10, **said: Any
) -> Interaction:
    type, value = other
    properties = {"with": {"type": type, "value": value}, "actor": "desk 4", "reason": "she called", "force": False}
    return command("identity.merged", one, {**properties, **said}, id=id, minute=minute)


def unmerged(merge: str = "10", *, id: str = "20", minute: int = 20) -> Interaction:
    said = {"merge": merge, "actor": "desk 4", "reason": "it was her sister"}
    return command("identity.unmerged", identity(), said, id=id, minute=minute)


def test_two_are_one_and_the_ledger_knows(desk: Desk) -> None:
    event = desk.apply(merged())
    assert desk.nancys == desk.nans == "01"
    assert event.names == ("identity.merged", "profile.changed")
    assert all_traits(desk.store) == [{"plan": "gold", "town": "Lyon", "pet": "cat"}]
    row = held(desk.store, "ledger")["10"]["merge"]
    assert (row["actor"], row["reason"], row["rule"]) == ("desk 4", "she called", "operator")


def test_undone_each_has_what_was_theirs_and_what_came_since_stays(desk: Desk) -> None:
    desk.apply(merged(), identified(NANCY, id="15", minute=15, plan="platinum"))
    event = desk.apply(unmerged())
    assert event.names == ("identity.unmerged", "profile.changed")
    assert (desk.nancys, desk.nans) == ("01", "02")
    assert desk.owner("visitor", "v1") == "01"
    assert sorted(all_traits(desk.store), key=str) == [
        {"plan": "basic", "pet": "cat"},
        {"plan": "platinum", "town": "Lyon"},
    ]


def test_a_row_that_is_undone_keeps_nothing_of_them(desk: Desk) -> None:
    desk.apply(merged(), unmerged())
    (row,) = held(desk.store, "ledger").values()
    assert row["merge"]["undone_by"] == "20"
    assert "cat" not in str(row)
    assert (row["merge"]["actor"], row["merge"].get("reason")) == ("desk 4", None), "it may name them"
    assert key("email", "ab" * 16) not in str(row)


def test_only_force_merges_again_those_who_were_parted(desk: Desk) -> None:
    desk.apply(merged(), unmerged())
    assert desk.apply(merged(id="30", minute=30)).refused == {"user_id": "unmerged", "visitor": "unmerged"}
    assert desk.nancys != desk.nans
    desk.apply(merged(id="31", minute=31, force=True))
    assert desk.nancys == desk.nans


def test_where_they_disagree_or_one_said_nothing_it_is_denied_until_the_next_choice(desk: Desk) -> None:
    desk.apply(
        chose(NANCY, id="03", analytics="granted", advertising="granted", personalization="denied"),
        chose(NAN, id="04", analytics="granted", personalization="granted"),
        merged(),
    )
    theirs = [("user_id", "nancy"), ("visitor", "v1"), ("email", "ab" * 16)]
    assert desk.choices(*theirs) == {"analytics": "granted", "advertising": "denied", "personalization": "denied"}
    desk.apply(chose(NAN, id="11", minute=11, advertising="granted"))
    assert desk.choices(*theirs)["advertising"] == "granted"


def test_undone_the_conflict_is_none_any_more(desk: Desk) -> None:
    desk.apply(chose(NANCY, id="03", advertising="granted"), merged())
    assert desk.choices(("user_id", "nancy"))["advertising"] == "denied"
    desk.apply(unmerged())
    assert desk.choices(("user_id", "nancy")) == {"advertising": "granted"}
    assert desk.choices(("email", "ab" * 16)) == {}


@pytest.mark.parametrize(
    ("reason", "commands", "attempt"),
    [
        ("unique_conflict", [identified(identity(user_id="otto"), id="05")], merged(NANCY, ("user_id", "otto"))),
        ("nobody", [], merged(NANCY, ("user_id", "never-seen"))),
        ("unexplained", [], merged(reason=" ")),
        ("unexplained", [], merged(actor="", force=True)),
        (
            "tombstoned",
            [command("privacy.erased", NAN, {"suppress": True, "until": None}, id="06", minute=6)],
            merged(),
        ),
        (
            "contested",
            [identified(identity(user_id="otto", visitor="v1"), id="05", minute=5)],
            merged(NAN, ("visitor", "v1")),
        ),
    ],
)
def test_what_forbids_it_has_a_name_and_changes_nothing(
    desk: Desk, reason: str, commands: list[Interaction], attempt: Interaction
) -> None:
    desk.apply(*commands)
    before = {kind: held(desk.store, kind) for kind in ("person", "identifier", "consent", "ledger")}
    event = desk.apply(attempt)
    assert set(event.refused.values()) == {reason}
    assert event.names == ("identity.refused",)
    assert {kind: held(desk.store, kind) for kind in before} == before


def test_force_is_the_only_way_past_a_refusal(desk: Desk) -> None:
    desk.apply(identified(identity(user_id="otto"), id="05"))
    desk.apply(merged(NANCY, ("user_id", "otto"), force=True))
    assert desk.nancys == desk.owner("user_id", "otto")


def test_only_the_latest_is_undone(desk: Desk) -> None:
    desk.apply(identified(identity(phone="cd" * 16), id="05"), merged())
    desk.apply(merged(NANCY, ("phone", "cd" * 16), id="12", minute=12))
    refused = desk.apply(unmerged("10"))
    assert (refused.names, refused.refused) == (("identity.refused",), {"merge": "superseded"})
    desk.apply(unmerged("12", id="21"), unmerged("10", id="22", minute=22))
    assert len({desk.nancys, desk.nans, desk.owner("phone", "cd" * 16)}) == 3
    assert desk.apply(unmerged("10", id="23", minute=23)).refused == {"merge": "not_merged"}
    assert desk.apply(unmerged("none", id="24")).refused == {"merge": "not_merged"}


def test_what_comes_again_changes_nothing(desk: Desk) -> None:
    desk.apply(merged())
    once = [*desk.store.scan("")]
    assert desk.apply(merged()).names == ()
    assert [*desk.store.scan("")] == once
    desk.apply(unmerged())
    undone = [*desk.store.scan("")]
    for again in (unmerged(), merged(), unmerged()):
        desk.apply(again)
    assert [*desk.store.scan("")] == undone


def test_who_was_parted_can_be_erased_without_a_trace() -> None:
    desk = Desk(MemoryStore())
    desk.apply(identified(NANCY, id="01", plan="gold"), identified(NAN, id="02", pet="cat"), merged(), unmerged())
    gone = {"suppress": False, "until": None}
    desk.apply(command("privacy.erased", NAN, gone, id="30", minute=30))
    left = str([one for one in desk.store.scan("") if not one.key.startswith("tombstone/")])
    assert "cat" not in left
    assert key("email", "ab" * 16) not in left
    assert [life.graph.id for life in lives(desk.store).values()] == ["01"]


def test_what_is_no_merge_is_rejected_and_holds_nothing_up(desk: Desk) -> None:
    for broken in ({}, {"with": None}, {"with": {"type": "user_id"}}, {"with": {"type": "email", "value": "no key"}}):
        said = {"actor": "a", "reason": "b", "force": False, **broken}
        outcome = Applier(lambda: desk.store, KEYS, Bus()).export(
            batch(command("identity.merged", NANCY, said, id="40")), deadline_s=5
        )
        assert outcome.rejected.keys() == {0}
    assert desk.nancys != desk.nans
