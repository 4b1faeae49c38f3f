"""What the metrics leave out, in numbers: an answer without them could be read as one about everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from cxkit.rules.measure.events import CONTACTS, EVER, Event

__all__ = ["SQL", "LeftOut", "reference"]

SQL: Final = """
SELECT COUNT(*) AS total,
  COUNT(CASE WHEN is_bot = 1 THEN 1 END) AS bots,
  COUNT(CASE WHEN is_bot = 0 AND consent_analytics = 0 THEN 1 END) AS refused,
  COUNT(CASE WHEN is_bot = 0 AND consent_analytics = 1 AND session_id IS NULL THEN 1 END) AS sessionless,
  COUNT(CASE WHEN is_bot = 0 AND consent_analytics = 1 AND subject_id IS NULL THEN 1 END) AS nobodies,
  COUNT(CASE WHEN is_bot = 0 AND consent_analytics = 1 AND subject_id IS NOT NULL AND stage IS NULL THEN 1 END)
    AS stageless
FROM events
WHERE local_day BETWEEN $since_day AND $until_day
  AND kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback')
ORDER BY total
"""
"""Parameters: ``$since_day`` and ``$until_day``, both included."""


@attrs.frozen
class LeftOut:
    """Contacts."""

    total: int
    """All there are."""
    bots: int
    """By programs."""
    refused: int
    """By persons who refuse analytics."""
    sessionless: int
    """Of the rest: without a session."""
    nobodies: int
    """Of the rest: of nobody known."""
    stageless: int
    """Of the rest: of somebody, without a stage."""


def reference(events: Iterable[Event], *, days: tuple[int, int] = EVER) -> LeftOut:
    """The same as `SQL`."""
    rows = [one for one in events if one.kind in CONTACTS and days[0] <= one.local_day <= days[1]]
    people = [one for one in rows if not one.is_bot]
    rest = [one for one in people if one.consent_analytics]
    return LeftOut(
        total=len(rows),
        bots=len(rows) - len(people),
        refused=len(people) - len(rest),
        sessionless=sum(one.session_id is None for one in rest),
        nobodies=sum(one.subject_id is None for one in rest),
        stageless=sum(one.subject_id is not None and one.stage is None for one in rest),
    )
