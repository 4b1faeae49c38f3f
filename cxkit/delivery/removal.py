"""Letters leave: given back to the exporter that refused them, or removed; all that were asked for, or none.

Who does it holds ``dead/.lock``, and works in a directory of its own, ``dead/.TOKEN.begun``. The files
in question are moved there, what stays of them is written beside them, and what is given back into
a spool that nobody sees yet. All of it is put on disk; then the directory is renamed to
``.TOKEN.decided``, and what that says is brought about: the spool is shown and adopted like that of
any process that is gone, the ledger told, what stays put back, the rest removed.

Whoever is next undoes what was begun, and finishes what was decided. So after any crash each letter is
in one place, and in the account under one name.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import msgspec

from cxkit.codec.frame import Record
from cxkit.delivery.account import Ledger
from cxkit.delivery.dead import Letter, exporter_of, open_letters, pieces
from cxkit.delivery.files import check_directory, lock, read_small, sync_directory, sync_file, write_whole
from cxkit.delivery.forks import let_go
from cxkit.delivery.returns import Returns
from cxkit.errors import StateError

__all__ = ["Removal", "Removed", "alone", "give_back", "letter_files", "remove", "unfinished"]

_BEGUN: Final = ".begun"
_DECIDED: Final = ".decided"
_TAKEN: Final = "taken"
_LEFT: Final = "left"
_PLAN: Final = "plan.json"
_FILE_WAIT_S: Final = 1.0

Chosen = Callable[[Letter], bool]


@attrs.frozen(kw_only=True)
class Removed:
    """What a removal came to."""

    letters: int = 0
    damaged: int = 0
    """Runs of bytes that were no letters any more."""
    busy: int = 0
    """Files that could not be taken in hand, for somebody has them."""


class _Plan(msgspec.Struct):
    """What is to be brought about, apart from what lies in the directory."""

    exporter: str
    spooled: int
    counts: dict[str, int]


_plan: Final = msgspec.json.Decoder(_Plan)


# --- looking --------------------------------------------------------------------------------------


def letter_files(root: Path) -> list[Path]:
    """All files of letters, those included that somebody has in hand.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it.
    """
    dead = root / "dead"
    try:
        check_directory(dead)
    except FileNotFoundError:
        return []
    places = ("*.dead", f".*{_BEGUN}/{_TAKEN}/*.dead", f".*{_DECIDED}/{_LEFT}/*.dead")
    return sorted((path for place in places for path in dead.glob(place)), key=lambda path: path.name)


def unfinished(root: Path) -> int:
    """How many removals have been begun and are not finished; by somebody at work, or who was interrupted."""
    return sum(path.suffix in (_BEGUN, _DECIDED) for path in (root / "dead").glob(".*"))


# --- doing ----------------------------------------------------------------------------------------


@contextmanager
def alone(root: Path, *, wait_s: float) -> Iterator[None]:
    """Be the only one to take letters away; what somebody was interrupted in is undone or finished first.

    Raises:
        StateError: Somebody else is at it (CX7007).
        OSError: ``dead/`` is not there, is a link, or others may write to it; or the disk fails.
    """
    dead = root / "dead"
    check_directory(dead)
    held = lock(dead / ".lock", wait_s=wait_s)
    if held is None:
        raise StateError(
            "somebody else is taking dead letters away", fix="wait until they are done, then try again", code="CX7007"
        )
    try:
        for path in sorted(dead.glob(f".*{_DECIDED}")):
            _finish(root, path)
        for path in sorted(dead.glob(f".*{_BEGUN}")):
            _undo(root, path)
        yield
    finally:
        let_go(held)


def give_back(
    root: Path, exporter: str, chosen: Chosen, *, segment_bytes: int, moved: Callable[[int], object] = lambda size: None
) -> Removed:
    """Spool the letters of an exporter again, for it alone; for whoever is `alone`.

    Args:
        moved: Told how many bytes have been dealt with since it was told before.

    Raises:
        OSError: The disk fails; all letters are where they were.
    """
    returns = Returns(root / "spool", exporter, segment_bytes=segment_bytes)
    return Removal(root, exporter, lambda _, letter: chosen(letter), returns=returns, moved=moved).run()


def remove(
    root: Path, exporter: str, chosen: Chosen, *, damaged: bool, moved: Callable[[int], object] = lambda size: None
) -> Removed:
    """Remove letters of an exporter for good; for whoever is `alone`.

    Args:
        damaged: Whether what is damaged goes, too.

    Raises:
        OSError: The disk fails; all letters are where they were.
    """
    return Removal(
        root,
        exporter,
        lambda _, letter: chosen(letter),
        word="purged",
        damaged_before=math.inf if damaged else 0.0,
        moved=moved,
    ).run()


class Removal:
    """One removal, of letters of one exporter; for whoever is `alone`.

    Args:
        chosen: Which letters go.
        returns: Where they go; None removes them.
        word: Under what removed letters are counted from now on, among those that nobody can read.
        damaged_before: What is damaged goes, too, of files last written before that (Unix seconds).
    """

    def __init__(
        self,
        root: Path,
        exporter: str,
        chosen: Callable[[Record, Letter], bool],
        *,
        returns: Returns | None = None,
        word: str = "",
        damaged_before: float = 0.0,
        moved: Callable[[int], object] = lambda size: None,
    ) -> None:
        self._root = root
        self._exporter = exporter
        self._chosen = chosen
        self._returns = returns
        self._word = word
        self._damaged_before = damaged_before
        self._moved = moved
        self._token = secrets.token_hex(8)
        self._directory = root / "dead" / f".{self._token}{_BEGUN}"
        self._letters = self._damaged = self._busy = 0

    def run(self) -> Removed:
        """Do it, or leave all as it was."""
        try:
            self._take()
            for path in sorted((self._directory / _TAKEN).iterdir(), key=_written_at):
                self._divide(path)
            if self._letters or self._damaged:
                decided = self._decide()
            else:
                decided = None
                _undo(self._root, self._directory)
        except BaseException:  # the app's own, too: whatever came in between, all is put back
            if self._directory.exists():
                _undo(self._root, self._directory)
            raise
        if decided is not None:
            _finish(self._root, decided)
        return Removed(letters=self._letters, damaged=self._damaged, busy=self._busy)

    def _take(self) -> None:
        """Set the files aside that hold any of it; whoever appends to one begins another."""
        dead = self._root / "dead"
        for directory in (self._directory, self._directory / _TAKEN, self._directory / _LEFT):
            directory.mkdir(mode=0o700)
        for path in dead.glob("*.dead"):
            if exporter_of(path) == self._exporter and self._concerns(path):
                held = lock(path, wait_s=_FILE_WAIT_S)
                if held is None:
                    self._busy += 1
                    continue
                path.rename(self._directory / _TAKEN / path.name)
                let_go(held)
        for directory in (dead, self._directory / _TAKEN):
            sync_directory(directory)

    def _concerns(self, path: Path) -> bool:
        with _reading(path) as opened:
            if opened is None:
                return False
            goes = os.fstat(opened[0]).st_mtime < self._damaged_before
            found = pieces(*opened)
            return any(self._chosen(one.record, one.letter) if one.record and one.letter else goes for one in found)

    def _divide(self, path: Path) -> None:
        """What stays is copied as it is; what goes is counted, and spooled if it is to be."""
        with _reading(path) as opened, (self._directory / _LEFT / self._name).open("ab") as left:
            assert opened is not None, "it was, when it was taken"
            goes = os.fstat(opened[0]).st_mtime < self._damaged_before
            for piece in pieces(*opened):
                if piece.letter is None or piece.record is None:
                    self._damaged += goes
                    stays = not goes
                else:
                    stays = not self._chosen(piece.record, piece.letter)
                    self._letters += not stays and self._goes(piece.record, piece.letter)
                if stays:
                    left.write(os.pread(opened[0], piece.end - piece.start, piece.start))
                self._moved(piece.end - piece.start)

    @property
    def _name(self) -> str:
        return f"{self._exporter}-{self._token}.dead"

    def _goes(self, record: Record, letter: Letter) -> bool:
        return self._returns is None or self._returns.add(self._token, record, letter)

    def _decide(self) -> Path:
        """From here on it is to be brought about, by whoever comes."""
        if self._returns is not None:
            self._returns.close()
            plan = _Plan(self._exporter, -self._letters, {"dead": -self._letters})
        else:
            plan = _Plan(self._exporter, 0, {"dead": -self._letters, f"unkept.{self._word}": self._letters})
        left = self._directory / _LEFT / self._name
        if left.stat().st_size:
            left.chmod(0o600)
            sync_file(left)
        else:
            left.unlink()
        sync_directory(left.parent)
        write_whole(self._directory / _PLAN, msgspec.json.encode(plan))
        decided = self._directory.rename(self._directory.with_suffix(_DECIDED))
        sync_directory(decided.parent)
        return decided


def _finish(root: Path, decided: Path) -> None:
    """Bring about what was decided; as often as it takes."""
    dead, spool, token = root / "dead", root / "spool", decided.name[1 : -len(_DECIDED)]
    try:
        plan = _plan.decode(read_small(decided / _PLAN))
    except FileNotFoundError:
        pass  # all of it is done, but for the directory
    except msgspec.MsgspecError:  # nobody knows what was decided: rather there twice than lost
        _undo(root, decided.rename(decided.with_suffix(_BEGUN)))
        return
    else:
        for draft in sorted(spool.glob(f".{token}*")):
            draft.rename(spool / draft.name[1:])
            sync_directory(spool)
        Ledger(root).correct(f".{token}", plan.exporter, spooled=plan.spooled, counts=plan.counts)
        for path in sorted((decided / _LEFT).iterdir()):
            path.rename(dead / path.name)
        sync_directory(dead)
        (decided / _PLAN).unlink()
    shutil.rmtree(decided)


def _undo(root: Path, begun: Path) -> None:
    """Put everything back; under new names, for the old ones may be in use again."""
    dead, token = root / "dead", begun.name[1 : -len(_BEGUN)]
    for path in sorted((begun / _TAKEN).glob("*")):
        path.rename(dead / f"{exporter_of(path)}-{secrets.token_hex(8)}.dead")
    sync_directory(dead)
    for draft in (root / "spool").glob(f".{token}*"):
        shutil.rmtree(draft)
    shutil.rmtree(begun)


@contextmanager
def _reading(path: Path) -> Iterator[tuple[int, int] | None]:
    opened = open_letters(path)
    try:
        yield opened
    finally:
        if opened is not None:
            os.close(opened[0])


def _written_at(path: Path) -> float:
    return path.stat().st_mtime
