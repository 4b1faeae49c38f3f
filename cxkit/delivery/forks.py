"""What must not be under way, or be inherited, when a process forks.

A module that a thread is importing at that moment stays half imported in the child for ever: who
imports it there waits for a thread that does not exist, or finds it without its names. And a
lock of the parent's stays locked for as long as a child has a copy of its descriptor.
"""

from __future__ import annotations

import logging  # noqa: F401 - before ours is registered: its hook takes a lock that imports wait for, and must run later
import os
import sys
import threading
import time
from types import FrameType
from typing import Final

__all__ = ["held", "let_go"]

_WAIT_S: Final = 1.0
"""Far longer than any import; but what is imported may wait for whoever wants to fork."""
_STEP_S: Final = 0.001

_held: set[int] = set()


def held(descriptor: int) -> int:
    """Say that this descriptor holds a lock, which no child shall keep."""
    _held.add(descriptor)
    return descriptor


def let_go(descriptor: int) -> None:
    """Close it, unless that was done. Idempotent, and nothing in a child that inherited it."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _let_go_of_all() -> None:
    for descriptor in list(_held):
        let_go(descriptor)


def _await_imports() -> None:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline and _import_is_under_way():
        time.sleep(_STEP_S)


def _import_is_under_way() -> bool:
    """Whether another thread is in the middle of an import that cxkit began."""
    mine = threading.get_ident()
    return any(_imports_for_us(frame) for thread, frame in sys._current_frames().items() if thread != mine)


def _imports_for_us(frame: FrameType | None) -> bool:
    importing = False
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            importing = True
        elif importing and frame.f_globals.get("__name__", "").partition(".")[0] == "cxkit":
            return True
        frame = frame.f_back
    return False


os.register_at_fork(before=_await_imports, after_in_child=_let_go_of_all)
