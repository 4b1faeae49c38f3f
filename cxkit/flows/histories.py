"""Histories: what is remembered of people's contacts, as far as this process was asked for it lately.

A store that is a file is read where somebody asks. Of a remote one, what others change is read again at once by a
thread of its own, and until then what was known a moment ago holds: contacts are only ever added, but by an erasure,
after which nobody is recognised any more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from cxkit.flows.documents import history_doc, read
from cxkit.flows.underway import Asks, Underway
from cxkit.roles import Store
from cxkit.rules.profile import History

__all__ = ["Histories"]

_HELD: Final = 40_000
"""Contacts, of all people together: some 20 MB."""
_WANTED_S: Final = 300.0
_PREFIX: Final = history_doc("")


class Histories:
    """By the keys that they are remembered under. For all threads.

    Args:
        ask: As `cxkit.flows.view.View.ask`.
        remote: Whether the store is.
        clock: Seconds that only grow.
    """

    def __init__(self, ask: Asks, *, remote: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._remote = remote
        self._clock = clock
        self._guard = threading.Lock()
        self._held: OrderedDict[str, tuple[History, float]] = OrderedDict()
        """Each with when somebody asked for it."""
        self._underway = Underway(self._guard)
        self._coming: set[str] = set()
        self._contacts = 0
        """How many are held."""
        self._wanted = False
        """Whether anybody has ever asked."""

    def of(self, keys: Collection[str], *, patience_s: float) -> Mapping[str, History] | None:
        """What is remembered under these; None if it could not be known in time.

        Args:
            patience_s: How long a remote store may be waited for.

        Raises:
            Exception: Whatever the store raised, if it was asked here and now.
        """
        self._wanted = True
        found = self._look(keys)
        missing = [key for key in keys if key not in found]
        if missing and not (patience_s <= 0 and self._remote() and self._coming.issuperset(missing)):
            more = self._read_again(missing, patience_s)
            return None if more is None else {**found, **more}
        return None if missing else found

    def ahead(self, store: Store, keys: Iterable[str]) -> None:
        """Read and hold these before anybody asks, where somebody ever does. On a thread that may wait.

        Raises:
            Exception: Whatever the store raised.
        """
        missing = [key for key in keys if key not in self._held] if self._wanted else []
        if missing:
            self._read(store, missing)

    def changed(self, documents: Iterable[str] | None) -> None:
        """What was read of these is out of date; None: of all."""
        with self._guard:
            names = None if documents is None else [one for one in documents if one.startswith(_PREFIX)]
            self._underway.changed(names)
            keys = [*self._held] if names is None else [name.removeprefix(_PREFIX) for name in names]
            old = {key: self._held[key][1] for key in keys if key in self._held}
            ahead = names is not None and bool(old) and self._remote()
            again = [key for key, at in old.items() if ahead and self._clock() - at < _WANTED_S]
            for key in old.keys() - set(again):
                self._drop(key)
        if again:
            self._read_again(again, 0.0)

    def _look(self, keys: Iterable[str]) -> dict[str, History]:
        with self._guard:
            found = {key: self._held[key][0] for key in keys if key in self._held}
            for key, history in found.items():
                self._keep(key, history, self._clock())
        return found

    def _keep(self, key: str, history: History, at: float) -> None:
        self._drop(key)
        self._held[key] = (history, at)
        self._contacts += _weight(history)
        while self._contacts > _HELD:
            self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        if key in self._held:
            self._contacts -= _weight(self._held.pop(key)[0])

    def _read_again(self, keys: Sequence[str], patience_s: float) -> dict[str, History] | None:
        self._coming.update(keys)
        return self._ask(lambda store: self._read(store, keys), patience_s=patience_s)

    def _read(self, store: Store, keys: Sequence[str]) -> dict[str, History]:
        try:
            with self._underway.reading() as changed:
                documents = store.get_many(map(history_doc, keys))
                bodies = {key: documents[name].body if (name := history_doc(key)) in documents else {} for key in keys}
                found = {key: read(body, History) for key, body in bodies.items()}
                with self._guard:
                    for key, history in found.items():
                        if not changed([history_doc(key)]):
                            self._keep(key, history, self._held[key][1] if key in self._held else self._clock())
        finally:
            self._coming.difference_update(keys)
        return found


def _weight(history: History) -> int:
    return 1 + len(history.recent) + len(history.passed)  # who did nothing takes room, too
