"""Dead letters: what an exporter's other side refused for ever, kept for an operator to look at.

The same frames as a spool, under ``dead/``; each payload is a JSON object ``{"exporter", "reason",
"at", "interaction"}``, and the rest of the frame is that of the interaction's own record. A file is
appended to by one lane, ``EXPORTER-TOKEN.dead``, which locks it for each letter. Who takes letters
away (``removal``) locks it too, and moves it: then the lane begins another.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from cxkit.codec.frame import MAX_PAYLOAD_BYTES, Record, pack
from cxkit.delivery.files import check_directory, sync_directory, sync_file
from cxkit.delivery.forks import held, let_go
from cxkit.delivery.segment import READ_BYTES, next_frame

__all__ = [
    "MAX_LETTER_BYTES",
    "QUOTA_BYTES",
    "DeadLetters",
    "Letter",
    "Piece",
    "exporter_of",
    "open_letters",
    "pieces",
    "read_dead",
    "read_letters",
]

_REASON_CHARS: Final = 1024
MAX_LETTER_BYTES: Final = MAX_PAYLOAD_BYTES - 8192
"""The most an interaction may take, so that it still fits its frame with a letter around it."""
QUOTA_BYTES: Final = 64 << 20
"""What the letters of one exporter may take in all; a file's last letter may reach beyond."""
_LOOK_AGAIN_S: Final = 1.0
_TRIES: Final = 3
_WRITING_S: Final = 0.2
"""Longer than it takes to write a letter; who was stopped in the middle of it must not stop readers."""
_STEP_S: Final = 0.002


class Letter(msgspec.Struct):
    """What was refused, by whom, when and why."""

    exporter: str
    reason: str
    """The exporter's own word."""
    at: str
    interaction: msgspec.Raw
    """A CloudEvent in JSON."""

    @property
    def refused_at(self) -> datetime | None:
        """``at``, unless it is no time."""
        try:
            found = datetime.fromisoformat(self.at)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)


_letter: Final = msgspec.json.Decoder(Letter)


class DeadLetters:
    """The dead letters of one exporter in one process; in a directory, or nowhere if that is None."""

    def __init__(self, directory: Path | None, exporter: str, token: str) -> None:
        self.directory = directory
        self._exporter = exporter
        self._token = token
        self._others_bytes = 0
        self._look_again_at = 0.0
        self._unsynced: Path | None = None

    def add(
        self, record: Record, *, reason: str, at: str, erased: Callable[[], bool] = lambda: False
    ) -> Literal["", "no_room", "erased"]:
        """Keep one, or say why not.

        Args:
            erased: Whether whom it is about was erased. Asked while nobody can read the file: whoever erases
                has either not looked into it yet, or has made this known.

        Raises:
            OSError: It could not be kept.
        """
        if self.directory is None:
            return ""
        letter = Letter(self._exporter, reason[:_REASON_CHARS], at, msgspec.Raw(record.payload))
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_directory(self.directory)
        path, descriptor = self._open(self.directory)
        try:
            if erased():
                return "erased"
            if os.fstat(descriptor).st_size + self._bytes_of_others(path) >= QUOTA_BYTES:
                return "no_room"
            _append(descriptor, pack(record._replace(payload=msgspec.json.encode(letter))))
            self._unsynced = path
        finally:
            let_go(descriptor)
        return ""

    def sync(self) -> None:
        """Put on disk what was added, as far as that can be: before it is written down that it is dealt with."""
        path, self._unsynced = self._unsynced, None
        if path is None:
            return
        try:
            sync_file(path)
            sync_directory(path.parent)
        except OSError:
            pass  # somebody has taken the letters, and syncs what becomes of them; or a power cut costs them

    def _open(self, directory: Path) -> tuple[Path, int]:
        """The file to append to, locked; another if somebody has it in hand, or has moved it meanwhile."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        for _ in range(_TRIES):
            path = directory / f"{self._exporter}-{self._token}.dead"
            descriptor = held(os.open(path, flags, 0o600))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    return path, descriptor
            except (BlockingIOError, FileNotFoundError):
                pass
            let_go(descriptor)
            self._token = secrets.token_hex(8)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(directory))

    def _bytes_of_others(self, path: Path) -> int:
        """What the exporter's other files take, as of a moment ago."""
        if time.monotonic() >= self._look_again_at:
            self._look_again_at = time.monotonic() + _LOOK_AGAIN_S
            files = path.parent.glob(f"{self._exporter}-*.dead")
            others = [one for one in files if one != path and exporter_of(one) == self._exporter]
            self._others_bytes = sum(map(_size, others))
        return self._others_bytes


def exporter_of(path: Path) -> str:
    """Whose letters a file holds."""
    return path.stem.rpartition("-")[0]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _append(descriptor: int, frame: bytes) -> None:
    """All of it or, if the disk is full, nothing."""
    before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, frame) < len(frame):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, before)
        raise


# --- reading --------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A run of bytes in a file of letters: a letter, or what is damaged between two."""

    start: int
    end: int
    record: Record | None = None
    letter: Letter | None = None


def open_letters(path: Path) -> tuple[int, int] | None:
    """A descriptor to read letters from, and where they end now; None if it is no file of letters of ours.

    Raises:
        FileNotFoundError: It is gone.
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):  # to open some kinds of file is to do something
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = _settled(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_size <= 2 * QUOTA_BYTES:
            ours, descriptor = descriptor, -1
            return ours, found.st_size
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _settled(descriptor: int) -> os.stat_result:
    """What a file is while nobody is writing: else a letter half written would be taken for a damaged one."""
    deadline = time.monotonic() + _WRITING_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < deadline:
                time.sleep(_STEP_S)
                continue
        try:
            return os.fstat(descriptor)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def pieces(descriptor: int, end: int) -> Iterator[Piece]:
    """All that is in a file up to ``end``, in order, without gaps."""
    start = told = 0
    while data := os.pread(descriptor, min(READ_BYTES, end - start), start):
        offset, whole = 0, start + len(data) >= end
        while offset < len(data):
            record, following = next_frame(data, offset, whole=whole)
            if following == offset:
                break  # the frame goes on behind what was read
            letter = _letter_in(record)
            if letter is not None:
                if told < start + offset:
                    yield Piece(told, start + offset)
                told = start + following
                yield Piece(start + offset, told, record, letter)
            offset = following
        start += offset
    if told < end:
        yield Piece(told, end)


def _letter_in(record: Record | None) -> Letter | None:
    try:
        return _letter.decode(record.payload) if record else None
    except msgspec.MsgspecError:
        return None  # whole, and no letter


def read_letters(path: Path) -> Iterator[Letter]:
    """The letters of one file, the oldest first; damaged ones are left out, and so is a file that is not ours.

    Raises:
        OSError: It cannot be read.
    """
    opened = open_letters(path)
    if opened is None:
        return
    descriptor, end = opened
    try:
        for piece in pieces(descriptor, end):
            if piece.letter is not None:
                yield piece.letter
    finally:
        os.close(descriptor)


def read_dead(path: Path) -> list[dict[str, object]]:
    """The same, each letter as plain JSON.

    Raises:
        OSError: It cannot be read.
    """
    return [
        {
            "exporter": one.exporter,
            "reason": one.reason,
            "at": one.at,
            "interaction": msgspec.json.decode(one.interaction),
        }
        for one in read_letters(path)
    ]
