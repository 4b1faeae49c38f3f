"""Stages: how people move between the stages of the relation, and how long that takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Final

import attrs

from cxkit.rules.measure.events import EVER, Event, counted, runs

__all__ = ["DEFINITION", "NAME", "SQL", "Move", "reference"]

NAME: Final = "stages"

DEFINITION: Final = (
    "A person is in the stage of their latest contact that has one; contacts are interactions of the kind view, "
    "action, message, transaction, service or feedback. A move is from one stage to the next, different one; persons "
    "may come back to a stage, and skip stages. It counts on the day it is made. Dwell is the time from the first "
    "contact in the one stage to the first in the next; the median is the middle one, of an even number the lower of "
    "the two in the middle: always a time that somebody took. Never counted: bots, whoever refuses analytics, contacts "
    "of nobody known or without a stage."
)

SQL: Final = """
WITH seen AS (
  SELECT event_id, ts_ms, local_day, subject_id, stage
  FROM events
  WHERE is_bot = 0 AND consent_analytics = 1 AND subject_id IS NOT NULL AND stage IS NOT NULL
    AND kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback')
),
placed AS (
  SELECT subject_id, ts_ms, event_id, local_day, stage,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place,
    LAG(stage) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier
  FROM seen
),
entries AS (
  SELECT subject_id, ts_ms, event_id, local_day, stage,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS entry,
    LAG(stage) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS origin,
    LAG(ts_ms) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS origin_ms
  FROM placed
  WHERE place = 1 OR earlier <> stage
),
moves AS (
  SELECT subject_id, ts_ms, event_id, origin, stage AS target, ts_ms - origin_ms AS dwell_ms
  FROM entries
  WHERE entry > 1 AND local_day BETWEEN $since_day AND $until_day
),
ranked AS (
  SELECT subject_id, origin, target, dwell_ms,
    ROW_NUMBER() OVER (
      PARTITION BY origin, target ORDER BY dwell_ms, ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rank_up,
    COUNT(*) OVER (
      PARTITION BY origin, target ORDER BY dwell_ms, ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS of_all
  FROM moves
)
SELECT origin, target, COUNT(*) AS total, COUNT(DISTINCT subject_id) AS persons,
  MAX(CASE WHEN 2 * rank_up = of_all OR 2 * rank_up = of_all + 1 THEN dwell_ms END) AS median_ms
FROM ranked
GROUP BY origin, target
ORDER BY origin, target
"""
"""Parameters: ``$since_day`` and ``$until_day``, both included."""


@attrs.frozen
class Move:
    """Moves from one stage to another."""

    origin: str
    target: str
    moves: int
    persons: int
    """How many different ones made them."""
    median_ms: int
    """How long they had been in the first stage."""


def reference(events: Iterable[Event], *, days: tuple[int, int] = EVER) -> list[Move]:
    """The same as `SQL`."""
    found: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for life in runs(counted(events), "subject_id"):
        staged = [one for one in life if one.stage is not None]
        entries = [next(stay) for _, stay in groupby(staged, key=lambda one: one.stage)]
        for one, after in pairwise(entries):
            if days[0] <= after.local_day <= days[1]:
                found[str(one.stage), str(after.stage)].append((after.ts_ms - one.ts_ms, str(one.subject_id)))
    return [
        Move(*pair, len(moves), len({who for _, who in moves}), sorted(moves)[(len(moves) - 1) // 2][0])
        for pair, moves in sorted(found.items())
    ]
