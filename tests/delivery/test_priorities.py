"""What matters less is given up first: a spool for each priority, and quotas over all of them (F29)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec.frame import PRIORITIES, Record
from cxkit.delivery.adoption import adopt
from cxkit.delivery.cursor import Progress
from cxkit.delivery.shelf import Shelf, SpoolLimits
from cxkit.delivery.spool import Spool
from cxkit.delivery.writer import Writer
from cxkit.roles import Outcome
from cxkit.testing.recorder import RecordingExporter

LOW, NORMAL, CRITICAL = range(3)
A_SEGMENT = 25
"""About how many of these records a segment holds: quotas are kept to that."""
LIMITS = SpoolLimits(max_bytes=1 << 20, max_records=1000, max_age_s=3600, segment_bytes=1000, sync_interval_s=1)

Drain = Callable[..., tuple[list[Record], Progress]]


def shelf_of(root: Path | None, **limits: Any) -> Shelf:
    shelf = Shelf(root, limits=attrs.evolve(LIMITS, **limits))
    shelf.begin(["sink"])
    return shelf


def fill(shelf: Shelf, priority: int, payload: bytes = b"{}") -> None:
    shelf.own_of(priority).append([Record(payload, priority=priority)])
    shelf.within_limits()


def left(shelf: Shelf, drain: Drain) -> Counter[int]:
    """What is still there, by priority; what is missing is counted as given up, by its reason."""
    found: Counter[int] = Counter()
    for spool in shelf.spools:
        records, progress = drain(spool, Progress())
        found.update(record.priority for record in records)
        assert {record.priority for record in records} <= {spool.priority}
        assert sum(progress.counts.values()) == spool.next_sequence - len(records)
        assert progress.counts.keys() <= {"dropped.spool_full"}
    return found


@given(st.lists(st.sampled_from([LOW, NORMAL, CRITICAL]), max_size=120), st.integers(3, 40))
@settings(max_examples=60, deadline=None)
def test_law_nothing_is_given_up_while_something_of_less_priority_is_left(
    drain: Drain, tmp_path_factory: pytest.TempPathFactory, priorities: list[int], most: int
) -> None:
    shelf = shelf_of(tmp_path_factory.mktemp("root"), max_records=most)
    for priority in priorities:
        fill(shelf, priority)
    kept, given = left(shelf, drain), Counter(priorities)
    assert kept.total() <= most + A_SEGMENT
    for higher, lower in ((CRITICAL, NORMAL), (CRITICAL, LOW), (NORMAL, LOW)):
        if given[higher] > kept[higher] and priorities[-1] == higher:
            assert kept[lower] == 0 or kept.total() <= most
    for spool in shelf.spools:
        spool.close()


def test_the_lowest_goes_first_and_of_it_the_oldest(tmp_path: Path, drain: Drain) -> None:
    shelf = shelf_of(tmp_path, max_records=30)
    for number in range(10):
        for priority in (LOW, NORMAL, CRITICAL):
            fill(shelf, priority, b'{"n":%d}' % number)
    assert left(shelf, drain) == {LOW: 10, NORMAL: 10, CRITICAL: 10}
    for number in range(10, 20):
        fill(shelf, CRITICAL, b'{"n":%d}' % number)
    kept = left(shelf, drain)
    assert kept[CRITICAL] == 20
    assert kept[NORMAL] == 10
    assert kept[LOW] == 0
    for number in range(20, 25):
        fill(shelf, CRITICAL, b'{"n":%d}' % number)
    kept = left(shelf, drain)
    assert kept[CRITICAL] == 25
    assert kept[NORMAL] <= 5
    assert left(shelf, drain).total() <= 30


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("limit", ["max_bytes", "max_records"])
def test_of_one_priority_the_oldest_goes_and_the_newest_stays(
    tmp_path: Path, drain: Drain, limit: str, on_disk: bool
) -> None:
    shelf = shelf_of(tmp_path if on_disk else None, **{limit: 4000 if limit == "max_bytes" else 50})
    for number in range(300):
        fill(shelf, NORMAL, b'{"n":%d}' % number)
    records, progress = drain(shelf.own, Progress())
    assert records
    assert [record.payload for record in records] == [b'{"n":%d}' % n for n in range(300 - len(records), 300)]
    assert progress.counts == {"dropped.spool_full": 300 - len(records)}
    assert shelf.own.bytes_held <= 4000 + LIMITS.segment_bytes
    assert len(records) <= (50 if limit == "max_records" else 300)


def test_it_is_delivered_and_accounted_for_whatever_its_priority(
    tmp_path: Path, lane_for: Callable[..., Any], work: Callable[[Any], None]
) -> None:
    shelf, exporter = shelf_of(tmp_path), RecordingExporter(outcomes=[Outcome.delivered()] * 9)
    everything = [Record(b'{"n":%d}' % n, priority=n % 3, purposes=0xFF) for n in range(9)]
    for record in everything:
        shelf.own_of(record.priority).append([record])
    assert len(shelf.own_spools) == 3
    work(lane_for(exporter, spools=lambda: shelf.spools, passed=shelf.passed))
    assert sorted(payload for batch in exporter.batches for payload in batch.payloads) == [
        record.payload for record in everything
    ]
    account = shelf.account(dropped={}, queued=0)
    assert (account.spooled, account.exporters["sink"].delivered, account.balanced) == (9, 9, True)
    shelf.leave(dropped={}, written=True)
    again = shelf_of(tmp_path)
    account = again.account(dropped={}, queued=0)
    assert (account.spooled, account.exporters["sink"].delivered, account.balanced) == (9, 9, True)
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [again.own.name]


def test_an_orphan_keeps_its_priority_and_one_without_a_mark_is_normal(tmp_path: Path) -> None:
    """F32: spools were written without a mark before there were priorities."""
    for priority in range(3):
        spool = Spool.create(tmp_path / "spool", segment_bytes=1000, priority=priority)
        spool.append([Record(b"{}", priority=priority)])
        assert spool.path is not None
        spool.close()
        adopted = adopt(spool.path, segment_bytes=1000)
        assert adopted is not None
        assert (adopted.priority, adopted.name) == (priority, spool.name)
        assert spool.name.endswith(f"-{PRIORITIES[priority]}") == (priority != NORMAL)
        adopted.close()


def test_what_dead_owners_left_goes_by_its_priority_too(tmp_path: Path, drain: Drain) -> None:
    dead = shelf_of(tmp_path)
    for _ in range(10):
        fill(dead, CRITICAL)
    for spool in dead.own_spools:
        spool.close()
    shelf = shelf_of(tmp_path, max_records=15)
    assert shelf.adopt_orphans()
    for _ in range(10):
        fill(shelf, LOW)
    kept = left(shelf, drain)
    assert kept[CRITICAL] == 10
    assert 0 < kept[LOW] <= 5


def test_where_no_spool_of_its_own_can_be_made_it_shares(
    tmp_path: Path, drain: Drain, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = shelf_of(tmp_path)
    (tmp_path / "spool").chmod(0o777)  # where others may write nothing is made
    writer = Writer(shelf, synced=False)
    for _ in range(3):
        assert writer.write_now(Record(b"{}", priority=CRITICAL)) is None
    records, _ = drain(shelf.own, Progress())
    assert [record.priority for record in records] == [CRITICAL] * 3
    assert shelf.own_spools == (shelf.own,)
    assert [one.getMessage() for one in caplog.records] == [
        "cxkit: what differs in priority shares a spool (PermissionError)"
    ]
    assert [path.name for path in (tmp_path / "spool").glob(".*")] == [], "no half-made spool is left"
    (tmp_path / "spool").chmod(0o700)
    assert writer.write_now(Record(b"{}", priority=CRITICAL)) is None
    assert [spool.priority for spool in shelf.own_spools] == [NORMAL, CRITICAL]
