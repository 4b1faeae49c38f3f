"""Watching a store: two threads, so that nobody on a request's path waits for a remote one longer than they may.

One reads what is asked for, all of it that has come together at once; a store that is a file is read
without it. The other hears of changes: a store that announces them (`cxkit.roles.Announcing`) is waited
for, any other that is remote asked four times a second, and a file once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import attrs

from cxkit.roles import Announcing, Store

__all__ = ["CHANGES_FAILED", "STORE_FAILED", "Failed", "Watcher", "newest"]

T = TypeVar("T")

Failed = Callable[[str, str, Exception], None]
"""Told under which name a failure counts, what it means, and what was raised."""

STORE_FAILED: Final = ("store_failed", "the store failed, and what it holds of people is not known until it answers")
CHANGES_FAILED: Final = ("changes_failed", "the store failed, and what others change is not heard of until it answers")
_ASK_EVERY_S: Final = 0.25
_ASK_FILE_EVERY_S: Final = 0.5
_LISTEN_S: Final = 5.0
_TRY_AGAIN_S: Final = 0.5


@attrs.frozen(kw_only=True)
class _Asked:
    """What somebody waits for."""

    keys: Sequence[str] = ()
    work: Callable[[], object] = lambda: None
    done: threading.Event = attrs.field(factory=threading.Event)


class Watcher:
    """Starts its threads when it is first asked.

    Args:
        read: Reads what is known under these keys, and holds it.
        catch_up: Forgets what others have changed.
        token: Of the last change that is known.
        begin: Done first, before changes are heard of, on the same thread; again if it raises.
        failed: Told whatever the store raised; not after the end, for then it may be closed.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        *,
        read: Callable[[Sequence[str]], None],
        catch_up: Callable[[], None],
        token: Callable[[], int | None],
        begin: Callable[[], None] = lambda: None,
        failed: Failed = lambda name, what, error: None,
    ) -> None:
        self._store = store
        self._read = read
        self._catch_up = catch_up
        self._token = token
        self._begin = begin
        self._failed = failed
        self._asked: deque[_Asked] = deque()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._starting = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def ask(self, keys: Sequence[str], patience_s: float) -> None:
        """Let these be read, and wait for it so long."""
        self._await(_Asked(keys=keys), patience_s)

    def answer(self, question: Callable[[Store], T], patience_s: float) -> T | None:
        """What the store answers; None if that takes longer, or it fails."""
        answers: list[T] = []
        self._await(_Asked(work=lambda: answers.append(question(self._store()))), patience_s)
        return answers[0] if answers else None

    def watch(self) -> None:
        """Hear of changes, whether anybody asks or not."""
        self._start({"cxkit-changes": self._listening})

    def end(self) -> None:
        """Let the threads end; what is asked from now on is never read."""
        self._ended.set()
        self._wake.set()

    def _await(self, asked: _Asked, patience_s: float) -> None:
        self._asked.append(asked)
        self._wake.set()
        if self._start({"cxkit-reads": self._reading, "cxkit-changes": self._listening}) and patience_s > 0:
            asked.done.wait(patience_s)

    def _start(self, wanted: Mapping[str, Callable[[], None]]) -> bool:
        """Whether there are these threads, or the first of them at least."""
        if wanted.keys() <= self._threads.keys() or not self._starting.acquire(blocking=False):
            return True
        try:
            for name, work in wanted.items():
                if name not in self._threads:
                    thread = threading.Thread(target=work, name=name, daemon=True)
                    thread.start()
                    self._threads[name] = thread
        except RuntimeError:  # none can be started (any more): nothing is known
            return next(iter(wanted)) in self._threads
        finally:
            self._starting.release()
        return True

    def _reading(self) -> None:
        while not self._ended.is_set():
            self._wake.wait()
            self._wake.clear()
            asked = [self._asked.popleft() for _ in range(len(self._asked))]
            for work in self._to_do(asked):
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - whoever asked finds that nothing is known
                    self._tell(STORE_FAILED, error)
            for one in asked:
                one.done.set()

    def _to_do(self, asked: Sequence[_Asked]) -> list[Callable[[], object]]:
        keys = list(dict.fromkeys(key for one in asked for key in one.keys))
        return [lambda: self._read(keys), *(one.work for one in asked)]

    def _listening(self) -> None:
        begun = False
        while not self._ended.is_set():
            try:
                self._catch_up()
                begun = begun or self._begin() is None
                store, token = self._store(), self._token()
                if isinstance(store, Announcing) and token is not None:
                    store.await_change(token, timeout_s=_LISTEN_S)
                else:
                    self._ended.wait(_ASK_EVERY_S if store.remote else _ASK_FILE_EVERY_S)
            except Exception as error:  # noqa: BLE001 - whatever a store raises, it is asked again
                self._tell(CHANGES_FAILED, error)
                self._ended.wait(_TRY_AGAIN_S)

    def _tell(self, failure: tuple[str, str], error: Exception) -> None:
        if not self._ended.is_set():
            self._failed(*failure, error)


def newest(store: Store) -> int:
    """The token of the last change, found by halving: there may be millions."""
    high = 1
    while store.changes_since(high, limit=1):
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        if store.changes_since(middle, limit=1):
            low = middle + 1
        else:
            high = middle
    return high
