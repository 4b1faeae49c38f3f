"""Dead letters: readable whatever was cut short, bounded, and nobody else's business."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec.frame import Record, pack
from cxkit.delivery import dead
from cxkit.delivery.dead import MAX_LETTER_BYTES, DeadLetters, open_letters, pieces, read_dead, read_letters

AT = "2026-11-21T10:30:00Z"


def test_a_letter_says_who_refused_what_when_and_why(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    letters.add(Record(b'{"id":"1"}'), reason="http_400", at=AT)
    letters.add(Record(b'{"id":"2"}'), reason="unknown_type", at=AT)
    assert read_dead(tmp_path / "dead" / "sink-token.dead") == [
        {"exporter": "sink", "reason": "http_400", "at": AT, "interaction": {"id": "1"}},
        {"exporter": "sink", "reason": "unknown_type", "at": AT, "interaction": {"id": "2"}},
    ]
    assert (tmp_path / "dead").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "dead" / "sink-token.dead").stat().st_mode & 0o777 == 0o600


def test_the_largest_interaction_with_the_longest_reason_can_be_read(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    payload = b'{"id":"' + b"x" * (MAX_LETTER_BYTES - 9) + b'"}'
    assert len(payload) == MAX_LETTER_BYTES
    letters.add(Record(payload), reason="\x00" * 5000, at=AT)
    (letter,) = read_dead(tmp_path / "dead" / "sink-token.dead")
    assert letter["reason"] == "\x00" * 1024


def test_a_letter_that_does_not_fit_the_disk_is_told_and_leaves_nothing(
    tmp_path: Path, files_limited: Callable[[int], AbstractContextManager[None]]
) -> None:
    """F5: a short write is cut off again."""
    letters, path = DeadLetters(tmp_path / "dead", "sink", "token"), tmp_path / "dead" / "sink-token.dead"
    letters.add(Record(b"1"), reason="a", at=AT)
    size = path.stat().st_size
    with files_limited(size + size // 2), pytest.raises(OSError, match=r"space|large"):
        letters.add(Record(b"2"), reason="a", at=AT)
    assert path.stat().st_size == size
    letters.add(Record(b"3"), reason="a", at=AT)
    assert [letter["interaction"] for letter in read_dead(path)] == [1, 3]


def test_there_is_an_end_to_letters(tmp_path: Path) -> None:
    """A receiver that refuses everything must not fill the disk, not even over many starts."""
    (tmp_path / "dead").mkdir(mode=0o700)
    with (tmp_path / "dead" / "sink-earlier.dead").open("wb") as file:
        file.truncate(dead.QUOTA_BYTES)
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    assert letters.add(Record(b"1"), reason="a", at=AT) == "no_room"
    # Another's, even of one whose name begins alike, are not counted.
    for name in ("other", "sink-2"):
        assert not DeadLetters(tmp_path / "dead", name, "token").add(Record(b"1"), reason="a", at=AT)
    assert letters.add(Record(b"1"), reason="a", at=AT) == "no_room"
    assert (tmp_path / "dead" / "sink-token.dead").stat().st_size == 0
    assert len(read_dead(tmp_path / "dead" / "other-token.dead")) == 1


def test_when_there_is_room_again_letters_are_kept_again(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir(mode=0o700)
    earlier = tmp_path / "dead" / "sink-earlier.dead"
    with earlier.open("wb") as file:
        file.truncate(dead.QUOTA_BYTES)
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    assert letters.add(Record(b"1"), reason="a", at=AT) == "no_room"
    earlier.unlink()
    deadline = time.monotonic() + 20
    while letters.add(Record(b"2"), reason="a", at=AT):
        assert time.monotonic() < deadline, "it does not look again"


@pytest.mark.parametrize("how", ["moved", "locked", "removed"])
def test_who_takes_a_file_in_hand_gets_no_more_letters_in_it(tmp_path: Path, how: str) -> None:
    letters, path = DeadLetters(tmp_path / "dead", "sink", "token"), tmp_path / "dead" / "sink-token.dead"
    letters.add(Record(b"1"), reason="a", at=AT)
    with path.open("rb+") as file:
        if how == "locked":
            fcntl.flock(file, fcntl.LOCK_EX)
        elif how == "moved":
            path.rename(tmp_path / "taken")
        else:
            path.unlink()
        letters.add(Record(b"2"), reason="a", at=AT)
        letters.add(Record(b"3"), reason="a", at=AT)
        (first,) = pieces(file.fileno(), os.fstat(file.fileno()).st_size)
        assert first.letter is not None
    others = [one for one in (tmp_path / "dead").iterdir() if how != "locked" or one != path]
    assert [letter["interaction"] for one in others for letter in read_dead(one)] == [2, 3]


MOVED_IN_BETWEEN = """
import os, sys
from pathlib import Path
from cxkit.codec.frame import Record
from cxkit.delivery.dead import DeadLetters, read_dead

letters, path = DeadLetters(Path("dead"), "sink", "token"), Path("dead/sink-token.dead")
letters.add(Record(b"1"), reason="a", at="2026-11-21T10:30:00Z")

def moved(event, arguments):
    if event == "fcntl.flock" and path.exists():
        path.rename("taken")

sys.addaudithook(moved)
letters.add(Record(b"2"), reason="a", at="2026-11-21T10:30:00Z")
(other,) = Path("dead").iterdir()
assert [one["interaction"] for one in read_dead(other)] == [2]
assert [one["interaction"] for one in read_dead(Path("taken"))] == [1]
"""


def test_a_file_that_is_moved_between_opening_and_locking_it_gets_no_letter(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", MOVED_IN_BETWEEN], cwd=tmp_path, check=True, timeout=60)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.data())
def test_all_bytes_of_a_file_are_accounted_for_whatever_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    """F3: what stays is copied piece by piece, so nothing may be between two of them."""
    path = tmp_path_factory.mktemp("dead") / "sink-token.dead"
    path.parent.chmod(0o700)
    letters = DeadLetters(path.parent, "sink", "token")
    for number, size in enumerate(sizes):
        letters.add(Record(b'"%d%s"' % (number, b"x" * size)), reason="a", at=AT)
    damaged = bytearray(path.read_bytes())
    places = data.draw(st.sets(st.integers(0, len(damaged) - 1), max_size=4))
    for place in places:
        damaged[place] ^= 0x55
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    opened = open_letters(path)
    assert opened is not None
    found = list(pieces(*opened))
    os.close(opened[0])
    ends = [0, *(one.end for one in found)]
    assert [one.start for one in found] == ends[:-1]
    assert ends[-1] == path.stat().st_size
    whole = [bytes(one.letter.interaction) for one in found if one.letter]
    assert set(whole) <= {b'"%d%s"' % (number, b"x" * size) for number, size in enumerate(sizes)}
    if not places:
        assert [one.letter is None for one in found[:-1]] == [False] * len(found[:-1])


def test_a_letter_being_written_is_no_damaged_one(tmp_path: Path) -> None:
    """A reader waits for whoever holds the lock, and not for ever."""
    letters, path = DeadLetters(tmp_path / "dead", "sink", "token"), tmp_path / "dead" / "sink-token.dead"
    letters.add(Record(b"1"), reason="a", at=AT)
    whole = path.read_bytes()
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(whole + whole[: len(whole) // 2])
        file.flush()
        writing = threading.Timer(0.05, lambda: (file.write(whole[len(whole) // 2 :]), file.flush(), file.close()))
        writing.start()
        opened = open_letters(path)
        writing.join()
    assert opened is not None
    assert [one.letter is not None for one in pieces(*opened)] == [True, True]
    os.close(opened[0])


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "sparse"])
def test_what_is_called_like_a_file_of_letters_and_is_none_is_passed_over(tmp_path: Path, kind: str) -> None:
    """S14."""
    path = tmp_path / "sink-token.dead"
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(b"")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(10 << 30)
    assert open_letters(path) is None
    assert read_dead(path) == []


def test_neither_a_link_nor_an_open_directory_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir(mode=0o700)
    (tmp_path / "dead" / "sink-token.dead").symlink_to(tmp_path / "elsewhere")
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    with pytest.raises(OSError, match="symbolic"):
        letters.add(Record(b"1"), reason="a", at=AT)
    os.chmod(tmp_path / "dead", 0o777)
    with pytest.raises(PermissionError):
        DeadLetters(tmp_path / "dead", "other", "token").add(Record(b"1"), reason="a", at=AT)
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    DeadLetters(None, "sink", "token").add(Record(b"1"), reason="a", at=AT)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_frame_that_is_no_letter_is_left_out(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    letters.add(Record(b"1"), reason="a", at=AT)
    path = tmp_path / "dead" / "sink-token.dead"
    with path.open("ab") as file:
        file.write(pack(Record(b'{"reason":1}')) + pack(Record(b"[]")) + pack(Record(b"no JSON")))
    letters.add(Record(b"2"), reason="b", at=AT)
    assert [(one.reason, bytes(one.interaction)) for one in read_letters(path)] == [("a", b"1"), ("b", b"2")]
