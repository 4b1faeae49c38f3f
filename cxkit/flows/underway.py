"""Underway: how what is held is read, and what changes while it is being read.

Between reading a document and holding it, somebody may be told that it has changed. What was read then is an answer to
whoever asked for it, but is not held: it would never be heard of again that it is out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, TypeVar

from cxkit.roles import Store

__all__ = ["Asks", "Underway"]

T = TypeVar("T")

_EVERYTHING: Final = "*"


class Asks(Protocol):
    """As `cxkit.flows.view.View.ask`."""

    def __call__(self, question: Callable[[Store], T], /, *, patience_s: float) -> T | None: ...


class Underway:
    """Readings that have begun and not ended. For all threads.

    Args:
        guard: The lock of whoever holds what is read; they have it when they call `changed`, and from asking whether
            something changed until it is held.
    """

    def __init__(self, guard: AbstractContextManager[Any]) -> None:
        self._guard = guard
        self._meanwhile: dict[object, set[str]] = {}

    @contextmanager
    def reading(self) -> Iterator[Callable[[Iterable[str]], bool]]:
        """One more begins; it tells whether any of these documents has changed since."""
        one, changed = object(), set[str]()
        with self._guard:
            self._meanwhile[one] = changed
        try:
            yield lambda documents: not changed.isdisjoint((_EVERYTHING, *documents))
        finally:
            with self._guard:
                del self._meanwhile[one]

    def changed(self, documents: Iterable[str] | None) -> None:
        """These have changed; None: perhaps all."""
        names = (_EVERYTHING,) if documents is None else tuple(documents)
        for changed in self._meanwhile.values():
            changed.update(names)
