"""Watching a remote store: two threads, so that nobody on a request's path waits for it longer than they may.

One reads what is asked for, all of it that has come together at once. The other hears of changes:
a store that announces them (`cxkit.roles.Announcing`) is waited for, any other asked four times a second.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from cxkit.roles import Announcing, Store

__all__ = ["Watcher"]

_ASK_EVERY_S: Final = 0.25
_LISTEN_S: Final = 5.0
_TRY_AGAIN_S: Final = 0.5


class Watcher:
    """Starts its threads when it is first asked.

    Args:
        read: Reads what is known under these keys, and holds it.
        catch_up: Forgets what others have changed.
        token: Of the last change that is known.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        *,
        read: Callable[[Sequence[str]], None],
        catch_up: Callable[[], None],
        token: Callable[[], int | None],
    ) -> None:
        self._store = store
        self._read = read
        self._catch_up = catch_up
        self._token = token
        self._asked: deque[tuple[Sequence[str], threading.Event]] = deque()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []

    def ask(self, keys: Sequence[str], patience_s: float) -> None:
        """Let these be read, and wait for it so long."""
        done = threading.Event()
        self._asked.append((keys, done))
        self._wake.set()
        if self._start() and patience_s > 0:
            done.wait(patience_s)

    def end(self) -> None:
        """Let the threads end; what is asked from now on is never read."""
        self._ended.set()
        self._wake.set()

    def _start(self) -> bool:
        """Whether there are threads."""
        if self._threads or not self._starting.acquire(blocking=False):
            return True
        try:
            for work, name in ((self._reading, "cxkit-reads"), (self._listening, "cxkit-changes")):
                thread = threading.Thread(target=work, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError:  # none can be started (any more): nothing is known
            return bool(self._threads)
        finally:
            self._starting.release()
        return True

    def _reading(self) -> None:
        while not self._ended.is_set():
            self._wake.wait()
            self._wake.clear()
            asked = [self._asked.popleft() for _ in range(len(self._asked))]
            try:
                if asked:
                    self._read(list(dict.fromkeys(key for keys, _ in asked for key in keys)))
            except Exception:  # noqa: BLE001 - whatever a store raises: whoever asked finds that nothing is known
                pass
            for _, done in asked:
                done.set()

    def _listening(self) -> None:
        while not self._ended.is_set():
            try:
                self._catch_up()
                store, token = self._store(), self._token()
                if isinstance(store, Announcing) and token is not None:
                    store.await_change(token, timeout_s=_LISTEN_S)
                else:
                    self._ended.wait(_ASK_EVERY_S)
            except Exception:  # noqa: BLE001 - whatever a store raises, it is asked again
                self._ended.wait(_TRY_AGAIN_S)
