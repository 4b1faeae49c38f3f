"""An exporter is tried with one interaction; what would leave is shown as it would leave, and no secret with it."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.codec import decode
from cxkit.testing.receiver import Answer, Receiver
from tests.theirs import installing

SECRET = "hunter2-hunter2"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["export", *arguments])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def configured(url: str, more: str = "", type: str = "http") -> None:
    Path("cxkit.toml").write_text(f'[exporters.out]\ntype = "{type}"\nurl = "{url}"\npurposes = ["analytics"]\n{more}')


# --- the try ---


def test_one_interaction_without_personal_data_is_sent_once(receiver: Receiver, tmp_path: Path) -> None:
    configured(receiver.url)
    result = run("test", "out")
    assert (result.exit_code, result.output) == (0, "out: delivered\n")
    (request,) = receiver.requests
    (sample,) = (decode(json.dumps(one).encode()) for one in json.loads(request.body))
    assert (sample.name, bool(sample.identity), sample.properties) == ("cxkit.export_tested", False, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cxkit.toml"]


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (Answer(status=503), "retry", "out: not delivered (http_503); the application would try again"),
        (Answer(status=401), "pause", "out: refused (http_401); nothing is accepted until somebody mends it"),
        (Answer(status=422), "split", "out: refused for ever (http_422); it would become a dead letter"),
        (
            Answer.partial({0: "unknown_type"}),
            "reject",
            "out: refused for ever (unknown_type); it would become a dead letter",
        ),
    ],
)
def test_how_it_ended_is_said_in_words(receiver: Receiver, answer: Answer, verdict: str, said: str) -> None:
    configured(receiver.url)
    receiver.script(answer, answer)
    result = run("test", "out")
    assert (result.exit_code, result.output) == (1, f"{said}\n")
    told = json.loads(run("test", "out", "--json").stdout)
    assert told["verdict"] == verdict


def test_where_nobody_listens_it_is_not_delivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    configured(f"http://127.0.0.1:{port}/")
    assert "not delivered (network)" in run("test", "out").output


@pytest.mark.parametrize("type", ["file", "local"])
def test_a_file_gets_a_line(type: str, tmp_path: Path) -> None:
    Path("cxkit.toml").write_text(f'[exporters.out]\ntype = "{type}"\npath = "kept"\npurposes = ["analytics"]')
    assert run("test", "out", "--dry-run").output.startswith(">> ")
    assert not (tmp_path / "kept").exists()
    assert run("test", "out").output == "out: delivered\n"
    assert b"cxkit.export_tested" in (tmp_path / "kept").read_bytes()


def test_the_console_gets_a_line() -> None:
    Path("cxkit.toml").write_text("[exporters.out]\ntype = 'console'\npurposes = ['analytics']")
    shown, written = run("test", "out", "--dry-run").output, run("test", "out").output
    assert shown.startswith(">> stdout\n")
    assert shown.count("cxkit.export_tested") == written.count("cxkit.export_tested") == 1
    assert written.endswith("out: delivered\n")


def test_an_exporter_that_is_not_there_is_wrong_usage_and_those_there_are_named(receiver: Receiver) -> None:
    configured(receiver.url)
    result = run("test", "oot")
    assert (result.exit_code, "those in the configuration: out" in result.output) == (2, True)


# --- the dry run ---


def test_a_dry_run_shows_the_request_that_would_leave_and_lets_nothing_leave(receiver: Receiver) -> None:
    configured(receiver.url, 'headers = { X-Shop = "almonds" }')
    shown = run("test", "out", "--dry-run")
    assert shown.exit_code == 0
    assert receiver.requests == []
    head, _, body = shown.output.partition("\n\n")
    start, *fields = head.splitlines()
    run("test", "out")
    (request,) = receiver.requests
    assert start == f"POST {receiver.url}"
    names = [field.partition(":")[0] for field in fields]
    assert sorted(names) == sorted(request.headers)
    told = dict(field.split(": ", 1) for field in fields)
    varying = {"idempotency-key", "x-shop"}
    assert {name: told[name] for name in told if name not in varying} == {
        name: value for name, value in request.headers.items() if name not in varying
    }
    assert told["x-shop"] == "********"
    assert [one["type"] for one in json.loads(body)] == ["io.cxkit.cxkit.export_tested"]


def test_a_compressed_body_is_shown_as_it_was_before(receiver: Receiver) -> None:
    configured(receiver.url, "gzip = true")
    head, _, body = run("test", "out", "--dry-run").output.partition("\n\n")
    assert "content-encoding: gzip" in head
    assert f"content-length: {len(gzip.compress(body.strip().encode(), compresslevel=1, mtime=0))}" in head


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, form: list[str]) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    configured(
        "http://me:${SECRET}@127.0.0.1:1/in?key=${SECRET}&${SECRET}&lang=fr",
        'headers = { Authorization = "Bearer ${SECRET}", X-Key = "${SECRET}" }',
    )
    for dry in (["--dry-run"], []):
        assert SECRET not in run("test", "out", *dry, *form).output
    assert "/in?key=********&********&lang=********" in run("test", "out", "--dry-run").output


def test_an_exporter_that_cannot_show_it_is_said_to_be_given_what_it_would_get(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        install("cxkit_theirs", THEIRS)
        configured("http://127.0.0.1:1/", type="theirs")
        shown = run("test", "out", "--dry-run")
        assert shown.output.splitlines()[0] == "this type of exporter cannot show what leaves; it would be given:"
        assert json.loads(shown.output.splitlines()[1])["type"] == "io.cxkit.cxkit.export_tested"
        told = json.loads(run("test", "out", "--dry-run", "--json").output)
        assert (told["preview"], told["payloads"][0]["source"]) == (None, "/app")
        assert run("test", "out").output == "out: not delivered (ZeroDivisionError); the application would try again\n"


THEIRS = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.roles import Factory

    @attrs.frozen(kw_only=True)
    class Options:
        url: str

    class Theirs:
        purposes = frozenset()

        def __init__(self, options):
            pass

        def export(self, batch, *, deadline_s):
            1 / 0

        def close(self):
            pass

    @hookimpl
    def cxkit_exporters():
        return [Factory(name="theirs", settings=Options, build=Theirs)]
"""
