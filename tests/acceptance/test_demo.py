"""The demo, as the README's first command runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from cxkit.codec import decode

_ARRIVED = re.compile(r"\d\d:\d\d:\d\d\.\d{3} ")


def payloads(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()


def rows(output: str) -> dict[str, list[int]]:
    """The table of the account: exporter to its counts, the dropped summed up at the end."""
    found = {}
    for line in output.splitlines():
        row = re.fullmatch(r"(receiver|ads) +(\d+) +(\d+) +(\d+) +(\d+) +yes +(.*)", line)
        if row:
            dropped = sum(map(int, re.findall(r"(\d+)", row[6])))
            found[row[1]] = [*map(int, row.groups()[1:5]), dropped]
    return found


def test_it_ends_well_and_says_nothing_else(demo: Any) -> None:
    assert demo.ended.returncode == 0, demo.ended.stdout + demo.ended.stderr
    assert demo.ended.stderr == ""
    assert "WRONG" not in demo.ended.stdout
    assert (demo.directory / "shop.out").read_text() == ""


def test_its_account_adds_up_and_tells_the_purposes_apart(demo: Any) -> None:
    found = rows(demo.ended.stdout)

    assert found.keys() == {"receiver", "ads"}, demo.ended.stdout
    for name, (captured, delivered, pending, dead, dropped) in found.items():
        assert captured == delivered + pending + dead + dropped, name
        assert (pending, dead) == (0, 0)
        assert delivered == len({decode(one).id for one in payloads(demo.directory / f"{name}.jsonl")})
    assert 0 < found["ads"][1] < found["receiver"][1] < found["receiver"][0]


def test_each_arrival_is_one_line_that_names_nobody(demo: Any) -> None:
    lines = [line for line in demo.ended.stdout.splitlines() if _ARRIVED.match(line)]
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]

    assert len(lines) == len(arrived)
    assert [line.split()[2] for line in lines] == [one.name for one in arrived]
    for value in {one.value for interaction in arrived for one in interaction.identity.identifiers}:
        assert not any(value in line for line in lines), value
    assert "\033" not in demo.ended.stdout


def test_nancy_is_recognised_on_the_web_and_on_the_phone(demo: Any) -> None:
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]
    shown = [one.decision.variant for one in arrived if one.decision is not None]

    assert shown[:4] == ["everybody", "everybody", "gold", "gold"]
    assert "The operator's screen says: a gold customer calls about discounts" in demo.ended.stdout
    assert [one.name for one in arrived if one.channel == "phone"] == ["call.answered"]


def test_you_may_be_the_visitor_and_leave_with_ctrl_c(examples: Path, visitors: ModuleType) -> None:
    command = [sys.executable, "-m", "examples.shop.demo", "--browse", "--seconds", "100"]
    with subprocess.Popen(command, cwd=examples, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        address = next(line for line in running.stdout if "The shop is at" in line).split()[-1]
        visitors.Browser(address).open("/sweets/ALM-100")
        arrived = next(line for line in running.stdout if "product.viewed" in line)
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()

    assert _ARRIVED.match(arrived)
    assert running.returncode == 0, rest
    assert rows(rest)["receiver"] == [2, 2, 0, 0, 0]
    assert "Traceback" not in rest


def test_what_is_wrong_is_said_and_ends_badly(examples: Path, tmp_path: Path) -> None:
    (tmp_path / ".cxkit").write_text("in the way")
    command = [sys.executable, "-m", "examples.shop.demo", "--keep", str(tmp_path)]

    ended = subprocess.run(command, cwd=examples, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 1
    assert "WRONG: " in ended.stdout
    assert "Traceback" not in ended.stderr
