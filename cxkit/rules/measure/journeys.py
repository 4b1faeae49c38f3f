"""Journeys: what follows what within a session, step by step; and the ways that are taken most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from cxkit.rules.measure.events import EVER, Event, counted, place, runs

__all__ = ["DEFINITION", "END", "MAX_DEPTH", "NAME", "OTHER", "SQL", "Edge", "Journeys", "Path", "reference"]

NAME: Final = "journeys"

DEFINITION: Final = (
    "A journey is the contacts of one session in their order: interactions of the kind view, action, message, "
    "transaction, service or feedback; a page goes by its route, anything else by its name. Each is a step. An edge "
    "(step, from, to) counts the sessions that went from that step on to the next, or to (end) if there was none. "
    "Depth is how many steps are followed by one. What is not among the most frequent names is (other). A path is a "
    "session's steps up to there. A session counts on the day of its first step. Never counted: bots, whoever refuses "
    "analytics, contacts without a session."
)

END: Final = "(end)"
OTHER: Final = "(other)"
MAX_DEPTH: Final = 7

SQL: Final = """
WITH seen AS (
  SELECT event_id, ts_ms, local_day, session_id,
    CASE WHEN name = 'page.viewed' THEN COALESCE(route, name) ELSE name END AS contact
  FROM events
  WHERE is_bot = 0 AND consent_analytics = 1 AND session_id IS NOT NULL
    AND kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback')
),
placed AS (
  SELECT event_id, ts_ms, local_day, session_id, contact,
    ROW_NUMBER() OVER (
      PARTITION BY session_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place,
    LAG(contact) OVER (
      PARTITION BY session_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier
  FROM seen
),
steps AS (
  SELECT session_id, local_day, contact,
    ROW_NUMBER() OVER (
      PARTITION BY session_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS step
  FROM placed
  WHERE place = 1 OR $collapse = 0 OR earlier <> contact
),
walks AS (
  SELECT MAX(CASE WHEN step = 1 THEN local_day END) AS first_day, COUNT(*) AS taken,
    MAX(CASE WHEN step = 1 THEN contact ELSE '' END) AS c1,
    MAX(CASE WHEN step = 2 THEN contact ELSE '' END) AS c2,
    MAX(CASE WHEN step = 3 AND $depth >= 2 THEN contact ELSE '' END) AS c3,
    MAX(CASE WHEN step = 4 AND $depth >= 3 THEN contact ELSE '' END) AS c4,
    MAX(CASE WHEN step = 5 AND $depth >= 4 THEN contact ELSE '' END) AS c5,
    MAX(CASE WHEN step = 6 AND $depth >= 5 THEN contact ELSE '' END) AS c6,
    MAX(CASE WHEN step = 7 AND $depth >= 6 THEN contact ELSE '' END) AS c7,
    MAX(CASE WHEN step = 8 AND $depth >= 7 THEN contact ELSE '' END) AS c8
  FROM steps
  WHERE step <= $depth + 2
  GROUP BY session_id
),
ways AS (
  SELECT taken, c1, c2, c3, c4, c5, c6, c7, c8, COUNT(*) AS times
  FROM walks
  WHERE first_day BETWEEN $since_day AND $until_day
  GROUP BY taken, c1, c2, c3, c4, c5, c6, c7, c8
),
slots AS (
  SELECT 1 AS slot UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6
  UNION ALL SELECT 7
),
legs AS (
  SELECT slot, times,
    CASE slot WHEN 1 THEN c1 WHEN 2 THEN c2 WHEN 3 THEN c3 WHEN 4 THEN c4 WHEN 5 THEN c5 WHEN 6 THEN c6 ELSE c7 END
      AS origin,
    CASE WHEN slot = taken THEN '(end)'
         WHEN slot = 1 THEN c2 WHEN slot = 2 THEN c3 WHEN slot = 3 THEN c4 WHEN slot = 4 THEN c5 WHEN slot = 5 THEN c6
         WHEN slot = 6 THEN c7 ELSE c8 END AS target
  FROM ways
  INNER JOIN slots ON slot <= $depth AND slot <= taken
),
edges AS (
  SELECT slot, origin, target, SUM(times) AS edge_times FROM legs GROUP BY slot, origin, target
),
met AS (
  SELECT origin AS met_name, edge_times FROM edges
  UNION ALL
  SELECT target, edge_times FROM edges WHERE slot = $depth AND target <> '(end)'
),
kept AS (
  SELECT met_name AS kept_name, 1 AS is_kept
  FROM met
  GROUP BY met_name
  ORDER BY SUM(edge_times) DESC, met_name
  LIMIT $top
),
named AS (
  SELECT slot, edge_times,
    CASE WHEN origins.is_kept = 1 THEN origin ELSE '(other)' END AS origin_name,
    CASE WHEN targets.is_kept = 1 OR target = '(end)' THEN target ELSE '(other)' END AS target_name
  FROM edges
  LEFT JOIN kept AS origins ON origins.kept_name = origin
  LEFT JOIN kept AS targets ON targets.kept_name = target
),
flows AS (
  SELECT slot, origin_name, target_name, SUM(edge_times) AS total
  FROM named
  GROUP BY slot, origin_name, target_name
),
paths AS (
  SELECT taken, c1, c2, c3, c4, c5, c6, c7, c8, times
  FROM ways
  ORDER BY times DESC, c1, c2, c3, c4, c5, c6, c7, c8, taken
  LIMIT $paths
),
answer AS (
  SELECT 0 AS is_path, slot AS step_no, total AS sessions, origin_name AS n1, target_name AS n2,
    '' AS n3, '' AS n4, '' AS n5, '' AS n6, '' AS n7, '' AS n8
  FROM flows
  UNION ALL
  SELECT 1, taken, times, c1, c2, c3, c4, c5, c6, c7, c8
  FROM paths
)
SELECT is_path, step_no, sessions, n1, n2, n3, n4, n5, n6, n7, n8
FROM answer
ORDER BY is_path, CASE WHEN is_path = 0 THEN step_no ELSE 0 END, sessions DESC, n1, n2, n3, n4, n5, n6, n7, n8, step_no
"""
"""The edges and then, where ``is_path`` is 1, the paths; `Journeys.of_rows` reads them.

Parameters: ``$depth``, up to `MAX_DEPTH`; ``$top``, how many names; ``$paths``, how many paths; ``$collapse``, 1 to
take repeats of a step for one; ``$since_day`` and ``$until_day``, both included."""


@attrs.frozen
class Edge:
    """Sessions that went from one step to the next."""

    step: int
    """From 1."""
    origin: str
    target: str
    sessions: int


@attrs.frozen
class Path:
    """Sessions whose steps, as far as they are looked at, are the same."""

    steps: tuple[str, ...]
    ended: bool
    """Whether these were all of their steps."""
    sessions: int


@attrs.frozen(kw_only=True)
class Journeys:
    """The answer."""

    edges: tuple[Edge, ...]
    """By step, the most taken first."""
    paths: tuple[Path, ...]
    """The most taken first."""

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[Any]], *, depth: int) -> Journeys:
        """From the rows of `SQL`."""
        edges, paths = [], []
        for is_path, step, sessions, *names in rows:
            if is_path:
                paths.append(Path(tuple(names[: min(step, depth + 1)]), step <= depth + 1, sessions))
            else:
                edges.append(Edge(step, names[0], names[1], sessions))
        return cls(edges=tuple(edges), paths=tuple(paths))


def reference(
    events: Iterable[Event],
    *,
    depth: int = 5,
    top: int = 7,
    paths: int = 10,
    collapse: bool = False,
    days: tuple[int, int] = EVER,
) -> Journeys:
    """The same as `SQL`."""
    walks = _walks(events, collapse, days)
    taken = Counter((walk[: depth + 1], len(walk) <= depth + 1) for walk in walks)
    ways = [Path(*way, sessions) for way, sessions in taken.items()]
    ways.sort(key=lambda one: (-one.sessions, one.steps, not one.ended))
    return Journeys(edges=tuple(_edges(walks, depth, top)), paths=tuple(ways[:paths]))


def _walks(events: Iterable[Event], collapse: bool, days: tuple[int, int]) -> list[tuple[str, ...]]:
    walks = []
    for session in runs(counted(events), "session_id"):
        if days[0] <= session[0].local_day <= days[1]:
            names = [place(one) for one in session]
            again = [collapse and step > 0 and name == names[step - 1] for step, name in enumerate(names)]
            walks.append(tuple(name for name, repeated in zip(names, again, strict=True) if not repeated))
    return walks


def _edges(walks: list[tuple[str, ...]], depth: int, top: int) -> list[Edge]:
    met = Counter(name for walk in walks for name in walk[:depth])
    met.update(name for walk in walks for name in walk[depth : depth + 1] if name != END)
    kept = {name: name for name in sorted(met, key=lambda name: (-met[name], name))[:top]}
    targets = {END: END, **kept}
    found: Counter[tuple[int, str, str]] = Counter()
    for walk in walks:
        for step, (origin, target) in enumerate(zip(walk[:depth], (*walk[1:], END), strict=False), start=1):
            found[step, kept.get(origin, OTHER), targets.get(target, OTHER)] += 1
    edges = [Edge(*edge, sessions) for edge, sessions in found.items()]
    return sorted(edges, key=lambda one: (one.step, -one.sessions, one.origin, one.target))
