"""Dead letters: readable whatever was cut short, bounded, and nobody else's business."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from cxkit.codec.frame import Record, pack
from cxkit.delivery import dead
from cxkit.delivery.dead import MAX_LETTER_BYTES, DeadLetters, read_dead, read_letters

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


def test_a_letter_cut_short_costs_itself(
    tmp_path: Path, files_limited: Callable[[int], AbstractContextManager[None]]
) -> None:
    letters = DeadLetters(tmp_path / "dead", "sink", "token")
    letters.add(Record(b"1"), reason="a", at=AT)
    size = (tmp_path / "dead" / "sink-token.dead").stat().st_size
    with files_limited(size + size // 2):
        letters.add(Record(b"2"), reason="a", at=AT)
    letters.add(Record(b"3"), reason="a", at=AT)
    assert [letter["interaction"] for letter in read_dead(tmp_path / "dead" / "sink-token.dead")] == [1, 3]


def test_there_is_an_end_to_letters(tmp_path: Path) -> None:
    """A receiver that refuses everything must not fill the disk, not even over many starts."""
    (tmp_path / "dead").mkdir(mode=0o700)
    with (tmp_path / "dead" / "sink-earlier.dead").open("wb") as file:
        file.truncate(dead._MOST_BYTES)
    DeadLetters(tmp_path / "dead", "sink", "token").add(Record(b"1"), reason="a", at=AT)
    DeadLetters(tmp_path / "dead", "other", "token").add(Record(b"1"), reason="a", at=AT)
    assert (tmp_path / "dead" / "sink-token.dead").stat().st_size == 0
    assert len(read_dead(tmp_path / "dead" / "other-token.dead")) == 1


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
