"""Every reason why something is not linked or merged, at its bounds."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from cxkit.rules.identity import MOST_LINKS, TYPES, IdentifierType, Owned, Reason, type_of
from cxkit.rules.identity.sightings import Graph
from tests.rules.identity.world import START, World, claim, cookie, login

WEEK_H = 7 * 24


@pytest.fixture
def world() -> World:
    return World()


def test_unique_conflict_leaves_a_contact_with_its_owner(world: World) -> None:
    first = world.see(login("user_id-1", "email-1"))
    second = world.see(login("user_id-2", "email-1"))
    assert second.refused == {"email-1": "unique_conflict"}
    assert second.contested == ()
    assert world.person("email-1") == first.person


def test_unique_conflict_of_two_values_in_one_sighting(world: World) -> None:
    found = world.see({**login("user_id-2"), **cookie("user_id-1", "visitor-1")})
    assert found.refused == {"user_id-1": "unique_conflict"}
    assert found.moved == ("user_id-2", "visitor-1")


def test_unique_conflict_of_an_owner_found_by_a_strong_identifier(world: World) -> None:
    world.see(login("user_id-1", "loyalty-1"))
    found = world.see(login("user_id-2", "loyalty-1"))
    assert (found.new, found.refused, found.contested) == (True, {"loyalty-1": "unique_conflict"}, ())


def test_unique_conflict_with_what_was_seen_beside_it(world: World) -> None:
    """Whose cookies contradict each other is neither of the two."""
    for evidence, person in ((login, 1), (cookie, 2)):
        world.see({**evidence(f"user_id-{person}"), **cookie(f"visitor-{person}", f"push_token-{person}")})
    found = world.see({**login("loyalty-3"), **cookie("user_id-1", "push_token-1", "visitor-2")})
    assert (found.new, found.moved) == (True, ("loyalty-3",))
    assert found.refused == {
        "user_id-1": "source_already_identified", "push_token-1": "source_already_identified",
        "visitor-2": "unique_conflict",
    }  # fmt: skip
    assert found.contested == ("visitor-2", "push_token-1")


def test_source_already_identified_without_any_login(world: World) -> None:
    """Two who have logged in are not one because their cookies meet."""
    first = world.see({**login("email-1"), **cookie("visitor-1")})
    world.see({**login("email-2"), **cookie("push_token-2")})
    met = world.see(cookie("visitor-1", "push_token-2"))
    assert met.person == first.person
    assert met.refused == {"push_token-2": "source_already_identified"}
    assert met.contested == ("push_token-2",)


def test_of_two_whose_cookies_meet_the_older_is_found(world: World) -> None:
    older = world.see({**login("email-1"), **cookie("push_token-1")})
    world.see({**login("email-2"), **cookie("visitor-2")})
    met = world.see(cookie("visitor-2", "push_token-1"))
    assert (met.person, met.refused) == (older.person, {"visitor-2": "source_already_identified"})


def test_a_device_of_one_who_logs_in_here_too_is_not_contested(world: World) -> None:
    """They are kept apart by a limit, not because somebody else uses the device."""
    for person in (1, 2):
        for number in range(3):
            world.see(login(f"loyalty-{person}{number}", f"email-{person}"))
    found = world.see({**login("email-1", "email-2"), **cookie("visitor-1")})
    world.see({**login("email-2"), **cookie("visitor-2")})
    again = world.see({**login("email-1", "email-2"), **cookie("visitor-2")})
    assert found.refused == {"email-2": "limit_exceeded"}
    assert again.refused == {"email-2": "limit_exceeded", "visitor-2": "limit_exceeded"}
    assert again.contested == ()


def test_two_who_log_in_together_are_one(world: World) -> None:
    world.see(login("email-1"))
    world.see(login("loyalty-2"))
    both = world.see(login("email-1", "loyalty-2"))
    assert both.merge
    assert both.refused == {}


@pytest.mark.parametrize(("type", "window_h"), [("visitor", WEEK_H), ("email", 365 * 24), ("unheard_of", WEEK_H)])
def test_limit_exceeded_within_the_window_only(world: World, type: str, window_h: int) -> None:
    for number in range(5):
        world.see({**login("user_id-1"), **cookie(f"{type}-{number}")}, hours=number)
    sixth = {**login("user_id-1"), **cookie(f"{type}-6")}
    assert world.see(sixth, hours=window_h - 0.1).refused == {f"{type}-6": "limit_exceeded"}
    late = world.see({**login("user_id-1"), **cookie(f"{type}-7")}, hours=2.5)
    assert late.refused == {f"{type}-7": "limit_exceeded"}, "in whatever order they come"
    assert world.see(sixth, hours=window_h).refused == {}


def test_limit_exceeded_for_ever(world: World) -> None:
    for number in range(5):
        world.see(login("user_id-1", f"loyalty-{number}"), hours=number * 9_000)
    assert world.see(login("user_id-1", "loyalty-9"), hours=90_000).refused == {"loyalty-9": "limit_exceeded"}


def test_limit_exceeded_demotes_the_lowest_priority(world: World) -> None:
    """Of several seen together those that matter more are linked, the others are refused."""
    found = world.see(cookie(*(f"visitor-{number}" for number in range(6)), "loyalty-1"))
    assert found.refused == {"visitor-5": "limit_exceeded"}


def test_limit_exceeded_by_a_merge(world: World) -> None:
    for person in (1, 2):
        for number in range(3):
            world.see({**login(f"loyalty-{person}"), **cookie(f"visitor-{person}{number}")})
    found = world.see(login("loyalty-1", "loyalty-2"))
    assert found.refused == {"loyalty-2": "limit_exceeded"}
    later = world.see({**login("loyalty-1", "loyalty-2"), **cookie("visitor-10", "visitor-20")})
    assert (later.refused, later.contested) == ({"loyalty-2": "limit_exceeded", "visitor-20": "limit_exceeded"}, ())


def test_limit_exceeded_is_not_tried_again_by_the_same_command(world: World) -> None:
    """What was refused when it came first is not done when it comes again, although the limit has room by then."""
    for number in range(5):
        world.see({**login("user_id-1"), **cookie(f"visitor-{number}")})
    sixth = {**login("user_id-1", "email-1"), **cookie("visitor-6")}
    assert world.see(sixth, number=7).moved == ("email-1",)
    world.see(cookie("visitor-6"), hours=2 * WEEK_H)
    before = world.documents
    world.see(sixth, number=7)
    assert world.documents == before


def test_a_command_whose_merge_was_undone_merges_nobody_else(world: World) -> None:
    for number in range(5):
        world.see({**login("user_id-1"), **cookie(f"push_token-{number}")})
    world.see(cookie("visitor-2"))
    both = {**login("user_id-1"), **cookie("visitor-2", "push_token-6")}
    merged = world.see(both, number=7)
    assert merged.merge
    assert merged.refused == {"push_token-6": "limit_exceeded"}
    world.unmerge(merged.merge.command, number=8)
    world.see(cookie("push_token-6"), hours=2 * WEEK_H, number=9)
    before = world.documents
    world.see(both, number=7)
    assert world.documents == before


@pytest.mark.parametrize(("others", "reason"), [(MOST_LINKS - 1, None), (MOST_LINKS, "fan_in")])
def test_fan_in_above_fifty(world: World, others: int, reason: Reason | None) -> None:
    for number in range(others):
        world.see({**login("user_id-1"), **cookie(f"visitor-{number}")} if number else login("user_id-1"),
                  hours=number * WEEK_H)  # fmt: skip
    assert len(world.person("user_id-1").links) == others
    world.see(cookie("push_token-1"))
    found = world.see({**login("user_id-1"), **cookie("push_token-1")})
    assert found.refused.get("push_token-1") == reason
    assert (found.merge is None) == (reason is not None)


def test_consent_denied_joins_no_device_to_a_name(world: World) -> None:
    visit = world.see(cookie("visitor-1"))
    found = world.see({**login("user_id-1", "email-1", "device_id-1"), **cookie("visitor-1")}, stitching=False)
    assert found.refused == {"visitor-1": "consent_denied", "device_id-1": "consent_denied"}
    assert found.moved == ("user_id-1", "email-1")
    assert found.contested == ()
    assert world.person("visitor-1") == visit.person


def test_consent_denied_joins_no_two_devices(world: World) -> None:
    found = world.see(cookie("visitor-1", "push_token-1"), stitching=False)
    assert (found.moved, found.refused) == (("visitor-1",), {"push_token-1": "consent_denied"})


@pytest.mark.parametrize("type", ["session", "session_id"])
def test_a_session_is_no_identifier(world: World, type: str) -> None:
    found = world.see(cookie(f"{type}-1", "visitor-1"))
    assert found.refused == {f"{type}-1": "illegal_id"}
    assert found.moved == ("visitor-1",)


def test_weak_evidence_of_nobody(world: World) -> None:
    found = world.see({**login("user_id-1"), **claim("phone-1")})
    assert found.refused == {"phone-1": "weak_evidence"}


def test_nothing_seen_is_nobody(world: World) -> None:
    assert (world.see({}).person, world.documents) == (None, World().documents)


def test_an_owner_who_is_gone_owns_nothing(world: World) -> None:
    """An identifier whose person was lost is linked anew instead of lost as well."""
    world.see(login("user_id-1"))
    world.people.clear()
    world.born.clear()
    assert world.see(login("user_id-1")).moved == ("user_id-1",)


@pytest.mark.parametrize("force", [False, True])
def test_whom_a_key_does_not_name_no_operator_merges(world: World, force: bool) -> None:
    world.see({**login("user_id-1", "email-1"), **cookie("visitor-1")})
    world.see({**login("user_id-2"), **cookie("visitor-1")})
    world.see(login("loyalty-3"))
    for key, reason in (("visitor-1", "contested"), ("email-9", "nobody")):
        for pair in (("loyalty-3", key), (key, "loyalty-3")):
            assert world.merge(*pair, force=force).dropped == reason
    at = START + timedelta(hours=100)
    world.erase("user_id-1", at=at, suppress=True, until=at + timedelta(hours=300))
    assert world.merge("loyalty-3", "email-1", force=force).dropped == "tombstoned"
    world.see(login("email-1"), number=500)
    assert world.merge("loyalty-3", "email-1", force=force, number=50).dropped == "tombstoned", "of before"
    assert world.merge("loyalty-3", "email-1", force=force, number=400).merge


@pytest.mark.parametrize(("id", "owners"), [("c01", True), ("c02", False), ("c03", False)])
def test_what_showed_that_a_device_is_shared_is_not_its_owners_any_more(id: str, owners: bool) -> None:
    held = Owned("p1", contested="c02")
    assert held.vouches(id) is owners
    assert Owned("p1").vouches(id)
    assert Graph(owned={"visitor-1": held}, people={}, types=TYPES, command=id).contested("visitor-1") is not owners


def test_what_showed_that_a_device_is_shared_changes_nothing_when_it_comes_again(world: World) -> None:
    world.see(cookie("push_token-1", "user_id-2"))
    shown = {**cookie("user_id-1", "push_token-1"), **claim("user_id-2")}
    assert world.see(shown, number=7).contested == ("push_token-1",)
    before = world.documents
    world.see(shown, number=7)
    assert world.documents == before


def test_declared_types_are_obeyed(world: World) -> None:
    types = {
        **TYPES,
        "household": IdentifierType(name="household", kind="strong", unique=True, most=1, within_s=None, priority=95),
        "till": IdentifierType(name="till", most=1, within_s=None),
    }
    first = world.see(login("household-1", "user_id-1"), types=types)
    second = world.see(login("household-2", "user_id-1"), types=types)
    assert first.person
    assert second.person
    assert (second.new, second.refused) == (True, {"user_id-1": "unique_conflict"})
    found = world.see({**login("household-1"), **cookie("till-1", "till-2")}, types=types)
    assert (found.moved, found.refused) == (("till-1",), {"till-2": "limit_exceeded"})


def test_the_kinds_of_types() -> None:
    kinds = {name: one.kind for name, one in TYPES.items()}
    assert kinds == {
        "user_id": "strong", "loyalty": "strong", "email": "contact", "phone": "contact",
        "visitor": "device", "anonymous_id": "device", "device_id": "device", "push_token": "device",
    }  # fmt: skip
    assert [name for name, one in TYPES.items() if one.unique] == ["user_id"]
    other = type_of("unheard_of")
    assert (other.kind, other.unique, other.most, other.within_s) == ("device", False, 5, 7 * 86_400)
    assert other.priority < min(one.priority for one in TYPES.values())


def test_these_are_the_reasons() -> None:
    """They are stored and announced: one that is renamed is another."""
    assert set(get_args(Reason)) == {
        "illegal_id", "blocked_value", "tombstoned", "weak_evidence", "consent_denied", "contested",
        "unique_conflict", "source_already_identified", "limit_exceeded", "fan_in", "unmerged", "unexplained",
        "nobody",
    }  # fmt: skip
