"""Whose interactions are in the local file, and which of them are one session: by the rules, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxkit.model import Interaction
from tests.exporters.happened import (
    MINUTE_MS,
    NOON,
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


# --- Identity -------------------------------------------------------------------------------------


def test_visits_before_the_login_on_two_devices_are_the_person_s(path: Path) -> None:
    phone, laptop, nobody = happened("cookie visitor:a"), happened("cookie visitor:b"), happened()
    keep(path, phone, laptop, nobody)
    assert people(path) == {phone.id: "visitor:a", laptop.id: "visitor:b", nobody.id: None}
    first = login("login user_id:nancy", "cookie visitor:a")
    keep(path, first)
    assert people(path) == {
        phone.id: "user_id:nancy", laptop.id: "visitor:b", nobody.id: None, first.id: "user_id:nancy"
    }  # fmt: skip
    second = login("login user_id:nancy", "cookie visitor:b")
    again = happened("cookie visitor:b")
    keep(path, second, again)
    assert set(people(path).values()) == {"user_id:nancy", None}


def test_in_one_batch_it_is_the_same(path: Path) -> None:
    one = [happened("cookie visitor:a"), login("login user_id:nancy", "cookie visitor:a"), happened("cookie visitor:a")]
    keep(path, *one)
    assert people(path) == dict.fromkeys(ids(one), "user_id:nancy")


def test_a_stranger_s_login_on_a_known_device_is_somebody_else(path: Path) -> None:
    """Two persons without a ``user_id``: by the rules a cookie does not vouch for a stranger's login."""
    ann, bob = login("login email:a1", "cookie visitor:shared"), login("login email:b2", "cookie visitor:shared")
    keep(path, ann, bob)
    assert people(path) == {ann.id: "email:a1", bob.id: "email:b2"}


def test_a_new_person_is_never_called_like_another(path: Path) -> None:
    """Whose strongest identifier is somebody else's begins under the next one, not under theirs."""
    ann = login("login email:shared", "cookie visitor:a")
    grown = login("login user_id:ann", "login email:shared")
    bob = login("login email:shared", "cookie user_id:bob")
    late = happened("cookie user_id:bob")
    keep(path, ann, grown, bob, late)
    found = people(path)
    assert found[ann.id] == found[grown.id] == "email:shared"
    assert found[late.id] == "user_id:bob"


def test_a_claim_is_attributed_to_its_owner_and_links_nothing(path: Path) -> None:
    known, unknown = happened("claim phone:51fe"), happened("claim phone:0000")
    both = happened("cookie visitor:stranger", "claim phone:51fe")
    keep(path, unknown, known, both, login("login user_id:nancy", "login phone:51fe"))
    assert people(path)[known.id] == "user_id:nancy"
    assert people(path)[unknown.id] == "phone:0000"
    assert people(path)[both.id] == "visitor:stranger"
    assert {subject for (subject,) in asked(path, "SELECT subject FROM identifiers")} == {"user_id:nancy", "phone:51fe"}


@pytest.mark.parametrize("weak", ["token email:51fe", "claim user_id:nancy", "cookie visitor:a"])
def test_nothing_is_learnt_without_a_login(path: Path, weak: str) -> None:
    keep(path, happened(weak, "cookie visitor:b", name="identity.identified", kind="identity"))
    assert asked(path, "SELECT * FROM identifiers") == []


def test_a_younger_file_learns_from_whoever_is_logged_in(path: Path) -> None:
    """Who is known already is not identified again: the command may have come before this file."""
    visit, order = (
        happened("cookie visitor:a"),
        happened("login user_id:nancy", "cookie visitor:a", name="order.placed"),
    )
    keep(path, visit, order)
    assert people(path) == dict.fromkeys([visit.id, order.id], "user_id:nancy")


def test_redelivery_changes_nothing(path: Path) -> None:
    contents = [
        happened("cookie visitor:a"),
        login("login user_id:nancy", "cookie visitor:a"),
        happened("claim phone:1"),
    ]
    keep(path, *contents)
    before = asked(path, "SELECT * FROM interactions ORDER BY id"), asked(path, "SELECT * FROM identifiers")
    keep(path, *reversed(contents), *contents)
    assert (asked(path, "SELECT * FROM interactions ORDER BY id"), asked(path, "SELECT * FROM identifiers")) == before


# --- Sessions -------------------------------------------------------------------------------------


def visits(*at_ms: int, subject: str = "cookie visitor:a", **changes: Any) -> list[Interaction]:
    return [happened(subject, at_ms=one, **changes) for one in at_ms]


def test_a_session_ends_after_more_than_half_an_hour(path: Path) -> None:
    one = visits(0, HALF_AN_HOUR)
    other = visits(2 * HALF_AN_HOUR + 1)
    keep(path, *one, *other)
    assert sessions(path) == [ids(one), ids(other)]


def test_a_session_is_split_every_24_hours_from_its_beginning(path: Path) -> None:
    all_day = visits(*range(0, 2 * DAY + 1, HALF_AN_HOUR))
    keep(path, *all_day)
    assert sessions(path) == [ids(all_day[:48]), ids(all_day[48:96]), ids(all_day[96:])]


def test_its_id_names_the_person_the_application_and_its_beginning(path: Path) -> None:
    keep(path, *visits(MINUTE_MS))
    began_ms = int(NOON.timestamp()) * 1000 + MINUTE_MS
    assert asked(path, "SELECT session_id FROM events") == [(f"visitor:a /shop {began_ms}",)]


def test_what_is_outbound_never_begins_a_session_nor_prolongs_it(path: Path) -> None:
    alone, visit, answer, late = (
        happened("cookie visitor:a", at_ms=at_ms, direction=direction)
        for at_ms, direction in [
            (-5, "outbound"), (0, "inbound"), (HALF_AN_HOUR, "outbound"), (HALF_AN_HOUR + 1, "outbound")
        ]
    )  # fmt: skip
    (next_visit,) = visits(HALF_AN_HOUR + 2)
    keep(path, alone, visit, answer, late, next_visit)
    assert sessions(path) == [ids([visit, answer]), ids([next_visit])]


def test_what_is_outbound_does_not_carry_a_session_into_the_next_batch(path: Path) -> None:
    (visit,), (answer,) = visits(0), visits(HALF_AN_HOUR, direction="outbound")
    keep(path, visit, answer)
    (next_visit,) = visits(2 * HALF_AN_HOUR)
    keep(path, next_visit)
    assert sessions(path) == [ids([visit, answer]), ids([next_visit])]


def test_applications_have_sessions_of_their_own_even_at_the_same_time(path: Path) -> None:
    shop, blog = visits(0, 1), visits(0, 1, source="/blog")
    keep(path, *shop, *blog)
    assert sessions(path) in ([ids(shop), ids(blog)], [ids(blog), ids(shop)])


def test_a_session_id_of_its_own_counts_and_takes_no_part(path: Path) -> None:
    first, last = visits(0), visits(HALF_AN_HOUR + 1)
    own = visits(HALF_AN_HOUR, session="tab-1") + visits(5 * DAY, session="tab-1", subject="cookie visitor:b")
    keep(path, *first, *own, *last)
    assert sessions(path) == [ids(first), ids(own), ids(last)]


def test_nobody_has_no_session(path: Path) -> None:
    keep(path, happened(), happened(at_ms=1))
    assert sessions(path) == []


def test_what_comes_late_joins_two_sessions(path: Path) -> None:
    before, between, after = visits(0), visits(HALF_AN_HOUR), visits(2 * HALF_AN_HOUR)
    keep(path, *before, *after)
    assert sessions(path) == [ids(before), ids(after)]
    keep(path, *between)
    assert sessions(path) == [ids([*before, *between, *after])]


def test_devices_that_turn_out_to_be_one_person_s_have_one_session(path: Path) -> None:
    phone, laptop = visits(0, 2 * HALF_AN_HOUR), visits(HALF_AN_HOUR, subject="cookie visitor:b")
    keep(path, *phone, *laptop)
    assert len(sessions(path)) == 3
    keep(path, *(login("login user_id:nancy", f"cookie visitor:{one}", at_ms=DAY) for one in "ab"))
    assert sessions(path)[0] == ids([*phone, *laptop])


MOMENTS = st.sampled_from(
    [0, 1, HALF_AN_HOUR, HALF_AN_HOUR + 1, 2 * HALF_AN_HOUR, 3 * HALF_AN_HOUR, 3 * HALF_AN_HOUR + 2]
)
EVENTS = st.builds(
    happened,
    st.sampled_from(["cookie visitor:a", "cookie visitor:b"]),
    at_ms=st.builds(int.__add__, MOMENTS, st.sampled_from([0, 0, DAY - HALF_AN_HOUR, DAY])),
    direction=st.sampled_from(["inbound", "inbound", "inbound", "outbound"]),
    source=st.sampled_from(["/shop", "/shop", "/blog"]),
    session=st.sampled_from([None, None, None, "own"]),
)
LOGINS = st.builds(
    login, st.just("login user_id:nancy"), st.sampled_from(["cookie visitor:a", "cookie visitor:b"]), at_ms=MOMENTS
)
LONG_DAYS = st.integers(1, 100).map(lambda count: visits(*(number * HALF_AN_HOUR for number in range(count))))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.tuples(st.lists(EVENTS | LOGINS, max_size=20), st.just([]) | LONG_DAYS).map(
        lambda two: two[0] + two[1]
    ),
    order=st.randoms(use_true_random=False),
    batches=st.integers(1, 6),
)
def test_sessions_are_what_their_definition_says_whatever_comes_when(
    tmp_path_factory: pytest.TempPathFactory, contents: list[Interaction], order: Any, batches: int
) -> None:
    path = tmp_path_factory.mktemp("law") / "local.db"
    exporter = exporter_of(path)
    arriving = list(contents)
    order.shuffle(arriving)
    for number in range(batches):
        exporter.export(batch(*arriving[number::batches]), deadline_s=30.0)
    theirs = {one.id: person(one, contents) for one in contents}
    assert people(path) == theirs
    assert dict(asked(path, "SELECT event_id, session_id FROM events")) == defined(contents, theirs)


def person(one: Interaction, contents: Sequence[Interaction]) -> str:
    """Nancy's are all devices on which she ever logged in."""
    devices = {two.identity.identifiers[1].value for two in contents if two.identity.identifiers[0].value == "nancy"}
    strongest = one.identity.identifiers[0]
    if strongest.value in {"nancy", *devices}:
        return "user_id:nancy"
    return f"{strongest.type}:{strongest.value}"
