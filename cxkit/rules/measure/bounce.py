"""Bounce: the share of visits in which nothing came of the first page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

import attrs

from cxkit.rules.measure.events import CONTACTS, EVER, Event, counted, place, runs

__all__ = ["DEFINITION", "DIMENSIONS", "NAME", "SQL", "Dimension", "Row", "reference", "verdict"]

NAME: Final = "bounce"

DEFINITION: Final = (
    "A visit is a session with at least one contact: an interaction of the kind view, action, message, transaction, "
    "service or feedback. It is engaged if it has two views or more, ten seconds of measured engagement or more, or "
    "one action, transaction, service, feedback or message from the customer. It bounced if it is not engaged "
    "although engagement was measured, by a contact or by an interaction of the kind measurement. It is unknown if "
    "its only evidence is one view seen by the server: without the beacon a one-view session is unknown. Bounce rate "
    "= bounced / (bounced + engaged). A visit counts on the day of its first contact, and under the device, channel, "
    "country or entry of that one. Where only the company spoke, there is no visit. Never counted: bots, whoever "
    "refuses analytics, contacts without a session."
)

Dimension = Literal["device", "channel", "country", "entry"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

_ENGAGED_MS: Final = 10_000
_READ: Final = CONTACTS | {"measurement"}
_ACTS: Final = frozenset({"action", "transaction", "service", "feedback"})

SQL: Final = """
WITH seen AS (
  SELECT event_id, ts_ms, local_day, session_id, kind, direction, engaged_ms,
    COALESCE(
      CASE
        WHEN $by = 'device' THEN device_class
        WHEN $by = 'channel' THEN channel
        WHEN $by = 'country' THEN country
        WHEN name = 'page.viewed' THEN COALESCE(route, name)
        ELSE name
      END, '') AS label
  FROM events
  WHERE is_bot = 0 AND consent_analytics = 1 AND session_id IS NOT NULL
    AND kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback', 'measurement')
),
placed AS (
  SELECT session_id, local_day, kind, direction, engaged_ms, label,
    ROW_NUMBER() OVER (
      PARTITION BY session_id, CASE WHEN kind = 'measurement' THEN 1 ELSE 0 END
      ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
  FROM seen
),
sessions AS (
  SELECT session_id,
    MAX(CASE WHEN place = 1 AND kind <> 'measurement' THEN label END) AS first_label,
    MAX(CASE WHEN place = 1 AND kind <> 'measurement' THEN local_day END) AS first_day,
    COUNT(CASE WHEN kind = 'view' THEN 1 END) AS views,
    COUNT(CASE WHEN kind IN ('action', 'transaction', 'service', 'feedback') THEN 1
               WHEN kind = 'message' AND direction = 'inbound' THEN 1 END) AS acts,
    COUNT(engaged_ms) AS measures,
    SUM(CASE WHEN engaged_ms >= 10000 THEN 10000 WHEN engaged_ms > 0 THEN engaged_ms ELSE 0 END) AS looked_ms
  FROM placed
  GROUP BY session_id
),
judged AS (
  SELECT first_label,
    CASE WHEN views >= 2 OR acts >= 1 OR looked_ms >= 10000 THEN 'engaged'
         WHEN measures >= 1 THEN 'bounced'
         WHEN views = 1 THEN 'unknown'
         ELSE 'none' END AS verdict
  FROM sessions
  WHERE first_day BETWEEN $since_day AND $until_day
)
SELECT first_label,
  COUNT(CASE WHEN verdict = 'bounced' THEN 1 END) AS bounced,
  COUNT(CASE WHEN verdict = 'engaged' THEN 1 END) AS engaged,
  COUNT(CASE WHEN verdict = 'unknown' THEN 1 END) AS undecided,
  COUNT(CASE WHEN verdict = 'none' THEN 1 END) AS no_visit
FROM judged
GROUP BY first_label
ORDER BY first_label
"""
"""Parameters: ``$by``, a dimension; ``$since_day`` and ``$until_day``, both included."""


@attrs.frozen
class Row:
    """Sessions that began under one label."""

    label: str
    """The device, channel, ...; empty if that was not known."""
    bounced: int
    engaged: int
    unknown: int
    no_visit: int

    @property
    def per_mille(self) -> int | None:
        """The bounce rate in thousandths, a half rounded up; None where nothing is known.

        Example:
            >>> Row("phone", bounced=220, engaged=280, unknown=30, no_visit=0).per_mille
            440
        """
        known = self.bounced + self.engaged
        return (2000 * self.bounced + known) // (2 * known) if known else None


def verdict(session: Sequence[Event]) -> Literal["bounced", "engaged", "unknown", "none"]:
    """What became of one session."""
    views = sum(one.kind == "view" for one in session)
    measured = [one.engaged_ms for one in session if one.engaged_ms is not None]
    acted = any(one.kind in _ACTS or (one.kind == "message" and one.direction == "inbound") for one in session)
    if views >= 2 or acted or sum(max(ms, 0) for ms in measured) >= _ENGAGED_MS:
        return "engaged"
    if measured:
        return "bounced"
    return "unknown" if views else "none"


def reference(events: Iterable[Event], *, by: Dimension, days: tuple[int, int] = EVER) -> list[Row]:
    """The same as `SQL`."""
    verdicts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for session in runs(counted(events, kinds=_READ), "session_id"):
        first = next((one for one in session if one.kind in CONTACTS), None)
        if first is not None and days[0] <= first.local_day <= days[1]:
            verdicts[_label(first, by)][verdict(session)] += 1
    return [
        Row(label, tally["bounced"], tally["engaged"], tally["unknown"], tally["none"])
        for label, tally in sorted(verdicts.items())
    ]


def _label(event: Event, by: Dimension) -> str:
    found = {"device": event.device_class, "channel": event.channel, "country": event.country, "entry": place(event)}
    return found[by] or ""
