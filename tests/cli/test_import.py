"""``cxkit import``: real files, real spools; every row once, or a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxkit.cli import cli
from cxkit.codec import decode
from cxkit.model import Interaction

CONFIGURATION = """
[exporters.out]
type = "file"
path = "out.jsonl"
purposes = ["necessary"]
"""
TILL = """\
Date;Téléphone;Montant;Devise;Ticket;Article
02/11/2026 09:30;+33 6 39 98 12 34;24,90;EUR;A-1;Calissons
02/11/2026 09:31;;1 024,90;EUR;A-2;Dragées
"""
TILL_OPTIONS = [
    *("-c", "at=Date", "-c", "phone=Téléphone", "-c", "value=Montant", "-c", "currency=Devise", "-c", "key=Ticket"),
    *("--decimal-comma", "--timezone", "Europe/Paris", "--time-format", "%d/%m/%Y %H:%M"),
    *("--name", "store.bought", "--stage", "purchase", "--kind", "transaction", "--purpose", "necessary"),
]


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cxkit.toml").write_text(CONFIGURATION, "utf-8")


def run(content: str | bytes, *options: str) -> Result:
    data = content if isinstance(content, bytes) else content.encode()
    Path("rows.csv").write_bytes(data)
    return CliRunner().invoke(cli, ["import", "rows.csv", *options])


def exported() -> list[Interaction]:
    out = Path("out.jsonl")
    return [decode(line) for line in out.read_bytes().splitlines()] if out.exists() else []


# --- What comes in --------------------------------------------------------------------------------


def test_a_french_till() -> None:
    result = run(TILL, *TILL_OPTIONS)
    assert (result.exit_code, result.output) == (0, "2 rows, 0 wrong\n2 imported\n")
    first, second = exported()
    assert first.occurred_at == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
    assert (first.name, first.kind, first.stage, first.presence) == (
        *("store.bought", "transaction", "purchase"),
        "offline",
    )
    assert [one.value and (one.value.minor, one.value.currency) for one in (first, second)] == [
        *((2490, "EUR"), (102490, "EUR")),
    ]
    assert first.properties == {"Article": "Calissons"}


def test_a_file_whose_headings_are_the_fields() -> None:
    rows = "at,name,channel,user_id,case,sku\n2026-11-02T09:30:00+01:00,call.answered,phone,nancy,c-1,ALM-200\n"
    assert run(rows, "--purpose", "necessary").exit_code == 0
    (one,) = exported()
    assert (one.name, one.channel, one.case, one.properties) == ("call.answered", "phone", "c-1", {"sku": "ALM-200"})


def test_again_is_not_twice() -> None:
    assert run(TILL, *TILL_OPTIONS).exit_code == 0
    grown = TILL + "02/11/2026 09:32;;3,00;EUR;A-3;Nougat\n"
    assert run(grown, *TILL_OPTIONS).output == "3 rows, 0 wrong\n1 imported\n2 were there already\n"
    assert len({one.id for one in exported()}) == len(exported()) == 3


def test_rows_without_a_key_are_the_same_if_all_of_them_is() -> None:
    rows = "at,sku\n2026-11-02T09:30:00Z,A\n2026-11-02T09:30:00Z,A\n2026-11-02T09:30:00Z,B\n"
    assert run(rows, "--name", "store.bought").output == "3 rows, 0 wrong\n2 imported\n1 was there already\n"
    other = run(rows, "--name", "store.returned")
    assert "2 imported" in other.output, "another touchpoint is another occurrence"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    rows = "at,name,sku\n2026-11-02T09:30:00Z,a.b,A\n".replace(",", delimiter)
    assert run(rows).exit_code == 0
    assert exported()[0].properties == {"sku": "A"}


def test_another_encoding() -> None:
    rows = "at,name,sweet\n2026-11-02T09:30:00Z,a.b,Dragées\n".encode("cp1252")
    refused = run(rows)
    assert refused.exit_code == 1
    assert "is not text in utf-8-sig" in refused.stderr
    assert "--encoding" in refused.stderr
    assert run(rows, "--encoding", "cp1252").exit_code == 0
    assert exported()[0].properties == {"sweet": "Dragées"}


def test_what_consent_refuses_is_counted_and_comes_with_a_later_yes() -> None:
    refusing = CONFIGURATION + '[consent]\nbefore_choice = "drop"\n'
    Path("cxkit.toml").write_text(refusing, "utf-8")
    rows = "at,name,sku\n2026-11-02T09:30:00Z,a.b,A\n"
    assert run(rows).output == "1 row, 0 wrong\n0 imported\n1 withheld: there was no consent\n"
    Path("cxkit.toml").write_text(CONFIGURATION, "utf-8")
    assert "1 imported" in run(rows).output


def test_nobody_is_named_in_what_is_remembered() -> None:
    assert run(TILL, *TILL_OPTIONS).exit_code == 0
    kept = b"".join(path.read_bytes() for path in Path(".cxkit").rglob("*") if path.is_file())
    assert b"39 98 12 34" not in kept
    assert b"639981234" not in kept
    assert Path(".cxkit/imported.db").stat().st_mode & 0o077 == 0


# --- What is wrong --------------------------------------------------------------------------------

WRONG = {
    "2026-02-30T09:30:00Z,a.b,,,": '"2026-02-30T09:30:00Z" is not a time',
    "2026-11-02T09:30:00,a.b,,,": "has no time zone",
    "2036-11-02T09:30:00Z,a.b,,,": "CX3117",
    "1960-11-02T09:30:00Z,a.b,,,": "CX3117",
    ",a.b,,,": '"" is not a time',
    "2026-11-02T09:30:00Z,Store visit,,,": "CX3002",
    "2026-11-02T09:30:00Z,\u0430.b,,,": "CX3002",  # a Cyrillic letter that looks like a Latin one
    "2026-11-02T09:30:00Z,page.viewed,,,": "CX3015",
    "2026-11-02T09:30:00Z,a.b,null,,": "CX3120",
    "2026-11-02T09:30:00Z,a.b,,24;90,EUR": "CX3111",
    "2026-11-02T09:30:00Z,a.b,,24.90,": "a value has no currency",
    "2026-11-02T09:30:00Z,a.b,,24.90,EURO": "CX3112",
    "2026-11-02T09:30:00Z,a.b,": "3 cells where the first line has 5",
    "2026-11-02T09:30:00Z,a.b,,,,": "6 cells where the first line has 5",
}


@pytest.mark.parametrize("row", WRONG, ids=range(len(WRONG)))
def test_a_wrong_row_has_its_line_and_reason_and_nothing_is_imported(row: str) -> None:
    rows = f"at,name,user_id,value,currency\n2026-11-02T09:30:00Z,a.b,,,\n{row}\n2026-11-02T09:31:00Z,a.b,,,\n"
    result = run(rows, "--purpose", "necessary")
    assert result.exit_code == 1
    assert result.stderr.startswith("line 3: ")
    assert WRONG[row] in result.stderr
    assert result.stdout == "3 rows, 1 wrong\nnothing was imported\n"
    assert exported() == []
    skipping = run(rows, "--purpose", "necessary", "--skip-wrong", "--json")
    assert (skipping.exit_code, json.loads(skipping.stdout)["imported"]) == (1, 2)
    assert len(exported()) == 2


@pytest.mark.parametrize(
    ("heading", "options", "configuration", "code"),
    [
        ("identifier:visitor", ["--evidence", "login"], "", "CX3125"),
        ("nickname", [], '[redact]\nextra = ["nickname"]\n', "CX3102"),
    ],
)
def test_what_only_this_directory_or_this_evidence_refuses_is_found_before_anything_is_imported(
    heading: str, options: list[str], configuration: str, code: str
) -> None:
    Path("cxkit.toml").write_text(CONFIGURATION + configuration, "utf-8")
    first = "".join(f"2026-11-02T09:30:00Z,a.b,{number},\n" for number in range(600))
    result = run(f"at,name,key,{heading}\n{first}2026-11-02T09:30:00Z,a.b,last,somebody\n", *options)
    assert (result.exit_code, result.stdout) == (1, "601 rows, 1 wrong\nnothing was imported\n")
    assert code in result.stderr
    assert exported() == []


def test_many_wrong_rows_do_not_flood_the_terminal() -> None:
    result = run("at,name\n" + "never,a.b\n" * 50)
    assert result.stderr.count("\n") == 21
    assert "and 30 more" in result.stderr
    assert len(json.loads(run("at,name\n" + "never,a.b\n" * 50, "--json").stdout)["wrong"]) == 50


UNREADABLE: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "does not name the columns"),
    "no rows": ("at,name\n", "has no rows"),
    "doubled": ("at,name,sku,sku\n2026-11-02T09:30:00Z,a.b,1,2\n", "sku"),
    "no time": ("name,sku\na.b,A\n", "no column holds at"),
    "no name": ("at,sku\n2026-11-02T09:30:00Z,A\n", "no column holds name"),
    "binary": (bytes(range(256)) * 40, "is not"),
    "UTF-16": ("at,name\n2026-11-02T09:30:00Z,a.b\n".encode("utf-16"), "is not text"),
    "open quote": ('at,name,x\n2026-11-02T09:30:00Z,a.b,"open\n', "not CSV"),
    "10 MB field": ("at,name,x\n2026-11-02T09:30:00Z,a.b," + "x" * 10_000_000 + "\n", "field larger than"),
    "too wide": (",".join(map(str, range(1000))) + "\n", "does not name the columns"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_line_and_nothing_is_imported(what: str) -> None:
    content, text = UNREADABLE[what]
    result = run(content)
    assert result.exit_code == 1
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
    assert exported() == []


def test_a_file_that_is_not_there() -> None:
    result = CliRunner().invoke(cli, ["import", "nothing.csv"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be read" in result.stderr


@pytest.mark.parametrize(
    "option",
    [("-c", "at"), ("-c", "=x"), ("--timezone", "Mars/Base"), ("-c", "at=When"), ("--delimiter", ";;")],
)
def test_a_wrong_option(option: tuple[str, str]) -> None:
    result = run("at,name\n2026-11-02T09:30:00Z,a.b\n", *option)
    assert result.exit_code in (1, 2)
    assert exported() == []


def test_an_hour_that_does_not_exist() -> None:
    options = ["--name", "a.b", "--timezone", "Europe/Paris"]
    assert "clocks were set forward" in run("at\n2026-03-29T02:30:00\n", *options).stderr
    assert run("at\n2026-10-25T02:30:00\n", *options).exit_code == 0, "an hour that comes twice is the first"


def test_a_dry_run_leaves_nothing() -> None:
    result = run(TILL, *TILL_OPTIONS, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "2 rows, 0 wrong\nnothing was imported\n")
    assert not Path(".cxkit").exists()


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_file_is_a_traceback(content: bytes) -> None:
    result = run(b"at,name,x\n" + content, "--dry-run")
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_what_finds_no_room_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXKIT_QUEUE__MAX_BYTES", "2000000")
    rows = "".join(f"2026-11-02T09:30:00Z,a.b,{number},{'x' * 5000}\n" for number in range(1200))
    result = run("at,name,key,text\n" + rows)
    assert (result.exit_code, result.output) == (0, "1200 rows, 0 wrong\n1200 imported\n")


def test_one_instant_is_one_row_however_it_is_written() -> None:
    rows = "at,name,key\n2026-11-02T09:30:00Z,a.b,1\n2026-11-02T10:30:00+01:00,a.b,1\n"
    assert "1 imported\n1 was there already" in run(rows).output


def test_who_it_was_is_counted_where_it_may_not_be_said() -> None:
    rows = "at,name,user_id\n2026-11-02T09:30:00Z,a.b,nancy\n2026-11-02T09:31:00Z,a.b,\n"
    assert "1 of them without identifiers" in run(rows).output


def test_what_a_file_holds_does_not_reach_the_terminal_raw() -> None:
    result = run("at,name,key\n\x1b]0;PWN\x07,a.b,1\n")
    assert "\x1b" not in result.stderr
    assert "\\x1b]0;PWN" in result.stderr


# --- Cut off --------------------------------------------------------------------------------------


def test_killed_in_the_middle_it_goes_on_and_every_row_is_there_once() -> None:
    rows = 20_000
    lines = (f"2026-11-02T09:30:00Z,a.b,k{number}" for number in range(rows))
    Path("rows.csv").write_text("at,name,key\n" + "\n".join(lines), "utf-8")
    command = [sys.executable, "-m", "cxkit.cli", "import", "rows.csv"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as cut:
        until = time.monotonic() + 60
        out = Path("out.jsonl")
        while not (out.exists() and out.read_bytes().count(b"\n") >= 2000) and time.monotonic() < until:
            time.sleep(0.01)  # its last line is being written
        os.kill(cut.pid, signal.SIGKILL)
    assert cut.returncode == -signal.SIGKILL
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "were there already" in again.stdout
    ids = [one.id for one in exported()]
    assert len(set(ids)) == rows
    assert len(ids) <= rows + 1000, "a batch that was not remembered comes again, under the same ids"
