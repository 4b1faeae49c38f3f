"""The account as it is told: what is configured, what became of everything, and why."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.delivery.account import read_account
from cxkit.kit import Kit
from cxkit.model import TouchpointSpec
from cxkit.roles import Outcome
from cxkit.settings import load
from cxkit.testing import RecordingExporter

SEEN = TouchpointSpec(name="cli.seen")
ADVERTISED = TouchpointSpec(name="cli.advertised", purpose="advertising")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["stats", *arguments])


def capture(*specs: TouchpointSpec, **exporters: Any) -> None:
    """One process that captured these and ended."""
    kit = Kit(load(), exporters=exporters)
    for spec in specs:
        kit.intake.capture(kit.root_scope, spec, {})
    assert kit.close(timeout_s=10).complete


class Away(RecordingExporter):
    """One whose other side is not there."""

    purposes = frozenset({"analytics"})

    def export(self, batch: Any, *, deadline_s: float) -> Outcome:
        return Outcome.retry("network")


def capture_in_vain(*specs: TouchpointSpec) -> None:
    """The same while the other side is not there."""
    kit = Kit(load(), exporters={"sink": Away()})
    for spec in specs:
        kit.intake.capture(kit.root_scope, spec, {})
        kit.flush(timeout_s=0)
    kit.close(timeout_s=2)


def test_ended_processes_are_accounted_for(tmp_path: Path) -> None:
    capture(SEEN, SEEN, SEEN, sink=RecordingExporter())
    result = run()
    assert result.exit_code == 0
    assert f"directory: {tmp_path / '.cxkit'}\ncaptured 3   spooled 3" in result.output
    assert "sink             delivered 3   pending 0   dead 0   dropped 0   not in the configuration" in result.output
    assert "the account adds up" in result.output


def test_programs_are_told_the_same(tmp_path: Path) -> None:
    Path("cxkit.toml").write_text('[exporters.lines]\ntype = "file"\npath = "lines"\npurposes = ["analytics"]')
    capture(SEEN, SEEN, SEEN)
    told = json.loads(run("--json").stdout)
    assert told["captured"] == told["spooled"] == told["exporters"]["lines"]["delivered"] == 3
    assert (told["balanced"], told["errors"], told["configured"]) == (True, [], {"lines": ["analytics"]})
    assert told["directory"] == str(tmp_path / ".cxkit")


def test_where_nothing_was_captured_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    result = run()
    assert "nothing was captured here yet" in result.output
    assert "no exporter is configured: nothing leaves this machine" in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_exporter_that_has_not_run_yet_is_there() -> None:
    Path("cxkit.toml").write_text('[exporters.lines]\ntype = "file"\npath = "lines"\npurposes = ["analytics"]')
    result = run()
    assert result.exit_code == 0
    assert "lines (analytics) nothing yet" in result.output
    assert "no exporter" not in result.output


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[exporter.lines]\ntype = "file"\npath = "lines"', "CX1001"),
        ('[exporters.lines]\ntype = "file"\npath = "lines"', "CX1032"),
        ('[exporters.lines]\ntype = "fill"\npurposes = ["analytics"]', "CX1030"),
        ('[exporters.lines]\ntype = "http"\npurposes = ["analytics"]', "CX1007"),
        ('[exporters.my-lines]\ntype = "file"\npath = "lines"\npurposes = ["analytics"]', "CX1006"),
    ],
)
def test_a_wrong_table_is_told_and_not_taken_for_none(text: str, code: str) -> None:
    Path("cxkit.toml").write_text(text)
    result = run()
    assert result.exit_code == 1
    assert result.stderr.startswith(code)
    assert "no exporter is configured" not in result.output
    assert json.loads(run("--json").stdout)["errors"][0].startswith(code)


def test_a_name_that_is_not_allowed_is_named() -> None:
    Path("cxkit.toml").write_text("[exporters.my-lines]\ntype = 'console'")
    assert '"exporters.my-lines" has a name that is not allowed' in run().stderr


def test_reasons_of_consent_are_told_apart() -> None:
    lines = '[exporters.lines]\ntype = "file"\npath = "lines"\npurposes = ["advertising"]\n'
    Path("cxkit.toml").write_text(lines + '[consent]\nbefore_choice = "anonymise"')
    capture(SEEN)
    Path("cxkit.toml").write_text(Path("cxkit.toml").read_text().replace("anonymise", "drop"))
    capture(ADVERTISED)
    output = run().output
    assert "captured 2   spooled 1   dropped before the spool 1 (consent_undecided 1)" in output
    assert "lines (advertising) delivered 0   pending 0   dead 0   dropped 1 (consent 1)" in output
    assert "  consent: kept, but a purpose of this exporter or of the touchpoint was not allowed\n" in output
    assert "  consent_undecided: the customer had not chosen" in output
    assert "consent_refused" not in output


def test_what_a_quota_took_is_told_and_the_account_adds_up() -> None:
    Path("cxkit.toml").write_text("[spool]\nmax_records = 5\nsegment_bytes = 1000")
    capture_in_vain(*[SEEN] * 20)
    account = read_account(Path(".cxkit"))
    (away,) = account.exporters.values()
    told = json.loads(run("--json").stdout)
    removed = told["waiting"]["sink"]["removed"]
    assert 15 <= removed < 20
    assert told["exporters"]["sink"]["pending"] == away.pending == told["spooled"] == 20
    output = run().output
    assert f"pending 20   dead 0   dropped 0   of the pending, given up already {removed}" in output
    assert "\n  given up already: for lack of room or for its age; " in output
    assert "the account adds up" in output
    Path("cxkit.toml").unlink()  # else the quota may take more, until all is delivered
    capture(SEEN, sink=RecordingExporter())
    after = json.loads(run("--json").stdout)
    assert after["exporters"]["sink"]["dropped"] == {"spool_full": removed}, "what was told is what is counted"
    assert after["waiting"] == {}
    assert "given up already" not in run().output


def test_what_waits_for_long_is_told_with_its_time() -> None:
    capture_in_vain(SEEN)
    assert "the oldest waits" not in run().output
    past = time.time() - 3600
    for path in Path(".cxkit/spool").glob("*/*"):
        os.utime(path, (past, past))
    (record,) = Path(".cxkit/spool").glob("*/*.seg")
    told = json.loads(run("--json").stdout)["waiting"]["sink"]
    assert (told["late"], told["removed"], told["handled_at"]) == (True, 0, None)
    assert told["since"] > record.stat().st_mtime
    since = f"{datetime.fromtimestamp(told['since'], UTC).astimezone():%Y-%m-%d %H:%M:%S}"
    assert f"   the oldest waits since {since}   not in the configuration\n" in run().output


def test_what_went_wrong_without_a_loss_is_told_with_what_it_means() -> None:
    kit = Kit(load())
    for name in ("store_failed", "store_failed", "enricher_failed.geo"):
        kit.intake.count(name)
    kit.close(timeout_s=10)
    assert (
        "went wrong without costing an interaction:\n"
        "  enricher_failed.geo 1: an enricher raised, and the context was left as it was\n"
        "  store_failed 2: the store failed when it was asked, and nothing was known of the person\n"
    ) in run().output
    told = json.loads(run("--json").stdout)
    assert (told["noted"], told["dropped"]) == ({"enricher_failed.geo": 1, "store_failed": 2}, {})


def test_what_consent_stops_is_told_by_gate(tmp_path: Path) -> None:
    Path("cxkit.toml").write_text('[consent]\nbefore_choice = "hold"\n')
    capture(SEEN, SEEN, ADVERTISED)
    assert (
        "stopped by consent and preferences (gate:purpose:reason:destination):\n"
        "  capture:advertising:undecided 1\n"
        "  capture:analytics:undecided 2\n"
    ) in run().output
    assert json.loads(run("--json").stdout)["blocked"] == {
        "capture:advertising:undecided:": 1,
        "capture:analytics:undecided:": 2,
    }
