"""What waits, read from outside: the same numbers as the account, and nothing changed by looking."""

from __future__ import annotations

import math
import os
import struct
import zlib
from pathlib import Path

import attrs
import msgspec
import pytest

from cxkit.codec.frame import Record
from cxkit.delivery.adoption import adopt
from cxkit.delivery.backlog import read_backlog
from cxkit.delivery.dead import Letter
from cxkit.delivery.returns import Returns
from cxkit.delivery.spool import Spool

SEGMENT_BYTES = 200


def record(second: int) -> Record:
    return Record(b'{"time":"2026-11-21T10:30:%02d.000000Z"}' % second)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def spool_with(root: Path, *records: Record, exporters: tuple[str, ...] = ("sink",)) -> Spool:
    spool = Spool.create(root / "spool", segment_bytes=SEGMENT_BYTES)
    for name in exporters:
        spool.begin(name)
    for one in records:
        spool.append([one])
    return spool


def handled(spool: Spool, exporter: str, number: int) -> None:
    cursor = spool.cursor(exporter)
    read = spool.read(cursor.progress, max_records=number, max_bytes=10_000)
    cursor.commit(attrs.evolve(read.progress, counts={"delivered": number}))


def test_nothing_waits_where_nothing_is(root: Path) -> None:
    assert read_backlog(root).owed == {}
    assert not root.exists()


def test_each_exporter_is_owed_what_it_has_not_handled_over_all_spools(root: Path) -> None:
    one = spool_with(root, *map(record, range(8)), exporters=("sink", "slow", "_store"))
    other = spool_with(root, record(0))
    handled(one, "sink", 5)
    handled(other, "sink", 1)
    handled(one, "slow", 8)
    backlog = read_backlog(root)
    assert {name: owed.pending for name, owed in backlog.owed.items()} == {"sink": 3}
    assert backlog.unreadable == {}


def made_at(root: Path, at: float) -> None:
    """As if the spools had been made at that time."""
    for path in root.rglob("owner.lock"):
        os.utime(path, (at, at))


def test_it_has_waited_since_it_occurred_or_since_there_was_a_spool(root: Path) -> None:
    spool = spool_with(root, *map(record, range(8)))
    handled(spool, "sink", 5)
    made_at(root, 1.0)
    assert read_backlog(root).owed["sink"].since == 1795257005.0
    made_at(root, 1.9e9)
    assert read_backlog(root).owed["sink"].since == 1.9e9


@pytest.mark.parametrize("payload", [b"{}", b"no JSON", b'{"time":"yesterday"}', b'{"time":"2026-11-21T10:30:00"}'])
def test_what_cannot_be_read_has_waited_since_there_was_a_spool(root: Path, payload: bytes) -> None:
    spool_with(root, Record(payload))
    made_at(root, 5.0)
    assert read_backlog(root).owed["sink"].since == 5.0


def test_what_is_given_back_has_waited_since_then(root: Path) -> None:
    returns = Returns(root / "spool", "sink", segment_bytes=SEGMENT_BYTES)
    (root / "spool").mkdir(parents=True, mode=0o700)
    returns.add("0123", record(0), Letter("sink", "http_400", "", msgspec.Raw(b"{}")))
    returns.close()
    (root / "spool" / ".0123").rename(root / "spool" / "0123")
    (cursor,) = root.rglob("sink.cursor")
    os.utime(cursor, (7.0, 7.0))
    assert read_backlog(root).owed["sink"].since == 7.0


def test_it_was_last_handled_when_a_cursor_moved_that_has_handled_anything(root: Path) -> None:
    """A process that starts in an outage makes cursors, too: they have handled nothing."""
    spool = spool_with(root, *map(record, range(8)))
    spool_with(root, record(0))
    assert read_backlog(root).owed["sink"].handled_at == 0
    handled(spool, "sink", 8)
    cursor = root / "spool" / spool.name / "sink.cursor"
    os.utime(cursor, (9.0, 9.0))
    found = read_backlog(root).owed["sink"]
    assert (found.pending, found.handled_at) == (1, 9.0)


def test_what_was_removed_and_is_not_counted_yet_is_told(root: Path) -> None:
    spool = spool_with(root, *map(record, range(8)), exporters=("sink", "slow"))
    segments = len(list(root.rglob("*.seg")))
    assert segments > 2
    handled(spool, "sink", 8)
    handled(spool, "slow", 1)
    before = read_backlog(root).owed["slow"]
    assert (before.pending, before.removed) == (7, 0)
    assert spool.give_up_oldest("spool_full")
    assert spool.give_up_oldest("spool_full")
    os.utime(spool.path / "00000003.seg", (3.0, 3.0))  # type: ignore[operator]
    after = read_backlog(root).owed
    there = spool.read(spool.cursor("slow").progress, max_records=100, max_bytes=100_000)
    assert (after["slow"].pending, after["slow"].removed) == (7, 7 - len(there.records))
    assert after["slow"].removed == there.progress.counts["dropped.spool_full"]
    assert 0 < after["slow"].bytes < before.bytes
    assert after["slow"].written_at == 3.0
    assert "sink" not in after


def test_where_all_of_it_was_removed_nothing_waits(root: Path) -> None:
    spool = spool_with(root, record(0), record(1))
    while spool.pending("sink") and read_backlog(root).owed["sink"].removed < 2:
        assert spool.give_up_oldest("spool_full", newest=True)
    found = read_backlog(root).owed["sink"]
    assert (found.pending, found.removed, found.bytes) == (2, 2, 0)
    assert found.since == found.written_at == math.inf


def test_whether_somebody_delivers_is_told_by_the_lock(root: Path) -> None:
    spool = spool_with(root, record(0))
    assert read_backlog(root).owed["sink"].delivering
    spool.close()
    assert not read_backlog(root).owed["sink"].delivering


def test_looking_leaves_the_lock_to_others(root: Path) -> None:
    spool_with(root, record(0)).close()
    read_backlog(root)
    (path,) = (root / "spool").iterdir()
    adopted = adopt(path, segment_bytes=SEGMENT_BYTES)
    assert adopted is not None
    adopted.close()


def test_a_spool_of_a_later_version_is_named_and_the_others_are_read(root: Path) -> None:
    spool_with(root, record(0))
    later = spool_with(root, record(0))
    (segment,) = (root / "spool" / later.name).glob("*.seg")
    fields = struct.pack(">4sHxxQ", b"CXSP", 99, 0)
    segment.write_bytes(fields + struct.pack(">I", zlib.crc32(fields)))
    backlog = read_backlog(root)
    assert backlog.unreadable == {later.name: "LaterVersionError"}
    assert backlog.owed["sink"].pending == 1
