"""Cursors: position and counts agree after any crash and any damage; what damage costs is duplicates."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.delivery.cursor import Cursor, Progress, added, read_slots

SLOT_BYTES = 4096

steps = st.lists(
    st.dictionaries(
        st.sampled_from(["delivered", "dead", "dropped.consent", "dropped.spool_full"]),
        st.integers(1, 500),
        min_size=1,
    ),
    min_size=1,
    max_size=8,
)
"""What became of the records of one span after another."""


def walk(steps: list[dict[str, int]], *, base: int = 7) -> Iterator[Progress]:
    progress = Progress(segment=1, offset=20, sequence=base, base=base)
    yield progress
    for step in steps:
        progress = attrs.evolve(
            progress,
            offset=progress.offset + 300,
            sequence=progress.sequence + sum(step.values()),
            counts=added(progress.counts, step),
        )
        yield progress


@contextmanager
def cursor_file(data: bytes | None = None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sink.cursor")
        if data is not None:
            path.write_bytes(data)
        yield path


def loaded(data: bytes) -> Progress | None:
    """What a new start makes of a file; None if nothing."""
    with cursor_file(data) as path:
        cursor = Cursor(path)
        cursor.close()
        return None if cursor.new else cursor.progress


def history(steps: list[dict[str, int]]) -> tuple[list[Progress], list[bytes], list[int]]:
    """The positions that were committed, and after each the file and how far even its older slot is."""
    positions, files, kept = list(walk(steps)), [], []
    with cursor_file() as path:
        cursor = Cursor(path)
        for progress in positions:
            cursor.commit(progress)
            files.append(path.read_bytes())
            kept.append(cursor.kept)
        cursor.close()
    return positions, files, kept


@given(steps)
def test_a_copy_at_any_moment_is_the_last_word(steps: list[dict[str, int]]) -> None:
    """F1: position and counts are one write."""
    for progress, data in zip(*history(steps)[:2], strict=True):
        found = loaded(data)
        assert found == progress
        assert sum(found.counts.values()) == found.sequence - found.base


@given(steps, st.integers(0, SLOT_BYTES))
def test_torn_in_the_middle_of_a_write_it_is_the_last_word_or_the_one_before(
    steps: list[dict[str, int]], written: int
) -> None:
    """F1: a crash, or a power cut, while a slot is being written."""
    positions, files, _ = history(steps)
    before, after = files[-2], files[-1]
    slot = next(at for at in (0, SLOT_BYTES) if before[at : at + SLOT_BYTES] != after[at : at + SLOT_BYTES])
    torn = before[:slot] + after[slot : slot + written] + before[slot + written :]
    assert loaded(torn) in positions[-2:]


@given(steps, st.integers(0, 2 * SLOT_BYTES - 1), st.integers(1, 255))
def test_damage_to_one_slot_falls_back_to_the_other(steps: list[dict[str, int]], place: int, flip: int) -> None:
    """F3: duplicates only, and no segment that is needed again is gone."""
    positions, files, kept = history(steps)
    data = bytearray(files[-1])
    data[place] ^= flip
    found = loaded(bytes(data))
    assert found in positions[-2:]
    assert found.sequence >= kept[-1]


@given(steps)
def test_damage_to_both_slots_begins_anew(steps: list[dict[str, int]]) -> None:
    """F3: as an exporter that never was here; the account says ``before`` of what lies behind."""
    _, files, _ = history(steps)
    data = bytearray(files[-1])
    data[20] ^= 1
    data[SLOT_BYTES + 20] ^= 1
    assert loaded(bytes(data)) is None


@given(st.binary(max_size=3 * SLOT_BYTES))
def test_any_bytes_are_read_as_nothing(data: bytes) -> None:
    assert loaded(data) is None


@given(steps)
def test_it_goes_on_where_it_was(steps: list[dict[str, int]]) -> None:
    """Started anew before every commit, it keeps what one that lives on keeps."""
    positions, files, kept = history(steps)
    with cursor_file() as path:
        for progress, safe in zip(positions, kept, strict=True):
            cursor = Cursor(path)
            cursor.commit(progress)
            assert cursor.kept == safe
            cursor.close()
        assert path.read_bytes() == files[-1]


def test_a_commit_that_fails_leaves_both_slots_as_they_were(
    tmp_path: Path, files_limited: Callable[[int], AbstractContextManager[None]]
) -> None:
    """F5: however often it is tried; and the one that succeeds is the last word."""
    path = tmp_path / "sink.cursor"
    cursor = Cursor(path)
    first, second, third, fourth, fifth = walk([{"delivered": 1}] * 4)
    cursor.commit(first)
    cursor.commit(second)
    before = path.read_bytes()
    for progress in (third, fourth):
        with files_limited(1), pytest.raises(OSError):  # noqa: PT011 - short, or refused
            cursor.commit(progress)
        assert cursor.progress == progress, "in memory it has moved on"
        assert cursor.kept == first.sequence
    older, newer = read_slots(path.read_bytes())
    assert second in (older.progress, newer.progress)
    assert (
        path.read_bytes()[SLOT_BYTES:] == before[SLOT_BYTES:] or path.read_bytes()[:SLOT_BYTES] == before[:SLOT_BYTES]
    )
    cursor.commit(fifth)
    cursor.close()
    assert loaded(path.read_bytes()) == fifth


def test_both_slots_have_their_room_from_the_start(tmp_path: Path) -> None:
    """F5: on a full disk a cursor can still move."""
    path = tmp_path / "sink.cursor"
    Cursor(path).close()
    assert path.stat().st_blocks * 512 >= 2 * SLOT_BYTES


def test_in_memory_it_only_remembers() -> None:
    cursor = Cursor(None)
    assert cursor.new
    cursor.commit(Progress(sequence=3, counts={"delivered": 3}))
    cursor.sync()
    assert (cursor.progress.sequence, cursor.kept) == (3, 3)


def test_counts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path / "sink.cursor")
    with pytest.raises(OSError, match="fit its slot"):
        cursor.commit(Progress(counts={f"dropped.reason_{number}": 1 for number in range(500)}))
    cursor.close()


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Cursor(tmp_path / "sink.cursor").close()
    finally:
        os.umask(before)
    assert (tmp_path / "sink.cursor").stat().st_mode & 0o777 == 0o600
