"""The file exporter: whole lines whatever happens around it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import CXError
from cxkit.exporters.file import FACTORY, FileExporter, Settings
from cxkit.roles import Batch, Exporter
from cxkit.settings import structure

ONE, TWO = b'{"id":"1"}', b'{"id":"2"}'


def batch(*payloads: bytes) -> Batch:
    return Batch("b1", payloads)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "interactions.jsonl"


@pytest.fixture
def exporter(path: Path) -> FileExporter:
    return FileExporter(Settings(path=str(path)))


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_the_factory_builds_an_exporter_without_a_purpose(path: Path) -> None:
    exporter = FACTORY.build(structure(FACTORY.settings, {"path": str(path)}, where="exporters.file"))
    assert isinstance(exporter, Exporter)
    assert (FACTORY.name, exporter.purposes) == ("file", frozenset())
    assert not path.exists()


def test_a_path_is_needed() -> None:
    with pytest.raises(CXError, match="path"):
        structure(Settings, {}, where="exporters.file")
    with pytest.raises(ValueError, match="path"):
        Settings(path="")


def test_batches_become_lines(exporter: FileExporter, path: Path) -> None:
    assert exporter.export(batch(ONE, TWO), deadline_s=1.0).verdict == "delivered"
    assert exporter.export(batch(ONE), deadline_s=1.0).verdict == "delivered"
    exporter.close()
    assert path.read_bytes() == b"".join(one + b"\n" for one in (ONE, TWO, ONE))


def test_the_file_is_for_its_owner_only(exporter: FileExporter, path: Path) -> None:
    exporter.export(batch(ONE), deadline_s=1.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.binary(max_size=40))
def test_a_torn_line_costs_no_other(tmp_path_factory: pytest.TempPathFactory, before: bytes) -> None:
    path = tmp_path_factory.mktemp("file") / "interactions.jsonl"
    path.write_bytes(before)
    FileExporter(Settings(path=str(path))).export(batch(ONE, TWO), deadline_s=1.0)
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.split(b"\n")[-3:] == [ONE, TWO, b""]


def test_a_file_that_is_moved_away_is_made_anew(exporter: FileExporter, path: Path) -> None:
    exporter.export(batch(ONE), deadline_s=1.0)
    path.rename(path.with_suffix(".1"))
    exporter.export(batch(TWO), deadline_s=1.0)
    assert path.read_bytes() == TWO + b"\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only some systems have a device that is always full")
def test_a_full_disk_is_tried_again() -> None:
    outcome = FileExporter(Settings(path="/dev/full")).export(batch(ONE), deadline_s=1.0)
    assert (outcome.verdict, outcome.reason) == ("retry", "file_enospc")


LIMITED = """
    import resource, sys
    from cxkit.exporters.file import FileExporter, Settings
    from cxkit.roles import Batch

    exporter = FileExporter(Settings(path=sys.argv[1]))
    small, large = Batch("a", (b'{"id":"1"}',)), Batch("b", (b'{"id":"2"}',) * 1000)
    print(exporter.export(small, deadline_s=1.0).verdict)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    print(exporter.export(large, deadline_s=1.0).reason)
    print(exporter.export(small, deadline_s=1.0).verdict)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(exporter.export(large, deadline_s=1.0).verdict)
"""


def test_what_was_written_in_part_is_taken_back(path: Path) -> None:
    """The limit lets the first 5000 bytes through, as a disk does that fills up."""
    assert run(LIMITED, path).stdout.split() == ["delivered", "file_efbig", "delivered", "delivered"]
    assert path.read_bytes() == (ONE + b"\n") * 2 + (TWO + b"\n") * 1000


def test_a_directory_that_is_missing_must_be_made(tmp_path: Path) -> None:
    outcome = FileExporter(Settings(path=str(tmp_path / "none" / "x"))).export(batch(ONE), deadline_s=1.0)
    assert (outcome.verdict, outcome.reason) == ("pause", "file_enoent")


def test_what_is_no_file_pauses(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    for path, reason in ((tmp_path, "file_eisdir"), (link, "file_eloop")):
        outcome = FileExporter(Settings(path=str(path))).export(batch(ONE), deadline_s=1.0)
        assert (outcome.verdict, outcome.reason) == ("pause", reason)
    assert not (tmp_path / "target").exists()


def test_who_holds_the_lock_for_ever_does_not_hold_the_exporter(exporter: FileExporter, path: Path) -> None:
    import fcntl

    with path.open("wb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        outcome = exporter.export(batch(ONE), deadline_s=0.2)
    assert (outcome.verdict, outcome.reason) == ("retry", "file_locked")
    assert path.read_bytes() == b""


APPENDING = """
    import sys
    from cxkit.exporters.file import FileExporter, Settings
    from cxkit.roles import Batch

    exporter = FileExporter(Settings(path=sys.argv[1]))
    for batch in range(100):
        lines = tuple(b'{"id":"%s-%d-%d","pad":"%s"}' % (sys.argv[2].encode(), batch, index, b"x" * 500)
                      for index in range(20))
        assert exporter.export(Batch("b", lines), deadline_s=30.0).verdict == "delivered"
"""


def test_several_processes_append_to_one_file(path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(APPENDING), str(path)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    ids: Sequence[str] = [msgspec.json.decode(line)["id"] for line in path.read_bytes().splitlines()]
    assert len(ids) == len(set(ids)) == 3 * 100 * 20
