"""Erasure: nothing of a person is left in a spool, everybody else's is as it was, and the account adds up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec.frame import COMMAND, ERASED, NOBODY, Record, erased, pack, unpack
from cxkit.delivery.cursor import Progress
from cxkit.delivery.erasure import Meant
from cxkit.delivery.kept import erase_kept
from cxkit.delivery.lane import Lane
from cxkit.delivery.spool import Spool
from cxkit.roles import Outcome
from cxkit.testing import RecordingExporter

Drain = Callable[..., tuple[list[Record], Progress]]
NANCY, MARY = b"n" * 16, b"m" * 16


def about(subject: bytes, number: int, *, type: int = 1) -> Record:
    return Record(b'{"said": "%b %d"}' % (subject, number), subject, 0b111, type=type)


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


@pytest.fixture(params=["file", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return Spool.create(tmp_path / "spool" if request.param == "file" else None, segment_bytes=400)


@given(st.binary(max_size=300), st.integers(0, 2**63), st.integers(0, 2))
def test_what_is_left_takes_the_same_room_and_says_nothing(payload: bytes, sequence: int, priority: int) -> None:
    whole = pack(Record(payload, NANCY, 0b11, 2, priority, COMMAND, sequence, governed=False))
    found, _ = unpack(whole, 0)
    assert found is not None
    rest = pack(erased(found))
    assert len(rest) == len(whole)
    left, end = unpack(rest, 0)
    assert left == Record(b" " * len(payload), NOBODY, 0, 0, priority, ERASED, sequence)
    assert end == len(rest)


def merge_with(subject: str) -> bytes:
    said = f'{{"with": {{"type": "user_id", "value": "otto", "key": "{subject}"}}}}'
    what = '"type": "io.cxkit.identity.merged", "time": "2026-11-21T10:30:00Z"'
    return f'{{{what}, "data": {{"properties": {said}}}}}'.encode()


def test_a_merge_goes_with_either_of_those_it_names(spool: Spool) -> None:
    spool.append([Record(merge_with(NANCY.hex()), MARY, type=COMMAND)])
    late = Meant.about(frozenset([NANCY]), datetime(2026, 11, 21, 10, tzinfo=UTC))
    assert spool.find(late) == spool.find(Meant.about(frozenset([b"o" * 16]))) == 0
    assert spool.find(Meant.about(frozenset([MARY]))) == 1
    assert spool.erase(Meant.about(frozenset([NANCY]))) == 1


@pytest.mark.parametrize("key", ["", "no key", "00" * 16])
def test_a_merge_that_names_no_key_is_its_own_subjects_alone(spool: Spool, key: str) -> None:
    """As those of before the key was written, or of anybody's making."""
    early = merge_with(key).replace(b'"key"', b'"other"')
    spool.append([Record(one, MARY, type=COMMAND) for one in (merge_with(key), early, b"io.cxkit.identity.merged")])
    assert spool.find(Meant.about(frozenset([NANCY, NOBODY]))) == 0


def test_all_that_is_about_somebody_goes_delivered_or_not(spool: Spool, drain: Drain) -> None:
    for number in range(30):
        spool.append([about(NANCY, number, type=COMMAND if number % 7 == 0 else 1), about(MARY, number)])
    assert spool.erase(Meant.about(frozenset([NANCY]))) == 30
    assert spool.erase(Meant.about(frozenset([NANCY]))) == 0
    found, progress = drain(spool, Progress())
    assert [one.payload for one in found if one.type != ERASED] == [about(MARY, n).payload for n in range(30)]
    assert [one.sequence for one in found] == list(range(60))
    assert not progress.counts, "nothing is missing, and nothing is damaged"
    if spool.path is not None:
        assert NANCY not in everything(spool.path)
        assert everything(spool.path).count(MARY) == 60, "in the frame and in the payload"


def test_what_is_about_nobody_stays(spool: Spool) -> None:
    spool.append([Record(b"{}"), about(MARY, 1)])
    assert spool.erase(Meant.about(frozenset([NOBODY, NANCY]))) == 0


def test_an_exporter_counts_what_it_did_not_get(
    spool: Spool, lane_for: Callable[..., Lane], work: Callable[[Lane], None]
) -> None:
    exporter = RecordingExporter(outcomes=[Outcome.delivered()])
    spool.append([about(NANCY, 1), about(MARY, 1), about(NANCY, 2)])
    spool.erase(Meant.about(frozenset([NANCY])))
    lane = lane_for(exporter, spool)
    work(lane)
    assert [payload for batch in exporter.batches for payload in batch.payloads] == [about(MARY, 1).payload]
    assert dict(spool.cursor("sink").progress.counts) == {"delivered": 1, "dropped.erased": 2}


def test_readers_see_a_record_as_it_was_or_erased_and_never_half_of_it(tmp_path: Path, drain: Drain) -> None:
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    spool.append([about(NANCY if number % 2 else MARY, number) for number in range(4000)])
    torn: list[object] = []
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            found, progress = drain(spool, Progress(), at_once=500)
            begun.set()
            if len(found) != 4000 or progress.counts:
                torn.append(progress)

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(30)
    assert spool.erase(Meant.about(frozenset([NANCY]))) == 2000
    done.set()
    reader.join()
    assert not torn


def test_in_the_spools_of_those_who_are_gone_it_is_done_and_the_living_are_named(tmp_path: Path) -> None:
    root = tmp_path / ".cxkit"
    gone, lives, clean = (Spool.create(root / "spool", segment_bytes=1 << 20) for _ in range(3))
    for one in (gone, lives):
        one.append([about(NANCY, 1), about(MARY, 1)])
    clean.append([about(MARY, 2)])
    gone.close()
    found = erase_kept(root, frozenset([NANCY]))
    assert (found.erased, found.held, found.unread) == (1, (lives.name,), ())
    assert gone.path is not None
    assert NANCY not in everything(gone.path)
    lives.erase(Meant.about(frozenset([NANCY])))
    assert erase_kept(root, frozenset([NANCY])).held == ()
    (root / "spool" / "0123456789abcdef").symlink_to(gone.path)
    assert erase_kept(root, frozenset([MARY])).erased == 1
