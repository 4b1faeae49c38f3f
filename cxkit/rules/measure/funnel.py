"""Funnel: how many get how far on a journey, and how long each of its steps takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs

from cxkit.model import JourneySpec
from cxkit.model.journey import MOST_PLACES
from cxkit.rules.measure.events import EVER, Event, counted, place, runs

__all__ = ["DEFINITION", "NAME", "SQL", "Step", "parameters", "reference"]

NAME: Final = "funnel"

DEFINITION: Final = (
    "A step of a journey is taken by a contact at one of its places: an interaction of the kind view, action, message, "
    "transaction, service or feedback; a page goes by its route, anything else by its name. A run is a person's steps "
    "with no pause as long as the window or longer; the first step after the last one begins another run. A run "
    "reached a step if it took that one or a later one: steps may be skipped, and going back loses none. It ended at "
    "the furthest step that it reached, so far; at the last step it is completed. The time of a step is from when the "
    "run got there to when it got further; the median is the middle one of those that did, of an even number the lower "
    "of the two in the middle: always a time that somebody took. Of contacts at one moment the one with the lower id "
    "is first. A run counts on the day of its first contact. Never counted: bots, whoever refuses analytics, contacts "
    "of nobody known, contacts that failed or were abandoned."
)

_WANTED: Final = " UNION ALL ".join(
    f"SELECT $place_{number} AS wanted_place, $step_{number} AS wanted_step" for number in range(1, MOST_PLACES + 1)
)

SQL: Final = f"""
WITH wanted AS (
  {_WANTED}
),
seen AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step,
    CASE WHEN wanted_step = 1 THEN 1 ELSE 0 END AS is_first
  FROM events
  INNER JOIN wanted ON wanted_step > 0
    AND wanted_place = CASE WHEN name = 'page.viewed' THEN COALESCE(route, name) ELSE name END
  WHERE is_bot = 0 AND consent_analytics = 1 AND subject_id IS NOT NULL
    AND kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback')
    AND (outcome IS NULL OR outcome = 'completed')
),
placed AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step, is_first,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place,
    LAG(ts_ms) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier_ms,
    COUNT(CASE WHEN wanted_step = $steps THEN 1 END) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS lasts
  FROM seen
),
turned AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step, is_first, place, earlier_ms, lasts,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id, is_first ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS turn,
    LAG(lasts) OVER (
      PARTITION BY subject_id, is_first ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier_lasts
  FROM placed
),
begun AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step,
    COUNT(CASE
      WHEN place = 1 OR ts_ms - earlier_ms >= $window_ms THEN 1
      WHEN is_first = 1 AND lasts > CASE WHEN turn = 1 THEN 0 ELSE earlier_lasts END THEN 1
    END) OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
  FROM turned
),
walked AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step, run,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS pace,
    MAX(wanted_step) OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS far
  FROM begun
),
advanced AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step, run, pace, far,
    LAG(far) OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier_far
  FROM walked
),
arrived AS (
  SELECT event_id, ts_ms, local_day, subject_id, wanted_step, run,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS arrival,
    LAG(wanted_step) OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS origin,
    LAG(ts_ms) OVER (
      PARTITION BY subject_id, run ORDER BY ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS origin_ms
  FROM advanced
  WHERE pace = 1 OR far > earlier_far
),
tries AS (
  SELECT subject_id AS who, run AS which, MAX(wanted_step) AS furthest
  FROM arrived
  GROUP BY subject_id, run
  HAVING MAX(CASE WHEN arrival = 1 THEN local_day END) BETWEEN $since_day AND $until_day
),
ranked AS (
  SELECT origin, ts_ms - origin_ms AS dwell_ms,
    ROW_NUMBER() OVER (
      PARTITION BY origin ORDER BY ts_ms - origin_ms, ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rank_up,
    COUNT(*) OVER (
      PARTITION BY origin ORDER BY ts_ms - origin_ms, ts_ms, event_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS of_all
  FROM arrived
  INNER JOIN tries ON who = subject_id AND which = run
  WHERE arrival > 1
),
middle AS (
  SELECT origin AS middle_step,
    MAX(CASE WHEN 2 * rank_up = of_all OR 2 * rank_up = of_all + 1 THEN dwell_ms END) AS middle_ms
  FROM ranked
  GROUP BY origin
),
numbers AS (
  SELECT wanted_step AS step_no FROM wanted WHERE wanted_step > 0 GROUP BY wanted_step
)
SELECT step_no, COUNT(furthest) AS reached, COUNT(DISTINCT who) AS persons,
  COUNT(CASE WHEN furthest = step_no THEN 1 END) AS ended, MAX(middle_ms) AS median_ms
FROM numbers
LEFT JOIN tries ON furthest >= step_no
LEFT JOIN middle ON middle_step = step_no
GROUP BY step_no
ORDER BY step_no
"""  # noqa: S608 - of nothing but numbers
"""Parameters: those of `parameters`; ``$since_day`` and ``$until_day``, both included."""


def parameters(spec: JourneySpec) -> dict[str, str | int]:
    """What says to `SQL` which journey is meant.

    ``$place_1`` to ``$place_20`` and ``$step_1`` to ``$step_20`` are a place and the step that is taken there, from 1,
    or 0 where there is none; ``$steps`` is how many there are, ``$window_ms`` how long a pause ends a run.
    """
    asked: dict[str, str | int] = {"steps": len(spec.steps), "window_ms": int(spec.ends_after_s * 1000)}
    places = [*spec.step_of.items(), *[("", -1)] * (MOST_PLACES - len(spec.step_of))]
    for number, (where, step) in enumerate(places, start=1):
        asked |= {f"place_{number}": where, f"step_{number}": step + 1}
    return asked


@attrs.frozen
class Step:
    """What became of the runs at one step."""

    number: int
    """From 1."""
    reached: int
    """Runs that got there or further."""
    persons: int
    """Whose they were."""
    ended: int
    """Of these, those that got no further so far; of the last step, those that are completed."""
    median_ms: int | None
    """How long those stayed that got further; None if nobody did."""


def reference(events: Iterable[Event], *, spec: JourneySpec, days: tuple[int, int] = EVER) -> list[Step]:
    """The same as `SQL`."""
    whose: list[tuple[str, int]] = []
    dwells: defaultdict[int, list[int]] = defaultdict(list)
    steps = [one for one in counted(events) if place(one) in spec.step_of and one.outcome in (None, "completed")]
    for life in runs(steps, "subject_id"):
        for run in _tries(life, spec):
            if not days[0] <= run[0].local_day <= days[1]:
                continue
            arrivals = list(_arrivals(run, spec.step_of))
            whose.append((str(run[0].subject_id), arrivals[-1][0]))
            for (step, at_ms), (_, after_ms) in pairwise(arrivals):
                dwells[step].append(after_ms - at_ms)
    return [_step(number, whose, sorted(dwells[number])) for number in range(1, len(spec.steps) + 1)]


def _tries(life: Sequence[Event], spec: JourneySpec) -> Iterator[list[Event]]:
    """One person's steps, run by run."""
    run: list[Event] = []
    completed = False  # since they took the first step, whenever that was
    for one in life:
        step = spec.step_of[place(one)]
        paused = bool(run) and one.ts_ms - run[-1].ts_ms >= int(spec.ends_after_s * 1000)
        if run and (paused or (step == 0 and completed)):
            yield run
            run = []
        completed = step == len(spec.steps) - 1 or (completed and step != 0)
        run.append(one)
    if run:
        yield run


def _arrivals(run: Iterable[Event], step_of: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Each step that is further than all before it, from 1, and when it was taken."""
    far = 0
    for one in run:
        if (step := step_of[place(one)] + 1) > far:
            far = step
            yield step, one.ts_ms


def _step(number: int, whose: Iterable[tuple[str, int]], dwells: Sequence[Any]) -> Step:
    there = [(who, furthest) for who, furthest in whose if furthest >= number]
    return Step(
        number,
        reached=len(there),
        persons=len({who for who, _ in there}),
        ended=sum(furthest == number for _, furthest in there),
        median_ms=dwells[(len(dwells) - 1) // 2] if dwells else None,
    )
