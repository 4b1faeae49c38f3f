"""What may wait while somebody asks is done beside the event loop, on threads of our own.

The threads that a loop has by itself are the app's: where a store hangs, whoever asks us waits, and nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["aside", "beside"]

T = TypeVar("T")

_THREADS: Final = 16
_THREADS_ASIDE: Final = 2
_MOST_ASIDE: Final = 100
_pools: dict[int, ThreadPoolExecutor] = {}
"""By process: threads are not inherited."""
_asides: dict[int, tuple[ThreadPoolExecutor, BoundedSemaphore]] = {}
"""Likewise, and what room there is."""


async def beside(work: Callable[..., T], *args: object) -> T:
    """Do it in one of these threads; asyncio is imported only where it is used."""
    import asyncio

    call = partial(copy_context().run, work, *args)
    return await asyncio.get_running_loop().run_in_executor(_pool(), call)


def aside(work: Callable[[], object]) -> bool:
    """Do it on one of two threads more, when it is free, and let nobody wait; False: too much waits there already."""
    pool, room = _aside()
    if not room.acquire(blocking=False):
        return False
    try:
        pool.submit(copy_context().run, work).add_done_callback(lambda _: room.release())
    except RuntimeError:  # the process is about to end
        room.release()
        return False
    return True


def _aside() -> tuple[ThreadPoolExecutor, BoundedSemaphore]:
    from concurrent.futures import ThreadPoolExecutor

    found = _asides.get(os.getpid())
    if found is None:
        made = ThreadPoolExecutor(_THREADS_ASIDE, thread_name_prefix="cxkit-aside"), BoundedSemaphore(_MOST_ASIDE)
        found = _asides.setdefault(os.getpid(), made)
    return found


def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    pool = _pools.get(os.getpid())
    if pool is None:  # it has no threads until it is used, so of two that were made at once one is nothing
        pool = _pools.setdefault(os.getpid(), ThreadPoolExecutor(_THREADS, thread_name_prefix="cxkit-endpoint"))
    return pool
