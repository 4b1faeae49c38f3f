from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cxkit.codec import decode
from cxkit.model import Context
from tests.cli.terminal import Running, command, cxkit, environment
from tests.exporters.happened import happened, keep

CAPTURE = """
import cxkit
for name in {names!r}:
    cxkit.touchpoint(name, purpose="necessary").capture()
assert cxkit.flush(timeout_s=30).complete
"""


def capture(*names: str) -> None:
    """What an application does in the working directory, in a process of its own."""
    script = CAPTURE.format(names=names)
    subprocess.run([sys.executable, "-c", script], env=environment(CXKIT_DEVELOPMENT="true"), check=True, timeout=60)


def names(text: str) -> list[str]:
    return re.findall(r"[a-z]+\.[a-z_]+", text)


def lines(folder: Path, *arguments: str) -> list[str]:
    done = cxkit("tail", *arguments, cwd=folder, TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def held(folder: Path) -> list[tuple[str, str]]:
    """Name and payload of all that arrived, in order."""
    with sqlite3.connect(folder / ".cxkit" / "local.db") as file:
        rows = file.execute("SELECT name, payload FROM interactions ORDER BY rowid").fetchall()
    file.close()
    return rows


def test_the_last_ones_in_the_order_of_their_arrival(visited: Path) -> None:
    expected = [name for name, _ in held(visited)]
    assert len(expected) > 20
    assert [names(line)[0] for line in lines(visited)] == expected[-20:]
    assert [names(line)[0] for line in lines(visited, "-n", "100")] == expected
    assert lines(visited, "-n", "3") == lines(visited)[-3:]


def test_a_line_tells_when_where_what_who_and_the_stage(visited: Path) -> None:
    (line,) = lines(visited, "--name", "order.*")
    when, channel, name, kind, who, stage, route, amount, currency = line.split()[1:]
    assert re.fullmatch(r"\d\d:\d\d:\d\d", when)
    assert [channel, name, kind, who, stage] == ["web", "order.placed", "user_id", "nancy", "purchase"]
    assert [route, amount, currency] == ["/do/{what}/{hours}", "24.90", "EUR"]
    (shown,) = lines(visited, "--name", "experience.shown")
    assert "home.hero: gold" in shown


def test_a_line_tells_that_it_was_a_machine(tmp_path: Path) -> None:
    (tmp_path / ".cxkit").mkdir()
    actors = ("human", "bot", "prefetch", "unknown")
    keep(tmp_path / ".cxkit" / "local.db", *(happened(context=Context(actor=actor)) for actor in actors))
    who = [line.split("page.viewed")[1].rpartition("-")[0].strip() for line in lines(tmp_path)]
    assert who == ["nobody", "nobody (bot)", "nobody (prefetch)", "nobody"]


def test_only_what_is_asked_for(visited: Path) -> None:
    assert {names(line)[0] for line in lines(visited, "--channel", "chat")} == {"chat.asked"}
    assert {"order.placed", "call.answered"} <= {names(line)[0] for line in lines(visited, "--subject", "nancy")}
    assert all("user_id otto" in line for line in lines(visited, "--subject", "otto"))
    assert len(lines(visited, "--name", "chat.asked", "--subject", "nancy")) == 1
    past = lines(visited, "--name", "blog.read")
    day = past[0].split()[0]
    assert lines(visited, "--since", day, "--name", "blog.read") == past
    assert len(lines(visited, "--since", "2001-01-01T10:00+01:00")) == len(held(visited))  # all, not the last 20
    after = cxkit("tail", "--since", "9000-12-31", cwd=visited)
    assert (after.returncode, after.stdout) == (0, "")
    assert "nothing like this" in after.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "2026-13-45"], "this is no date"),
        (["--since", "yesterday"], "this is no date"),
        (["--since", "0001-01-01"], "this is no date"),
        (["--since", "2026-11-21\x1b"], "this is no date"),
        (["-n", "-1"], "-1 is not in the range"),
        (["--format", "xml"], "'xml' is not one of"),
        (["--subject", "nobody"], "CX6105"),
    ],
)
def test_a_wrong_question_is_one_clear_line(arguments: list[str], said: str, visited: Path) -> None:
    done = cxkit("tail", *arguments, cwd=visited)
    assert (done.returncode, done.stdout) == (1 if "CX" in said else 2, "")
    assert said in done.stderr
    assert "\x1b" not in done.stderr


def test_programs_get_the_canonical_form_or_pairs(visited: Path) -> None:
    expected = [payload for _, payload in held(visited)]
    told = lines(visited, "-n", "100", "--json")
    assert [json.loads(line) for line in told] == [json.loads(one) for one in expected]
    assert told == lines(visited, "-n", "100", "--format", "json")
    assert decode(told[0].encode()) == decode(expected[0].encode())
    (pairs,) = lines(visited, "--name", "order.placed", "--format", "logfmt")
    assert 'value="24.90 EUR"' in pairs
    assert "person=user_id:nancy" in pairs
    assert " outcome=" not in pairs


def test_names_do_nothing_to_the_terminal(tmp_path: Path, visited: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    bad = 'x.\x1b[2J"\x9b\u202e\n'
    with sqlite3.connect(tmp_path / ".cxkit" / "local.db") as file:
        file.execute(
            "UPDATE interactions SET name = ?, channel = ?, payload = ?",
            (bad, bad, json.dumps({"no": bad}, ensure_ascii=False)),
        )
    file.close()
    for form in ("human", "logfmt", "json"):
        text = cxkit("tail", "--format", form).stdout
        assert not set(text) & set("\x1b\x9b\u202e")
        assert len(text.splitlines()) == 20
    assert 'name="x.\\\\x1b[2J\\"\\\\x9b\\\\u202e\\\\n"' in cxkit("tail", "--format", "logfmt").stdout


# --- following ------------------------------------------------------------------------------------


def test_it_waits_for_a_file_that_is_not_there_yet_and_follows_it(tmp_path: Path) -> None:
    with Running(command("tail", "-f")) as tail:
        tail.until("waiting: there is no local file")
        many = [f"many.n{number}" for number in range(30)]
        capture(*many)
        tail.until("many.n29")
        capture("later.one")
        tail.until("later.one")
        tail.press(signal.SIGINT)
        assert tail.ended() == 130
    assert names(tail.printed.partition("\n")[2]) == [re.sub(r"\d+", "", one) for one in many] + ["later.one"]
    assert tail.printed.count("waiting") == 1


def test_following_begins_with_the_last_ones_and_keeps_to_what_is_wanted(tmp_path: Path) -> None:
    capture("a.one", "b.two", "a.three")
    with Running(command("tail", "-f", "-n", "1", "--name", "a.*")) as tail:
        tail.until("a.three")
        capture("b.four", "a.five")
        tail.until("a.five")
    assert names(tail.printed) == ["a.three", "a.five"]


def test_it_waits_for_somebody_who_has_not_come_yet(tmp_path: Path) -> None:
    capture("a.one")
    with Running(command("tail", "-f", "--subject", "nancy")) as tail:
        tail.until("waiting: the local file knows")
        script = "import cxkit\nwith cxkit.scope(user_id='nancy'):\n" + CAPTURE.format(names=["b.two"]).replace(
            "\n", "\n    "
        )
        subprocess.run(
            [sys.executable, "-c", script], env=environment(CXKIT_DEVELOPMENT="true"), check=True, timeout=60
        )
        tail.until("b.two")
    assert "a.one" not in tail.printed


def test_it_goes_on_with_a_file_that_takes_the_place(tmp_path: Path) -> None:
    capture("a.one", "a.two")
    with Running(command("tail", "-f")) as tail:
        tail.until("a.two")
        os.rename(".cxkit", "moved")
        capture("b.three")
        tail.until("b.three")
    assert names(tail.printed.replace("local.db", "")) == ["a.one", "a.two", "b.three"]


def test_it_outlives_a_lock(tmp_path: Path) -> None:
    capture("a.one")
    with Running(command("tail", "-f")) as tail:
        tail.until("a.one")
        locker = sqlite3.connect(".cxkit/local.db", isolation_level=None)
        locker.execute("PRAGMA locking_mode = EXCLUSIVE")
        locker.execute("BEGIN EXCLUSIVE")
        tail.until("is locked by another program")
        locker.execute("COMMIT")
        locker.close()
        capture("a.two")
        tail.until("a.two")
    assert names(tail.printed.replace("local.db", "")) == ["a.one", "a.two"]


def test_it_ends_where_the_file_becomes_something_else(tmp_path: Path) -> None:
    capture("a.one")
    with Running(command("tail", "-f")) as tail:
        tail.until("a.one")
        shutil.rmtree(".cxkit")
        os.mkdir(".cxkit")
        Path(".cxkit/draft").write_text("almonds " * 1000)
        os.rename(".cxkit/draft", ".cxkit/local.db")
        assert tail.ended() == 1
    assert "CX6102" in tail.printed
