"""Troubles of an engine: each is told once, until it is over.

A handler of the app that captures what is logged must not capture this: so it is said muted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

__all__ = ["Troubles"]

logger = logging.getLogger("cxkit")


class Troubles:
    """What is wrong just now.

    Args:
        muted: Entered around each warning.
    """

    def __init__(self, *, muted: Callable[[], AbstractContextManager[object]]) -> None:
        self._muted = muted
        self._told: set[str] = set()

    def met(self, what: str, message: str, error: BaseException) -> None:
        """Say so, unless that has been done."""
        if what not in self._told:
            self._told.add(what)
            with self._muted():
                logger.warning("cxkit: %s (%s)", message, type(error).__name__)

    def over(self, what: str) -> None:
        """The next one is told again."""
        self._told.discard(what)
