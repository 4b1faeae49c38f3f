"""Signals: what a browser or an app says of its owner's choices, in a text of its own.

cxkit itself reads ``Sec-GPC``. Readers of the IAB's strings (TC, GPP) come as plugins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cxkit.model import PURPOSES, Choice

__all__ = ["MAX_SIGNAL_CHARS", "said"]

MAX_SIGNAL_CHARS: Final = 4096
"""A longer text counts as one that cannot be read."""


def said(heard: Iterable[tuple[frozenset[str], Mapping[str, Choice] | None]]) -> dict[str, Choice]:
    """What several signals say together: one denial denies.

    A text that cannot be read denies all that its reader can speak of: it was sent to say something, and
    the only thing that cannot be wrong is not to use what it may have refused.

    Args:
        heard: For each signal the purposes its reader can speak of, and what it says; None: it cannot be read.
    """
    found: dict[str, Choice] = {}
    for purposes, says in heard:
        one = dict.fromkeys(purposes, "denied") if says is None else says
        for purpose in purposes.intersection(one, PURPOSES) - {"necessary"}:
            granted = one[purpose] == "granted" and found.get(purpose) != "denied"
            found[purpose] = "granted" if granted else "denied"
    return found
