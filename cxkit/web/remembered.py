"""What was worked out of a request, by a hash of what it says: of whom it was, nothing is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Remembered"]

T = TypeVar("T")


class Remembered(Generic[T]):
    """Values by what was said, for the latest used. Of that only the hash is kept, which no other process shares.

    Usable from several threads: each step is one of the interpreter's own. None is no value: it is "not known".

    Args:
        most: How many are kept.

    Example:
        >>> remembered = Remembered[str](most=2)
        >>> for said in ("one", "two", "three"):
        ...     remembered.keep(said, said.upper())
        >>> remembered.get("one"), remembered.get("three")
        (None, 'THREE')
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, said: Hashable) -> T | None:
        """What is kept of it, which is now the latest used."""
        key = hash(said)
        found = self._kept.get(key)
        if found is not None:
            try:
                self._kept.move_to_end(key)
            except KeyError:  # another thread has just given it up
                pass
        return found

    def keep(self, said: Hashable, value: T) -> None:
        """Keep it, and give up what was not used for longest."""
        self._kept[hash(said)] = value
        while len(self._kept) > self._most:
            try:
                self._kept.popitem(last=False)
            except KeyError:  # other threads have given up all of it
                break
