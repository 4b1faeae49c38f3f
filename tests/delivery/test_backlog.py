"""What waits, read from outside: the same numbers as the account, and nothing changed by looking."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import attrs
import pytest

from cxkit.codec.frame import Record
from cxkit.delivery.backlog import read_backlog
from cxkit.delivery.spool import Spool, adopt

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


def test_it_has_waited_since_it_occurred_or_since_the_cursor_moved(root: Path) -> None:
    spool = spool_with(root, *map(record, range(8)))
    handled(spool, "sink", 5)
    (cursor,) = root.rglob("sink.cursor")
    os.utime(cursor, (1.0, 1.0))
    assert read_backlog(root).owed["sink"].since == 1795257005.0
    os.utime(cursor, (1.9e9, 1.9e9))
    assert read_backlog(root).owed["sink"].since == 1.9e9


@pytest.mark.parametrize("payload", [b"{}", b"no JSON", b'{"time":"yesterday"}', b'{"time":"2026-11-21T10:30:00"}'])
def test_what_cannot_be_read_has_waited_since_the_cursor_moved(root: Path, payload: bytes) -> None:
    spool_with(root, Record(payload))
    (cursor,) = root.rglob("sink.cursor")
    assert read_backlog(root).owed["sink"].since == cursor.stat().st_mtime


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
