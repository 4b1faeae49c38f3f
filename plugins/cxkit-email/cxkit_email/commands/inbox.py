"""Mails that came in, as files, folders and mailboxes hold them: one at a time, however many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from cxkit_email.inbound.mail import MAX_BYTES

__all__ = ["Held", "Unread", "held", "many", "size"]

_MAILDIR: Final = ("cur", "new")
_LINE: Final = 1 << 16


@attrs.frozen(kw_only=True)
class Held:
    """A mail: as much of it as `classify` reads."""

    path: Path
    raw: bytes = attrs.field(repr=False)
    number: int | None = None
    """Of the mail in a mailbox, from 1."""


@attrs.frozen(kw_only=True)
class Unread:
    """A file that cannot be read, and why."""

    path: Path
    why: str


def many(path: Path) -> bool:
    """Whether it is a folder or a mailbox.

    Raises:
        OSError: It cannot be read.
    """
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(5) == b"From "


def size(path: Path) -> int:
    """How many octets there are to read, by what the folders say."""
    return sum(map(_size, _files(path)))


def held(path: Path, moved: Callable[[int], None] = lambda octets: None) -> Iterator[Held | Unread]:
    """The mails of a file, a folder or a mailbox, in the order of names; what is in folders is never a mailbox.

    A Maildir has them in ``cur`` and ``new``, what is in ``tmp`` is not there yet. Of another folder all files are
    mails, those below it too; but not those whose names begin with a dot.

    Args:
        moved: Told how many octets are done.

    Raises:
        OSError: A file or folder that was asked for by its name cannot be read.
    """
    if path.is_dir():
        for one in _files(path):
            try:
                with one.open("rb") as file:
                    raw = file.read(MAX_BYTES + 1)
            except OSError as error:  # moved to another folder by a program that read it, say
                yield Unread(path=one, why=error.strerror or type(error).__name__)
            else:
                yield Held(path=one, raw=raw)
                moved(_size(one))
        return
    with path.open("rb") as file:
        if file.read(5) == b"From ":
            file.seek(0)
            for number, raw in enumerate(_parted(file, moved), 1):
                yield Held(path=path, raw=raw, number=number)
        else:
            file.seek(0)
            yield Held(path=path, raw=file.read(MAX_BYTES + 1))
            moved(_size(path))


def _files(path: Path) -> Iterator[Path]:
    """Those of a folder, depth first."""
    if not path.is_dir():
        yield path
        return
    maildir = all((path / one).is_dir() for one in _MAILDIR)
    for name in sorted(os.listdir(path)):  # not `Path.iterdir`: there may be very many
        one = path / name
        if one.is_dir() and not one.is_symlink():
            if not maildir or one.name in _MAILDIR or one.name.startswith("."):
                yield from _files(one)
        elif one.is_file() and not maildir and not one.name.startswith("."):
            yield one


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _parted(file: BinaryIO, moved: Callable[[int], None]) -> Iterator[bytes]:
    """The mails of a mailbox: each begins with a line "From ", after an empty one (RFC 4155)."""
    raw, octets = bytearray(), 0
    blank, fresh = True, True
    while line := file.readline(_LINE):
        if blank and fresh and line.startswith(b"From "):
            if octets:
                yield bytes(raw)
            moved(octets)
            raw, octets = bytearray(), 0
        else:
            raw += line[: MAX_BYTES + 1 - len(raw)]
        octets += len(line)
        blank, fresh = fresh and line in (b"\n", b"\r\n"), line.endswith(b"\n")
    yield bytes(raw)
    moved(octets)
