"""What the command line is, whatever the verb."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from tests.theirs import ENRICHER, Install, installing


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Install]:
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        yield install


def test_plugins_names_what_is_built_in() -> None:
    told = json.loads(CliRunner().invoke(cli, ["plugins", "--json"]).stdout)
    assert {"console", "file", "http", "local"} <= set(told["exporters"])
    assert {"memory", "sqlite"} <= set(told["stores"])
    assert "hooks" not in told


def test_plugins_tells_the_hooks_and_the_distribution_of_each(installed: Install) -> None:
    installed("cxkit_zone", ENRICHER)
    told = json.loads(CliRunner().invoke(cli, ["plugins", "--hooks", "--json"]).stdout)["hooks"]
    assert told["cxkit_zone"] == {"distribution": "cxkit_zone 1.0", "hooks": ["cxkit_enrichers"]}
    assert told["cxkit"]["hooks"] == ["cxkit_exporters", "cxkit_stores"]
    lines = CliRunner().invoke(cli, ["plugins", "--hooks"]).output.splitlines()
    assert ["cxkit_zone", "cxkit_zone", "1.0", "cxkit_enrichers"] in [line.split() for line in lines]


def test_plugins_that_failed_are_told(installed: Install) -> None:
    installed("cxkit_bad", "1 / 0")
    result = CliRunner().invoke(cli, ["plugins", "--hooks"])
    assert result.exit_code == 1
    assert "cxkit_bad: cannot be used: ZeroDivisionError" in result.stderr


def test_help_is_there_whatever_is_broken(installed: Install) -> None:
    installed("cxkit_bad", "from cxkit.hookspecs import hookimpl\n@hookimpl\ndef cxkit_nothing(): pass")
    Path("cxkit.toml").write_text("service = ")
    result = CliRunner().invoke(cli, ["--help"])
    assert (result.exit_code, "doctor" in result.stdout) == (0, True)
