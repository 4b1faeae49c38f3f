"""The local file as a file: made, moved, locked, damaged, somebody else's; written and read."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cxkit.errors import LocalFileError
from cxkit.exporters.local import read
from cxkit.exporters.local.opening import TroubleError, opened
from cxkit.exporters.local.schema import APPLICATION_ID, VERSION
from cxkit.roles import Outcome
from tests.exporters.happened import MINUTE_MS, asked, batch, exporter_of, happened, is_sound, keep, login, people


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "local.db"


def count(path: Path) -> int:
    return int(asked(path, "SELECT count(*) FROM interactions")[0][0])


# --- The file -------------------------------------------------------------------------------------


def test_only_this_user_can_read_it_and_it_says_whose_it_is(path: Path) -> None:
    before = os.umask(0)
    try:
        keep(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with closing(sqlite3.connect(path)) as foreign:
        assert foreign.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert foreign.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert foreign.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_nothing_stays_open_and_no_log_is_left(path: Path) -> None:
    exporter = exporter_of(path)
    exporter.export(batch(happened()), deadline_s=30.0)
    assert [one.name for one in path.parent.iterdir()] == ["local.db"]
    exporter.close()


def test_a_file_that_is_removed_or_moved_is_begun_anew(path: Path) -> None:
    exporter = exporter_of(path)
    for number in range(3):
        exporter.export(batch(happened()), deadline_s=30.0)
        path.rename(path.with_suffix(f".{number}"))
    exporter.export(batch(happened()), deadline_s=30.0)
    assert [count(one) for one in sorted(path.parent.iterdir())] == [1, 1, 1, 1]


def a_new_one(path: Path) -> None:
    path.unlink()
    path.touch()


@pytest.mark.parametrize("vanish", [Path.unlink, a_new_one])
def test_what_went_into_a_file_that_is_gone_is_not_called_delivered(path: Path, vanish: Any) -> None:
    with pytest.raises(TroubleError) as trouble, opened(path, patience_s=30.0):
        vanish(path)
    assert trouble.value.outcome == Outcome.retry("file_replaced")


def test_an_old_log_does_not_get_into_a_new_file(path: Path) -> None:
    keep(path, happened())
    with closing(sqlite3.connect(path)) as other:  # as a killed process leaves it: the log is not worked off
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("CREATE TABLE of_somebody_else (x)")
        log = path.with_name("local.db-wal").read_bytes()
    assert log
    path.unlink()
    path.with_name("local.db-wal").write_bytes(log)
    keep(path, happened())
    assert count(path) == 1
    assert asked(path, "SELECT name FROM sqlite_master WHERE name = 'of_somebody_else'") == []
    assert is_sound(path)


def test_an_empty_file_is_filled(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert keep(path, happened()).verdict == "delivered"
    assert count(path) == 1


def test_a_locked_file_is_tried_again(path: Path) -> None:
    keep(path, happened())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        outcome = exporter_of(path).export(batch(happened()), deadline_s=0.01)
        assert (outcome.verdict, outcome.reason) == ("retry", "file_locked")
        other.execute("ROLLBACK")
    assert count(path) == 1


def damaged(path: Path) -> None:
    keep(path, *[happened(properties={"text": "x" * 1000}) for _ in range(100)])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def no_database(path: Path) -> None:
    path.write_text("Dear customer,\n" * 1000)


def cut_in_its_head(path: Path) -> None:
    keep(path, happened())
    path.write_bytes(path.read_bytes()[:50])


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE events (x)")


def newer(path: Path) -> None:
    keep(path, happened())
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")


def a_folder(path: Path) -> None:
    path.mkdir()


def another_name(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere.db"))


UNUSABLE = [
    (damaged, "file_damaged", "CX6102"),
    (no_database, "file_damaged", "CX6102"),
    (cut_in_its_head, "file_damaged", "CX6102"),
    (foreign, "file_foreign", "CX6103"),
    (newer, "file_newer", "CX6103"),
    (a_folder, "file_cannot_open", "CX6107"),
    (another_name, "file_cannot_open", "CX6101"),
]


@pytest.mark.parametrize(("make", "reason", "code"), UNUSABLE, ids=[make.__name__ for make, _, _ in UNUSABLE])
def test_a_file_that_is_not_ours_to_write_is_left_as_it_is(path: Path, make: Any, reason: str, code: str) -> None:
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    outcome = keep(path, happened())
    assert (outcome.verdict, outcome.reason) == ("pause", reason)
    assert (path.read_bytes() if path.is_file() else None) == before
    with pytest.raises(LocalFileError) as refused:
        asked(path, "SELECT * FROM events")
    assert refused.value.code == code


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    outcome = keep(tmp_path / "kept" / "local.db", happened())
    assert (outcome.verdict, outcome.reason) == ("pause", "file_cannot_open")


def test_a_long_log_is_worked_off_though_somebody_reads(path: Path) -> None:
    big = [happened(properties={"text": "x" * 60_000}) for _ in range(100)]
    keep(path, happened())
    exporter = exporter_of(path, max_rows=5)
    log = path.with_name("local.db-wal")
    with read(path) as reader:
        for _ in range(10):
            reader.execute("SELECT count(*) FROM events").fetchall()
            assert exporter.export(batch(*big), deadline_s=30.0).verdict == "delivered"
        assert log.stat().st_size < 20_000_000
        exporter.export(batch(happened()), deadline_s=30.0)
        assert log.stat().st_size < 8_000_000
    assert is_sound(path)


# --- A file of version 1 --------------------------------------------------------------------------


@pytest.fixture
def first_version(path: Path) -> Path:
    """As version 1 wrote it: Nancy by two devices, Bob on one of them, somebody by an address, a stranger."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("test_local_1.sql").read_text())
    return path


def test_a_file_of_version_1_is_brought_up_to_date_by_the_next_batch(first_version: Path, path: Path) -> None:
    before = asked(path, "SELECT * FROM interactions ORDER BY id"), asked(path, "SELECT * FROM events ORDER BY 1")
    known = asked(path, "SELECT subject, type, person, contested FROM identifiers ORDER BY subject")
    assert len(known) == 6
    keep(path)
    assert asked(path, "PRAGMA user_version") == [(VERSION,)]
    assert (
        asked(path, "SELECT * FROM interactions ORDER BY id"), asked(path, "SELECT * FROM events ORDER BY 1")
    ) == before  # fmt: skip
    assert asked(path, "SELECT subject, type, person, contested FROM identifiers ORDER BY subject") == known
    noon = int(happened().occurred_at.timestamp()) * 1000
    linked = dict(asked(path, "SELECT subject, linked_ms FROM identifiers"))
    assert {subject: (at_ms - noon) // MINUTE_MS for subject, at_ms in linked.items()} == {
        "user_id:nancy": 1, "visitor:a": 0, "visitor:b": 60, "user_id:bob": 120, "email:51fe": 180, "visitor:c": 180
    }  # fmt: skip
    assert is_sound(path)


def test_a_migrated_file_has_the_tables_of_a_new_one(first_version: Path, path: Path, tmp_path: Path) -> None:
    keep(path)
    keep(tmp_path / "new.db")
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert asked(path, schema) == asked(tmp_path / "new.db", schema)


def test_what_fails_amid_the_migration_leaves_the_file_as_it_was(first_version: Path, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE merges (x)")  # somebody's own: in the way
    before = path.read_bytes()
    outcome = keep(path, happened())
    assert (outcome.verdict, outcome.reason) == ("retry", "file_failing")
    assert asked(path, "PRAGMA user_version") == [(1,)]
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE merges")
    assert keep(path, happened()).verdict == "delivered"


def test_a_migrated_file_goes_on_learning(first_version: Path, path: Path) -> None:
    bob = login("login user_id:bob", "cookie visitor:a", at_ms=1500 * MINUTE_MS)
    after = happened("cookie visitor:a", at_ms=1500 * MINUTE_MS + 1)
    both = login("login user_id:nancy", "login email:51fe", at_ms=1500 * MINUTE_MS + 2)
    keep(path, bob, after, both)
    found = people(path)
    assert found[after.id] == f"{bob.id}.visitor:a"
    assert found[both.id] == "user_id:nancy"
    assert asked(path, "SELECT count(*) FROM events WHERE subject_id = 'email:51fe'") == [(0,)]
    assert asked(path, "SELECT survivor FROM merges") == [("user_id:nancy",)]


# --- A file of version 2 --------------------------------------------------------------------------


@pytest.fixture
def second_version(path: Path) -> Path:
    """As version 2 wrote it: two visitors who were shown a variation each, and an order of one of them."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("test_local_2.sql").read_text())
    return path


def test_a_file_of_version_2_shows_its_exposures_at_once_and_has_them_with_the_next_batch(
    second_version: Path, path: Path, tmp_path: Path
) -> None:
    questions = [
        "SELECT * FROM exposures ORDER BY unit",
        "SELECT * FROM events ORDER BY ts_ms",
        "SELECT * FROM identifiers ORDER BY subject",
    ]
    before = [asked(path, one) for one in questions]
    assert [row[1:] for row in before[0]] == [
        ("bolder", 0, "bold", "visitor", "visitor:a", 0),
        ("bolder", 0, "all", "visitor", "visitor:b", 0),
    ]
    assert asked(path, "SELECT language, depth FROM events ORDER BY ts_ms") == [("fr", 2), ("fr", 2), (None, None)]
    assert asked(path, "PRAGMA user_version") == [(2,)]
    keep(path)
    assert asked(path, "PRAGMA user_version") == [(VERSION,)]
    assert [asked(path, one) for one in questions] == before
    keep(tmp_path / "new.db")
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert asked(path, schema) == asked(tmp_path / "new.db", schema)
    assert is_sound(path)


@pytest.mark.parametrize("wrong", ['"bolder"', "7", '{"experiment":[]}', '{"experiment":null}', "[5, []]", "null"])
def test_assignments_that_are_none_do_not_stand_in_the_way(second_version: Path, path: Path, wrong: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "UPDATE interactions SET payload = json_set(payload, '$.data.decision.assignment', json(?))", (wrong,)
        )
        other.commit()
    assert keep(path, happened()).verdict == "delivered"
    assert asked(path, "SELECT count(*) FROM exposures") == [(0,)]


# --- Reading --------------------------------------------------------------------------------------


def test_reading_makes_no_file(path: Path) -> None:
    with pytest.raises(LocalFileError) as refused, read(path):
        pass
    assert refused.value.code == "CX6101"
    assert not path.parent.exists()


def test_reading_cannot_write(path: Path) -> None:
    keep(path, happened())
    with pytest.raises(LocalFileError) as refused, read(path) as connection:
        connection.execute("DELETE FROM interactions")
    assert refused.value.code == "CX6107"
    assert count(path) == 1


def test_a_mistake_in_a_question_is_told_as_it_is(path: Path) -> None:
    keep(path, happened())
    with pytest.raises(sqlite3.OperationalError, match="no such column"), read(path) as connection:
        connection.execute("SELECT almonds FROM events")


def test_reading_a_locked_file(path: Path) -> None:
    keep(path, happened())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LocalFileError) as refused, read(path, patience_s=0.01):
            pass
    assert refused.value.code == "CX6104"


def test_a_reader_sees_what_was_committed_and_keeps_one_moment_if_it_wants(path: Path) -> None:
    keep(path, happened())
    with read(path) as connection:
        counts = []
        for statement in ("BEGIN", "COMMIT"):
            keep(path, happened())
            connection.execute(statement)
            (found,) = connection.execute("SELECT count(*) FROM events").fetchone()
            counts.append(found)
    assert counts == [2, 3]


def test_an_empty_batch_is_delivered(path: Path) -> None:
    assert keep(path).verdict == "delivered"
    assert count(path) == 0
