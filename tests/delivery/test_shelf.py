"""The shelf: who adopts what, what is given up for want of room, and what goes into the ledger."""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import pytest

from cxkit.codec.frame import Record
from cxkit.delivery.account import ExporterAccount, Ledger, read_account
from cxkit.delivery.files import lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.lane import Lane
from cxkit.delivery.segment import FileSegment
from cxkit.delivery.shelf import Shelf, SpoolLimits
from cxkit.testing import RecordingExporter

Make = Callable[..., list[Record]]
LaneFor = Callable[..., Lane]
Work = Callable[[Lane], None]

LIMITS = SpoolLimits(max_bytes=1 << 20, max_records=10_000, max_age_s=3600, segment_bytes=1000, sync_interval_s=1)


def shelf_of(root: Path | None, *exporters: str, limits: SpoolLimits = LIMITS) -> Shelf:
    shelf = Shelf(root, limits=limits)
    shelf.begin(exporters)
    return shelf


def orphan(root: Path, records: list[Record], *exporters: str) -> str:
    """A spool whose owner is gone and has delivered nothing; its name."""
    shelf = shelf_of(root, *exporters)
    shelf.own.append(records)
    shelf.own.close()
    return shelf.own.name


def deliver(shelf: Shelf, name: str, lane_for: LaneFor, work: Work) -> RecordingExporter:
    """Let one exporter handle everything on the shelf."""
    exporter = RecordingExporter()
    work(lane_for(exporter, spools=lambda: shelf.spools, name=name, passed=shelf.passed))
    return exporter


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "spool").iterdir()}


# --- Adoption -------------------------------------------------------------------------------------


def test_an_orphan_is_adopted_delivered_and_put_away(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F30."""
    name = orphan(tmp_path, records(4), "sink")
    shelf = shelf_of(tmp_path, "sink")
    assert shelf.adopt_orphans()
    assert not shelf.adopt_orphans(), "it has it already"
    assert len(deliver(shelf, "sink", lane_for, work).interactions) == 4
    assert name not in names(tmp_path)
    account = read_account(tmp_path)
    assert account.exporters == {"sink": ExporterAccount(delivered=4)}
    shelf.leave(dropped={}, written=True)
    assert names(tmp_path) == set()
    assert read_account(tmp_path) == account


@pytest.mark.parametrize("files", [[], ["owner.lock"]])
def test_what_a_process_was_killed_in_the_making_of_is_swept(tmp_path: Path, files: list[str]) -> None:
    """F30: not while it may still be being made, and never what holds something or has an owner."""
    shelf = shelf_of(tmp_path, "sink")
    left = {name: tmp_path / "spool" / f".{name}" for name in ("old", "young", "full", "owned")}
    for draft in left.values():
        draft.mkdir(mode=0o700)
        for file in files:
            (draft / file).touch()
    (left["full"] / "00000001.seg").touch()
    owner = lock(left["owned"] / "owner.lock")
    assert owner is not None
    for name in ("old", "full", "owned"):
        os.utime(left[name], (time.time() - 3600,) * 2)
    shelf.adopt_orphans()
    let_go(owner)
    assert {name for name, draft in left.items() if draft.exists()} == {"young", "full", "owned"}


def test_of_two_who_reach_for_it_one_has_it(tmp_path: Path, records: Make) -> None:
    """F30."""
    orphan(tmp_path, records(4), "sink")
    shelves = [shelf_of(tmp_path, "sink") for _ in range(2)]
    assert [shelf.adopt_orphans() for shelf in shelves] == [True, False]
    assert len(shelves[0].spools) == 2
    for shelf in shelves:
        shelf.leave(dropped={}, written=True)


def test_nothing_is_taken_from_an_exporter_of_another_configuration(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F32, F33: each process delivers what is its own; the spool goes when all are through."""
    name = orphan(tmp_path, records(4), "left", "right")
    left, right, other = (shelf_of(tmp_path, one) for one in ("left", "right", "other"))
    other.adopt_orphans()
    assert other.spools == (other.own,), "it has nothing to do there"
    assert left.adopt_orphans()
    assert len(deliver(left, "left", lane_for, work).interactions) == 4
    assert name in names(tmp_path), "the other is still owed all of it"
    assert left.spools == (left.own,)
    assert right.adopt_orphans()
    assert len(deliver(right, "right", lane_for, work).interactions) == 4
    assert name not in names(tmp_path)
    account = read_account(tmp_path)
    assert account.balanced
    assert account.exporters["left"] == account.exporters["right"] == ExporterAccount(delivered=4)
    assert account.exporters["other"] == ExporterAccount(before=4)
    for shelf in (left, right, other):
        shelf.leave(dropped={}, written=True)


def test_who_is_owed_nothing_any_more_holds_nothing_up(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F33: an exporter was removed from the configuration; what it was owed expires."""
    name = orphan(tmp_path, records(4), "kept", "removed")
    shelf = shelf_of(tmp_path, "kept")
    shelf.adopt_orphans()
    deliver(shelf, "kept", lane_for, work)
    shelf.leave(dropped={}, written=True)
    for file in (tmp_path / "spool" / name).glob("*.seg"):
        os.utime(file, (0, time.time() - 4000))
    later = shelf_of(tmp_path, "kept")
    later.adopt_orphans()
    assert name not in names(tmp_path)
    account = read_account(tmp_path)
    assert account.exporters["kept"].delivered == 4
    assert account.exporters["removed"].dropped == {"expired": 4}
    assert account.balanced
    later.leave(dropped={}, written=True)


def test_an_exporter_that_is_new_begins_with_what_is_still_there(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    orphan(tmp_path, records(4), "old")
    shelf = shelf_of(tmp_path, "old", "new")
    shelf.adopt_orphans()
    assert len(deliver(shelf, "new", lane_for, work).interactions) == 4
    assert len(deliver(shelf, "old", lane_for, work).interactions) == 4
    assert read_account(tmp_path).balanced
    shelf.leave(dropped={}, written=True)


def test_what_cannot_be_adopted_is_left_alone_and_named_once(
    tmp_path: Path, records: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """F7, F32: and stands in nobody's way."""
    open_to_all, later, planted = (orphan(tmp_path, records(1), "sink") for _ in range(3))
    spools = tmp_path / "spool"
    (spools / open_to_all).chmod(0o777)
    FileSegment.create(spools / later, 2, first=1).close()
    fields = struct.pack(">4sHxxQ", b"CXSP", 9, 1)
    (spools / later / "00000002.seg").write_bytes(fields + struct.pack(">I", zlib.crc32(fields)))
    (spools / planted / "sink.cursor").unlink()
    os.mkfifo(spools / planted / "sink.cursor")
    (spools / "link").symlink_to(tmp_path)
    (spools / "file").write_text("x")
    good = orphan(tmp_path, records(1), "sink")
    shelf = shelf_of(tmp_path, "sink")
    for _ in range(3):
        shelf.adopt_orphans()
    assert [spool.name for spool in shelf.spools] == [shelf.own.name, good]
    warned = [record.message for record in caplog.records]
    assert len(warned) == 4
    for name in (open_to_all, later, planted, "link"):
        assert sum(name in message for message in warned) == 1
    shelf.leave(dropped={}, written=True)


@pytest.mark.parametrize("gone", ["", "*.seg", "*.cursor", "*"])
def test_an_orphan_that_was_put_away_is_neither_counted_nor_delivered_again(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work, gone: str
) -> None:
    """F4: killed between the ledger and the removal, or in the middle of that: segments go first."""
    shelf = shelf_of(tmp_path, "sink")
    shelf.own.append(records(4))
    deliver(shelf, "sink", lane_for, work)
    Ledger(tmp_path).fold(shelf.own, {})
    shelf.own.close()
    account = read_account(tmp_path)
    for pattern in ("*.seg", "*.cursor", "*")[: ("", "*.seg", "*.cursor", "*").index(gone)]:
        for file in (tmp_path / "spool" / shelf.own.name).glob(pattern):
            file.unlink()
    assert read_account(tmp_path) == account
    again = shelf_of(tmp_path, "sink")
    again.adopt_orphans()
    assert deliver(again, "sink", lane_for, work).interactions == []
    assert names(tmp_path) == {again.own.name}
    again.leave(dropped={}, written=True)
    assert read_account(tmp_path) == account


# --- Room -----------------------------------------------------------------------------------------


def on_disk(root: Path) -> int:
    return sum(file.stat().st_size for file in root.glob("spool/*/*.seg"))


def test_all_spools_together_keep_within_the_limit(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F29: own and adopted, the oldest first; counts by reason exact; never more than the limit and one segment."""
    limits = attrs.evolve(LIMITS, max_bytes=10_000)
    for first in (0, 20):
        orphan(tmp_path, records(20, first=first), "sink")
    shelf = shelf_of(tmp_path, "sink", limits=limits)
    shelf.adopt_orphans()
    for first in range(40, 100):
        shelf.own.append(records(1, first=first))
        shelf.within_limits()
        assert sum(spool.bytes_held for spool in shelf.spools) <= 10_000 + 1000
    exporter = deliver(shelf, "sink", lane_for, work)
    found = [int(one.id[-12:]) for one in exporter.interactions]
    assert sorted(found) == found == list(range(100 - len(found), 100)), "the newest are kept"
    account = shelf.account(dropped={}, queued=0)
    assert account.exporters["sink"].dropped == {"spool_full": 100 - len(found)}
    assert account.balanced
    assert on_disk(tmp_path) <= 10_000 + 1000
    shelf.leave(dropped={}, written=True)


def test_who_is_quick_loses_nothing_to_who_is_slow(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F27: a quota drop is counted for the lagging one alone."""
    shelf = shelf_of(tmp_path, "quick", "slow", limits=attrs.evolve(LIMITS, max_bytes=5000))
    delivered = 0
    for first in range(0, 60, 2):
        shelf.own.append(records(2, first=first))
        delivered += len(deliver(shelf, "quick", lane_for, work).interactions)
        shelf.within_limits()
    assert delivered == 60
    slow = len(deliver(shelf, "slow", lane_for, work).interactions)
    account = shelf.account(dropped={}, queued=0)
    assert account.exporters == {
        "quick": ExporterAccount(delivered=60),
        "slow": ExporterAccount(delivered=slow, dropped={"spool_full": 60 - slow}),
    }
    shelf.leave(dropped={}, written=True)


def test_in_memory_there_is_less_room(records: Make) -> None:
    """F7: a disk that cannot be written must not cost the host its memory."""
    from cxkit.delivery import shelf as room

    shelf = shelf_of(None, "sink", limits=attrs.evolve(LIMITS, max_bytes=1 << 40, segment_bytes=1 << 23))
    record = records(1)[0]._replace(payload=b"x" * 200_000)
    for _ in range(400):
        shelf.own.append([record])
        shelf.within_limits()
    assert shelf.own.bytes_held <= room._MEMORY_BYTES + (1 << 23)
    assert shelf.pending() == {"sink": 400}
    shelf.leave(dropped={}, written=True)


# --- No disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["file", "link", "open", "cursor"])
def test_where_no_spool_can_be_made_memory_is_used_with_one_warning(
    tmp_path: Path,
    records: Make,
    lane_for: LaneFor,
    work: Work,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """F7."""
    if how == "file":
        (tmp_path / "spool").write_text("x")
    elif how == "link":
        (tmp_path / "spool").symlink_to(tmp_path)
    elif how == "open":
        (tmp_path / "spool").mkdir()
        (tmp_path / "spool").chmod(0o777)
    shelf = shelf_of(tmp_path, "no/such" if how == "cursor" else "sink")
    assert shelf.root is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "kept in memory" in caplog.text
    if how != "cursor":
        shelf.own.append(records(3))
        assert len(deliver(shelf, "sink", lane_for, work).interactions) == 3
    shelf.leave(dropped={}, written=True)


def test_a_disk_that_is_full_at_the_start_is_used_once_it_is_not(
    tmp_path: Path, records: Make, files_limited: Callable[[int], AbstractContextManager[None]]
) -> None:
    """F5: no cursor can be written, nor any record; later all can."""
    with files_limited(1):
        shelf = shelf_of(tmp_path, "sink")
        assert shelf.root == tmp_path
        with pytest.raises(OSError):  # noqa: PT011 - short, or refused
            shelf.own.append(records(3))
    shelf.own.append(records(3))
    shelf.own.close()
    account = read_account(tmp_path)
    assert account.spooled == 3
    again = shelf_of(tmp_path, "sink")
    again.adopt_orphans()
    assert again.pending() == {"sink": 3}
    again.leave(dropped={}, written=True)


# --- The end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [True, False])
def test_leaving_twice_counts_once_and_what_comes_later_too(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work, root: bool
) -> None:
    """F43."""
    shelf = shelf_of(tmp_path if root else None, "sink")
    shelf.own.append(records(3))
    deliver(shelf, "sink", lane_for, work)
    dropped = {"queue_full": 2}
    for _ in range(2):
        shelf.leave(dropped=dropped, written=True)
        assert shelf.account(dropped=dropped, queued=0).captured == 5
    dropped["after_close"] = 4
    account = shelf.account(dropped=dropped, queued=0)
    assert (account.spooled, account.dropped) == (3, {"queue_full": 2, "after_close": 4})
    assert account.balanced


def test_what_is_left_is_there_for_the_next(tmp_path: Path, records: Make, lane_for: LaneFor, work: Work) -> None:
    """F13: with what was dropped before the spool."""
    shelf = shelf_of(tmp_path, "sink")
    shelf.own.append(records(3))
    shelf.leave(dropped={"queue_full": 2}, written=True)
    after = shelf.account(dropped={"queue_full": 2, "after_close": 1}, queued=0)
    assert (after.spooled, after.dropped) == (3, {"queue_full": 2, "after_close": 1})
    assert read_account(tmp_path).dropped == {"queue_full": 2}
    again = shelf_of(tmp_path, "sink")
    assert again.adopt_orphans()
    assert len(deliver(again, "sink", lane_for, work).interactions) == 3
    again.leave(dropped={"queue_full": 1}, written=True)
    account = read_account(tmp_path)
    assert (account.spooled, account.dropped) == (3, {"queue_full": 3})
    assert account.exporters == {"sink": ExporterAccount(delivered=3)}


def test_a_full_disk_at_the_end_raises_nothing(
    tmp_path: Path,
    records: Make,
    caplog: pytest.LogCaptureFixture,
    files_limited: Callable[[int], AbstractContextManager[None]],
) -> None:
    """F5, F13."""
    shelf = shelf_of(tmp_path, "sink")
    shelf.own.append(records(3))
    with files_limited(1):
        shelf.leave(dropped={"queue_full": 2}, written=True)
    assert "what was dropped cannot be noted" in caplog.text
    assert read_account(tmp_path).exporters == {"sink": ExporterAccount(pending=3)}
