"""The identity graph in the local file: people who turn out to be one, devices that are shared, merges undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxkit.codec import encode
from cxkit.exporters.local.opening import opened
from cxkit.exporters.local.people import People
from cxkit.exporters.local.rows import Seen, row_of
from cxkit.exporters.local.sessions import Sessions
from cxkit.model import Interaction
from tests.exporters.happened import (
    MINUTE_MS,
    asked,
    batch,
    defined,
    exporter_of,
    happened,
    ids,
    keep,
    login,
    people,
    sessions,
)

HALF_AN_HOUR, DAY = 30 * MINUTE_MS, 24 * 60 * MINUTE_MS
ALL_LAWS = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


def state(path: Path) -> list[list[tuple[Any, ...]]]:
    tables = ("interactions", "identifiers", "people", "merges", "parted", "together")
    return [asked(path, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608 - ours


# --- People who turn out to be one ----------------------------------------------------------------


def two_and_one() -> tuple[list[Interaction], list[Interaction], Interaction]:
    """Nancy by her address on the phone, by her name on the laptop, and by both."""
    phone = [login("login email:51fe", "cookie visitor:a"), happened("cookie visitor:a", at_ms=2)]
    laptop = [happened("cookie visitor:b", at_ms=3), login("login user_id:nancy", "cookie visitor:b", at_ms=4)]
    return phone, laptop, login("login user_id:nancy", "login email:51fe", at_ms=5)


def test_two_people_who_sign_in_as_one_are_one_with_all_they_did(path: Path) -> None:
    phone, laptop, both = two_and_one()
    keep(path, *phone, *laptop)
    assert people(path) == dict.fromkeys(ids(phone), "email:51fe") | dict.fromkeys(ids(laptop), "user_id:nancy")
    assert sessions(path) == [ids(phone), ids(laptop)]
    keep(path, both)
    assert set(people(path).values()) == {"email:51fe"}  # the older one's name
    assert sessions(path) == [ids([*phone, *laptop, both])]
    assert asked(path, "SELECT id, survivor, rule, undone_by FROM merges") == [
        (both.id, "email:51fe", "strong_owner", None)
    ]
    assert asked(path, "SELECT id, part_of FROM people ORDER BY id") == [
        ("email:51fe", None), ("user_id:nancy", "email:51fe")
    ]  # fmt: skip
    assert asked(path, "SELECT DISTINCT person FROM identifiers") == [("email:51fe",)]
    later = happened("cookie visitor:b", at_ms=6)
    keep(path, later)
    assert people(path)[later.id] == "email:51fe"


def test_in_one_batch_it_is_the_same_and_redelivery_changes_nothing(path: Path) -> None:
    phone, laptop, both = two_and_one()
    contents = [*phone, *laptop, both, login("login user_id:bob", "cookie visitor:b")]
    keep(path, *contents)
    before = state(path)
    assert len(before[3]) == 1
    keep(path, *reversed(contents), *contents)
    assert state(path) == before


def test_what_was_refused_once_does_not_happen_when_it_comes_again(path: Path) -> None:
    """A cookie does not vouch for a stranger, even when nothing is left that would contradict it."""
    ann, bob = login("login email:a1", "cookie visitor:s"), login("login email:b2", "cookie visitor:s", at_ms=1)
    keep(path, ann, bob)
    before = state(path)
    keep(path, bob, ann)
    assert state(path) == before


SEEN = st.sampled_from(
    [
        ("cookie visitor:a",), ("cookie visitor:b",), ("login email:e",), ("login loyalty:l",),
        ("login email:e", "cookie visitor:a"), ("login user_id:nancy", "cookie visitor:b"),
        ("login user_id:nancy", "login email:e"), ("login user_id:nancy", "login loyalty:l"),
        ("login loyalty:l", "login email:e"), ("claim phone:51fe", "claim loyalty:l"),
    ]
)  # fmt: skip


@ALL_LAWS
@given(
    seen=st.lists(st.tuples(SEEN, st.integers(0, 4)), max_size=12),
    order=st.randoms(use_true_random=False),
    batches=st.integers(1, 4),
)
def test_who_is_one_person_and_their_sessions_do_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, seen: Sequence[tuple[Any, int]], order: Any, batches: int
) -> None:
    """There is one Nancy; whatever was seen beside a login of hers is hers."""
    path = tmp_path_factory.mktemp("law") / "local.db"
    contents = [happened(*keys, at_ms=number * HALF_AN_HOUR) for keys, number in seen]
    arriving = list(contents)
    order.shuffle(arriving)
    for number in range(batches):
        exporter_of(path).export(batch(*arriving[number::batches]), deadline_s=30.0)
    found = people(path)
    logins = [one for one in contents if one.identity.identifiers[0].evidence == "login"]
    whole = {one.id: component(decisive(one, logins), logins) for one in contents}
    for one in contents:
        for other in contents:
            assert (found[one.id] == found[other.id]) == (whole[one.id] == whole[other.id]), (one, other)
    assert dict(asked(path, "SELECT event_id, session_id FROM events")) == defined(contents, found)
    pointing = "SELECT subject FROM identifiers WHERE person IN (SELECT id FROM people WHERE part_of IS NOT NULL)"
    assert asked(path, pointing) == []


def keys_of(one: Interaction) -> list[str]:
    return [f"{known.type}:{known.value}" for known in one.identity.identifiers]


def decisive(one: Interaction, logins: Sequence[Interaction]) -> str:
    """The strongest that is known."""
    known = {key for login in logins for key in keys_of(login)}
    return next((key for key in keys_of(one) if key in known), keys_of(one)[0])


def component(key: str, logins: Sequence[Interaction]) -> set[str]:
    found, before = {key}, 0
    while len(found) > before:
        before = len(found)
        for one in logins:
            if found & set(keys_of(one)):
                found.update(keys_of(one))
    return found


# --- Several identifiers and no login -------------------------------------------------------------


@pytest.mark.parametrize("first", ["call", "login"])
@pytest.mark.parametrize(
    ("came_with", "known"),
    [
        (["claim email:unknown", "claim phone:51fe"], ["login user_id:nancy", "login phone:51fe"]),
        (["cookie visitor:new", "cookie device_id:d1"], ["login user_id:nancy", "cookie device_id:d1"]),
    ],
)
def test_the_strongest_that_is_known_says_whose_it_is_whatever_comes_first(
    path: Path, first: str, came_with: list[str], known: list[str]
) -> None:
    call, identified = happened(*came_with), login(*known)
    for one in (call, identified) if first == "call" else (identified, call):
        keep(path, one)
    assert set(people(path).values()) == {"user_id:nancy"}
    assert (came_with[0].partition(" ")[2],) not in asked(path, "SELECT subject FROM identifiers")


def test_who_refused_stitching_is_not_joined(path: Path) -> None:
    visit = happened("cookie visitor:a")
    order = happened("login user_id:nancy", "cookie visitor:a", consent={"identity_stitching": False})
    keep(path, visit, order)
    assert people(path) == {visit.id: "visitor:a", order.id: "user_id:nancy"}


def test_what_a_visitor_links_is_theirs_without_a_login(path: Path) -> None:
    visit, call = happened("cookie visitor:a"), happened("claim email:51fe")
    linked = happened("cookie email:51fe", "cookie visitor:a", name="identity.linked", kind="identity")
    keep(path, visit, call, linked)
    assert set(people(path).values()) == {"email:51fe"}
    assert asked(path, "SELECT subject, evidence FROM identifiers ORDER BY subject") == [
        ("email:51fe", "cookie"), ("visitor:a", "cookie")
    ]  # fmt: skip


# --- Contested devices ----------------------------------------------------------------------------


def shared() -> tuple[Interaction, Interaction, Interaction, Interaction, Interaction]:
    before = happened("cookie visitor:shared")
    ann = login("login user_id:ann", "cookie visitor:shared", at_ms=1)
    between = happened("cookie visitor:shared", at_ms=2)
    bob = login("login user_id:bob", "cookie visitor:shared", at_ms=3)
    return before, ann, between, bob, happened("cookie visitor:shared", at_ms=4)


def test_a_contested_device_alone_is_nobody_known_from_then_on(path: Path) -> None:
    before, ann, between, bob, after = shared()
    keep(path, before, ann, between, bob, after)
    assert people(path) == {
        **dict.fromkeys(ids([before, ann, between]), "user_id:ann"),
        bob.id: "user_id:bob",
        after.id: f"{bob.id}.visitor:shared",
    }
    assert asked(path, "SELECT subject, person, contested FROM identifiers ORDER BY subject") == [
        ("user_id:ann", "user_id:ann", None),
        ("user_id:bob", "user_id:bob", None),
        ("visitor:shared", "user_id:ann", bob.id),
    ]
    claimed, ordered = happened("claim visitor:shared"), happened("login user_id:ann", "cookie visitor:shared")
    keep(path, claimed, ordered)
    assert people(path)[claimed.id] == f"{bob.id}.visitor:shared"
    assert people(path)[ordered.id] == "user_id:ann"


def test_what_showed_that_it_is_shared_is_not_its_owners_any_more(path: Path) -> None:
    before, ann, between, bob, after = shared()
    keep(path, before, ann, between, bob)
    seen: Seen = {"visitor:shared": ("visitor", "cookie")}
    with opened(path, patience_s=30.0) as connection:
        whose = [People(connection, Sessions(connection)).person(seen, id=one.id) for one in (between, bob, after)]
    assert whose == ["user_id:ann", *[f"{bob.id}.visitor:shared"] * 2]


def test_visits_that_arrive_before_the_login_that_contests_become_nobody_s_and_sessions_part(path: Path) -> None:
    before, ann, between, bob, _ = shared()
    at = [HALF_AN_HOUR, 2 * HALF_AN_HOUR, 3 * HALF_AN_HOUR]
    after = [happened("cookie visitor:shared", at_ms=one) for one in at]
    own = [happened("login user_id:ann", at_ms=one + 1) for one in at[1:]]
    keep(path, before, ann, between, *after, *own)
    assert sessions(path) == [ids([before, ann, between, *after, *own])]
    keep(path, bob)
    nobody = f"{bob.id}.visitor:shared"
    found = people(path)
    assert {found[one.id] for one in after} == {nobody}
    assert dict(asked(path, "SELECT event_id, session_id FROM events")) == defined(
        [before, ann, between, bob, *after, *own], found
    )


def test_a_session_that_only_a_visit_of_a_contested_device_held_together_parts(path: Path) -> None:
    first = login("login user_id:ann", "cookie visitor:shared")
    bob = login("login user_id:bob", "cookie visitor:shared", at_ms=1)
    between = happened("cookie visitor:shared", at_ms=HALF_AN_HOUR)
    last = [happened("login user_id:ann", at_ms=at) for at in (2 * HALF_AN_HOUR, 3 * HALF_AN_HOUR, DAY)]
    keep(path, first, between, *last)
    assert sessions(path) == [ids([first, between, *last[:2]]), ids(last[2:])]
    keep(path, bob)
    assert [group for group in sessions(path) if bob.id not in group] == [
        ids([first]), ids([between]), ids(last[:2]), ids(last[2:])
    ]  # fmt: skip


MOMENTS = st.sampled_from([0, 1, HALF_AN_HOUR, HALF_AN_HOUR + 1, 2 * HALF_AN_HOUR, DAY, DAY + 1])
WHO = st.sampled_from(
    [
        ("cookie visitor:s",), ("cookie visitor:s",), ("cookie visitor:s", "claim user_id:ann"), ("login user_id:ann",),
        ("login user_id:ann", "cookie visitor:s"), ("login user_id:bob", "cookie visitor:s"),
    ]
)  # fmt: skip


@ALL_LAWS
@given(
    seen=st.lists(st.tuples(WHO, MOMENTS, st.sampled_from(["inbound", "inbound", "outbound"])), max_size=25),
    order=st.randoms(use_true_random=False),
    batches=st.integers(1, 5),
)
def test_whose_a_shared_device_was_when_is_told_whatever_comes_when(
    tmp_path_factory: pytest.TempPathFactory, seen: Sequence[tuple[Any, int, Any]], order: Any, batches: int
) -> None:
    """Logins in their order, as one lane delivers them; visits whenever they come."""
    path = tmp_path_factory.mktemp("law") / "local.db"
    contents = [happened(*keys, at_ms=at_ms, direction=direction) for keys, at_ms, direction in seen]
    arriving = [one for one in contents if len(keys_of(one)) > 1 and one.identity.identifiers[0].evidence == "login"]
    for one in contents:
        if one not in arriving:
            arriving.insert(order.randint(0, len(arriving)), one)
    for number in range(batches):
        size = len(arriving) // batches + 1
        exporter_of(path).export(batch(*arriving[number * size : (number + 1) * size]), deadline_s=30.0)
    logins = [(keys_of(one)[0], one.id) for one in contents if keys_of(one)[1:] == ["visitor:s"]]
    contested = next((id for who, id in logins if who != logins[0][0]), None)

    def expected(one: Interaction) -> str:
        if keys_of(one)[0] != "visitor:s":
            return keys_of(one)[0]
        if contested and one.id > contested:
            return f"{contested}.visitor:s"
        return logins[0][0] if logins else one_known(one)

    def one_known(one: Interaction) -> str:
        return keys_of(one)[0]

    theirs = {one.id: expected(one) for one in contents}
    assert people(path) == theirs
    assert dict(asked(path, "SELECT event_id, session_id FROM events")) == defined(contents, theirs)


# --- Merges undone --------------------------------------------------------------------------------


@contextmanager
def at_work(path: Path) -> Iterator[People]:
    with opened(path, patience_s=30.0) as connection:
        moved = Sessions(connection)
        yield People(connection, moved)
        moved.settle()


def test_a_merge_is_undone_and_everybody_gets_back_what_was_theirs(path: Path) -> None:
    phone, laptop, both = two_and_one()
    keep(path, *phone, *laptop)
    before = people(path), sessions(path)
    later = happened("cookie visitor:b", at_ms=6)
    keep(path, both, later)
    with at_work(path) as there:
        assert there.unmerge(both.id, command="99999998") is None
    found = people(path)
    assert {id: found[id] for id in before[0]} == before[0]
    assert found[later.id] == found[both.id] == "user_id:nancy"
    assert dict(asked(path, "SELECT event_id, session_id FROM events")) == defined(
        [*phone, *laptop, both, later], found
    )
    assert asked(path, "SELECT id, part_of FROM people ORDER BY id") == [("email:51fe", None), ("user_id:nancy", None)]
    undone = state(path)
    with at_work(path) as there:
        assert there.unmerge(both.id, command="99999998") is None  # the same command again
        assert there.unmerge(both.id, command="99999999") == "not_merged"
        assert there.unmerge("00000000", command="99999999") == "not_merged"
    assert state(path) == undone
    again = login("login user_id:nancy", "login email:51fe")
    keep(path, again)
    assert asked(path, "SELECT id FROM merges") == [(both.id,)]  # no login merges them again
    assert {person for person, _ in asked(path, "SELECT person, other FROM parted")} == {"email:51fe", "user_id:nancy"}


def test_what_is_merged_and_undone_in_one_batch_is_as_it_was(path: Path) -> None:
    phone, laptop, both = two_and_one()
    keep(path, *phone, *laptop)
    before = people(path), sessions(path)
    with at_work(path) as there:
        there.meet(row_of(both, encode(both), UTC))
        assert there.unmerge(both.id, command="99999999") is None
    assert (people(path), sessions(path)) == before
    assert asked(path, "SELECT count(DISTINCT person) FROM identifiers") == [(2,)]


def test_only_the_latest_merge_can_be_undone(path: Path) -> None:
    phone, laptop, both = two_and_one()
    third = login("login loyalty:l1", "cookie visitor:c", at_ms=6)
    three = login("login user_id:nancy", "login loyalty:l1", at_ms=7)
    keep(path, *phone, *laptop, both, third, three)
    assert set(people(path).values()) == {"email:51fe"}
    with at_work(path) as there:
        assert there.unmerge(both.id, command="99999998") == "superseded"
        assert there.unmerge(three.id, command="99999998") is None
    found = people(path)
    assert found[third.id] == "loyalty:l1"
    assert {found[one.id] for one in (*phone, *laptop, both)} == {"email:51fe"}
    with at_work(path) as there:
        assert there.unmerge(both.id, command="99999999") is None
    assert set(people(path).values()) == {"email:51fe", "user_id:nancy", "loyalty:l1"}


# --- Retention ------------------------------------------------------------------------------------


def test_of_whom_nothing_is_left_nothing_is_known(path: Path) -> None:
    phone, laptop, both = two_and_one()
    keep(path, *phone, *laptop, both, happened("claim phone:1", "claim email:51fe"))
    with at_work(path) as there:
        there.unmerge(both.id, command="99999998")
    assert all(state(path))
    keep(path, *(happened(at_ms=DAY + number) for number in range(3)), max_rows=3)
    assert [len(rows) for rows in state(path)] == [3, 0, 0, 0, 0, 0]
