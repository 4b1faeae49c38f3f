"""The relation ``events``: what a metric may know of an interaction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

import attrs

from cxkit.model.touchpoint import CONTACTS
from cxkit.rules.measure.pages import PAGE_VIEWED

__all__ = ["COLUMNS", "CONTACTS", "EVER", "Event", "counted", "place", "runs"]


@attrs.frozen(kw_only=True)
class Event:
    """One row. Whatever holds the relation has each event once, however often it was delivered.

    Events are in order by ``(ts_ms, event_id)``: no two are ever tied.
    """

    event_id: str
    ts_ms: int
    """Unix time in UTC."""
    local_day: int
    """Its day in the time zone of the reports, as 20261121."""
    subject_id: str | None = None
    """Whom it concerns, as far as that is known now."""
    session_id: str | None = None
    name: str
    kind: str
    channel: str | None = None
    direction: str = "inbound"
    stage: str | None = None
    device_class: str | None = None
    country: str | None = None
    language: str | None = None
    """The first part of the locale: ``fr``."""
    route: str | None = None
    """The page as its template, ``/products/{sku}``."""
    variant_key: str | None = None
    """The experience that was shown."""
    variant: str | None = None
    """In which variant."""
    depth: int | None = None
    """How personal it was."""
    value_minor: int | None = None
    """What it was worth, in the minor unit of its currency."""
    currency: str | None = None
    scale: str | None = None
    """Of the score: ``nps``, ..."""
    score: int | None = None
    """What was answered."""
    engaged_ms: int | None = None
    """How long the page was really looked at; None: nobody measured."""
    cause: str | None = None
    """The ``event_id`` of what led to it."""
    outcome: str | None = None
    """``completed``, ``failed`` or ``abandoned``; None: nobody measured."""
    is_bot: int = 0
    consent_analytics: int = 1
    """0: the person refuses analytics."""


COLUMNS: Final = tuple(one.name for one in attrs.fields(Event))
"""Those that metrics read."""

EVER: Final = (0, 99_999_999)
"""The first and the last ``local_day`` where no days are asked for."""


def counted(events: Iterable[Event], *, kinds: frozenset[str] = CONTACTS) -> list[Event]:
    """Those that count, in order: of these kinds, not by bots, and not against the person's choice."""
    found = [one for one in events if one.kind in kinds and not one.is_bot and one.consent_analytics]
    return sorted(found, key=lambda one: (one.ts_ms, one.event_id))


def runs(events: Iterable[Event], key: str) -> list[list[Event]]:
    """The events of each session or subject, whichever column ``key`` is, in order; those without one left out."""
    owned = [one for one in events if getattr(one, key) is not None]
    owned.sort(key=lambda one: getattr(one, key))  # stable: each keeps its order
    return [list(group) for _, group in groupby(owned, key=lambda one: getattr(one, key))]


def place(event: Event) -> str:
    """Where a contact was: a page goes by its route, anything else by its name.

    Example:
        >>> place(Event(event_id="1", ts_ms=0, local_day=20261121, name="page.viewed", kind="view", route="/cart"))
        '/cart'
    """
    return event.route if event.name == PAGE_VIEWED.name and event.route is not None else event.name
