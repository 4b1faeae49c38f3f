"""How kits end: in a forked child, which inherits what is not its own; and with the process."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from cxkit.capture.intake import Captured
from cxkit.delivery.engine import Engine

if TYPE_CHECKING:
    from cxkit.kit.kit import Kit

__all__ = ["abandoned", "close_at_exit", "kits"]

kits: weakref.WeakSet[Kit] = weakref.WeakSet()

abandoned: list[Engine[Captured]] = []
"""What a child inherited: kept, so that no finaliser closes what is the parent's."""


def close_at_exit(reference: weakref.ref[Kit]) -> None:
    """Close the kit, if there still is one."""
    kit = reference()
    if kit is not None:
        kit.close()


def _after_fork_in_child() -> None:
    for kit in list(kits):
        kit._forget_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
