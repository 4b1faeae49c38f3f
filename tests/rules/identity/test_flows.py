"""The graph in the situations it is made for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cxkit.rules.identity import Parting
from tests.rules.identity.world import START, World, claim, cookie, login, token


@pytest.fixture
def world() -> World:
    return World()


def test_an_anonymous_visitor_logs_in(world: World) -> None:
    visit = world.see(cookie("visitor-1"))
    found = world.see({**login("user_id-1"), **cookie("visitor-1")})
    assert visit.person
    assert found.person
    assert (found.person.id, found.new, found.merge) == (visit.person.id, False, None)
    assert [(link.key, link.rule, link.by) for link in found.linked] == [("user_id-1", "oldest_owner", "c000002")]
    assert world.partition == {frozenset({"user_id-1", "visitor-1"})}


def test_somebody_known_logs_in_on_a_new_device_that_has_a_history(world: World) -> None:
    """The older of the two survives, whichever it is, and the row of the ledger names the other."""
    known = world.see({**login("user_id-1"), **cookie("visitor-1")})
    device = world.see(cookie("visitor-2"))
    found = world.see({**login("user_id-1"), **cookie("visitor-2")})
    assert known.person
    assert device.person
    assert found.person
    assert found.merge
    assert found.person.id == known.person.id
    assert (found.merge.survivor, found.merge.absorbed, found.merge.rule) == (
        known.person.id, (device.person,), "strong_owner"
    )  # fmt: skip
    assert (found.moved, found.pointing) == (("visitor-2",), (device.person.id,))
    assert world.whose(cookie("visitor-2")) == known.person.id


def test_after_a_logout_with_a_new_cookie_nobody_is_known(world: World) -> None:
    known = world.see({**login("user_id-1"), **cookie("visitor-1")})
    guest = world.see(cookie("visitor-2"))
    assert known.person
    assert guest.person
    assert (guest.new, guest.person.id != known.person.id) == (True, True)


def test_a_second_login_without_a_reset_contests_the_device(world: World) -> None:
    first = world.see({**login("user_id-1"), **cookie("visitor-1")})
    second = world.see({**login("user_id-2"), **cookie("visitor-1")})
    assert first.person
    assert second.person
    assert second.new
    assert second.refused == {"visitor-1": "unique_conflict"}
    assert second.contested == ("visitor-1",)
    assert world.person("visitor-1") == first.person, "it stays where it was"


def test_who_uses_a_contested_device_alone_is_a_person_of_the_device(world: World) -> None:
    first = world.see({**login("user_id-1"), **cookie("visitor-1")})
    world.see({**login("user_id-2"), **cookie("visitor-1")})
    alone = world.see(cookie("visitor-1"))
    assert alone.person
    assert first.person
    assert (alone.person.id, alone.new, alone.moved) == ("c000002.visitor-1", True, ())
    assert world.whose(cookie("visitor-1")) == alone.person.id
    assert world.see(cookie("visitor-1")).person == alone.person
    assert world.person("visitor-1") == first.person, "for whoever asks what is stored of them"


def test_a_contested_device_names_its_owner_beside_their_login_and_links_nothing_beside_others(world: World) -> None:
    first = world.see({**login("user_id-1"), **cookie("visitor-1")})
    second = world.see({**login("user_id-2"), **cookie("visitor-1")})
    assert first.person
    assert second.person
    again = world.see({**login("user_id-1"), **cookie("visitor-1")})
    assert (again.person, again.refused) == (first.person, {})
    sister = world.see({**login("user_id-2"), **cookie("visitor-1")})
    assert (sister.person, sister.refused) == (second.person, {"visitor-1": "contested"})
    other = world.see(cookie("visitor-1", "push_token-1"))
    assert other.person
    assert [link.key for link in other.person.links] == ["push_token-1"]


def test_a_visit_from_before_the_device_was_contested_is_its_owners(world: World) -> None:
    first = world.see({**login("user_id-1"), **cookie("visitor-1")}, number=1)
    world.see({**login("user_id-2"), **cookie("visitor-1")}, number=9)
    late = world.see(cookie("visitor-1"), number=5)
    assert (late.person, late.new) == (first.person, False)
    third = world.see({**login("user_id-3"), **cookie("visitor-1")}, number=6)
    assert (third.refused, third.contested) == ({"visitor-1": "unique_conflict"}, ())


def test_a_sister_who_never_logged_in_elsewhere_is_not_vouched_for_by_the_cookie(world: World) -> None:
    """Somebody logged in with an address; then a card that nobody owns appears beside the same cookie."""
    nancy = world.see({**login("email-1"), **cookie("visitor-1")})
    sister = world.see({**login("loyalty-2"), **cookie("visitor-1")})
    assert nancy.person
    assert sister.person
    assert sister.person.id != nancy.person.id
    assert sister.refused == {"visitor-1": "source_already_identified"}
    assert sister.contested == ("visitor-1",)


def test_one_person_adds_an_identifier_by_logging_in_with_both(world: World) -> None:
    first = world.see({**login("email-1"), **cookie("visitor-1")})
    both = world.see({**login("email-1", "loyalty-1"), **cookie("visitor-1")})
    assert first.person
    assert both.person
    assert (both.person.id, both.refused) == (first.person.id, {})


def test_a_message_token_says_who_is_meant_and_links_no_device(world: World) -> None:
    nancy = world.see(login("user_id-1", "email-1"))
    opened = world.see({**token("email-1"), **cookie("visitor-7")})
    assert nancy.person
    assert opened.person
    assert opened.person.id != nancy.person.id
    assert world.whose(token("email-1")) == nancy.person.id
    assert world.see(token("email-1")).person == nancy.person
    assert world.partition == {frozenset({"user_id-1", "email-1"}), frozenset({"visitor-7"})}


def test_a_claim_of_somebody_known_says_who_is_meant(world: World) -> None:
    nancy = world.see(login("user_id-1", "phone-1"))
    called = world.see(claim("phone-1"))
    assert (called.person, called.moved, called.refused) == (nancy.person, (), {})
    unknown = world.see(claim("phone-2"))
    assert (unknown.person, unknown.refused) == (None, {"phone-2": "weak_evidence"})
    contradicted = world.see({**claim("user_id-9"), **claim("phone-1")})
    assert contradicted.person == nancy.person


def test_a_login_is_believed_against_an_older_persons_cookie(world: World) -> None:
    world.see(cookie("user_id-1"))
    nancy = world.see(login("user_id-2", "email-2"))
    found = world.see({**login("email-2"), **cookie("user_id-1")})
    assert (found.person, found.refused) == (nancy.person, {"user_id-1": "source_already_identified"})


def test_better_evidence_for_what_is_known_is_kept(world: World) -> None:
    seen = world.see(cookie("loyalty-1"))
    found = world.see(login("loyalty-1"))
    assert seen.person
    assert found.person
    assert (seen.person.logged_in, found.person.logged_in) == (False, True)
    assert found.person.links[0].by == "c000001"


# --- what is typed in beside a cookie ---


@pytest.mark.parametrize("typed", ["loyalty-1", "email-1", "user_id-1"])
def test_whoever_types_what_is_somebodys_is_not_them(world: World, typed: str) -> None:
    nancy = world.see(login("user_id-1", "loyalty-1", "email-1"))
    thief = world.see(cookie("visitor-7"))
    assert thief.person
    assert world.whose(cookie("visitor-7", typed)) == thief.person.id
    assert world.whose(cookie("visitor-8", typed)) is world.whose(cookie(typed)) is None
    again = world.see(cookie("visitor-7", typed))
    assert (again.person, again.refused) == (thief.person, {typed: "source_already_identified"})
    new = world.see(cookie("visitor-8", typed))
    assert (new.new, new.moved, new.contested) == (True, ("visitor-8",), ())
    assert world.see(cookie(typed)).person is None
    assert world.person("loyalty-1") == nancy.person


def test_what_was_typed_is_whose_who_logs_in_with_it(world: World) -> None:
    """A thief was there first; nothing of what is theirs or hers becomes the other's."""
    thief = world.see(cookie("visitor-7", "email-1"))
    assert thief.person
    assert world.whose(login("email-1")) is None, "not even before it is committed"
    nancy = world.see({**login("email-1"), **cookie("visitor-1")})
    world.check()
    assert (nancy.new, nancy.moved, nancy.refused) == (True, ("email-1", "visitor-1"), {})
    assert world.partition == {frozenset({"visitor-7"}), frozenset({"email-1", "visitor-1"})}
    before = world.documents
    world.see({**login("email-1"), **cookie("visitor-1")}, number=2)
    late = world.see(cookie("visitor-7", "email-1"), number=1)
    assert (late.person, world.documents) == (world.person("visitor-7"), before)


def test_what_was_typed_before_a_login_of_a_third_is_still_whose_who_logs_in_with_it(world: World) -> None:
    world.see(cookie("visitor-7", "email-1"))
    world.see({**login("user_id-7"), **cookie("visitor-7", "email-1")})
    world.see(login("user_id-1", "email-1"))
    world.check()
    assert world.partition == {frozenset({"visitor-7", "user_id-7"}), frozenset({"user_id-1", "email-1"})}


def test_who_typed_it_on_their_own_device_is_known_there_when_they_log_in(world: World) -> None:
    typed = world.see(cookie("visitor-1", "email-1"))
    found = world.see({**login("email-1", "user_id-1"), **cookie("visitor-1")})
    assert typed.person
    assert found.person
    assert (found.person.id, found.refused) == (typed.person.id, {})
    assert {link.key: link.evidence for link in found.person.links} == {
        "visitor-1": "cookie", "email-1": "login", "user_id-1": "login"
    }  # fmt: skip


def test_two_who_type_the_same_are_not_one(world: World) -> None:
    """Else whoever types first has a share in whoever comes with a login later."""
    world.see(cookie("visitor-7", "loyalty-1"))
    second = world.see(cookie("visitor-1", "loyalty-1"))
    assert second.refused == {"loyalty-1": "source_already_identified"}
    world.see({**login("email-1"), **cookie("visitor-1", "loyalty-1")})
    assert world.partition == {frozenset({"visitor-7", "loyalty-1"}), frozenset({"visitor-1", "email-1"})}


def test_what_was_typed_and_taken_back_stays_so_when_a_merge_is_undone(world: World) -> None:
    world.see(cookie("visitor-7", "email-1"))
    world.see({**login("user_id-7"), **cookie("push_token-7")})
    merged = world.see({**login("user_id-7"), **cookie("visitor-7")})
    assert merged.merge
    world.see(login("email-1"))
    world.unmerge(merged.merge.command)
    world.check()
    assert frozenset({"email-1"}) in world.partition


# --- operators ---


def test_operators_are_bound_by_the_rules_too_unless_they_force_it(world: World) -> None:
    one = world.see(login("user_id-1"))
    world.see(login("user_id-2"))
    assert world.merge("user_id-1", "user_id-2").dropped == "unique_conflict"
    forced = world.merge("user_id-1", "user_id-2", force=True, actor="desk 4", reason="changed her name")
    assert one.person
    assert forced.person
    assert forced.merge
    assert forced.person.id == one.person.id
    assert forced.person.keys("user_id") == {"user_id-1", "user_id-2"}
    row = forced.merge
    assert (row.actor, row.reason, row.forced, row.rule) == ("desk 4", "changed her name", True, "operator")


@pytest.mark.parametrize(("actor", "reason"), [(" ", "she called"), ("desk 4", "")])
def test_nobody_forces_anything_without_a_name_and_a_reason(world: World, actor: str, reason: str) -> None:
    world.see(login("user_id-1"))
    world.see(login("user_id-2"))
    before = world.documents
    assert world.merge("user_id-1", "user_id-2", force=True, actor=actor, reason=reason).dropped == "unexplained"
    assert world.documents == before


def test_an_operators_merge_that_comes_twice_is_one(world: World) -> None:
    world.see(login("email-1"))
    world.see(login("email-2"))
    world.merge("email-1", "email-2", number=9)
    before = world.documents
    world.merge("email-1", "email-2", number=9)
    assert world.documents == before


def test_a_merge_is_undone_and_what_came_later_stays(world: World) -> None:
    world.see(login("user_id-1"))
    world.see(cookie("visitor-2"))
    merged = world.see({**login("user_id-1"), **cookie("visitor-2")})
    world.see(login("user_id-1", "email-1"))
    assert merged.merge
    parting = world.unmerge(merged.merge.command)
    assert parting.moved == {"visitor-2": "c000002"}
    assert world.partition == {frozenset({"user_id-1", "email-1"}), frozenset({"visitor-2"})}


def test_what_was_linked_to_an_absorbed_person_by_the_same_command_goes_back_with_them(world: World) -> None:
    world.see(cookie("visitor-1"))
    nancy = world.see(login("user_id-1"))
    merged = world.see({**login("user_id-1", "email-1"), **cookie("visitor-1")})
    assert nancy.person
    assert merged.merge
    assert merged.person
    assert (merged.person.id, merged.merge.history) == ("c000001", ("c000002",))
    world.unmerge(merged.merge.command)
    assert world.partition == {frozenset({"user_id-1", "email-1"}), frozenset({"visitor-1"})}


def test_a_merge_that_another_followed_is_superseded(world: World) -> None:
    for one in ("email-1", "email-2", "email-3"):
        world.see(login(one))
    first = world.merge("email-2", "email-3")
    last = world.merge("email-1", "email-2")
    assert first.merge
    assert last.merge
    assert last.merge.history == ("c000002", "c000003")
    assert world.unmerge(first.merge.command) == Parting(refused="superseded")
    assert world.unmerge(last.merge.command).refused is None
    assert world.unmerge(first.merge.command).refused is None
    assert world.partition == {frozenset({one}) for one in ("email-1", "email-2", "email-3")}
    assert world.unmerge(first.merge.command).refused == "not_merged"
    assert world.unmerge("c999999").refused == "not_merged"


def test_who_was_parted_is_merged_again_by_force_only_and_the_device_is_contested(world: World) -> None:
    world.see(login("user_id-1"))
    world.see(cookie("visitor-2", "push_token-2"))
    merged = world.see({**login("user_id-1"), **cookie("visitor-2")}, number=3)
    assert merged.merge
    world.unmerge(merged.merge.command, number=8)
    before = world.documents
    world.see({**login("user_id-1"), **cookie("visitor-2")}, number=3)
    assert world.documents == before
    late = world.see({**login("user_id-1"), **cookie("visitor-2")}, number=5)
    assert (late.merge, late.refused, late.contested) == (None, {"visitor-2": "unmerged"}, ())
    later = world.see({**login("user_id-1"), **cookie("visitor-2")}, number=9)
    assert (later.refused, later.contested) == ({"visitor-2": "unmerged"}, ("visitor-2",))
    assert world.merge("user_id-1", "push_token-2").dropped == "unmerged"
    assert world.merge("user_id-1", "visitor-2", force=True).dropped == "contested"
    assert world.merge("user_id-1", "push_token-2", force=True).merge


def test_whom_an_absorbed_person_was_parted_from_goes_with_them(world: World) -> None:
    """Nancy stays apart from Ann who is somebody else's part for a while; that one is not apart from Ann."""
    for one in ("email-1", "email-2", "email-3"):
        world.see(login(one))
    wrong = world.merge("email-2", "email-3")
    assert wrong.merge
    world.unmerge(wrong.merge.command)
    host = world.merge("email-1", "email-2")
    assert host.merge
    assert world.merge("email-1", "email-3").dropped == "unmerged"
    world.unmerge(host.merge.command)
    assert world.merge("email-2", "email-3").dropped == "unmerged"
    assert world.merge("email-1", "email-3").merge


def test_what_was_erased_does_not_come_back_with_an_undone_merge(world: World) -> None:
    world.see(login("email-1"))
    world.see(login("email-2", "phone-2"))
    merged = world.merge("email-1", "email-2")
    assert merged.person
    assert merged.merge
    left = [link for link in merged.person.links if link.key != "phone-2"]
    world.people[merged.person.id] = type(merged.person)(
        id=merged.person.id, born_at=START, links=tuple(left), absorbed=merged.person.absorbed,
        merges=merged.person.merges,
    )  # fmt: skip
    del world.identifiers["phone-2"]
    world.unmerge(merged.merge.command)
    world.check()
    assert world.partition == {frozenset({"email-1"}), frozenset({"email-2"})}


# --- erasure ---


def test_a_late_command_does_not_bring_back_who_was_erased(world: World) -> None:
    world.see({**login("user_id-1"), **cookie("visitor-1")})
    world.erase("user_id-1", at=START + timedelta(hours=10))
    for seen in (login("user_id-1"), {**login("email-5"), **cookie("visitor-1")}):
        late = world.see(seen, hours=10)
        assert (late.person, late.dropped) == (None, "tombstoned")
    assert not world.people


def test_who_was_erased_may_come_back_as_somebody_new(world: World) -> None:
    first = world.see(login("user_id-1"))
    world.erase("user_id-1", at=START + timedelta(hours=10))
    back = world.see(login("user_id-1"), hours=11)
    assert first.person
    assert back.person
    assert (back.new, back.person.id != first.person.id) == (True, True)


def test_who_was_erased_and_suppressed_stays_away_until_then(world: World) -> None:
    world.see(login("user_id-1"))
    until = START + timedelta(hours=20)
    world.erase("user_id-1", at=START + timedelta(hours=10), suppress=True, until=until)
    assert world.see(login("user_id-1"), hours=19).dropped == "tombstoned"
    assert world.see(claim("user_id-1"), hours=19).dropped == "tombstoned"
    assert world.see(login("user_id-1"), hours=20).new


def test_on_the_device_of_somebody_suppressed_others_log_in_and_the_device_is_nobodys(world: World) -> None:
    world.see({**login("user_id-1"), **cookie("visitor-1")})
    world.erase("user_id-1", at=START, suppress=True)
    found = world.see({**login("user_id-2"), **cookie("visitor-1")})
    assert (found.dropped, found.refused) == (None, {"visitor-1": "tombstoned"})
    assert world.partition == {frozenset({"user_id-2"})}
    assert world.see(cookie("visitor-1")).dropped == "tombstoned"
    assert world.see({**login("user_id-1"), **cookie("visitor-9")}).dropped == "tombstoned"
