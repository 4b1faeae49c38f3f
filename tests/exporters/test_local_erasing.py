"""The local file forgets: of whom ``privacy.erased`` names nothing is left in it, and of everybody else all."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxkit.exporters.local.schema import TABLES
from cxkit.model import Assignment, Decision, Interaction
from cxkit.roles import Erasing, Outcome
from tests.exporters.happened import (
    MINUTE_MS,
    NOON,
    asked,
    batch,
    exporter_of,
    happened,
    ids,
    is_sound,
    keep,
    login,
    people,
    sessions,
)

MINUTE = MINUTE_MS
NANCY, PHONE, MARY = "login user_id:nancy-of-lyon", "cookie visitor:v-nancy", "login user_id:mary"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


def erased(*identifiers: str, at_ms: int = MINUTE, **changes: Any) -> Interaction:
    return happened(
        *identifiers, at_ms=at_ms, name="privacy.erased", kind="identity", properties={"suppress": False}, **changes
    )


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All tables, but for who was erased."""
    names = [sql.split()[2] for sql in TABLES if sql.startswith("CREATE TABLE")]
    names.remove("erased")
    return {name: sorted(asked(path, f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608


def everything(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))


def test_it_says_that_it_is_done(path: Path) -> None:
    exporter = exporter_of(path)
    assert isinstance(exporter, Erasing)
    assert exporter.erases == "done"


def test_all_that_is_theirs_goes_and_everybody_else_s_stays(path: Path, tmp_path: Path) -> None:
    mary = [happened("cookie visitor:v-mary"), login(MARY, "cookie visitor:v-mary"), happened()]
    nancy = [happened(PHONE), login(NANCY, PHONE), login(NANCY, "cookie visitor:w-nancy"), happened(PHONE)]
    keep(path, mary[0], *nancy[:2], *mary[1:], *nancy[2:])
    other = tmp_path / "other" / "local.db"
    keep(other, *mary)
    assert keep(path, erased(NANCY)) == Outcome.delivered()
    assert rows(path) == rows(other)
    assert is_sound(path)
    assert asked(path, "SELECT count(*) FROM erased") == [(3,)]
    assert b"nancy" not in everything(path)


def test_what_they_were_shown_by_experiments_goes_too(path: Path) -> None:
    given = Assignment(experiment="bolder", variation="bold", unit="user_id")
    decision = Decision(experience="home.hero", variant="bold", assignment=given)
    keep(path, *[happened(who, name="experience.shown", kind="exposure", decision=decision) for who in (NANCY, MARY)])
    assert len(asked(path, "SELECT unit FROM exposures")) == 2
    keep(path, erased(NANCY))
    assert asked(path, "SELECT unit FROM exposures") == [("user_id:mary",)]
    assert b"nancy-of-lyon" not in everything(path)


def test_in_one_batch_and_delivered_again(path: Path) -> None:
    nancy, mary, end = [happened(PHONE), login(NANCY, PHONE)], login(MARY), erased("claim email:none", NANCY)
    for _ in range(3):
        keep(path, *nancy, mary, end)
        assert people(path) == {mary.id: "user_id:mary"}
    keep(path, *nancy)
    assert people(path) == {mary.id: "user_id:mary"}


def test_what_comes_late_does_not_reappear(path: Path) -> None:
    keep(path, login(NANCY, PHONE))
    keep(path, erased(NANCY))
    late = [
        happened(PHONE),
        login(NANCY, "cookie visitor:x"),
        login("login email:e", NANCY),
        happened("cookie a:b", NANCY),
    ]
    mary = login(MARY, PHONE)
    keep(path, *late, mary)
    assert people(path) == {mary.id: "user_id:mary"}, "what she did on that device is hers"


def test_who_comes_back_is_met_anew(path: Path) -> None:
    keep(path, happened(PHONE), login(NANCY, PHONE), happened(PHONE, at_ms=2))
    keep(path, erased(NANCY))
    back = [login(NANCY, "cookie visitor:x", at_ms=2 * MINUTE), happened(PHONE, at_ms=3 * MINUTE)]
    keep(path, *back)
    assert people(path) == {back[0].id: "user_id:nancy-of-lyon", back[1].id: "visitor:v-nancy"}


def test_also_if_the_command_comes_after_it(path: Path, tmp_path: Path) -> None:
    before = [happened(PHONE), login(NANCY, PHONE)]
    back = [happened("cookie visitor:x", at_ms=2 * MINUTE), login(NANCY, "cookie visitor:x", at_ms=3 * MINUTE)]
    keep(path, *before, *back)
    keep(path, erased(NANCY))
    other = tmp_path / "other" / "local.db"
    keep(other, erased(NANCY), *back)
    assert rows(path) == rows(other)
    assert sessions(path) == [ids(back)]


def test_of_a_contested_device_only_what_is_theirs(path: Path) -> None:
    nancy = login(NANCY, PHONE)
    mary = login(MARY, PHONE, at_ms=1)
    somebody = happened(PHONE, at_ms=2)
    keep(path, nancy, mary, somebody)
    before = people(path)
    assert len(set(before.values())) == 3
    keep(path, erased(NANCY))
    assert people(path) == {one.id: before[one.id] for one in (mary, somebody)}


def test_a_contested_device_alone_means_whoever_uses_it_without_a_login(path: Path) -> None:
    nancy, mary = login(NANCY, PHONE), login(MARY, PHONE, at_ms=1)
    keep(path, nancy, mary, happened(PHONE, at_ms=2))
    keep(path, erased(PHONE))
    assert set(people(path)) == {nancy.id, mary.id}


def test_who_became_one_leaves_as_one_and_out_of_what_was_undone(path: Path) -> None:
    visits = [happened(PHONE), happened("cookie visitor:w")]
    logins = [login("login loyalty:1-nancy", PHONE), login("login loyalty:2-nancy", "cookie visitor:w", at_ms=1)]
    both = login("login loyalty:1-nancy", "login loyalty:2-nancy", at_ms=2)
    keep(path, *visits, *logins, both)
    assert len(set(people(path).values())) == 1
    assert asked(path, "SELECT count(*) FROM merges") == [(1,)]
    keep(path, erased("login loyalty:2-nancy"))
    assert all(not found for found in rows(path).values())


def test_of_a_merge_that_was_undone_nothing_is_left_either(path: Path) -> None:
    from cxkit.exporters.local.opening import opened
    from cxkit.exporters.local.people import People
    from cxkit.exporters.local.sessions import Sessions

    one, two = login("login loyalty:1"), login("login loyalty:2-nancy", at_ms=1)
    both = login("login loyalty:1", "login loyalty:2-nancy", at_ms=2)
    keep(path, one, two, both)
    with opened(path, patience_s=5.0) as connection:
        assert People(connection, Sessions(connection)).unmerge(both.id, command="zz") is None
    assert asked(path, "SELECT count(*) FROM parted") == [(2,)]
    keep(path, erased("login loyalty:2-nancy"))
    assert asked(path, "SELECT count(*) FROM parted") == asked(path, "SELECT count(*) FROM merges") == [(0,)]
    assert not [row for row in asked(path, "SELECT absorbed FROM merges") if "nancy" in row[0]]


def test_what_somebody_else_tried_to_add_goes_and_their_own_stays(path: Path) -> None:
    hers = login(NANCY, "login loyalty:card-of-nancy")
    refused, own = (
        happened(MARY, f"claim loyalty:{card}", name="identity.linked", kind="identity", properties={"added": [type]})
        for card, type in (("card-of-nancy", "loyalty"), ("mine", "loyalty"))
    )
    keep(path, login(MARY), hers, refused, own)
    keep(path, erased(NANCY))
    assert b"nancy" not in everything(path)
    assert asked(path, "SELECT id FROM interactions WHERE name = 'identity.linked'") == [(own.id,)]


def test_a_touchpoint_of_that_name_erases_nobody(path: Path) -> None:
    keep(path, login(NANCY), happened(NANCY, name="privacy.erased", at_ms=MINUTE))
    assert len(people(path)) == 2


def test_who_was_erased_is_forgotten_when_what_comes_late_would_be_too_old(path: Path) -> None:
    keep(path, erased(NANCY))
    assert asked(path, "SELECT count(*) FROM erased") == [(1,)]
    keep(path, happened("cookie visitor:z"), max_age_days=1e-9)
    assert asked(path, "SELECT count(*) FROM erased") == [(0,)]


# --- the bytes ---


def test_no_bytes_are_left_while_another_program_has_the_file_open(path: Path) -> None:
    keep(path, login(MARY))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM interactions").fetchall() == [(1,)]
        keep(path, *[happened(NANCY, at_ms=number, properties={"text": "almonds " * 50}) for number in range(200)])
        assert b"nancy" in everything(path)
        assert Path(f"{path}-wal").stat().st_size
        keep(path, erased(NANCY))
        assert b"nancy" not in everything(path)
        assert b"almonds" not in everything(path)
        assert other.execute("SELECT count(*) FROM interactions").fetchall() == [(1,)]


def test_while_somebody_reads_they_may_and_go_with_a_later_batch(path: Path) -> None:
    keep(path, login(MARY), login(NANCY))
    exporter = exporter_of(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM interactions").fetchall()
        assert exporter.export(batch(erased(NANCY)), deadline_s=5.0) == Outcome.delivered()
        assert other.execute("SELECT count(*) FROM interactions").fetchall() == [(2,)], "as it was when they began"
        other.execute("COMMIT")
        assert other.execute("SELECT count(*) FROM interactions").fetchall() == [(1,)]
        exporter.export(batch(login(MARY, at_ms=2 * MINUTE)), deadline_s=5.0)
        assert b"nancy" not in everything(path)


# --- a law ---


def contents() -> st.SearchStrategy[list[Interaction]]:
    logins, devices = ("a", "b"), ("x", "y")
    one = st.tuples(st.sampled_from([None, *logins]), st.sampled_from([None, *devices]), st.integers(0, 9))
    return st.lists(one, max_size=9).map(lambda many: [_made(number, *parts) for number, parts in enumerate(many)])


def _made(number: int, who: str | None, device: str | None, at_ms: int) -> Interaction:
    known = [f"login user_id:{who}"] * bool(who) + [f"cookie visitor:{device}"] * bool(device)
    return login(*known, at_ms=at_ms, id=f"{number:04}") if who else happened(*known, at_ms=at_ms, id=f"{number:04}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents(), st.integers(0, 9), st.integers(0, 9))
def test_whatever_came_before_or_after_none_of_their_logins_of_before_is_left(
    tmp_path_factory: pytest.TempPathFactory, many: Sequence[Interaction], place: int, at_ms: int
) -> None:
    path = tmp_path_factory.mktemp("law") / "local.db"
    end = erased("login user_id:a", at_ms=at_ms, id="9999")
    for one in (*many[:place], end, *many[place:]):
        keep(path, one)
    gone = {one.id for one in many if "user_id:a" in _keys(one) and _ms(one) <= at_ms}
    theirs = {one.id for one in many if "user_id:b" in _keys(one) or ("user_id:a" in _keys(one) and _ms(one) > at_ms)}
    left = set(people(path))
    assert not gone & left
    assert theirs <= left
    before = rows(path)
    keep(path, *many, end)
    assert people(path).keys() >= theirs
    assert not gone & people(path).keys()
    assert before["interactions"] == rows(path)["interactions"]


def _keys(one: Interaction) -> set[str]:
    return {f"{found.type}:{found.value}" for found in one.identity.identifiers}


def _ms(one: Interaction) -> int:
    return round((one.occurred_at - NOON).total_seconds() * 1000)
