"""Under gevent: what would hold up every greenlet is done beside them.

Where gevent has patched `threading`, our threads are greenlets of the thread that captures, which is
right: they wait for the network, for locks and for time without holding up anybody. Two things would:
a disk that is slow to sync, and a wait for a queue that was made before the patch, and so waits in C.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

__all__ = ["beside", "patiently"]

T = TypeVar("T")

_LOOK_S: Final = 0.02


def patiently(take: Callable[[float | None], T], timeout_s: float) -> T:
    """What ``take`` finds within that time; under gevent sooner, and then perhaps nothing."""
    if not _threads_are_greenlets():
        return take(timeout_s)
    time.sleep(min(timeout_s, _LOOK_S))
    return take(0)


def beside(work: Callable[..., T], *args: Any) -> T:
    """Do it, under gevent in a real thread of its hub's pool; where that has ended, here."""
    if not _threads_are_greenlets():
        return work(*args)
    try:
        job = sys.modules["gevent"].get_hub().threadpool.spawn(work, *args)
    except RuntimeError:  # no thread can be started (any more)
        return work(*args)
    done: T = job.get()
    return done


def _threads_are_greenlets() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")
