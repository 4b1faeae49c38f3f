"""What a lane tells the operator: each thing once, until it is over.

A handler of the app that captures what is logged must not capture this: so it is said muted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from cxkit.roles import Outcome

__all__ = ["Notices"]

_MAX_TOLD: Final = 20

logger = logging.getLogger("cxkit")


class Notices:
    """The notices of one exporter.

    Args:
        muted: Entered around each.
    """

    def __init__(self, name: str, *, muted: Callable[[], AbstractContextManager[object]]) -> None:
        self._name = name
        self._muted = muted
        self._troubles: set[str] = set()
        self._refusals: set[str] = set()

    def trouble(self, outcome: Outcome) -> None:
        """An attempt failed."""
        what = "needs somebody to mend it" if outcome.verdict == "pause" else "cannot deliver"
        self._once(self._troubles, outcome.reason, f"{what} (%s); what it is owed waits in the spool")

    def hanging(self) -> None:
        """An attempt has not come back although its time is over. Any thread may say so."""
        self._once(
            self._troubles, "hangs", "does not come back from an attempt (%s); what it is owed waits in the spool"
        )

    def recovery(self) -> None:
        """An attempt succeeded."""
        if self._troubles:
            self._troubles.clear()
            self._say("delivers again")

    def refusal(self, reason: str) -> None:
        """The other side refused an interaction for ever."""
        self._once(self._refusals, reason, "had an interaction refused for ever (%s); see `cxkit dead list`")

    def unkept(self, reason: str) -> None:
        """A dead letter was not kept."""
        self._once(self._refusals, reason, "could not keep a dead letter (%s); those are counted and gone")

    def unclosed(self, error: BaseException) -> None:
        """It could not be closed."""
        self._say("could not be closed (%s)", type(error).__name__)

    def _once(self, told: set[str], word: str, text: str) -> None:
        if word not in told and len(told) < _MAX_TOLD:
            told.add(word)
            self._say(text, word)

    def _say(self, text: str, *words: str) -> None:
        with self._muted():
            logger.warning(f"cxkit: exporter %s {text}", self._name, *words)
