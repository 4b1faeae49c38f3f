"""Dead letters as they lie there: which there are, and how many of what kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple

import attrs
import msgspec

from cxkit.delivery.dead import QUOTA_BYTES, Letter, exporter_of, open_letters, pieces
from cxkit.delivery.removal import letter_files

__all__ = ["Alike", "Held", "One", "Survey", "Wanted", "id_of", "letters", "survey"]

_WORD: Final = re.compile(r"[a-z0-9_.-]{1,64}")
"""What a reason may look like to be shown unasked: anything else could hold what nobody should read here."""
_NEAR: Final = 0.9


class _Named(msgspec.Struct):
    id: str = ""


_named: Final = msgspec.json.Decoder(_Named)


@attrs.frozen(kw_only=True)
class Wanted:
    """Which letters; None is any."""

    exporter: str | None = None
    reason: str | None = None
    """A pattern, with ``*`` and ``?``."""
    since: datetime | None = None
    before: datetime | None = None
    id: str | None = None
    """How the id of the interaction begins."""

    @property
    def all(self) -> bool:
        """Whether all letters of an exporter are wanted, and not a choice of them."""
        return (self.reason, self.since, self.before, self.id) == (None, None, None, None)

    def takes(self, letter: Letter) -> bool:
        """Whether a letter of the exporter is one of them."""
        if self.since or self.before:
            at = letter.refused_at
            if at is None or (self.since and at < self.since) or (self.before and at >= self.before):
                return False
        if self.reason is not None and not fnmatchcase(letter.reason, self.reason):
            return False
        return self.id is None or id_of(letter).startswith(self.id)


@attrs.define
class Alike:
    """Letters of one exporter that were refused for one reason."""

    number: int = 0
    bytes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    """When they were refused; None if none of them says."""

    def add(self, letter: Letter, size: int) -> None:
        self.number += 1
        self.bytes += size
        at = letter.refused_at
        if at is not None:
            self.oldest = min(at, self.oldest or at)
            self.newest = max(at, self.newest or at)


@attrs.define
class Held:
    """What there is of one exporter."""

    bytes: int = 0
    """What its files take, whatever is wanted of them."""
    damaged: int = 0
    """Runs of bytes that are no letters any more."""
    reasons: dict[str, Alike] = attrs.field(factory=dict)

    @property
    def number(self) -> int:
        return sum(one.number for one in self.reasons.values())

    @property
    def near(self) -> bool:
        """Whether there is hardly room for more."""
        return self.bytes >= _NEAR * QUOTA_BYTES


@attrs.define
class Survey:
    """What there is in a root."""

    exporters: dict[str, Held] = attrs.field(factory=dict)
    strange: list[Path] = attrs.field(factory=list)
    """What is called like a file of letters, and is none of ours."""


class One(NamedTuple):
    """A letter, in the files of this exporter."""

    exporter: str
    letter: Letter
    bytes: int


def letters(root: Path, wanted: Wanted, found: Survey) -> Iterator[One]:
    """The letters that are wanted, file by file, the oldest of each first; the rest is noted in ``found``.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it; or a file cannot be read.
    """
    for path in letter_files(root):
        exporter = exporter_of(path)
        if wanted.exporter not in (None, exporter):
            continue
        try:
            opened = open_letters(path)
        except FileNotFoundError:  # somebody has just taken it in hand
            continue
        if opened is None:
            found.strange.append(path)
            continue
        try:
            if opened[1]:
                held = found.exporters.setdefault(exporter, Held())
                held.bytes += opened[1]
                for piece in pieces(*opened):
                    if piece.letter is None:
                        held.damaged += 1
                    elif wanted.takes(piece.letter):
                        yield One(exporter, piece.letter, piece.end - piece.start)
        finally:
            os.close(opened[0])


def survey(root: Path, wanted: Wanted = Wanted()) -> Survey:
    """How many there are of each kind.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it; or a file cannot be read.
    """
    found = Survey()
    for one in letters(root, wanted, found):
        reason = one.letter.reason if _WORD.fullmatch(one.letter.reason) else "other"
        found.exporters[one.exporter].reasons.setdefault(reason, Alike()).add(one.letter, one.bytes)
    return found


def id_of(letter: Letter) -> str:
    """The id of its interaction, or nothing."""
    try:
        return _named.decode(letter.interaction).id
    except msgspec.MsgspecError:
        return ""
