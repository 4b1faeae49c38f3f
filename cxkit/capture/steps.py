"""Steps: what customers did here a moment ago that is a step of a journey, for the store may not hold it yet.

Whoever reads a journey adds this to what the store has; to have a contact twice changes nothing there. It is bounded,
and where a store is away for long, what is older counts once it is back. No lock, as everywhere in capture: each
change is one operation of a dict or a deque.
"""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from cxkit.model import Context, JourneySpec, TouchpointSpec, purpose_bits

if TYPE_CHECKING:
    from cxkit.capture.intake import Captured

__all__ = ["REMEMBERED", "Steps", "declare", "declared", "in_use", "is_step"]

REMEMBERED: Final = purpose_bits(["personalization"])
"""Without it no contact is remembered."""
_PAGE: Final = "page.viewed"
_MOST_PEOPLE: Final = 1000
_MOST_EACH: Final = 8

declared: Final[dict[str, JourneySpec]] = {}
"""By name, those declared in this process; of one that was declared again the last."""
_watched: Final[set[str]] = set()
"""Places of the journeys that are declared or configured here."""


def declare(spec: JourneySpec) -> None:
    """A journey is declared in this process."""
    declared[spec.name] = spec
    _watch(spec)


def in_use(configured: Mapping[str, JourneySpec]) -> Mapping[str, JourneySpec]:
    """By name, those configured, and those that are declared in this process, now or later, as far as they are not."""
    for spec in configured.values():
        _watch(spec)
    return ChainMap(dict(configured), declared)


def _watch(spec: JourneySpec) -> None:
    _watched.update(spec.step_of)


def is_step(spec: TouchpointSpec, context: Context) -> bool:
    """Whether a contact with it is a step of a journey."""
    page = context.page if spec.name == _PAGE else None
    return (spec.name if page is None or page.route is None else page.route) in _watched


class Steps:
    """The latest of each person, by the subject that they are remembered under."""

    def __init__(self) -> None:
        self._held: dict[bytes, deque[Captured]] = {}

    def take(self, captured: Captured) -> None:
        """One was captured."""
        prepared, id, us, occurrence, _ = captured
        held = self._held.get(prepared.subject)
        if held is None:
            if len(self._held) >= _MOST_PEOPLE:
                self._make_room()
            held = self._held.setdefault(prepared.subject, deque(maxlen=_MOST_EACH))
        held.append((prepared, id, us, occurrence, b"{}"))

    def of(self, subject: bytes) -> list[Captured]:
        """Those of one person, without their properties."""
        held = self._held.get(subject)
        return [] if held is None else [*held.copy()]

    def forget(self, subjects: Iterable[bytes]) -> None:
        """They were erased."""
        for subject in subjects:
            self._held.pop(subject, None)

    def _make_room(self) -> None:
        try:
            self._held.pop(next(iter(self._held)), None)
        except (RuntimeError, StopIteration):  # another thread came or went meanwhile: whoever is next makes room
            return
