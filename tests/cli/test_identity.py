"""`cxkit identity`: what it would do is shown first; why tells of it afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import cxkit, environment

_KNOWN = """
import cxkit

for login in ({"user_id": "nancy"}, {"loyalty": "L-7"}, {"user_id": "otto"}, {"email": "nan@example.org"}):
    with cxkit.scope():
        cxkit.identify(**login)
        cxkit.grant("analytics", *(["advertising"] if "loyalty" in login else []))
    assert cxkit.flush(timeout_s=30).complete
for name in ("nancy", "otto"):
    with cxkit.scope(visitor="tablet", evidence="cookie"):
        cxkit.grant("analytics", "identity_stitching")
        cxkit.identify(user_id=name)
    assert cxkit.flush(timeout_s=30).complete
"""
SAID = ("--actor", "desk 4", "--reason", "she called")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clean = {name: value for name, value in environment().items() if not name.startswith("CXKIT_")}
    subprocess.run(
        [sys.executable, "-c", _KNOWN],
        cwd=tmp_path,
        env={**clean, "CXKIT_DEVELOPMENT": "true", "TZ": "UTC"},
        check=True,
        timeout=120,
    )
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0, **environ: str) -> tuple[str, str]:
    done = cxkit(*arguments, cwd=folder, TZ="UTC", CXKIT_DEVELOPMENT="true", **environ)
    assert done.returncode == code, done.stderr
    where, said = str(folder / ".cxkit"), done.stderr.splitlines(keepends=True)
    return done.stdout, "".join(said[1:] if said and where in said[0] and "sqlite" in said[0] else said)


def why(folder: Path, subject: str) -> Any:
    return json.loads(run(folder, "why", subject, "--json")[0])


def test_it_merges_and_parts_and_why_tells_of_it(folder: Path) -> None:
    shown, _ = run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes")
    assert shown.count("person ") == 3
    assert re.search(r"person \S+, since [\d: -]+: 1 user_id, 1 visitor\n", shown)
    assert (
        "identity_stitching are denied until they choose again, for they chose differently, or one has not chosen\n"
        in shown
    )
    assert re.search(r"  advertising +denied  [\d: -]+  by a merge\n", run(folder, "why", "nancy")[0])
    assert why(folder, "nancy")["consent"]["advertising"]["method"] == "merge"
    (command,) = re.findall(r"merged; to undo it: cxkit identity unmerge (\S+)\n", shown)
    told, _ = run(folder, "why", "nancy")
    assert re.search(rf"merged on [\d: -]+; an operator said so; {command}\n +by desk 4: she called\n", told)
    assert re.search(r"absorbed person \S+: loyalty L-\d+\n", told)
    assert {one["type"] for one in why(folder, "nancy")["graph"]["links"]} == {"user_id", "visitor", "loyalty"}
    shown, _ = run(folder, "identity", "unmerge", "loyalty:L-7", *SAID, "--yes")
    assert command in shown
    assert "parted; only --force merges them again\n" in shown
    told, _ = run(folder, "why", "nancy")
    head = "parted from somebody by an operator: no login merges them again"
    who = rf"on [\d: -]+; \S+; by desk 4: she called; what undid the merge {command}"
    assert re.search(rf"    {head}\n      {who}\n", told)
    (parted,) = why(folder, "nancy")["graph"]["parted"]
    assert (parted["merge"], parted["actor"], parted["reason"]) == (command, "desk 4", "she called")
    _, refused = run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes", code=1)
    assert refused == (
        "refused: unmerged (nancy, loyalty:L-7): an operator has parted them\n--force merges them all the same\n"
    )
    _, refused = run(folder, "identity", "unmerge", command, *SAID, "--yes", code=1)
    assert refused == "refused: not_merged: the store knows of no such merge, or it is undone\n"


def test_what_is_refused_is_named_and_forced_only_if_told_to(folder: Path) -> None:
    _, told = run(folder, "identity", "merge", "nancy", "otto", *SAID, "--yes", code=1)
    assert told == (
        "refused: unique_conflict (nancy, otto): each has one of what a person has one of, like a user_id: "
        "they look like two people\n--force merges them all the same\n"
    )
    run(folder, "identity", "merge", "nancy", "otto", *SAID, "--yes", "--force")
    assert re.search(r"forced by desk 4: she called\n", run(folder, "why", "otto")[0])
    _, told = run(folder, "identity", "merge", "nancy", "never-seen", *SAID, "--yes", code=1)
    assert told.startswith("refused: nobody (never-seen): the store knows nobody by this: see how it is spelt")
    _, told = run(folder, "identity", "merge", "zora", "never-seen", *SAID, "--yes", code=1)
    assert told.startswith("refused: nobody (zora, never-seen): ")
    _, told = run(folder, "identity", "merge", "nancy", "otto", *SAID, "--yes", code=1)
    assert told == "they are one person already\n"


def test_who_stands_in_the_way_is_named(folder: Path) -> None:
    _, told = run(folder, "identity", "merge", "loyalty:L-7", "visitor:tablet", *SAID, "--yes", code=1)
    assert told.startswith("refused: contested (visitor:tablet): several people use this device")
    run(folder, "privacy", "erase", "otto", "--yes", "--suppress")
    _, told = run(folder, "identity", "merge", "nancy", "otto", *SAID, "--yes", code=1, LANGUAGE="fr")
    assert told.startswith("refusé\u00a0: tombstoned (otto)\u00a0: cette personne a été effacée")
    run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes")
    _, told = run(folder, "identity", "merge", "nancy", "email:nan@example.org", "--actor", " ", "--reason", "", code=1)
    assert told.startswith("refused: unexplained ")
    shown, _ = run(folder, "identity", "unmerge", "nancy", *SAID, code=1, LANGUAGE="fr")
    assert re.search(r", un opérateur l.a dit\n", shown)


def test_a_merge_that_is_not_the_latest_is_superseded(folder: Path) -> None:
    first = json.loads(run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes", "--json")[0])["command"]
    done, _ = run(folder, "identity", "merge", "nancy", "email:nan@example.org", *SAID, "--yes", "--json")
    later = json.loads(done)["command"]
    _, told = run(folder, "identity", "unmerge", first, *SAID, "--yes", code=1)
    assert told == f"refused: superseded: undo the later merge {later} first\n"
    assert json.loads(run(folder, "identity", "unmerge", first, *SAID, "--json", code=1)[0])["later"] == later


def test_nothing_is_done_unless_somebody_agrees(folder: Path) -> None:
    shown, told = run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, code=1)
    assert "they become person " in shown
    assert told == "nothing was done, for nobody can be asked here: --yes does it\n"
    assert why(folder, "nancy")["graph"]["merges"] == []


def test_for_programs(folder: Path) -> None:
    done = json.loads(run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes", "--json")[0])
    assert (done["committed"], done["refused"]) == (True, [])
    assert done["survivor"] == done["people"][0]["person"]
    assert done["absorbed"] == [done["people"][1]["person"]]
    (row,) = why(folder, "nancy")["graph"]["merges"]
    assert (row["command"], row["actor"], row["forced"]) == (done["command"], "desk 4", False)
    refused = json.loads(run(folder, "identity", "merge", "nancy", "otto", *SAID, "--yes", "--json", code=1)[0])
    assert (refused["committed"], refused["refused"]) == (False, ["unique_conflict"])
    parted = json.loads(run(folder, "identity", "unmerge", "nancy", *SAID, "--yes", "--json")[0])
    assert (parted["merge"], parted["committed"]) == (done["command"], True)


def test_why_tells_what_was_refused_and_what_links_whom(folder: Path) -> None:
    told, _ = run(folder, "why", "otto")
    assert re.search(r"  refused on [\d: -]+: visitor unique_conflict\n", told)
    assert re.search(r"    user_id otto: linked on [\d: -]+, signed in; nobody was known yet\n", told)
    assert why(folder, "otto")["refused"][0]["reasons"] == {"visitor": "unique_conflict"}


def test_no_value_of_anybody_is_shown_that_was_not_typed(folder: Path) -> None:
    shown, _ = run(folder, "identity", "merge", "email:nan@example.org", "loyalty:L-7", *SAID, "--yes")
    assert "nan@" not in shown
    assert "L-7" not in shown


def test_where_nothing_was_ever_kept_nobody_can_be_merged(tmp_path: Path) -> None:
    _, told = run(tmp_path, "identity", "merge", "nancy", "otto", *SAID, code=1)
    assert told == f"Error: {tmp_path / '.cxkit'} has nothing of anybody: no identifier was ever kept there\n"
    assert not (tmp_path / ".cxkit").exists()


@pytest.mark.parametrize("local", [True, False])
def test_who_parted_them_is_told_where_it_is_known(folder: Path, local: bool) -> None:
    run(folder, "identity", "merge", "nancy", "loyalty:L-7", *SAID, "--yes")
    run(folder, "identity", "unmerge", "nancy", *SAID, "--yes")
    if not local:
        for path in (folder / ".cxkit").glob("local.db*"):
            path.unlink()
    (parted,) = why(folder, "nancy")["graph"]["parted"]
    assert (parted["actor"] == "desk 4") is local
    assert ("by desk 4" in run(folder, "why", "nancy")[0]) is local
