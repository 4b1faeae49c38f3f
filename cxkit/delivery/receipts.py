"""Receipts: what became of an erasure at each exporter.

A lane notes how the commands ended that tell of somebody's leaving.
"""

from __future__ import annotations

from typing import Final, Literal

import attrs
import msgspec

from cxkit.codec.frame import Record
from cxkit.delivery.erasure import tells_of_leaving
from cxkit.roles import Erasing, Exporter

__all__ = ["Fates", "Receipt", "erases", "receipt"]

_REMEMBERED: Final = 1000
_OUTCOMES: Final = ("done", "requested")


@attrs.frozen(kw_only=True)
class Receipt:
    """What an erasure came to at one exporter.

    Example:
        >>> Receipt(outcome="not erased", why="stays")
        Receipt(outcome='not erased', why='stays', detail='')
    """

    outcome: Literal["done", "requested", "not erased"]
    """As the exporter says (`cxkit.roles.Erasing`), once it has it."""
    why: Literal["", "stays", "not_delivered", "refused"] = ""
    """Why not: it has no way to erase; it has not been reached yet, and will go on being tried; its other side
    refused it for ever."""
    detail: str = ""
    """The exporter's own word for that."""


class _Named(msgspec.Struct):
    id: str


_named: Final = msgspec.json.Decoder(_Named)


class Fates:
    """How erasures ended at one exporter; the last thousand. Noted by its lane, read by anybody."""

    def __init__(self) -> None:
        self._ended: dict[str, str | None] = {}

    def note(self, record: Record, refused: str | None) -> None:
        """It was delivered, or refused for that reason; what is no erasure is passed over."""
        if not tells_of_leaving(record):
            return
        self._ended[_named.decode(record.payload).id] = refused
        while len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def ended(self, command: str) -> bool:
        """Whether it was delivered, or refused for ever."""
        return command in self._ended

    def refused(self, command: str) -> str | None:
        """Why, if it was."""
        return self._ended.get(command)


def erases(exporter: Exporter) -> Literal["done", "requested"] | None:
    """What an erasure means to an exporter; None: it cannot erase."""
    said = exporter.erases if isinstance(exporter, Erasing) else None
    return said if said in _OUTCOMES else None


def receipt(command: str, exporter: Exporter, fates: Fates, *, trouble: str) -> Receipt:
    """The receipt of one exporter.

    Args:
        trouble: Why its last attempt failed.
    """
    outcome = erases(exporter)
    if outcome is None:
        return Receipt(outcome="not erased", why="stays")
    if not fates.ended(command):
        return Receipt(outcome="not erased", why="not_delivered", detail=trouble)
    refused = fates.refused(command)
    if refused is not None:
        return Receipt(outcome="not erased", why="refused", detail=refused)
    return Receipt(outcome=outcome)
