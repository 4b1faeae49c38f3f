"""Signals: what a browser or an app says of its owner's choices, in a text of its own.

cxkit itself reads ``Sec-GPC``. Readers of the IAB's strings (TC, GPP) come as plugins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cxkit.model import PURPOSES, Choice
from cxkit.roles import SignalReader

__all__ = ["MAX_SIGNAL_CHARS", "said"]

MAX_SIGNAL_CHARS: Final = 4096
"""A longer text counts as one that cannot be read."""


def said(
    signals: Mapping[str, str], readers: Iterable[SignalReader], *, honoured: Collection[str]
) -> dict[str, Choice]:
    """What several signals say together: one denial denies.

    A text that cannot be read denies all that its reader can speak of: it was sent to say something, and
    the only thing that cannot be wrong is not to use what it may have refused.

    Args:
        signals: Each signal as it came.
        honoured: `Policy.signals`; no other one is read.
    """
    found: dict[str, Choice] = {}
    for reader in readers:
        text = signals.get(reader.signal)
        if text is None or reader.signal not in honoured:
            continue
        try:
            one = dict(reader.read(text) if len(text) <= MAX_SIGNAL_CHARS else dict.fromkeys(reader.purposes, "denied"))
        except Exception:  # noqa: BLE001 - a plugin may raise anything, and must not widen anything by it
            one = dict.fromkeys(reader.purposes, "denied")
        for purpose in reader.purposes.intersection(one, PURPOSES) - {"necessary"}:
            granted = one[purpose] == "granted" and found.get(purpose) != "denied"
            found[purpose] = "granted" if granted else "denied"
    return found
