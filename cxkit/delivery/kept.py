"""Kept: what lies under a root about somebody, in the spools of all processes and in dead letters; found, and erased.

The owner of a spool erases in its own (`cxkit.delivery.erasure`); in those of owners who are gone, whoever
erases. Letters leave as all letters do (`cxkit.delivery.removal`), and are counted as ``erased``
among those that nobody can read any more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from cxkit.codec.frame import NOBODY, Record
from cxkit.delivery.dead import Letter, exporter_of, open_letters, pieces
from cxkit.delivery.erasure import Meant, erase_in, find_in
from cxkit.delivery.files import LOCK, check_directory, is_locked, lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.removal import Removal, alone, letter_files, unfinished
from cxkit.delivery.segment import open_segments
from cxkit.delivery.spool import Spool
from cxkit.errors import StateError

__all__ = [
    "Found",
    "Left",
    "erase_kept",
    "erase_letters",
    "find_in_own",
    "find_kept",
    "kept_letters",
    "kept_records",
    "keys_of_letters",
]

_DEAD: Final = "dead"
_WAIT_S: Final = 5.0
"""How long whoever erases waits for those who take letters away."""


@attrs.frozen(kw_only=True)
class Found:
    """What is kept about somebody, in records and letters.

    Example:
        >>> Found(own=2, dead={"crm": 1}).total
        3
    """

    own: int = 0
    """In the spools that this process looks after."""
    live: int = 0
    """In those of other processes that are running: they hear of an erasure within a second or so."""
    abandoned: int = 0
    """In those whose owner is gone."""
    dead: Mapping[str, int] = attrs.field(factory=dict)
    """Exporter to dead letters."""
    unread: tuple[str, ...] = ()
    """Spools, and files of letters, that could not be read: what they hold is not known. ``dead``: somebody is
    taking letters away, or was interrupted in it."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.own + self.live + self.abandoned + sum(self.dead.values())


@attrs.frozen(kw_only=True)
class Left:
    """What an erasure came to in what no running process looks after."""

    erased: int = 0
    """Records in spools whose owner is gone."""
    letters: int = 0
    held: tuple[str, ...] = ()
    """Spools with something to erase whose owner lives: it hears of it and does it."""
    unread: tuple[str, ...] = ()
    """Spools that could not be read or are of a later version, and ``dead`` if somebody has the letters in hand."""


def find_kept(root: Path, subjects: frozenset[bytes], *, until: datetime | None = None) -> Found:
    """Look for what is about these subjects, and changes nothing.

    Args:
        until: What occurred later is not meant.

    Raises:
        OSError: A directory is not ours alone.
    """
    return find_in_own((), root, Meant.about(subjects, until))


def find_in_own(own: Iterable[Spool], root: Path | None, meant: Meant) -> Found:
    """The same, for a process with spools.

    Raises:
        OSError: A directory is not ours alone, or the disk fails.
    """
    mine = {spool.name: spool.find(meant) for spool in own}
    others, unread = _find_in_spools(root, meant, mine) if root else ({}, [])
    dead, unopened = _count_letters(root, _meant(meant)) if root else ({}, [])
    return Found(
        own=sum(mine.values()),
        live=others.get(True, 0),
        abandoned=others.get(False, 0),
        dead=dead,
        unread=(*unread, *unopened),
    )


def erase_kept(root: Path, subjects: frozenset[bytes], *, until: datetime | None = None) -> Left:
    """Erase what is about these subjects in spools whose owners are gone and in dead letters, and tell what is left.

    Args:
        until: What occurred later stays.

    Raises:
        OSError: A directory is not ours alone, or the disk fails.
    """
    meant = Meant.about(subjects, until)
    letters = erase_letters(root, meant, wait_s=_WAIT_S)  # first: of those given back the spool is abandoned
    count, held, unread = 0, [], []
    for path in _spools_under(root):
        try:
            done, left = _erase_abandoned(path, meant)
        except FileNotFoundError:
            continue  # removed just now: all of it was delivered
        except OSError:
            unread.append(path.name)
            continue
        count += done
        held += [path.name] if left else []
    if letters is None:
        unread.append(_DEAD)
    return Left(erased=count, letters=letters or 0, held=tuple(held), unread=tuple(unread))


def erase_letters(root: Path, meant: Meant, *, wait_s: float) -> int | None:
    """Erase dead letters; how many, or None if some could not be, for somebody has them in hand.

    Args:
        wait_s: How long to wait for whoever takes letters away.

    Raises:
        OSError: The directory is not ours alone, or the disk fails.
    """
    chosen = _meant(meant)
    found, unread = _count_letters(root, chosen)
    if not (found or unread):
        return 0
    count = 0
    try:
        with alone(root, wait_s=wait_s):
            found, unread = _count_letters(root, chosen)  # again: what others were interrupted in is brought about
            busy = bool(unread)
            for exporter in sorted(found):
                removed = Removal(root, exporter, chosen, word="erased").run()
                count += removed.letters
                busy |= removed.busy > 0
    except StateError:
        return None
    return None if busy else count


def keys_of_letters(root: Path | None) -> set[str]:
    """Whom dead letters are about, of those that can be read: in hexadecimal."""
    found: set[bytes] = set()
    for path in letter_files(root) if root else ():
        with suppress(OSError):
            found.update(record.subject for record, _ in _letters_in(path))
    return {subject.hex() for subject in found - {NOBODY}}


def _meant(meant: Meant) -> Callable[[Record, Letter], bool]:
    """The same, of letters."""
    return lambda record, letter: meant(record._replace(payload=bytes(letter.interaction)))


def _count_letters(root: Path, chosen: Callable[[Record, Letter], bool]) -> tuple[dict[str, int], list[str]]:
    letters, unread = kept_letters(root, chosen)
    return dict(Counter(exporter for exporter, _, _ in letters)), unread


def kept_letters(
    root: Path, chosen: Callable[[Record, Letter], bool]
) -> tuple[list[tuple[str, Record, Letter]], list[str]]:
    """Chosen letters, each with its exporter, and the files that could not be read; ``dead``: some are in hand.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it.
    """
    found: list[tuple[str, Record, Letter]] = []
    unread = [_DEAD] if unfinished(root) else []
    for path in letter_files(root):
        try:
            found += [
                (exporter_of(path), record, letter) for record, letter in _letters_in(path) if chosen(record, letter)
            ]
        except FileNotFoundError:
            continue  # taken just now: where it went it is found, or by whoever looks again
        except OSError:
            unread.append(path.name)
    return found, unread


def _letters_in(path: Path) -> Iterator[tuple[Record, Letter]]:
    opened = open_letters(path)
    if opened is None:
        return
    try:
        for one in pieces(*opened):
            if one.record and one.letter:
                yield one.record, one.letter
    finally:
        os.close(opened[0])


def _spools_under(root: Path) -> list[Path]:
    try:
        check_directory(root / "spool")
    except FileNotFoundError:
        return []
    return sorted((root / "spool").glob("[!.]*/"))


def _find_in_spools(root: Path, meant: Meant, mine: Mapping[str, int]) -> tuple[dict[bool, int], list[str]]:
    """How many records there are in the spools of others, by whether their owner lives; and what could not be read."""
    found: dict[bool, int] = {}
    unread: list[str] = []
    for path in _spools_under(root):
        if path.name in mine:
            continue
        try:
            lives, count = is_locked(path / LOCK), len(_records_in(path, meant))
        except FileNotFoundError:
            continue
        except OSError:
            unread.append(path.name)
            continue
        found[lives] = found.get(lives, 0) + count
    return found, unread


def kept_records(root: Path, meant: Meant) -> tuple[list[tuple[str, Record]], list[str]]:
    """What the spools of all processes hold of it, each with its spool, and the spools that could not be read.

    Raises:
        OSError: ``spool/`` is not ours alone.
    """
    found: list[tuple[str, Record]] = []
    unread = []
    for path in _spools_under(root):
        try:
            found += [(path.name, record) for record in _records_in(path, meant)]
        except FileNotFoundError:
            continue  # removed just now: all of it was delivered
        except OSError:
            unread.append(path.name)
    return found, unread


def _records_in(path: Path, meant: Meant) -> list[Record]:
    segments = open_segments(path)
    try:
        return [record for segment in segments for _, record in find_in(segment, meant)]
    finally:
        for segment in segments:
            segment.close()


def _erase_abandoned(path: Path, meant: Meant) -> tuple[int, bool]:
    """How many records were erased, and whether there are some that their owner has to erase."""
    owned = lock(path / LOCK)
    if owned is None:
        return 0, bool(_records_in(path, meant))
    try:
        segments = open_segments(path)
        try:
            return erase_in(segments, meant), False
        finally:
            for segment in segments:
                segment.close()
    finally:
        let_go(owned)
