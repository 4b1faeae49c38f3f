"""The console exporter: what a person reads, and what a terminal must not obey."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec import encode
from cxkit.exporters.console import FACTORY, ConsoleExporter, Settings
from cxkit.model import Context, Identifier, Identity, Interaction
from cxkit.roles import Batch, Exporter

NANCY = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))


def interaction(**changes: object) -> Interaction:
    given = {
        "id": "0198c0de-0000-7000-8000-000000000001",
        "occurred_at": datetime(2026, 11, 21, 10, 30, 0, 123_456, tzinfo=UTC),
        "name": "cart.item_added",
        "source": "/shop",
        **changes,
    }
    return Interaction(**given)  # type: ignore[arg-type]


def batch(*interactions: Interaction) -> Batch:
    return Batch("b1", tuple(map(encode, interactions)))


def written(exporter: ConsoleExporter, of: Batch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert exporter.export(of, deadline_s=1.0).verdict == "delivered"
    out, err = capsys.readouterr()
    assert not err
    assert out.endswith("\n")
    return out[:-1].split("\n")


def test_the_factory_builds_an_exporter_without_a_purpose() -> None:
    exporter = FACTORY.build(FACTORY.settings())
    assert isinstance(exporter, Exporter)
    assert (FACTORY.name, exporter.purposes) == ("console", frozenset())


def test_a_line_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    one = interaction(channel="web", stage="consideration", outcome="completed", identity=NANCY)
    (line,) = written(ConsoleExporter(Settings()), batch(one), capsys)
    columns = line.split("  ")
    assert columns[:3] == ["10:30:00.123Z", "web", "cart.item_added"]
    assert re.fullmatch("[0-9a-f]{8}", columns[3])
    assert columns[4:] == ["consideration", "completed"]


def test_what_is_unknown_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(ConsoleExporter(Settings()), batch(interaction()), capsys) == [
        "10:30:00.123Z  -  cart.item_added  -  -  -"
    ]


def test_the_channel_of_the_context_stands_in(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = written(ConsoleExporter(Settings()), batch(interaction(context=Context(channel="phone"))), capsys)
    assert line.split("  ")[1] == "phone"


def test_a_subject_tells_people_apart_and_not_who_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    other = Identity(identifiers=(Identifier(type="user_id", value="omar", evidence="login"),))
    exporter = ConsoleExporter(Settings())
    of = batch(interaction(identity=NANCY), interaction(identity=other), interaction(identity=NANCY))
    lines = written(exporter, of, capsys)
    nancy, omar, again = (line.split("  ")[3] for line in lines)
    assert nancy == again != omar
    assert "nancy" not in "".join(lines)
    (elsewhere,) = written(ConsoleExporter(Settings()), batch(interaction(identity=NANCY)), capsys)
    assert elsewhere.split("  ")[3] != nancy


def test_json_is_the_whole_event(capsys: pytest.CaptureFixture[str]) -> None:
    of = batch(interaction(properties={"note": "caf\u00e9"}), interaction(identity=NANCY))
    lines = written(ConsoleExporter(Settings(format="json")), of, capsys)
    assert [line.encode() for line in lines] == list(of.payloads)


def test_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleExporter(Settings(stream="stderr")).export(batch(interaction()), deadline_s=1.0)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n\x7f\x9b31m\u202egnp.exe\u200b\u2028\x00\U000e0041"


@pytest.mark.parametrize("format", ["line", "json"])
def test_no_character_commands_the_terminal(capsys: pytest.CaptureFixture[str], format: str) -> None:
    one = interaction(channel=HOSTILE, properties={"note": HOSTILE})
    (line,) = written(ConsoleExporter(Settings(format=format)), batch(one), capsys)  # type: ignore[arg-type]
    assert line.isprintable()
    assert "\\u001b[2J" in line


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_json_means_the_same(text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    of = batch(interaction(properties={"note": text}))
    original, sys.stdout = sys.stdout, stream
    try:
        ConsoleExporter(Settings(format="json")).export(of, deadline_s=1.0)
    finally:
        sys.stdout = original
    line = stream.buffer.getvalue()  # type: ignore[attr-defined]
    assert line.decode()[:-1].isprintable()
    assert msgspec.json.decode(line) == msgspec.json.decode(of.payloads[0])


PROGRAM = """
import sys
from cxkit.exporters.console import ConsoleExporter, Settings
from cxkit.roles import Batch

payload = open(sys.argv[1], "rb").read()
outcome = ConsoleExporter(Settings(format="json")).export(Batch("b", (payload,) * 1000), deadline_s=5.0)
print(outcome, file=sys.stderr)
"""


def test_a_stream_of_few_characters_gets_escapes(tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/event.json"
    with open(path, "wb") as file:
        file.write(encode(interaction(properties={"note": "\u65e5\u672c"})))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"\\u65e5\\u672c" in done.stdout
    assert b"delivered" in done.stderr


def test_a_reader_that_is_gone_pauses(tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/event.json"
    with open(path, "wb") as file:
        file.write(encode(interaction()))
    command = [sys.executable, "-c", PROGRAM, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"verdict='pause', reason='stream_closed'" in process.stderr.read()


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_is_not_there_pauses(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream if closed else None)
    outcome = ConsoleExporter(Settings()).export(batch(interaction()), deadline_s=1.0)
    assert (outcome.verdict, outcome.reason) == ("pause", "stream_closed")


def test_one_that_cannot_be_read_is_found_by_halving(capsys: pytest.CaptureFixture[str]) -> None:
    of = Batch("b1", (encode(interaction()), b'{"id":"1"}'))
    assert ConsoleExporter(Settings()).export(of, deadline_s=1.0).verdict == "split"
    assert capsys.readouterr().out == ""
