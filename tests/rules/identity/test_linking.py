"""What holds of identifiers that are added to whoever is known, without a login of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.identity import Person, added_in
from tests.rules.identity.test_laws import KEYS, logs, options
from tests.rules.identity.world import START, Command, Seen, World, after, claim, cookie, login

adding = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)
held = st.sampled_from(KEYS).flatmap(lambda key: st.sampled_from([login, cookie]).map(lambda how: how(key)))


def logged_in(world: World) -> list[Person]:
    return [one for one in world.living if one.logged_in]


@given(logs(), held, adding, options)
def test_nothing_leaves_somebody_who_logged_in_and_no_two_who_did_become_one(
    log: list[Command], who: Seen, keys: list[str], chosen: dict[str, bool]
) -> None:
    world = after(log)
    world.see(who, number=900)
    before = logged_in(world)
    found = world.see({**claim(*keys), **who}, number=901, added=frozenset(keys) - who.keys(), **chosen)
    world.check()
    now = {link.key: one.id for one in world.living for link in one.links}
    owners = [{now[link.key] for link in one.links} for one in before]
    assert all(len(one) == 1 for one in owners)
    assert len(set.union(set(), *owners)) == len(before)
    for key in {*keys} - who.keys():
        assert key in found.refused or (found.person is not None and now[key] == found.person.id)


@given(logs(), held, adding)
def test_who_is_meant_is_decided_by_what_was_there(log: list[Command], who: Seen, keys: list[str]) -> None:
    world = after(log)
    world.see(who, number=900)
    theirs = world.whose(who)
    found = world.see({**claim(*keys), **who}, number=901, added=frozenset(keys) - who.keys())
    if theirs is None:
        assert (found.person, found.moved) == (None, ())
    else:
        assert found.person is not None
        assert theirs in found.person.ids


@pytest.mark.parametrize(("suppress", "hours"), [(True, 1), (False, 5)])
def test_what_was_erased_is_refused_alone(suppress: bool, hours: int) -> None:
    world = World()
    world.see(login("loyalty-1"))
    world.see(login("user_id-2"))
    world.erase("loyalty-1", at=START + timedelta(hours=hours), suppress=suppress)
    found = world.see({**login("user_id-2"), **claim("loyalty-1", "loyalty-2")}, added={"loyalty-1", "loyalty-2"})
    assert (found.dropped, found.refused, found.moved) == (None, {"loyalty-1": "tombstoned"}, ("loyalty-2",))


def test_a_contested_device_takes_nothing() -> None:
    world = World()
    for name in ("1", "2"):
        world.see({**login(f"user_id-{name}"), **cookie("visitor-1")})
    found = world.see({**cookie("visitor-1"), **claim("loyalty-1")}, added={"loyalty-1"})
    assert (found.refused["loyalty-1"], found.moved) == ("contested", ())


def test_a_command_that_does_not_say_what_it_added_added_all_but_the_strongest() -> None:
    seen = {"k1": "user_id", "k2": "email", "k3": "email"}
    assert added_in(seen, None) == {"k2", "k3"}
    assert added_in(seen, []) == frozenset()
