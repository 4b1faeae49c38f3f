"""Experiments: what each variation brought, unit by unit, as much as a readout needs of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import attrs

from cxkit.rules.measure.events import Event
from cxkit.rules.measure.readout.reading import Tally

__all__ = [
    "DEFINITION",
    "DIMENSIONS",
    "MOST_WORTH",
    "NAME",
    "NEVER_MS",
    "PERSONAL_SQL",
    "SQL",
    "TRAFFIC_SQL",
    "Dimension",
    "Exposure",
    "personal",
    "reference",
    "traffic",
]

NAME: Final = "experiments"

DEFINITION: Final = (
    "An experiment divides people by an identifier, or by session. What is counted is each person once, however many "
    "identifiers of theirs took part, as far as it is known now whose these are; else the identifier, or the session. "
    "They were exposed when a decision in which the experiment gave them a variation was shown (experience.shown); the "
    "first exposure counts, with the device, language and country of that moment. They reached a goal if an "
    "interaction of that name followed it, on whatever device and channel they were recognised; a session, in that "
    "session. Their value is what these interactions were worth, each and all of them up to 10 million in the main "
    "unit of a currency with cents. They crossed over if they were given two variations. Never counted: bots, whoever "
    "refuses analytics."
)

Dimension = Literal["device", "language", "country"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

MOST_WORTH: Final = 1_000_000_000
"""In minor units, either way: a larger one is a mistake that would be all that the mean tells."""
NEVER_MS: Final = 253_402_300_800_000
"""After all there is: the year 10,000."""
_PERSONAL_DEPTH: Final = 2

SQL: Final = """
WITH shown AS (
  SELECT event_id, ts_ms, variation AS shown_variation, crossed_over AS crossed_flag,
    CASE WHEN unit_type = 'session' THEN 1 ELSE 0 END AS by_session,
    COALESCE(CASE WHEN unit_type = 'session' THEN session_id ELSE subject_id END, unit) AS owner,
    COALESCE(
      CASE WHEN $by = 'device' THEN device_class WHEN $by = 'language' THEN language WHEN $by = 'country' THEN country
      END, '') AS label
  FROM exposures
  INNER JOIN events ON event_id = interaction
  WHERE experiment = $experiment AND version = $version AND is_bot = 0 AND consent_analytics = 1 AND ts_ms < $until_ms
),
placed AS (
  SELECT event_id, ts_ms, shown_variation, crossed_flag, by_session, owner, label,
    ROW_NUMBER() OVER (
      PARTITION BY owner, by_session
      ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
  FROM shown
),
units AS (
  SELECT owner, by_session,
    MAX(CASE WHEN place = 1 THEN shown_variation END) AS given,
    MAX(CASE WHEN place = 1 THEN label END) AS first_label,
    MAX(CASE WHEN place = 1 THEN ts_ms END) AS first_ms,
    MAX(CASE WHEN place = 1 THEN event_id END) AS first_id,
    MAX(crossed_flag) AS flagged,
    COUNT(DISTINCT shown_variation) AS variations
  FROM placed
  GROUP BY owner, by_session
),
goals AS (
  SELECT event_id AS goal_id, ts_ms AS goal_ms, met_in_session,
    CASE WHEN met_in_session = 1 THEN session_id ELSE subject_id END AS met_by,
    currency AS paid_in,
    CASE WHEN value_minor > 1000000000 THEN 1000000000 WHEN value_minor < -1000000000 THEN -1000000000 ELSE value_minor
    END AS paid
  FROM events
  CROSS JOIN (SELECT 0 AS met_in_session UNION ALL SELECT 1) AS ways
  WHERE name = $goal AND is_bot = 0 AND consent_analytics = 1 AND ts_ms < $until_ms
),
results AS (
  SELECT owner AS result_owner, by_session AS result_by_session, 1 AS has_reached,
    COALESCE(SUM(paid), 0) AS paid_in_all,
    COALESCE(MIN(paid_in), '') AS first_currency, COALESCE(MAX(paid_in), '') AS last_currency
  FROM goals
  CROSS JOIN units
  WHERE owner = met_by AND by_session = met_in_session
    AND CASE WHEN goal_ms > first_ms THEN 1 WHEN goal_ms = first_ms AND goal_id > first_id THEN 1 ELSE 0 END = 1
  GROUP BY owner, by_session
),
judged AS (
  SELECT given, first_label,
    CASE WHEN flagged = 1 OR variations > 1 THEN 1 ELSE 0 END AS crossing,
    COALESCE(has_reached, 0) AS reached,
    CASE WHEN paid_in_all > 1000000000 THEN 1000000000 WHEN paid_in_all < -1000000000 THEN -1000000000
         ELSE COALESCE(paid_in_all, 0) END AS worth,
    COALESCE(first_currency, '') AS low_currency,
    COALESCE(last_currency, '') AS high_currency
  FROM units
  LEFT JOIN results ON result_owner = owner AND result_by_session = by_session
)
SELECT given, first_label, crossing, reached, worth, low_currency, high_currency, COUNT(*) AS units
FROM judged
GROUP BY given, first_label, crossing, reached, worth, low_currency, high_currency
ORDER BY given, first_label, crossing, reached, worth, low_currency, high_currency
"""
"""Units that are the same in all that matters, as `Tally`; sums of their squares would not fit into the integers of
all engines.

Goals stand before units, and are joined by CROSS JOIN, which SQLite takes as the order to go in: it might look through
all goals for each unit else (sqlite.org/optoverview.html, "Manual Control Of Query Plans Using CROSS JOIN"). Whose a
goal is is an expression, for an owner is one, and is looked up in an index only by another. So 50,000 units of 40,000
persons, with 100,000 goals among 400,000 interactions, take 1.1 s of one core (SQLite 3.40).

An identifier that several people share is divided as one, and counted as each of them.

Parameters: ``$experiment``, ``$version``; ``$goal``, a name; ``$by``, a dimension, or empty: one label for all;
``$until_ms``, when it ended, `NEVER_MS` if it did not."""

PERSONAL_SQL: Final = """
WITH shown AS (
  SELECT event_id, ts_ms, subject_id, CASE WHEN depth >= 2 THEN 1 ELSE 0 END AS is_personal,
    COALESCE(
      CASE WHEN $by = 'device' THEN device_class WHEN $by = 'language' THEN language WHEN $by = 'country' THEN country
      END, '') AS label
  FROM events
  WHERE variant_key = $experience AND name = 'experience.shown' AND is_bot = 0 AND consent_analytics = 1
    AND subject_id IS NOT NULL
),
placed AS (
  SELECT event_id, ts_ms, subject_id, is_personal, label,
    ROW_NUMBER() OVER (
      PARTITION BY subject_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
  FROM shown
),
persons AS (
  SELECT subject_id, MAX(CASE WHEN place = 1 THEN label END) AS first_label, MAX(is_personal) AS got_personal
  FROM placed
  GROUP BY subject_id
)
SELECT first_label, COUNT(*) AS total, SUM(got_personal) AS personal
FROM persons
GROUP BY first_label
ORDER BY first_label
"""
"""How many of those who were shown an experience, by the label of the first time, were ever given a decision of
depth 2 or more: one about them, and not about their circumstances.

Parameters: ``$experience``, a name; ``$by``, a dimension, or empty."""


TRAFFIC_SQL: Final = """
WITH shown AS (
  SELECT subject_id AS shown_to, MIN(ts_ms) AS first_ms
  FROM events
  WHERE variant_key = $experience AND variant = $shown_variant AND name = 'experience.shown' AND is_bot = 0
    AND consent_analytics = 1 AND subject_id IS NOT NULL AND ts_ms >= $since_ms
  GROUP BY subject_id
),
met AS (
  SELECT shown_to AS met_by
  FROM shown
  INNER JOIN events ON subject_id = shown_to
  WHERE name = $goal AND is_bot = 0 AND consent_analytics = 1 AND ts_ms >= first_ms
  GROUP BY shown_to
)
SELECT COUNT(*) AS total, COUNT(met_by) AS reached
FROM shown
LEFT JOIN met ON met_by = shown_to
ORDER BY total
"""
"""How many were shown a variant of an experience, and how many of them reached the goal at that time or later.

Parameters: ``$experience``, ``$shown_variant``, ``$goal``, names; ``$since_ms``, a time."""


@attrs.frozen(kw_only=True)
class Exposure:
    """One row of the relation ``exposures``: an experiment in an exposure, and to which unit it gave what."""

    interaction: str
    """The ``event_id`` of the exposure in ``events``."""
    experiment: str
    version: int = 0
    variation: str
    unit_type: str = "visitor"
    unit: str
    """``visitor:7f3a``."""
    crossed_over: int = 0


def reference(
    exposures: Iterable[Exposure],
    events: Iterable[Event],
    *,
    experiment: str,
    version: int = 0,
    goal: str = "",
    by: Dimension | None = None,
    until_ms: int = NEVER_MS,
) -> list[Tally]:
    """The same as `SQL`."""
    counted = (one for one in events if not one.is_bot and one.consent_analytics and one.ts_ms < until_ms)
    lawful = {one.event_id: one for one in counted}
    shown: defaultdict[tuple[int, str], list[tuple[Event, Exposure]]] = defaultdict(list)
    for one in exposures:
        if (one.experiment, one.version) == (experiment, version) and one.interaction in lawful:
            event = lawful[one.interaction]
            by_session = int(one.unit_type == "session")
            shown[by_session, (event.session_id if by_session else event.subject_id) or one.unit].append((event, one))
    goals = [one for one in lawful.values() if one.name == goal]
    found = Counter[Tally]()
    for (by_session, owner), seen in shown.items():
        seen.sort(key=lambda pair: (pair[0].ts_ms, pair[0].event_id))
        first, exposure = seen[0]
        after = [one for one in goals if (one.ts_ms, one.event_id) > (first.ts_ms, first.event_id)]
        met = [one for one in after if owner == (one.session_id if by_session else one.subject_id)]
        paid_in = sorted(one.currency for one in met if one.currency is not None) or [""]
        found[
            Tally(
                variation=exposure.variation,
                label=_label(first, by),
                crossed=int(len({one.variation for _, one in seen}) > 1 or any(one.crossed_over for _, one in seen)),
                reached=int(bool(met)),
                worth=_bounded(sum(_bounded(one.value_minor or 0) for one in met)),
                low_currency=paid_in[0],
                high_currency=paid_in[-1],
                units=0,
            )
        ] += 1
    return sorted((attrs.evolve(one, units=units) for one, units in found.items()), key=attrs.astuple)


def personal(events: Iterable[Event], *, experience: str, by: Dimension | None = None) -> Mapping[str, tuple[int, int]]:
    """The same as `PERSONAL_SQL`: for each label how many were shown it, and how many of them a personal one."""
    shown = [
        one
        for one in events
        if one.variant_key == experience and one.name == "experience.shown" and one.subject_id is not None
    ]
    people: dict[str | None, tuple[str, int]] = {}
    for one in sorted(shown, key=lambda one: (one.ts_ms, one.event_id)):
        if not one.is_bot and one.consent_analytics:
            label, got = people.get(one.subject_id, (_label(one, by), 0))
            people[one.subject_id] = label, max(got, int((one.depth or 0) >= _PERSONAL_DEPTH))
    found: dict[str, tuple[int, int]] = {}
    for label, got in people.values():
        before = found.get(label, (0, 0))
        found[label] = before[0] + 1, before[1] + got
    return found


def traffic(
    events: Iterable[Event], *, experience: str, shown_variant: str, goal: str, since_ms: int
) -> tuple[int, int]:
    """The same as `TRAFFIC_SQL`."""
    lawful = [one for one in events if not one.is_bot and one.consent_analytics and one.subject_id is not None]
    first: dict[str | None, int] = {}
    for one in sorted(lawful, key=lambda one: one.ts_ms):
        is_it = (one.name, one.variant_key, one.variant) == ("experience.shown", experience, shown_variant)
        if is_it and one.ts_ms >= since_ms:
            first.setdefault(one.subject_id, one.ts_ms)
    met = {
        one.subject_id for one in lawful if one.name == goal and one.ts_ms >= first.get(one.subject_id, one.ts_ms + 1)
    }
    return len(first), len(met)


def _label(event: Event, by: Dimension | None) -> str:
    return (by and {"device": event.device_class, "language": event.language, "country": event.country}[by]) or ""


def _bounded(worth: int) -> int:
    return max(-MOST_WORTH, min(MOST_WORTH, worth))
