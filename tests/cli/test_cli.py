from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.cli.stats import stats
from cxkit.kit import Kit
from cxkit.model import TouchpointSpec
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

SEEN = TouchpointSpec(name="cli.seen")


@pytest.fixture
def captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which one process captured three interactions and ended."""
    monkeypatch.chdir(tmp_path)
    kit = Kit(Settings(directory=tmp_path / ".cxkit"), exporters={"sink": RecordingExporter()})
    for _ in range(3):
        kit.intake.capture(kit.root_scope, SEEN, {})
    assert kit.close(timeout_s=10).complete
    return tmp_path


def test_stats_tells_the_account_of_ended_processes(captured: Path) -> None:
    result = CliRunner().invoke(stats, [])
    assert result.exit_code == 0
    assert "sink             delivered 3   pending 0   dead 0   dropped 0" in result.output
    assert "the account adds up" in result.output


def test_stats_as_json(captured: Path) -> None:
    told = json.loads(CliRunner().invoke(stats, ["--json"]).output)
    assert told["captured"] == told["spooled"] == told["exporters"]["sink"]["delivered"] == 3
    assert told["balanced"] is True


def test_stats_where_nothing_was_captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(stats, [])
    assert "nothing leaves this machine" in result.output
    assert list(tmp_path.iterdir()) == []


def test_plugins_names_what_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["plugins", "--json"])
    told = json.loads(result.output)
    assert {"console", "file", "http"} <= set(told["exporters"])
    assert {"memory", "sqlite"} <= set(told["stores"])
