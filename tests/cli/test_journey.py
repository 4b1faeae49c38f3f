from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from cxkit.codec import decode
from tests.cli.terminal import cxkit

VERBS = pytest.mark.parametrize("verb", [["journey", "nancy"], ["why", "nancy"], ["tail"]], ids=lambda verb: verb[0])


def told(folder: Path, *arguments: str) -> str:
    done = cxkit(*arguments, cwd=folder, TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# --- what it tells --------------------------------------------------------------------------------


def test_it_tells_who_joined_when_and_what_came_along(visited: Path) -> None:
    lines = told(visited, "journey", "nancy").splitlines()
    assert lines[0] == "user_id nancy"
    joined = [line.strip() for line in lines[1:5]]
    assert re.fullmatch(r"phone [0-9a-f]{8}: signed in first on \d{4}-\d\d-\d\d [\d:]{8}", joined[0])
    assert sorted(re.sub(r"visitor \S+: joined on \S+ \S+,", "", one) for one in joined[1:3]) == [
        " with 5 earlier interactions",
        " with 8 earlier interactions",
    ]
    assert joined[3] == "loyalty L-7: nothing proves that it is theirs: it links nothing"


def test_it_tells_the_stages_what_was_paid_and_what_was_shown(visited: Path) -> None:
    text = told(visited, "journey", "nancy")
    assert "stages: awareness > consideration > purchase > service\n" in text
    assert "transactions: 24.90 EUR\n" in text
    assert re.search(r"< experience\.shown +home\.hero: gold  /\n", text)


def test_it_tells_sessions_under_their_dates_with_the_time_between(visited: Path) -> None:
    text = told(visited, "journey", "nancy")
    dates = re.findall(r"^(\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert dates == sorted(set(dates))
    headings = re.findall(r"^  \d\d:\d\d  (.+)$", text, re.MULTILINE)
    assert headings[:3] == ["web, 2 interactions, 12 minutes", "web, 1 interaction", "web, 1 interaction"]
    assert re.findall(r"^  \((.+)\)$", text, re.MULTILINE)[:2] == ["2 days later", "5 hours later"]
    times = re.findall(r"^    (\d\d:\d\d:\d\d) ", text, re.MULTILINE)
    assert len(times) == sum(int(number) for one in headings for number in re.findall(r"(\d+) interaction", one))


def test_programs_get_every_interaction_as_it_was_captured(visited: Path) -> None:
    answer = json.loads(told(visited, "journey", "nancy", "--json"))
    assert answer["subject"] == "user_id:nancy"
    assert answer["stages"] == ["awareness", "consideration", "purchase", "service"]
    assert answer["transactions"] == {"EUR": "24.90"}
    with sqlite3.connect(visited / ".cxkit" / "local.db") as file:
        held = {
            row[0]: row[1]
            for row in file.execute("SELECT id, payload FROM interactions WHERE person = 'user_id:nancy'")
        }
    file.close()
    events = [one for session in answer["sessions"] for one in session["interactions"]]
    assert {one["id"]: decode(json.dumps(one).encode()) for one in events} == {
        id: decode(payload.encode()) for id, payload in held.items()
    }
    assert [one["began_at"] for one in answer["sessions"]] == sorted(one["began_at"] for one in answer["sessions"])
    assert {one["subject"].partition(":")[0]: one["theirs"] for one in answer["identifiers"]} == {
        "user_id": True, "phone": True, "visitor": True, "loyalty": True,
    }  # fmt: skip


@pytest.mark.parametrize("subject", ["user_id:nancy", "phone:+33612345678", "phone:+33 6 12 34 56 78"])
def test_a_person_is_found_by_whatever_they_are_known_by(subject: str, visited: Path) -> None:
    assert told(visited, "journey", subject) == told(visited, "journey", "nancy")


def test_a_person_is_found_by_the_beginning_of_what_is_opaque(visited: Path) -> None:
    phone = re.search(r"phone ([0-9a-f]{8})", told(visited, "journey", "nancy"))
    assert phone
    assert told(visited, "journey", f"phone:{phone[1]}").startswith("user_id nancy\n")


def test_somebody_who_never_signed_in_has_a_journey(visited: Path) -> None:
    text = told(visited, "journey", "email:nancy@example.org")
    assert re.fullmatch(r"email [0-9a-f]{8}", text.splitlines()[0])
    assert "chat.asked" in text


def test_what_others_named_themselves_does_nothing_to_the_terminal(visited: Path) -> None:
    for verb in ("journey", "why"):
        text = told(visited, verb, "eve\x1b[31m")
        assert "\x1b" not in text
        assert "user_id eve\\x1b[31m" in text
        assert "\x1b" not in told(visited, verb, "eve\x1b[31m", "--json")
    assert "\x1b" not in told(visited, "tail", "-n", "100")


def test_programs_get_the_same_in_every_language(visited: Path) -> None:
    french = cxkit("journey", "nancy", "--json", cwd=visited, LANGUAGE="fr")
    assert french.stdout == told(visited, "journey", "nancy", "--json")


# --- what it does not know ------------------------------------------------------------------------


UNKNOWN = [
    "nobody",
    "nаncy",  # noqa: RUF001 - the second letter is Cyrillic
    "NANCY",
    "",
    "loyal:ty",
    "phone:+33999",
    "visitor:",
    "nancy\x1b]0;x\x07",
    "'; DROP TABLE interactions; --",
    "x" * 10_000,
]


@pytest.mark.parametrize(("verb", "subject"), [*(("journey", one) for one in UNKNOWN), ("why", UNKNOWN[1])])
def test_of_somebody_unknown_it_says_so_in_one_line(verb: str, subject: str, visited: Path) -> None:
    done = cxkit(verb, subject, cwd=visited)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("CX6105: ")
    assert "\x1b" not in line
    assert "nancy" not in line  # no name of anybody, not even a near one
    assert len(line) < 300


@VERBS
def test_where_there_is_no_file_it_says_how_to_get_one(verb: list[str], tmp_path: Path) -> None:
    done = cxkit(*verb)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CX6101: there is no local file")
    assert "cxkit dev -- COMMAND" in done.stderr
    assert list(tmp_path.iterdir()) == []


@VERBS
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "foreign", "newer", "pipe", "locked"])
def test_a_file_that_cannot_be_read_is_one_clear_line(
    verb: list[str], damage: str, visited: Path, tmp_path: Path
) -> None:
    file = tmp_path / "local.db"
    code = damaged(file, visited / ".cxkit" / "local.db", damage)
    locker = sqlite3.connect(file, isolation_level=None) if damage == "locked" else None
    try:
        if locker is not None:
            locker.execute("PRAGMA locking_mode = EXCLUSIVE")
            locker.execute("BEGIN EXCLUSIVE")
            locker.execute("DELETE FROM identifiers")
        done = cxkit(*verb, "--file", str(file))
    finally:
        if locker is not None:
            locker.close()
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{code}: ")


def damaged(file: Path, good: Path, how: str) -> str:
    """Makes a file that is not what it should be; returns the code of the error."""
    if how == "pipe":
        os.mkfifo(file)
        return "CX6107"
    if how in ("empty", "text"):
        file.write_text("" if how == "empty" else "almonds " * 1000)
        return "CX6101" if how == "empty" else "CX6102"
    if how == "foreign":
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE interactions (id TEXT)")
        other.close()
        return "CX6103"
    source, copy = sqlite3.connect(good), sqlite3.connect(file)
    source.backup(copy)
    if how == "newer":
        copy.execute("PRAGMA user_version = 99")
    copy.commit()
    copy.close()
    source.close()
    if how == "cut":
        file.write_bytes(file.read_bytes()[:6000])
    return {"newer": "CX6103", "cut": "CX6102", "locked": "CX6104"}[how]


def test_a_file_with_nothing_in_it_knows_nobody(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    with sqlite3.connect(tmp_path / ".cxkit" / "local.db") as file:
        file.execute("DELETE FROM interactions")
    file.close()
    gone = cxkit("journey", "nancy")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("CX6108: the local file holds no interaction of them any more")
    with sqlite3.connect(tmp_path / ".cxkit" / "local.db") as file:
        file.execute("DELETE FROM identifiers")
    file.close()
    assert cxkit("journey", "nancy").stderr.startswith("CX6105: ")
    empty = cxkit("tail")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "there is nothing like this" in empty.stderr
