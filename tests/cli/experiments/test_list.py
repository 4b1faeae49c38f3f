"""Which experiments there are and which run, and by whose word; what is undone by starting one again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from tests.cli.experiments.lives import TOML, run

KEYS = """
[keys]
signing = ["00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"]
identifier = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
"""
SAID = ("--actor", "mary", "--reason", "it was shown")


@pytest.fixture
def keyed(folder: Path) -> Path:
    """With experiments that an operator can say something of, and a rollout."""
    rollout = """coverage = 0.2
holdout = { name = "q4", share = 0.1 }

[experiences."home.cart"]
fallback = { name = "all" }
variants = [{ name = "quick" }]

[[experiences."home.cart".experiments]]
name = "quicker"
variations = ["quick"]
unit = "user_id"
coverage = 0.3
active = false
"""
    (folder / "cxkit.toml").write_text(TOML + rollout + KEYS)
    return folder


def listed() -> Any:
    return {one["name"]: one for one in json.loads(run("list", "--json").stdout)}


@pytest.mark.usefixtures("keyed")
def test_each_is_told_with_its_split_and_state() -> None:
    told = listed()
    assert {name: one["state"] for name, one in told.items()} == {
        "bolder": "running", "q4": "holdout", "quicker": "stopped",
    }  # fmt: skip
    assert told["bolder"]["split"] == {"all": 0.1, "bold": 0.1}
    assert (told["q4"]["split"], told["quicker"]["split"]) == ({"held": 0.1, "compared": 0.1}, {"quick": 0.3})
    assert (told["quicker"]["unit"], told["quicker"]["experiences"]) == ("user_id", ["home.cart"])
    lines = run("list").stdout.splitlines()
    assert lines[1].split() == ["bolder", "home.hero", "visitor", "all", "10", "%,", "bold", "10", "%", "running",
                                "declared", "so"]  # fmt: skip


@pytest.mark.usefixtures("keyed")
def test_what_an_operator_said_is_told_with_who_and_why() -> None:
    done = run("conclude", "bolder", "--winner", "bold", *SAID)
    assert done.exit_code == 0, done.output
    assert listed()["bolder"]["state"] == "concluded"
    assert {"actor": "mary", "reason": "it was shown", "winner": "bold"}.items() <= listed()["bolder"]["ruling"].items()
    (line,) = [one for one in run("list").stdout.splitlines() if one.startswith("bolder ")]
    assert "concluded: bold" in line
    assert "mary, 20" in line
    assert line.endswith(": it was shown")
    tail = CliRunner().invoke(cli, ["tail", "--name", "experiment.ruled", "--file", "here.db"])
    assert tail.stdout.rstrip().endswith("bolder: bold won  mary: it was shown")
    fields = CliRunner().invoke(cli, ["tail", "--name", "experiment.ruled", "--file", "here.db", "--format", "logfmt"])
    assert 'experiment=bolder running=false winner=bold actor=mary reason="it was shown"' in fields.stdout


@pytest.mark.usefixtures("keyed")
def test_a_start_says_what_it_undoes() -> None:
    assert run("stop", "bolder", *SAID).stdout == "it has stopped\n"
    assert run("start", "bolder", *SAID).stdout == "it runs\n"
    run("conclude", "bolder", "--winner", "bold", *SAID)
    again = run("start", "bolder", *SAID).stdout
    assert again.startswith("it runs; that bold won is undone (mary, 20")
    assert listed()["bolder"]["state"] == "running"


@pytest.mark.usefixtures("keyed")
def test_what_was_said_of_another_version_is_not_said_of_this(keyed: Path) -> None:
    run("conclude", "bolder", "--winner", "bold", *SAID)
    text = (keyed / "cxkit.toml").read_text()
    (keyed / "cxkit.toml").write_text(text.replace('name = "bolder"', 'name = "bolder"\nversion = 2'))
    assert listed()["bolder"]["state"] == "running"
    assert run("start", "bolder", *SAID).stdout == "it runs\n"


def test_without_any_it_says_where_they_may_be(folder: Path) -> None:
    (folder / "cxkit.toml").write_text("")
    done = run("list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "--module" in done.stderr


@pytest.mark.usefixtures("folder")
def test_what_is_not_found_may_be_declared_in_code() -> None:
    assert 'did you mean "bolder"?; of a module of your app --module tells' in run("readout", "bold").stderr.replace(
        "\n", " "
    )


@pytest.mark.usefixtures("folder")
def test_a_folder_without_keys_is_only_read() -> None:
    assert listed()["bolder"]["state"] == "running"
    assert not Path(".cxkit").exists()
