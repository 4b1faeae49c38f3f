"""Segments and spools: whatever becomes of the files, no payload is wrong, nothing raises, all is counted."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec.frame import Record, pack
from cxkit.delivery.adoption import adopt
from cxkit.delivery.cursor import Progress, added
from cxkit.delivery.segment import HEADER_BYTES, FileSegment, LaterVersionError, MemorySegment
from cxkit.delivery.spool import Spool

Make = Callable[..., list[Record]]
Drain = Callable[..., tuple[list[Record], Progress]]
Limited = Callable[[int], AbstractContextManager[None]]


def payloads(records: list[Record]) -> list[bytes]:
    return [record.payload for record in records]


def written(root: Path, *batches: list[Record], segment_bytes: int = 1 << 20) -> Path:
    """The directory of a spool whose owner is gone."""
    spool = Spool.create(root, segment_bytes=segment_bytes)
    for batch in batches:
        spool.append(batch)
    spool.close()
    assert spool.path is not None
    return spool.path


@contextmanager
def copied(files: dict[str, bytes]) -> Iterator[Path]:
    """An orphaned spool that holds these files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0123456789abcdef")
        path.mkdir(mode=0o700)
        for name, data in files.items():
            (path / name).write_bytes(data)
        yield path


@contextmanager
def adopted(path: Path) -> Iterator[Spool]:
    spool = adopt(path, segment_bytes=1 << 20)
    assert spool is not None
    yield spool
    spool.close()


# --- Append, read, rotate, release ----------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_appended_is_read_in_order(tmp_path: Path, records: Make, drain: Drain, on_disk: bool) -> None:
    spool = Spool.create(tmp_path / "spool" if on_disk else None, segment_bytes=2000)
    wanted = records(50)
    for first in range(0, 50, 5):
        spool.append(wanted[first : first + 5])
    found, progress = drain(spool, Progress())
    assert payloads(found) == payloads(wanted)
    assert [record.sequence for record in found] == list(range(50))
    assert progress.counts == {}
    spool.close()


def test_everything_of_a_record_survives(tmp_path: Path, drain: Drain) -> None:
    record = Record(b"{}", subject=b"s" * 16, purposes=0x1234, own=7, priority=2, type=2)
    with adopted(written(tmp_path / "spool", [record])) as spool:
        assert drain(spool, Progress())[0] == [record]


def test_directory_and_files_are_the_owners_alone(tmp_path: Path, records: Make) -> None:
    before = os.umask(0)
    try:
        path = written(tmp_path / "spool", records(1))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_segments_are_released_once_all_are_through_for_good(tmp_path: Path, records: Make, drain: Drain) -> None:
    """F4: the position is kept, twice, before a segment goes; so no restart looks for one that is gone."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    assert spool.path is not None
    for name in ("fast", "slow"):
        spool.begin(name)
    for number in range(30):
        spool.append(records(1, first=number))
    segments = len(list(spool.path.glob("*.seg")))
    assert segments > 5
    _, end = drain(spool, Progress())
    spool.cursor("fast").commit(end)
    spool.cursor("fast").commit(end)
    spool.release()
    assert len(list(spool.path.glob("*.seg"))) == segments, "the slow one still needs them"
    spool.cursor("slow").commit(end)
    spool.release()
    assert len(list(spool.path.glob("*.seg"))) == segments, "its older slot still says so"
    spool.cursor("slow").commit(end)
    spool.release()
    assert len(list(spool.path.glob("*.seg"))) == 1
    spool.append(records(1, first=30))
    assert payloads(drain(spool, end)[0]) == payloads(records(1, first=30))
    spool.close()


def test_a_spool_removed_in_part_repeats_nothing(tmp_path: Path, records: Make) -> None:
    """F4: segments go before cursors, so a crash in between leaves nothing to deliver again."""
    path = written(tmp_path / "spool", records(3))
    spool = adopt(path, segment_bytes=1000)
    assert spool is not None
    spool.begin("sink")
    spool.cursor("sink").commit(Progress(segment=1, offset=99, sequence=3, counts={"delivered": 3}))
    spool.close()
    (path / "00000001.seg").unlink()
    with adopted(path) as again:
        assert again.pending("sink") == 0
        assert again.next_sequence == 3


def test_segments_are_removed_before_cursors(tmp_path: Path, records: Make) -> None:
    """F4: a crash in between leaves a position without records, never records without a position."""
    removed: list[str] = []
    sys.addaudithook(lambda event, args: removed.append(str(args[0])) if event == "os.remove" else None)
    spool = Spool.create(tmp_path / "spool", segment_bytes=500)
    for name in ("a", "z"):
        spool.begin(name)
    for number in range(4):
        spool.append(records(1, first=number))
    removed.clear()
    spool.remove()
    suffixes = [Path(name).suffix for name in removed if spool.name in name]
    assert suffixes[:4] == [".seg"] * 4
    assert sorted(suffixes[4:]) == [".cursor", ".cursor", ".lock"]


# --- Torn and damaged -----------------------------------------------------------------------------


def test_truncated_at_every_byte_it_holds_exactly_the_whole_records(tmp_path: Path, drain: Drain) -> None:
    """F2."""
    wanted = [Record(b'{"n":%d}' % number) for number in range(4)]
    path = written(tmp_path / "spool", wanted)
    data = (path / "00000001.seg").read_bytes()
    ends = [HEADER_BYTES + sum(len(pack(record)) for record in wanted[:count]) for count in range(5)]
    assert len(data) == ends[-1]
    for size in range(len(data), -1, -1):
        os.truncate(path / "00000001.seg", size)
        whole = sum(size >= end for end in ends[1:])
        with adopted(path) as spool:
            found, progress = drain(spool, Progress())
            assert payloads(found) == payloads(wanted[:whole])
            assert spool.next_sequence == whole
            assert progress.counts == {}


def test_a_write_that_fails_at_any_byte_damages_nothing(
    tmp_path: Path, records: Make, drain: Drain, files_limited: Limited
) -> None:
    """F5: what was written in part is cut off; what is appended later is whole."""
    first, failing, later = records(1), records(2, first=1), records(2, first=3)
    size = len(b"".join(pack(record) for record in failing))
    for room in range(0, size, 7):
        spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
        assert spool.path is not None
        spool.append(first)
        file = spool.path / "00000001.seg"
        before = file.stat().st_size
        with files_limited(before + room), pytest.raises(OSError, match="File too large"):
            spool.append(failing)
        assert file.stat().st_size == before
        spool.append(later)
        found, progress = drain(spool, Progress())
        assert payloads(found) == payloads(first + later)
        assert progress.counts == {}
        spool.remove()


def test_a_segment_that_cannot_be_made_leaves_no_trace(tmp_path: Path, records: Make, files_limited: Limited) -> None:
    """F5: it leaves no trace, nor does its name stand in the way of the next try."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    assert spool.path is not None
    for _ in range(2):
        with files_limited(HEADER_BYTES // 2), pytest.raises(OSError, match="File too large"):
            spool.append(records(1))
        assert list(spool.path.glob("*.seg")) == []
    spool.append(records(1))
    assert spool.next_sequence == 1
    spool.close()


@pytest.fixture(scope="module")
def intact(records: Make) -> dict[str, bytes]:
    """The files of a spool: thirty records in five segments."""
    with tempfile.TemporaryDirectory() as folder:
        batches = [records(3, first=number) for number in range(0, 30, 3)]
        path = written(Path(folder, "spool"), *batches, segment_bytes=3000)
        files = {file.name: file.read_bytes() for file in path.glob("*.seg")}
    assert len(files) == 5
    return files


places = st.tuples(st.integers(0, 4), st.one_of(st.integers(0, 8 * 100), st.integers(0, 8 * 5000)))


@settings(max_examples=300)
@given(flips=st.lists(places, min_size=1, max_size=3, unique=True), at_once=st.integers(1, 40))
def test_a_flipped_bit_costs_one_record_at_most(
    intact: dict[str, bytes], records: Make, drain: Drain, flips: list[tuple[int, int]], at_once: int
) -> None:
    """F3: 0 wrong payloads, at most one record lost per flip, and the gap is counted."""
    wanted = payloads(records(30))
    damaged = {name: bytearray(data) for name, data in intact.items()}
    for place, bit in flips:
        data = damaged[f"{place + 1:08d}.seg"]
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    with copied({name: bytes(data) for name, data in damaged.items()}) as path, adopted(path) as spool:
        found, progress = drain(spool, Progress(), at_once=at_once)
        assert all(wanted[record.sequence] == record.payload for record in found)
        assert [record.sequence for record in found] == sorted({record.sequence for record in found})
        assert len(wanted) - len(found) <= len(flips)
        # What is missing at the very end was, as far as anybody can tell, never spooled.
        assert sum(progress.counts.values()) == spool.next_sequence - len(found)
        # The first segment, its head and its first record damaged, looks as if another had been before it.
        assert set(progress.counts) <= {
            "dropped.corrupt",
            *(["dropped.spool_full"] if len(flips) > 1 else []),
        }


@pytest.mark.parametrize("name", ["00000001.seg", "00000002.seg"])
def test_a_hole_of_4_kib_costs_what_lay_in_it(records: Make, drain: Drain, name: str) -> None:
    """F2: a page that never reached the disk."""
    wanted = records(60)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder, "spool"), wanted[:30], wanted[30:], segment_bytes=1000)
        data = bytearray((path / name).read_bytes())
        data[2000:6096] = bytes(4096)
        (path / name).write_bytes(data)
        with adopted(path) as spool:
            found, progress = drain(spool, Progress())
    size = len(pack(wanted[0]))
    lost = len(wanted) - len(found)
    assert 4096 // size <= lost <= 4096 // size + 2
    assert progress.counts == {"dropped.corrupt": lost}
    assert all(wanted[record.sequence].payload == record.payload for record in found)


@pytest.mark.parametrize("size", [1, 39, 40, 41, 4096, 1_000_000])
def test_a_tail_of_zeros_is_no_record(records: Make, drain: Drain, tmp_path: Path, size: int) -> None:
    """F2: a file that grew before its contents came."""
    path = written(tmp_path / "spool", records(3))
    with (path / "00000001.seg").open("ab") as file:
        file.write(bytes(size))
    with adopted(path) as spool:
        assert spool.next_sequence == 3
        found, progress = drain(spool, Progress())
        assert payloads(found) == payloads(records(3))
        assert progress.counts == {}


def test_a_segment_that_was_created_and_never_written_holds_up_nothing(
    records: Make, drain: Drain, tmp_path: Path
) -> None:
    """F1: killed between the making of a segment and its header."""
    path = written(tmp_path / "spool", records(3))
    (path / "00000002.seg").touch()
    with adopted(path) as spool:
        assert spool.next_sequence == 3
        assert payloads(drain(spool, Progress())[0]) == payloads(records(3))


@pytest.mark.parametrize("cut", [0, 10, HEADER_BYTES, 400, -1])
def test_a_file_that_is_cut_off_while_it_is_read_ends_the_reading(
    records: Make, drain: Drain, tmp_path: Path, cut: int
) -> None:
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    assert spool.path is not None
    spool.append(records(5))
    spool.append(records(5, first=5))
    file = spool.path / "00000001.seg"
    os.truncate(file, cut if cut >= 0 else file.stat().st_size - 1)
    found, progress = drain(spool, Progress())
    assert payloads(found)[-5:] == payloads(records(5, first=5)), "the next segment is as it was"
    assert len(found) + progress.counts["dropped.corrupt"] == 10
    spool.close()


# --- Who else is there ----------------------------------------------------------------------------


def test_foreign_files_are_left_alone(records: Make, drain: Drain, tmp_path: Path) -> None:
    """F3: a link, a pipe, a directory, a pickle and ten gigabytes of nothing, all named like segments."""
    path = written(tmp_path / "spool", records(3))
    secret = tmp_path / "secret"
    secret.write_bytes((path / "00000001.seg").read_bytes())
    (path / "00000002.seg").symlink_to(secret)
    os.mkfifo(path / "00000003.seg")
    (path / "00000004.seg").mkdir()
    (path / "00000005.seg").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with (path / "00000006.seg").open("wb") as sparse:
        sparse.truncate(10 << 30)
    (path / "1\N{SUPERSCRIPT TWO}.seg").write_bytes(b"CXSP")
    (path / "notes.txt").write_text("hello")
    os.mkfifo(path / "dropped.json")
    with adopted(path) as spool:
        assert payloads(drain(spool, Progress())[0]) == payloads(records(3))
        assert spool.next_sequence == 3
    assert secret.exists()


def test_a_huge_sparse_tail_takes_no_memory(records: Make, drain: Drain, tmp_path: Path) -> None:
    path = written(tmp_path / "spool", records(3))
    with (path / "00000001.seg").open("ab") as sparse:
        sparse.truncate(128 << 20)
    tracemalloc.start()
    with adopted(path) as spool:
        assert payloads(drain(spool, Progress())[0]) == payloads(records(3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("name", ["owner.lock", "sink.cursor"])
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_planted_lock_or_cursor_is_refused(records: Make, tmp_path: Path, name: str, kind: str) -> None:
    path = written(tmp_path / "spool", records(3))
    (path / name).unlink(missing_ok=True)
    if kind == "link":
        (path / name).symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path / name)
    else:
        (path / name).mkdir()
    if (name, kind) == ("owner.lock", "pipe"):  # that can be locked as well as a file
        with adopted(path) as spool:
            assert spool.next_sequence == 3
        return
    with pytest.raises(OSError), _adopting(path) as spool:  # noqa: PT011 - which one is the kernel's business
        spool.begin("sink")
    assert not (tmp_path / "elsewhere").exists()


@contextmanager
def _adopting(path: Path) -> Iterator[Spool]:
    spool = adopt(path, segment_bytes=1000)
    assert spool is not None
    try:
        yield spool
    finally:
        spool.close()


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_directory_that_others_may_write_to_is_refused(records: Make, tmp_path: Path, mode: int) -> None:
    """F7."""
    path = written(tmp_path / "spool", records(1))
    path.chmod(mode)
    with pytest.raises(PermissionError, match="others may write"):
        adopt(path, segment_bytes=1000)
    path.parent.chmod(mode)
    with pytest.raises(PermissionError, match="others may write"):
        Spool.create(path.parent, segment_bytes=1000)


def test_a_link_to_a_directory_is_refused(records: Make, tmp_path: Path) -> None:
    """F7."""
    path = written(tmp_path / "spool", records(1))
    (tmp_path / "link").symlink_to(path)
    for refuse in (
        lambda link: adopt(link, segment_bytes=1000),
        lambda link: Spool.create(link, segment_bytes=1000),
    ):
        with pytest.raises(PermissionError):
            refuse(tmp_path / "link")


def test_a_later_version_is_left_as_it_is(records: Make, tmp_path: Path) -> None:
    """F32: and may be adopted by whoever knows it."""
    path = written(tmp_path / "spool", records(3))
    later = FileSegment.create(path, 2, first=3)
    later.close()
    data = bytearray((path / "00000002.seg").read_bytes())
    fields = struct.pack(">4sHxxQ", b"CXSP", 2, 3)
    data[:HEADER_BYTES] = fields + struct.pack(">I", zlib.crc32(fields))
    (path / "00000002.seg").write_bytes(data)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    for _ in range(2):
        with pytest.raises(LaterVersionError):
            adopt(path, segment_bytes=1000)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def test_nobody_adopts_from_a_living_owner(records: Make, tmp_path: Path) -> None:
    """F30, F31."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    assert spool.path is not None
    spool.append(records(1))
    assert adopt(spool.path, segment_bytes=1000) is None
    spool.close()
    one = adopt(spool.path, segment_bytes=1000)
    assert one is not None
    assert adopt(spool.path, segment_bytes=1000) is None
    one.close()


def test_no_spool_can_be_seen_before_it_is_locked(tmp_path: Path) -> None:
    """F30: else another process might take it for an orphan the moment it is made."""
    root = tmp_path / "spool"
    seen: list[Path] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for path in root.glob("[!.]*/") if root.exists() else ():
                spool = adopt(path, segment_bytes=1000)
                if spool is not None:
                    seen.append(path)
                    spool.close()

    looker = threading.Thread(target=look)
    looker.start()
    spools = [Spool.create(root, segment_bytes=1000) for _ in range(200)]
    stop.set()
    looker.join()
    assert seen == []
    for spool in spools:
        spool.remove()


def test_the_last_owner_removes_before_it_unlocks(records: Make, tmp_path: Path) -> None:
    """F30: nobody adopts what is half removed and delivers it again."""
    root = tmp_path / "spool"
    found: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for path in root.glob("[!.]*/") if root.exists() else ():
                spool = adopt(path, segment_bytes=1000)
                if spool is not None:
                    spool.begin("sink")
                    found.append(spool.pending("sink"))
                    spool.close()

    looker = threading.Thread(target=look)
    looker.start()
    for _ in range(100):
        spool = Spool.create(root, segment_bytes=1000)
        spool.begin("sink")
        spool.append(records(2))
        _, end = 0, spool.read(Progress(), max_records=10, max_bytes=10_000).progress
        spool.cursor("sink").commit(end)
        spool.remove()
    stop.set()
    looker.join()
    assert sum(found) == 0


def test_two_in_memory_have_different_names() -> None:
    """Batches are named after their spool, and receivers tell them apart by that."""
    spools = [Spool.create(None, segment_bytes=1000) for _ in range(2)]
    assert spools[0].name != spools[1].name


# --- Limits ---------------------------------------------------------------------------------------


def test_what_is_given_up_is_counted_by_whoever_misses_it(tmp_path: Path, records: Make, drain: Drain) -> None:
    """F29."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    for number in range(12):
        spool.append(records(1, first=number))
    first, read = [], spool.read(Progress(), max_records=1, max_bytes=1)
    first += read.records
    assert spool.give_up_oldest("spool_full")
    assert spool.give_up_oldest("expired")
    found, progress = drain(spool, read.progress)
    missing = 12 - len(first) - len(found)
    assert missing > 0
    assert sum(progress.counts.values()) == missing
    assert set(progress.counts) <= {"dropped.spool_full", "dropped.expired"}
    while spool.give_up_oldest("spool_full"):
        pass
    assert spool.next_sequence == 12, "the last segment of a living owner stays"
    spool.close()


def test_a_restart_counts_what_was_given_up_before_it(tmp_path: Path, records: Make, drain: Drain) -> None:
    """F29: killed after a segment went and before any lane had counted that."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    assert spool.path is not None
    spool.begin("sink")
    for number in range(12):
        spool.append(records(1, first=number))
    spool.give_up_oldest("expired")
    spool.close()
    with adopted(spool.path) as again:
        found, progress = drain(again, again.cursor("sink").progress)
        assert len(found) + progress.counts["dropped.spool_full"] == 12


def test_the_last_segment_of_the_dead_is_given_up_but_not_removed(tmp_path: Path, records: Make) -> None:
    """F29: only when all have counted it; else a crash in between would forget it."""
    path = written(tmp_path / "spool", records(3))
    with adopted(path) as spool:
        assert spool.bytes_held > 0
        assert spool.give_up_oldest("spool_full")
        assert spool.given_up == "spool_full"
        assert spool.bytes_held == 0
        assert not spool.give_up_oldest("spool_full")
        assert (path / "00000001.seg").exists()


def test_old_segments_expire_and_young_ones_do_not(tmp_path: Path, records: Make, drain: Drain) -> None:
    """F29: also the only one of a living owner who has captured nothing since."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    assert spool.path is not None
    spool.append(records(3))
    spool.append(records(3, first=3))
    os.utime(spool.path / "00000001.seg", (0, 0))
    spool.expire(before=time.time() - 60)
    found, progress = drain(spool, Progress())
    assert payloads(found) == payloads(records(3, first=3))
    assert progress.counts == {"dropped.expired": 3}
    os.utime(spool.path / "00000002.seg", (0, 0))
    spool.expire(before=time.time() - 60)
    found, progress = drain(spool, Progress())
    assert (found, progress.counts) == ([], {"dropped.expired": 6})
    spool.append(records(1, first=6))
    assert payloads(drain(spool, progress)[0]) == payloads(records(1, first=6))
    spool.close()


def read_on(spool: Spool, name: str, wanted: list[bytes]) -> None:
    """One span, as a lane does it."""
    cursor = spool.cursor(name)
    before = cursor.progress
    got = spool.read(before, max_records=7, max_bytes=100_000)
    assert all(wanted[record.sequence] == record.payload for record in got.records)
    counts = added(got.progress.counts, {"delivered": len(got.records)})
    cursor.commit(attrs.evolve(got.progress, counts=counts))
    spool.release()


def test_a_trickle_begins_another_segment_in_time(records: Make) -> None:
    """Else a segment that is never full would never be old, nor would what it began with."""
    steady, hasty = (Spool.create(None, segment_bytes=1 << 20, segment_s=s) for s in (3600.0, 0.0))
    for number in range(3):
        for spool in (steady, hasty):
            spool.append(records(1, first=number))
    assert steady.give_up_oldest("expired") is False
    assert hasty.give_up_oldest("expired") is True
    assert (steady.records_held, hasty.records_held) == (3, 2)


def test_lanes_read_while_segments_come_and_go(tmp_path: Path) -> None:
    """The worker appends and gives up, lanes read and release: each lane sees or counts every record."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=2000)
    wanted = [b"%0300d" % number for number in range(3000)]
    failed: list[BaseException] = []
    done = threading.Event()

    def lane(name: str) -> None:
        try:
            while spool.pending(name) or not done.is_set():
                read_on(spool, name, wanted)
        except BaseException as error:  # noqa: BLE001 - for the test to show
            failed.append(error)

    names = ("one", "two")
    for name in names:
        spool.begin(name)
    lanes = [threading.Thread(target=lane, args=(name,)) for name in names]
    for thread in lanes:
        thread.start()
    for first in range(0, len(wanted), 4):
        spool.append([Record(payload) for payload in wanted[first : first + 4]])
        while spool.bytes_held > 20_000 and spool.give_up_oldest("spool_full"):
            pass
    done.set()
    for thread in lanes:
        thread.join()
    assert failed == []
    for progress in spool.positions().values():
        assert sum(progress.counts.values()) == len(wanted)
        assert set(progress.counts) <= {"delivered", "dropped.spool_full"}
    spool.close()


class SickSegment(MemorySegment):
    """It takes everything, and cannot say that any of it is safe."""

    def sync(self) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_nothing_is_appended_to_a_segment_whose_sync_failed(records: Make, drain: Drain) -> None:
    """F6: a second sync would succeed, and mean nothing."""
    sick = SickSegment(1, first=0)
    spool = Spool(None, -1, [sick], next_sequence=0, segment_bytes=1 << 20)
    spool.append(records(1))
    with pytest.raises(OSError, match="Input/output"):
        spool.sync()
    before = sick.end
    spool.append(records(1, first=1))
    assert sick.end == before
    spool.sync()
    assert payloads(drain(spool, Progress())[0]) == payloads(records(2))


def test_all_segments_written_since_are_synced(records: Make) -> None:
    """A batch that fills one segment and begins the next is in two files."""
    synced: list[int] = []

    class Segment(MemorySegment):
        def sync(self) -> None:
            synced.append(self.number)

    spool = Spool(None, -1, [Segment(1, first=0)], next_sequence=0, segment_bytes=500)
    spool.append(records(1))
    spool.append(records(1, first=1))
    spool.sync()
    spool.sync()
    assert synced == [1]
