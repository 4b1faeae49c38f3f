"""The bus: what was committed is announced, in this process at once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from cxkit.model import Interaction

__all__ = ["Bus", "Committed"]

logger = logging.getLogger("cxkit")


@attrs.frozen(kw_only=True)
class Committed:
    """The store now holds what this command says."""

    command: Interaction
    keys: frozenset[str]
    """The identifiers it concerns."""
    documents: frozenset[str]
    """The documents it changed."""


class Bus:
    """Tells everyone in this process, on the thread of whoever announces."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Committed], None]] = []

    def subscribe(self, listener: Callable[[Committed], None]) -> Callable[[], None]:
        """Be told from now on; returns what ends it. The listener must not block."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def announce(self, event: Committed) -> None:
        """Tell all listeners; what one raises costs that listener this event alone."""
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
                logger.warning("cxkit: a listener of the bus failed (%s)", type(error).__name__)
