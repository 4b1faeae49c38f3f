"""The doctor: every fault has one line and one fix, nothing is told of a person, and nothing is too broken for it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.cli import cli
from cxkit.cli.checks.reasons import meaning_of, meaning_of_noted
from cxkit.delivery.account import Ledger
from cxkit.delivery.cursor import Cursor
from cxkit.delivery.spool import Spool
from cxkit.kit import Kit
from cxkit.model import TouchpointSpec
from cxkit.roles import Outcome
from cxkit.settings import load
from cxkit.testing import RecordingExporter
from tests.cli.terminal import Running
from tests.theirs import installing

KEYS = '[keys]\nsigning = ["0123456789abcdef"]\nidentifier = "0123456789abcdef"\n'
LINES = '[exporters.lines]\ntype = "file"\npath = "{path}"\npurposes = ["analytics"]\n'
SEEN = TouchpointSpec(name="cli.seen")
ADVERTISED = TouchpointSpec(name="cli.advertised", purpose="advertising")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["doctor", *arguments])


def findings(about: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("--json").stdout)["findings"]
    return [one for one in found if about in (None, one["about"])]


def configured(path: str = "lines", more: str = "") -> None:
    Path("cxkit.toml").write_text(KEYS + LINES.format(path=path) + more, "utf-8")


def captured(*specs: TouchpointSpec, hours_ago: int = 0, **exporters: Any) -> None:
    """One process that captured these and ended; what could not be delivered is left."""
    stamper = Stamper(time_ns=lambda: time.time_ns() - hours_ago * 3_600_000_000_000)
    kit = Kit(load(), exporters=exporters, stamper=stamper)
    for spec in specs:
        kit.intake.capture(kit.root_scope, spec, {})
    kit.close(timeout_s=5)


class Refusing(RecordingExporter):
    """One whose other side refuses everything for ever."""

    purposes = frozenset({"analytics"})

    def export(self, batch: Any, *, deadline_s: float) -> Outcome:
        return Outcome.reject(dict.fromkeys(range(len(batch)), "unknown_type"))


def test_where_everything_is_right_it_finds_nothing() -> None:
    configured()
    captured(SEEN, SEEN)
    result = run()
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "0 errors, 0 warnings, 0 notes"


def test_without_any_configuration_there_are_no_errors_and_no_files(tmp_path: Path) -> None:
    result = run("--json")
    assert (result.exit_code, list(tmp_path.iterdir())) == (0, [])
    found = json.loads(result.stdout)["findings"]
    assert [(one["severity"], one["about"]) for one in found] == [("note", "exporter"), ("warning", "keys")]


def test_a_line_for_people_has_a_word_for_its_severity_and_one_fix() -> None:
    Path("cxkit.toml").write_text("[exporters.c]\ntype = 'console'")
    lines = run().output.splitlines()
    assert "Python" in lines[0]
    told = [line for line in lines if " Fix: " in line]
    assert [line.split()[0] for line in told] == ["error", "warning"]
    assert all(line.count(" Fix: ") == 1 for line in told)


@pytest.mark.parametrize(
    "text", ["service = ", "service = 'a shop'\n[exporter.x]\n[consent]\npolicy = 'loose'", "[queue]\nx=1"]
)
def test_it_works_on_a_broken_configuration(text: str) -> None:
    Path("cxkit.toml").write_text(text)
    result = run()
    assert result.exit_code == 1
    assert "consent: policy strict/1" in result.output
    assert {one["about"] for one in findings() if one["severity"] == "error"} == {"settings"}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("settings.py", "import os\n\nCXKIT = {'directory': os.environ['X']}\n", 3),
        ("settings.py", "CXKIT: dict = {}\n", 1),
        ("app.py", "from cxkit.settings import load\nimport cxkit\ncxkit.configure(load(overrides={}))\n", 3),
        ("app.py", "from cxkit import Kit\nkit = Kit(None)\n", 2),
    ],
)
def test_settings_in_code_are_told_for_they_are_not_read(name: str, text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    (found,) = [one for one in findings() if "in code" in one["what"]]
    assert (found["severity"], found["about"]) == ("warning", "settings")
    assert found["what"].startswith(f"{name}:{line} gives settings in code, which this command does not read")
    assert "CXKIT_DIRECTORY" in found["fix"]


CHANNEL = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.roles import Endpoint, Factory, Reply

    @attrs.frozen
    class Options:
        pass

    class Channel:
        def endpoints(self):
            told = lambda facts, body: Reply(status=200)
            return [Endpoint(path="/near", methods=frozenset({"POST"}), handle=told, needs="precise_location")]

    @hookimpl
    def cxkit_channels():
        return [Factory(name="near", settings=Options, build=lambda options: Channel())]
"""


@pytest.mark.parametrize(
    ("web", "warned"), [("", True), ('asked = ["precise_location"]', False), ('mount = ""', False)]
)
def test_an_endpoint_that_nobody_is_asked_to_allow_is_told(web: str, warned: bool, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    configured(more=f"[web]\n{web}\n")
    with installing(site) as install:
        install("cxkit_near", CHANNEL)
        found = [one for one in findings("consent") if "precise_location" in one["what"]]
    assert [(one["severity"], "/cx/near" in one["what"], "web.asked" in one["fix"]) for one in found] == (
        [("warning", True, True)] if warned else []
    )


def test_generated_keys_are_a_warning_and_broken_ones_an_error() -> None:
    captured(SEEN)
    assert [one["severity"] for one in findings("keys")] == ["warning"]
    Path(".cxkit/keys.json").write_text("{}")
    assert [(one["severity"], one["code"]) for one in findings("keys")] == [("error", "CX1021")]


# --- the directory ---


def test_a_directory_that_cannot_be_is_an_error() -> None:
    configured()
    Path(".cxkit").write_text("a file")
    assert [one["severity"] for one in findings("directory")] == ["error"]


@pytest.mark.parametrize(
    ("name", "mode"), [("", 0o770), ("spool", 0o770), ("ledger.json", 0o604), ("ledger.json", 0o620)]
)
def test_what_others_may_read_or_write_is_an_error_and_the_fix_mends_it(name: str, mode: int) -> None:
    configured()
    captured(SEEN)
    path = Path(".cxkit", name)
    path.chmod(mode)
    (found,) = findings("directory")
    assert (found["severity"], str(path.absolute()) in found["what"]) == ("error", True)
    assert found["fix"] == f"run: chmod -R go= {Path('.cxkit').absolute()}"
    path.chmod(mode & 0o700)
    assert findings("directory") == []


def test_too_little_room_is_a_warning_or_an_error() -> None:
    free = shutil.disk_usage(".").free
    configured(more=f"[spool]\nmax_bytes = {free * 2}")
    assert [one["severity"] for one in findings("disk")] == ["warning"]
    configured(more=f"[spool]\nmax_bytes = {free * 4}\nsegment_bytes = {free * 2}")
    assert [one["severity"] for one in findings("disk")] == ["error"]


def test_a_store_that_cannot_be_read_is_an_error() -> None:
    configured()
    captured(SEEN)
    Path(".cxkit/state.db").write_bytes(b"no database" * 1000)
    assert [(one["severity"], one["code"]) for one in findings("store")] == [("error", "CX6006")]


def test_a_local_file_that_cannot_be_read_is_an_error() -> None:
    configured(more='[exporters.here]\ntype = "local"\npurposes = ["analytics"]')
    captured(SEEN)
    assert findings("local") == []
    path = Path(".cxkit/local.db")
    path.write_bytes(b"no database" * 1000)
    assert [(one["severity"], one["code"]) for one in findings("local")] == [("error", "CX6102")]


def test_what_is_from_the_future_is_an_error() -> None:
    configured(more='[exporters.here]\ntype = "local"\npurposes = ["analytics"]')
    captured(SEEN)
    assert findings("clock") == []
    with sqlite3.connect(".cxkit/local.db") as connection:
        connection.execute("UPDATE interactions SET at_ms = at_ms + 86400000")
    connection.close()
    assert [one["severity"] for one in findings("clock")] == ["error"]
    later = time.time() + 3600
    os.utime(".cxkit/ledger.json", (later, later))
    assert len(findings("clock")) == 2


# --- delivery ---


def away(more: str = "") -> None:
    """A configuration whose only exporter has a backend where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    table = f'[exporters.away]\ntype = "http"\nurl = "{url}"\npurposes = ["analytics"]\n'
    Path("cxkit.toml").write_text(f"{KEYS}{table}{more}")


def rested(hours: float = 1) -> str:
    """As if nothing had been written to any spool for so long; returns the time as it is told."""
    past = time.time() - hours * 3600
    for path in Path(".cxkit/spool").glob("*/*"):
        os.utime(path, (past, past))
    return told(past)


def told(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def test_what_waits_for_long_is_told_with_what_would_mend_it() -> None:
    away()
    captured(SEEN, SEEN, hours_ago=1)
    assert findings("exporter") == []  # what was imported just now may be from long ago
    since = rested(0.9)
    (found,) = findings("exporter")
    assert found["severity"] == "warning"
    until = told(datetime.fromisoformat(since).timestamp() + load().spool.max_age_s)
    assert found["what"] == (
        f"exporter away: 2 interactions wait, the oldest since {since}; it is given up from {until} on"
    )
    assert found["fix"] == "start the application: no process of it is running"
    configured()
    assert "configure it again" in findings("exporter")[0]["fix"]


def test_when_it_last_took_anything_is_told() -> None:
    away()
    captured(SEEN, SEEN, SEEN, hours_ago=3)
    rested(2)
    (cursor,) = Path(".cxkit/spool").glob("*/away.cursor")
    handled = Cursor(cursor)
    handled.commit(attrs.evolve(handled.progress, sequence=1, counts={"delivered": 1}))
    handled.close()
    taken = time.time() - 3600
    os.utime(cursor, (taken, taken))
    (found,) = findings("exporter")
    assert f"exporter away last took something at {told(taken)}: 2 interactions wait, " in found["what"]
    os.utime(cursor)
    assert findings("exporter") != [], "some is taken now and then, and yet the file is old"
    for path in Path(".cxkit/spool").glob("*/*.seg"):
        os.utime(path)
    assert findings("exporter") == []


@pytest.mark.parametrize(
    ("max_age_s", "seconds", "late"), [(604_800, 800, False), (604_800, 1000, True), (3600, 400, True)]
)
def test_it_is_late_after_a_quarter_of_an_hour_or_a_tenth_of_its_age(max_age_s: int, seconds: int, late: bool) -> None:
    away(f"[spool]\nmax_age_s = {max_age_s}\n")
    captured(SEEN, hours_ago=1)
    rested(seconds / 3600)
    assert bool(findings("exporter")) is late
    stats = json.loads(CliRunner().invoke(cli, ["stats", "--json"]).stdout)
    assert stats["waiting"]["away"]["late"] is late


def test_what_was_captured_just_now_has_not_waited_however_quiet_it_was_before() -> None:
    configured(path="no/such/directory")
    captured(SEEN)
    rested()
    for path in Path(".cxkit/spool").glob("*/*.seg"):
        os.utime(path)
    assert findings("exporter") == []


@pytest.mark.parametrize("setting", ["max_bytes", "max_records", "max_age_s"])
def test_what_comes_near_a_limit_is_told_before_it_is_there(setting: str) -> None:
    away()
    captured(*[SEEN] * 9)
    size = sum(path.stat().st_size for path in Path(".cxkit/spool").glob("*/*.seg"))
    assert findings() == []
    rested(9_000 / 3600)
    most = {"max_bytes": int(size / 0.9), "max_records": 10, "max_age_s": 10_000}[setting]
    away(f"[spool]\nsegment_bytes = 1000\n{setting} = {most}\n")
    (near,) = [one for one in findings("exporter") if " % of " in one["what"]]
    found = re.search(r"has come to (89|90) % of spool\.(\w+),", near["what"])
    assert found is not None
    assert found[2] == setting
    assert near["fix"] == f"mend the exporter, or raise spool.{setting}"


def test_what_a_quota_took_is_told_before_the_exporter_comes_to_it() -> None:
    away("[spool]\nmax_records = 5\nsegment_bytes = 1000\n")
    captured(*[SEEN] * 20)
    (found,) = findings("dropped")
    number = int(found["what"].split()[2])
    assert 15 <= number < 20
    assert found["what"].startswith(f"exporter away: {number} interactions were given up for lack of room or for their")
    assert found["fix"] == meaning_of("spool_full").fix
    assert "the oldest since" in findings("exporter")[0]["what"], "nothing was ever taken, and some is lost already"


def test_dead_letters_are_told_with_their_reasons_but_not_what_they_hold() -> None:
    configured()
    captured(SEEN, SEEN, picky=Refusing())
    (found,) = findings("exporter")
    assert found["what"] == "exporter picky: 2 dead letters (unknown_type 2)"
    assert found["fix"].startswith("look at them with `cxkit dead show --exporter picky`")


def test_an_account_that_does_not_add_up_is_an_error() -> None:
    configured()
    captured(SEEN)
    ledger = Path(".cxkit/ledger.json")
    ledger.write_text(ledger.read_text().replace('"delivered":1', '"delivered":2'))
    assert [one["severity"] for one in findings("account")] == ["error"]
    ledger.with_suffix(".damaged").write_text("")
    assert [one["severity"] for one in findings("account")] == ["error", "warning"]


def test_what_was_given_up_is_told_with_what_it_means() -> None:
    configured()
    spool = Spool.create(None, segment_bytes=1000)
    Path(".cxkit").mkdir(mode=0o700)
    Ledger(Path(".cxkit")).fold(spool, {"queue_full": 3, "consent_refused": 5})
    (found,) = findings("dropped")
    assert found["what"].startswith("3 interactions were given up before the spool: queue_full, more was captured")
    assert found["fix"] == meaning_of("queue_full").fix


def test_every_reason_has_a_meaning() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/guarantees.md").read_text("utf-8")
    section = reference.partition("## Reasons")[2].partition("\n## ")[0]
    reasons = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert len(reasons) == 17
    unknown = meaning_of("a reason that nobody gives")
    assert [reason for reason in reasons if meaning_of(reason) == unknown] == []


def test_what_went_wrong_without_a_loss_is_told_with_its_fix() -> None:
    configured()
    Path(".cxkit").mkdir(mode=0o700)
    spool = Spool.create(None, segment_bytes=1000)
    Ledger(Path(".cxkit")).fold(spool, {"noted:store_failed": 3, "noted:token_refused": 1})
    store, token = findings("noted")
    assert store["what"] == f"store_failed, 3 times: {meaning_of_noted('store_failed').what}"
    assert (store["severity"], store["fix"]) == ("warning", meaning_of_noted("store_failed").fix)
    assert (token["severity"], token["what"].partition(":")[0]) == ("note", "token_refused, 1 time")
    assert findings("dropped") == []


def test_everything_noted_has_a_meaning() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/guarantees.md").read_text("utf-8")
    section = reference.partition("## What else is counted")[2].partition("\n## ")[0]
    names = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert len(names) == 31
    unknown = meaning_of_noted("what nobody notes")
    assert [name for name in names if meaning_of_noted(name) == unknown] == []


# --- consent ---


def consent() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("--json").stdout)["consent"]
    return told


def test_it_says_what_the_policy_withholds_before_a_choice() -> None:
    configured()
    told = consent()
    assert (told["policy"], told["before_choice"]) == ("strict/1", "anonymise")
    assert told["purposes"] == {
        "necessary": "kept",
        "functional": "anonymised",
        "analytics": "anonymised",
        "personalization": "withheld",
        "profiling": "withheld",
        "advertising": "withheld",
        "sale_share": "withheld",
        "identity_stitching": "withheld",
        "precise_location": "withheld",
        "message_open": "withheld",
    }
    configured(more='[consent]\nbefore_choice = "drop"')
    assert {fate for purpose, fate in consent()["purposes"].items() if purpose != "necessary"} == {"dropped"}


@pytest.mark.parametrize("before_choice", ["anonymise", "drop"])
def test_what_it_says_of_a_purpose_is_what_happens(before_choice: str) -> None:
    lines = ""
    for purpose in consent()["purposes"]:
        lines += f'[exporters.{purpose}]\ntype = "file"\npath = "{purpose}"\npurposes = ["necessary"]\n'
    Path("cxkit.toml").write_text(f'{KEYS}{lines}[consent]\nbefore_choice = "{before_choice}"')
    told = consent()["purposes"]
    captured(*(TouchpointSpec(name=f"cli.{purpose}", purpose=purpose) for purpose in told))
    exported = Path("necessary").read_text() if Path("necessary").exists() else ""
    for purpose, fate in told.items():
        assert (f'io.cxkit.cli.{purpose}"' in exported) is (fate in ("kept", "anonymised")), purpose
    spooled = json.loads(CliRunner().invoke(cli, ["stats", "--json"]).stdout)["spooled"]
    assert spooled == sum(fate != "dropped" for fate in told.values())


def test_an_exporter_that_gets_nothing_before_a_choice_is_a_note() -> None:
    Path("cxkit.toml").write_text(KEYS + LINES.format(path="lines").replace("analytics", "advertising"))
    captured(SEEN)
    assert [(one["severity"], "advertising" in one["what"]) for one in findings("consent")] == [("note", True)]
    assert "1 interaction was kept and not handed on to lines (consent)" in run().output
    assert consent()["not_handed_on"] == {"lines": 1}


def test_how_many_have_no_identifiers_is_counted_in_the_local_file() -> None:
    configured(more='[exporters.here]\ntype = "local"\npurposes = ["analytics"]')
    captured(SEEN, SEEN)
    assert consent()["local"] == [2, 2]
    assert "2 of the 2 interactions in the local file have no identifiers" in run().output


# --- of everybody's concern ---


def test_nothing_is_told_of_a_person() -> None:
    Path("cxkit.toml").write_text(
        LINES.format(path="lines") + '[exporters.here]\ntype = "local"\npurposes = ["analytics"]'
    )
    kit = Kit(load(), exporters={"picky": Refusing()})
    with cxkit.scope(kit=kit, user_id="nancy", email="nancy@example.org"):
        cxkit.grant("analytics")
        cxkit.touchpoint("cli.told").capture(word="almonds")
    kit.close(timeout_s=5)
    for form in ([], ["--json"]):
        output = run(*form).output
        assert "picky" in output
        assert not any(word in output for word in ("nancy", "almonds", "example.org"))


def test_a_reason_that_could_hold_something_is_not_shown() -> None:
    class Talkative(Refusing):
        def export(self, batch: Any, *, deadline_s: float) -> Outcome:
            return Outcome.reject(dict.fromkeys(range(len(batch)), "nancy@example.org is unknown"))

    configured()
    captured(SEEN, talkative=Talkative())
    (found,) = findings("exporter")
    assert found["what"].endswith("(other 1)")


def test_it_looks_on_while_the_application_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        Path("cxkit.toml").write_text(f'{KEYS}[exporters.away]\ntype = "http"\nurl = "{url}"\npurposes = ["analytics"]')
        Path("app.py").write_text(APP)
        with Running([sys.executable, "app.py"], cwd=tmp_path) as app:
            app.until("captured")
            rested()
            (found,) = [one for one in findings("exporter") if "has waited since" in one["what"]]
            assert found["fix"] == "run `cxkit export test away`: it says what the other side answers"


APP = """
import time
import cxkit
from cxkit.capture.stamp import Stamper

kit = cxkit.Kit(stamper=Stamper(time_ns=lambda: time.time_ns() - 3_600_000_000_000))
with cxkit.scope(kit=kit):
    cxkit.touchpoint("app.seen").capture()
while not kit.account().spooled:
    kit.flush(timeout_s=0.1)
print("captured", flush=True)
time.sleep(60)
"""


def test_a_check_that_cannot_be_made_is_a_finding_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    configured()
    captured(SEEN)
    Path(".cxkit/ledger.json").unlink()
    Path(".cxkit/ledger.json").symlink_to("ledger.json")  # to itself
    found = findings("doctor")
    assert found
    assert all(one["severity"] == "error" for one in found)
    assert run().exit_code == 1
