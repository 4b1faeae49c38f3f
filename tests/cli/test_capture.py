"""``cxkit capture``, as an operator types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cxkit.cli import cli
from cxkit.codec import decode
from cxkit.model import Interaction

CONFIGURATION = """
[exporters.out]
type = "file"
path = "out.jsonl"
purposes = ["necessary"]
"""


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cxkit.toml").write_text(CONFIGURATION, "utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["capture", *arguments])


def exported() -> list[Interaction]:
    out = Path("out.jsonl")
    return [decode(line) for line in out.read_bytes().splitlines()] if out.exists() else []


def test_a_call_as_an_operator_records_it() -> None:
    result = run(
        *("call.answered", "--channel", "phone", "--purpose", "necessary", "--kind", "service", "--stage", "service"),
        *("-i", "phone=+33 6 39 98 12 34", "-p", "topic=discounts", "-p", "minutes:=3", "-p", "sum=1+1=2"),
        *("--value", "24.90", "EUR", "--case", "case-7", "--at", "2026-11-02T10:30:00+0100"),
    )
    assert result.exit_code == 0, result.output
    (one,) = exported()
    assert result.output == f"captured as {one.id}\n"
    assert (one.name, one.kind, one.stage, one.presence, one.channel) == (
        *("call.answered", "service", "service", "offline"),
        "phone",
    )
    assert one.occurred_at == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    assert one.properties == {"topic": "discounts", "minutes": 3, "sum": "1+1=2"}
    assert (str(one.value.amount), one.case) == ("24.90", "case-7") if one.value else False
    assert "639981234" not in Path("out.jsonl").read_text("utf-8").replace(" ", "")


def test_of_who_has_not_chosen_nothing_says_who_it_was() -> None:
    assert run("store.visited", "-i", "phone=+33 6 39 98 12 34", "-i", "loyalty=L-1").exit_code == 0
    assert not exported()[0].identity


def test_of_who_has_not_chosen_it_is_said_that_they_are_not_named() -> None:
    assert "kept without identifiers" in run("store.visited", "-i", "loyalty=L-1").output
    assert "kept without identifiers" not in run("store.visited").output


def test_without_an_exporter_it_can_be_seen_all_the_same() -> None:
    Path("cxkit.toml").unlink()
    id = json.loads(run("store.visited", "--json").output)["id"]
    (line,) = CliRunner().invoke(cli, ["tail", "--format", "json"]).output.splitlines()
    assert json.loads(line)["id"] == id


def test_as_json() -> None:
    told = json.loads(run("store.visited", "--json").output)
    assert told == {"id": exported()[0].id, "unnamed": False, "dropped": {}, "pending": {}}


def test_what_consent_refuses_is_not_kept_and_said() -> None:
    Path("cxkit.toml").write_text(CONFIGURATION + '[consent]\nbefore_choice = "drop"\n', "utf-8")
    result = run("store.visited")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was kept: consent_undecided" in result.stderr
    assert exported() == []


def test_what_waits_is_said(tmp_path: Path) -> None:
    Path("cxkit.toml").write_text(CONFIGURATION.replace("out.jsonl", "no/such/folder/out.jsonl"), "utf-8")
    result = run("store.visited")
    assert result.exit_code == 0
    assert "out: 1 not delivered yet" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["Store visited"], 1, "CX3002"),
        (["page.viewed"], 1, "CX3015"),
        (["a.b", "--purpose", "marketing"], 1, "CX3003"),
        (["a.b", "--channel", "The phone"], 1, "CX31"),
        (["a.b", "--at", "2036-01-01T00:00:00+0000"], 1, "CX3117"),
        (["a.b", "--value", "1,5", "EUR"], 1, "CX3111"),
        (["a.b", "--value", "1.5", "Euro"], 1, "CX3112"),
        (["a.b", "-i", "user_id=null"], 1, "CX3120"),
        (["a.b", "-p", "password=secret"], 1, "CX3102"),
        (["a.b", "-i", "visitor:a=b"], 1, "CX3124"),
        (["a.b", "-i", "visitor=v", "-i", "user_id=mallory", "--evidence", "login"], 1, "CX3125"),
        (["a.b", "-p", "topic"], 2, '"topic" is not'),
        (["a.b", "-p", "n:=nan"], 2, '"n:=nan" is not'),
        (["a.b", "-i", "=x"], 2, '"=x" is not'),
        (["a.b", "--at", "2026-01-01T00:00:00"], 2, "--at"),
        (["a.b", "--kind", "party"], 2, "--kind"),
    ],
)
def test_what_is_wrong_is_one_error_and_nothing_is_kept(arguments: list[str], code: int, text: str) -> None:
    result: Any = run(*arguments)
    found = str(result.exception) if code == 1 else result.stderr
    assert text in found
    assert result.exit_code == code
    assert [one for one in exported() if one.name != "identity.ignored" or one.identity] == []
