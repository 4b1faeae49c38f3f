"""What an event loop must not wait for is done beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["beside"]

T = TypeVar("T")


async def beside(work: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Do it in a thread; asyncio is imported only where it is used."""
    import asyncio

    return await asyncio.to_thread(work, *args, **kwargs)
