"""The starter: when, and on which thread, the engine of a process is made; and again after a failure or a fork."""

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
    """

    def __init__(
        self, make: Callable[[], Engine[Captured]], not_started: Callable[[], None], *, at_end: Callable[[], None]
    ) -> None:
        self._make = make
        self._not_started = not_started
        self._at_end = at_end
        self.reset()

    def reset(self) -> None:
        """In a forked child: what was started, or about to be, is the parent's."""
        self.engine: Engine[Captured] | None = None
        self.again_at = 0.0
        self._guard = threading.Lock()
        self._starting_on = 0
        self._ends_with_child = False

    def start(self) -> None:
        """Start it in a thread of its own: whoever captures does not wait for files."""
        if self.engine is not None:
            return
        self._end_with_child()
        if time.monotonic() < self.again_at:
            self._not_started()
            return
        if not self._guard.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._run, name="cxkit-start", daemon=True).start()
        except RuntimeError:  # no threads (any more): what is queued is spooled when the kit closes
            self._failed()

    def write_now(self, captured: Captured) -> bool:
        """Past the queue, into the spool; whether that was done. Whoever wants that waits for the files, once."""
        if self.engine is None:
            self._start_here()
        return self.engine is not None and self.engine.write_now(captured)

    def awaited(self, deadline: float) -> Engine[Captured] | None:
        """The engine, after a start that is under way."""
        if self.engine is None and self._alone(deadline):
            self._guard.release()
        return self.engine

    def _start_here(self) -> None:
        if self._starting_on == threading.get_ident():  # a signal handler, in the middle of the lines below
            return
        self._starting_on = threading.get_ident()
        self._end_with_child()
        try:
            if time.monotonic() >= self.again_at and self._alone(time.monotonic() + _HERE_S):
                self._run()
        finally:
            self._starting_on = 0

    def _alone(self, deadline: float) -> bool:
        """Wait for the guard, by looking: it may be older than gevent's patch, and then a wait holds up its holder."""
        while not self._guard.acquire(blocking=False):
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
        try:
            if self.engine is None:
                engine = self._make()
                engine.start()
                self.engine = engine
        except Exception as error:  # noqa: BLE001 - a thread of ours must say why it ends
            logger.error("cxkit: delivery could not start (%s)", error)
            self._failed()
        except BaseException:  # the app's own: raised by a signal's handler, where we start on the app's thread
            self._failed()
            raise
        else:
            self._guard.release()

    def _failed(self) -> None:
        self.again_at = time.monotonic() + _AGAIN_S
        self._not_started()
        self._guard.release()
