"""The starter: when the engine of a process is made, on a thread of its own; and again after a failure or a fork.

No thread of the app's makes it or holds anything meanwhile: what a handler of signals raises there may
come between any two lines.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

from cxkit.capture.intake import Captured
from cxkit.delivery.engine import Engine

__all__ = ["Starter"]

_AGAIN_S = 5.0
_HERE_S = 1.0
_LOOK_S = 0.002
_EARLY = 10
"""Before the finalizers of multiprocessing itself."""

logger = logging.getLogger("cxkit")


class Starter:
    """Has at most one engine.

    Args:
        make: Makes an engine; what it raises is told, and tried again some seconds later.
        not_started: Called when a start has failed: whoever captures next asks again.
        at_end: Called when a child of multiprocessing ends.
        started: Called when there is an engine.
    """

    def __init__(
        self,
        make: Callable[[], Engine[Captured]],
        not_started: Callable[[], None],
        *,
        at_end: Callable[[], None],
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._make = make
        self._not_started = not_started
        self._at_end = at_end
        self._started = started
        self.reset()

    def reset(self) -> None:
        """In a forked child: what was started, or about to be, is the parent's."""
        self.engine: Engine[Captured] | None = None
        self.again_at = 0.0
        self._guard = threading.Lock()
        self._starting: threading.Thread | None = None
        self._hanging: threading.Thread | None = None
        """The start that was waited for in vain."""
        self._ends_with_child = False

    def start(self) -> None:
        """Start it in a thread of its own: whoever captures does not wait for files."""
        if self.engine is not None:
            self._again(self.engine)
            return
        self._end_with_child()
        if time.monotonic() < self.again_at:
            self._not_started()
            return
        if self.under_way:
            return
        self._starting = thread = threading.Thread(target=self._run, name="cxkit-start", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads (any more): what is queued is spooled when the kit closes
            self._failed()

    def write_now(self, captured: Captured) -> bool:
        """Past the queue, into the spool; whether that was done. Whoever wants that waits for a start, once."""
        if self.engine is None:
            self.start()
            starting = self._starting
            vain = starting is self._hanging or starting is threading.current_thread()  # a finaliser on it, say
            if not self._over_by(time.monotonic() + (0.0 if vain else _HERE_S)):
                self._hanging = starting
        engine = self.engine
        return engine is not None and engine.write_now(captured)

    def awaited(self, deadline: float) -> Engine[Captured] | None:
        """The engine, after a start that is under way."""
        self._over_by(deadline)
        return self.engine

    @property
    def under_way(self) -> bool:
        """Whether a start is under way."""
        return self.engine is None and self._starting is not None and self._starting.is_alive()

    def _over_by(self, deadline: float) -> bool:
        """Wait while a start is under way, by looking; whether none is any more."""
        while self.under_way:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True

    def _end_with_child(self) -> None:
        """A child of multiprocessing ends with ``os._exit``: its finalizers are all that runs."""
        if self._ends_with_child:
            return
        self._ends_with_child = True
        process, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self._at_end, exitpriority=_EARLY)

    def _run(self) -> None:
        # Two threads that captured first may each have started one. By looking: the guard may be older than
        # gevent's patch, and then a wait holds up its holder.
        while not self._guard.acquire(blocking=False):
            time.sleep(_LOOK_S)
        try:
            if self.engine is None and time.monotonic() >= self.again_at:
                engine = self._make()
                try:
                    self._start_threads(engine)
                finally:
                    self.engine = engine  # whatever became of its threads: it has the spool, and is to be closed
                self._started()
        except BaseException as error:  # noqa: BLE001 - a stranger's code may even exit; the thread is ours
            logger.error("cxkit: delivery could not start (%s)", str(error) or type(error).__name__)
            self._failed()
        finally:
            self._guard.release()

    def _again(self, engine: Engine[Captured]) -> None:
        """Where no thread could be had: one may be now."""
        if engine.started:
            return
        if time.monotonic() < self.again_at:
            self._not_started()
        elif self._guard.acquire(blocking=False):
            try:
                self._start_threads(engine)
            finally:
                self._guard.release()

    def _start_threads(self, engine: Engine[Captured]) -> None:
        if not engine.started:
            engine.start()
        if not engine.started:
            self._failed()

    def _failed(self) -> None:
        self.again_at = time.monotonic() + _AGAIN_S
        self._not_started()
