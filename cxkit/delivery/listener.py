"""A listener: who wants to know of drops is told on a thread of its own, for a stranger may never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Final

__all__ = ["Drop", "Listener"]

Drop = tuple[str, int, str | None]
"""A reason, how many, and the exporter; None: before the spool, for all."""

_WAIT_S: Final = 1.0
"""How long the end of the process waits for it."""


class Listener:
    """Tells a stranger.

    Args:
        tell: What to call; whatever it raises is its own affair.
        muted: Entered around each call.
    """

    def __init__(
        self, tell: Callable[[str, int, str | None], None], *, muted: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._tell = tell
        self._muted = muted
        self._drops: SimpleQueue[Drop | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="cxkit-drops", daemon=True)

    def __call__(self, reason: str, count: int, exporter: str | None) -> None:
        """It will be told."""
        self._drops.put((reason, count, exporter))
        if self.thread.ident is None:
            try:
                self.thread.start()
            except RuntimeError:
                pass  # with the next one, perhaps

    def end(self) -> None:
        """Let it hear of all there is, if it takes no longer than it may."""
        self._drops.put(None)
        if self.thread.is_alive() and threading.current_thread() is not self.thread:
            self.thread.join(_WAIT_S)

    def _run(self) -> None:
        while (drop := self._drops.get()) is not None:
            try:
                with self._muted():
                    self._tell(*drop)
            except BaseException:  # noqa: BLE001 - a stranger's code may even exit; the thread is ours
                pass
