"""What holds of the graph whatever commands come, and in whatever order."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from cxkit.model import EVIDENCE, Evidence
from cxkit.rules.identity import TYPES, IdentifierType, Parting, Person, Types
from tests import strategies as some
from tests.rules.identity.world import START, Command, Seen, World, after, cookie, login, type_in

KEYS = [f"{type}-{one}" for type in ("user_id", "loyalty", "email", "visitor", "push_token") for one in (1, 2, 3)]
evidences: st.SearchStrategy[Evidence] = st.sampled_from(EVIDENCE)
sightings: st.SearchStrategy[Seen] = st.dictionaries(st.sampled_from(KEYS), evidences, min_size=1, max_size=4).map(
    lambda found: {key: (type_in(key), evidence) for key, evidence in found.items()}
)
proven = st.sampled_from([login, cookie]).flatmap(
    lambda how: st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).map(lambda keys: how(*keys))
)
users, cards, mails, devices = (
    st.sampled_from([f"{type}-{one}" for one in (1, 2, 3)]) for type in ("user_id", "loyalty", "email", "visitor")
)
visits = st.builds(lambda user, device: {**login(user), **cookie(device)}, users, devices) | devices.map(cookie)
meetings = st.lists(cards | mails, min_size=1, max_size=3, unique=True).flatmap(
    lambda keys: st.just(login(*keys)) | devices.map(lambda device: {**login(*keys), **cookie(device)})
)
"""What merges as much as may be."""
MERGED: list[Seen] = [login("user_id-1"), cookie("visitor-2"), {**login("user_id-1"), **cookie("visitor-2")}]
"""The beginning of what merges two people for sure."""
options = st.fixed_dictionaries({}, optional={"stitching": st.booleans()})
FEW: Types = {
    "loyalty": attrs.evolve(TYPES["loyalty"], most=2),
    "email": attrs.evolve(TYPES["email"], most=1, within_s=6 * 3600),
    "visitor": attrs.evolve(TYPES["visitor"], most=1, within_s=4 * 3600),
}
"""So few that three of a kind are too many; sightings are an hour apart."""


@st.composite
def logs(draw: st.DrawFn) -> list[Command]:
    """Sightings in the order of their ids."""
    found = draw(st.lists(st.tuples(sightings, options), max_size=12))
    return [Command(place + 1, seen, chosen) for place, (seen, chosen) in enumerate(found)]


@st.composite
def agreeing(draw: st.DrawFn) -> list[Command]:
    """What three people do who share nothing: they log in, or are recognised without."""
    found: list[Command] = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        person = draw(st.integers(1, 3))
        types = draw(st.lists(st.sampled_from(["loyalty", "email", "visitor", "push_token"]), max_size=4, unique=True))
        keys = [f"{type}-{person}{draw(st.integers(1, 2))}" for type in types]
        if draw(st.booleans()):
            how = draw(st.sampled_from([login, cookie]))
            found.append(Command(number, {**how(*keys), **login(f"user_id-{person}")}))
        else:
            found.append(Command(number, cookie(*(key for key in keys if type_in(key) in ("visitor", "push_token")))))
    return found


def wander(data: st.DataObject, steps: int, seen: st.SearchStrategy[Seen] = sightings, types: Types = TYPES) -> World:
    """A world in which operators merge, part and force, and people are erased."""
    world = World()
    for _ in range(steps):
        what = data.draw(st.sampled_from(["see", "see", "merge", "merge", "unmerge", "erase"]))
        keys = sorted(world.identifiers)
        if what == "merge" and len(keys) > 1:
            one, other = data.draw(st.permutations(keys))[:2]
            world.merge(one, other, force=data.draw(st.booleans()), types=types)
        elif what == "unmerge" and world.ledger:
            world.unmerge(data.draw(st.sampled_from(sorted(world.ledger))))
        elif what == "erase" and keys:
            at = START + timedelta(hours=world.number)
            world.erase(data.draw(st.sampled_from(keys)), at=at, suppress=data.draw(st.booleans()))
        else:
            world.see(data.draw(seen), types=types, **data.draw(options))
        world.check()
    return world


@some.few
@given(st.data(), st.integers(1, 12))
def test_whatever_happens_an_identifier_has_one_owner_one_hop_away(data: st.DataObject, steps: int) -> None:
    wander(data, steps)


@given(logs())
def test_two_values_of_a_unique_type_never_share_a_person(log: list[Command]) -> None:
    for person in after(log).living:
        assert len(person.keys("user_id")) <= 1


@given(st.data(), st.integers(6, 12))
def test_no_operator_makes_them_share_one_but_by_force(data: st.DataObject, steps: int) -> None:
    for person in unforced(wander(data, steps, visits)):
        assert len(person.keys("user_id")) <= 1


@given(st.data(), st.integers(6, 12))
def test_nobody_has_more_of_a_type_in_its_time_than_may_be_but_by_force(data: st.DataObject, steps: int) -> None:
    for person in unforced(wander(data, steps, meetings, FEW)):
        for type in FEW.values():
            assert most_at_once(person, type) <= type.most


@some.few
@given(st.data(), st.lists(st.sampled_from([0, 24, 25, 48, 49]), min_size=2, max_size=4))
def test_no_merge_makes_somebody_of_more_than_fifty_but_by_force(data: st.DataObject, sizes: list[int]) -> None:
    types = {**TYPES, "badge": IdentifierType(name="badge", most=1000)}
    world = World()
    for person, size in enumerate(sizes):
        world.see(login(f"loyalty-{person}", *(f"badge-{person}{one:02}" for one in range(size))), types=types)
    names = st.sampled_from([f"loyalty-{person}" for person in range(len(sizes))])
    for _ in range(4):
        one, other = data.draw(names), data.draw(names)
        before = {world.person(name).id: len(world.person(name).links) for name in (one, other)}
        how = data.draw(st.sampled_from(["login", "operator", "force"]))
        if how == "login":
            world.see(login(one, other), types=types)
        else:
            world.merge(one, other, force=how == "force", types=types)
        may = how == "force" or len(before) == 1 or sum(before.values()) <= 50
        assert (world.person(one) == world.person(other)) == may


@given(st.data(), agreeing())
def test_what_does_not_conflict_gives_the_same_people_in_any_order(data: st.DataObject, log: list[Command]) -> None:
    expected = after(log).partition
    late = after(data.draw(st.permutations(log)))
    assert late.partition == expected
    for people in expected:
        assert len({key.partition("-")[2][0] for key in people}) == 1
    assert all(held.contested is None for held in late.identifiers.values())


@given(st.data(), agreeing())
def test_what_does_not_conflict_joins_all_that_was_seen_together(data: st.DataObject, log: list[Command]) -> None:
    world = after(data.draw(st.permutations(log)))
    for command in log:
        assert len({world.identifiers[key].person for key in command.seen}) <= 1


@given(logs())
def test_a_command_that_comes_twice_changes_nothing(log: list[Command]) -> None:
    world = World()
    for command in log:
        world.apply(command)
        before = world.documents
        again = world.apply(command)
        assert world.documents == before
        assert (again.new, again.moved, again.merge, again.contested) == (False, (), None, ())


@given(st.data(), logs())
def test_commands_that_come_again_late_and_in_any_order_change_nothing(data: st.DataObject, log: list[Command]) -> None:
    world = after(log)
    before = world.documents
    for command in data.draw(st.permutations(log)):
        world.apply(command)
        assert world.documents == before


@given(logs())
def test_the_older_person_survives_and_ids_stay(log: list[Command]) -> None:
    world = World()
    for command in log:
        before = {one.id: one for one in world.living}
        found = world.apply(command)
        if found.merge:
            assert found.person is not None
            assert not found.new
            parts = [before.get(one.id, one) for one in (found.person, *found.absorbed)]
            assert min(parts, key=lambda one: (one.born_at, one.id)).id == found.person.id
            assert found.person.born_at == min(one.born_at for one in parts)
    assert set(world.people) == set(world.born)


@given(st.lists(proven, max_size=12))
def test_every_merge_has_one_row_that_names_all_who_were_absorbed(several: list[Seen]) -> None:
    world = World()
    for seen in several:
        before = {one.id: one for one in world.living}
        rows = set(world.ledger)
        found = world.see(seen)
        gone = before.keys() - {one.id for one in world.living}
        assert (found.merge is not None) == bool(gone)
        assert set(world.ledger) - rows == ({f"c{world.number:06}"} if gone else set())
        if found.merge:
            assert {one.id for one in found.merge.absorbed} == gone
            assert set(found.merge.history) == {id for one in gone for id in before[one].ids}
            links = {link.key for one in found.merge.absorbed for link in one.links}
            assert {key for one in gone for key in keys_of(before[one])} <= links


@given(st.lists(proven, max_size=12))
def test_undoing_the_latest_merge_gives_back_both_sets(several: list[Seen]) -> None:
    world = World()
    for seen in several:
        before = {one.id: one for one in world.living}
        found = world.see(seen)
        if found.merge is None:
            continue
        linked = {link.key for link in found.linked}
        stood = copy.deepcopy(world)
        parting = stood.unmerge(found.merge.command)
        stood.check()
        assert parting.survivor is not None
        for one in (parting.survivor, *parting.restored):
            was = before[one.id]
            assert keys_of(one) - linked == keys_of(was)
            assert (one.absorbed, one.merges, one.born_at) == (was.absorbed, was.merges, was.born_at)


@some.few
@given(st.lists(proven, max_size=12), st.lists(proven, max_size=4))
def test_undoing_a_merge_leaves_the_survivor_what_came_later(several: list[Seen], later: list[Seen]) -> None:
    world = World()
    for seen in [*MERGED, *several]:
        world.see(seen)
    survivor = next(one for one in world.living if one.merges)
    row = world.ledger[survivor.merges[-1]]
    for seen in later:
        world.see(seen)
    now = world.people[survivor.id]
    theirs = {link.key for one in row.absorbed for link in one.links}
    parting = world.unmerge(row.command)
    world.check()
    if isinstance(now, Person) and now.merges == survivor.merges:
        theirs &= keys_of(now)  # what somebody else has proven theirs since, stays theirs
        assert parting.survivor is not None
        assert keys_of(parting.survivor) == keys_of(now) - theirs
        assert {key for one in parting.restored for key in keys_of(one)} == theirs
    else:
        assert parting == Parting(refused="superseded")


@some.few
@given(st.data(), st.integers(1, 12))
def test_only_the_latest_merge_is_undone(data: st.DataObject, steps: int) -> None:
    world = wander(data, steps)
    for command, row in sorted(world.ledger.items()):
        survivor = world.people.get(row.survivor)
        latest = isinstance(survivor, Person) and survivor.merges[-1:] == (command,)
        before = world.documents
        refused = world.unmerge(command).refused
        assert refused == ("not_merged" if row.undone_by else None if latest else "superseded")
        assert (world.documents == before) == (refused is not None)
        world.check()


@some.few
@given(st.lists(proven, max_size=10), st.lists(proven, max_size=6), st.data())
def test_what_an_operator_parted_no_login_merges_again(
    several: list[Seen], later: list[Seen], data: st.DataObject
) -> None:
    world = World()
    log = [*MERGED, *several]
    for seen in log:
        world.see(seen)
    row = world.ledger[data.draw(st.sampled_from(sorted(world.ledger)))]
    parting = world.unmerge(row.command)
    assume(parting.refused is None)
    number = int(row.command[1:])
    again = Command(number, log[number - 1])
    for command in [again, *(Command(100 + place, seen) for place, seen in enumerate(later))]:
        world.apply(command)
        world.check()
        now = {end(world, id) for id in (row.survivor, *(one.id for one in row.absorbed))}
        assert len(now) == 1 + len(row.absorbed)


@some.few
@given(st.data(), st.integers(1, 10))
def test_undoing_comes_twice_too(data: st.DataObject, steps: int) -> None:
    world = wander(data, steps)
    for number, command in enumerate(sorted(world.ledger)):
        by = 500 + number
        if world.unmerge(command, number=by).refused is None:
            before = world.documents
            assert world.unmerge(command, number=by) == Parting()
            assert world.unmerge(command).refused == "not_merged"
            assert world.documents == before


@some.few
@given(st.data(), st.integers(1, 10))
def test_a_forced_merge_that_comes_again_stays_undone(data: st.DataObject, steps: int) -> None:
    world = wander(data, steps)
    world.see(login("user_id-8"))
    one, others = "user_id-8", sorted(key for key, owned in world.identifiers.items() if not owned.contested)
    other = data.draw(st.sampled_from(others))
    assume(one != other)
    before = world.partition
    found = world.merge(one, other, number=700, force=True)
    assert found.merge is not None
    assert found.merge.forced
    assert world.unmerge(found.merge.command).refused is None
    assert world.partition == before
    stood = world.documents
    world.merge(one, other, number=700, force=True)
    assert world.documents == stood


@given(logs(), sightings)
def test_whom_a_lookup_finds_is_whom_the_command_finds(log: list[Command], seen: Seen) -> None:
    world = after(log)
    expected = world.whose(seen)
    found = world.see(seen, number=900)
    if expected is None:
        assert found.person is None or found.new
    else:
        assert found.person is not None
        assert expected in found.person.ids


@given(logs())
def test_claims_and_message_tokens_link_nothing(log: list[Command]) -> None:
    weak: dict[Evidence, Evidence] = {"claim": "claim", "token": "token", "cookie": "token", "login": "claim"}
    only_weak = [
        attrs.evolve(one, seen={key: (type, weak[how]) for key, (type, how) in one.seen.items()}) for one in log
    ]
    assert after(only_weak).documents == World().documents
    world = World()
    for command in log:
        for key in world.apply(command).moved:
            link = next(one for one in world.person(key).links if one.key == key)
            assert link.evidence in ("cookie", "login")
        strong = {key: one for key, one in command.seen.items() if one[1] in ("cookie", "login")}
        assert {link.key for link in world.apply(command).linked} <= set(strong)


@given(logs(), sightings, options)
def test_every_identifier_is_the_persons_or_refused_by_name(
    log: list[Command], seen: Seen, options: dict[str, Any]
) -> None:
    world = after(log)
    found = world.see(seen, number=900, **options)
    for key, (_, evidence) in seen.items():
        held = world.identifiers.get(key)
        theirs = found.person is not None and held is not None and held.person == found.person.id
        if held is None:
            assert key in found.refused
        elif evidence in ("cookie", "login") and not theirs:
            assert key in found.refused or held.contested
        assert not (key in found.moved and key in found.refused)


@given(logs(), st.lists(sightings, max_size=4))
def test_what_is_typed_in_finds_nobody_who_has_logged_in(log: list[Command], several: list[Seen]) -> None:
    """Whatever is typed in beside a cookie, whoever has logged in is found as without it."""
    world = after(log)
    for number, seen in enumerate(several, 900):
        devices = {key: one for key, one in seen.items() if one[0] in ("visitor", "push_token")}
        only = {key: (type, "cookie") for key, (type, _) in devices.items()}
        typed: Seen = {key: (type, "cookie") for key, (type, _) in seen.items()}
        found = world.people.get(world.whose(typed) or "")
        if isinstance(found, Person) and found.logged_in:
            assert any(world.identifiers[key].person == found.id for key in only if key in world.identifiers)
        world.see(typed, number=number)
        world.check()


@given(logs())
def test_a_contested_device_alone_is_never_somebody_known(log: list[Command]) -> None:
    world = after(log)
    known = {one.id for one in world.living if one.links}
    for key, held in sorted(world.identifiers.items()):
        if held.contested:
            found = world.see(cookie(key), number=900)
            assert found.person is not None
            assert found.person.id not in known
            assert found.person.links == ()
            assert world.see(cookie(key), number=901).person == found.person


def unforced(world: World) -> list[Person]:
    return [one for one in world.living if not any(world.ledger[row].forced for row in one.merges)]


def most_at_once(person: Person, type: IdentifierType) -> int:
    """The most of a type that were linked within any time of its length."""
    when = [link.at for link in person.links if link.type == type.name]
    length = timedelta.max if type.within_s is None else timedelta(seconds=type.within_s)
    return max((sum(timedelta(0) <= at - first < length for at in when) for first in when), default=0)


def keys_of(person: Person) -> set[str]:
    return {link.key for link in person.links}


def end(world: World, id: str) -> str:
    found = world.people[id]
    return found if isinstance(found, str) else found.id
