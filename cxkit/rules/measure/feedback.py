"""Feedback: what customers say of it, scale by scale, and how sure the number is.

Sources: F. F. Reichheld, "The one number you need to grow", Harvard Business Review, December 2003 (NPS); M. Dixon, K.
Freeman and N. Toman, "Stop trying to delight your customers", ibid., July 2010 (CES); R. L. Oliver, "A cognitive model
of the antecedents and consequences of satisfaction decisions", Journal of Marketing Research 17, 1980 (expectation); H.
Manning and K. Bodine, Outside In, 2012 (useful, usable, enjoyable); E. B. Wilson, "Probable inference, the law of
succession, and statistical inference", Journal of the American Statistical Association 22, 1927 (intervals of shares).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Final, Literal, get_args

import attrs

from cxkit.model import SCALES
from cxkit.rules.measure.events import CONTACTS, EVER, Event, place
from cxkit.rules.measure.readout.comparing import ALPHA, Sample
from cxkit.rules.measure.readout.tails import normal_quantile, t_quantile

__all__ = ["DEFINITION", "DIMENSIONS", "NAME", "SQL", "Dimension", "Row", "Voice", "reference", "voices"]

NAME: Final = "voice"

DEFINITION: Final = (
    "An answer is an interaction with feedback: one score on one scale. NPS is the share of promoters (9 and "
    "10) less that of detractors (0 to 6), times 100. CSAT is the share of 4 and 5. CES, useful, usable and "
    "enjoyable are the mean of their scores. Expectation is the share of those it surpassed (+1) less that of "
    "those it disappointed (-1). The interval holds the truth 19 times in 20: of CSAT it is Wilson's, of all "
    "others that of a mean, by Student's t, as far as the scale goes; NPS and expectation are means of +1, 0 and "
    "-1. Where all answers are the same, a mean has none. An answer is about the touchpoint that its cause names, "
    "else about the last contact before it in its session that is no answer itself; a page goes by its route. It "
    "counts on its own day, each one, whoever gave it. Never counted: bots, whoever refuses analytics."
)

Dimension = Literal["touchpoint", "device", "channel", "country", "language"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

SQL: Final = """
WITH seen AS (
  SELECT event_id, ts_ms, session_id,
    CASE WHEN scale IS NULL THEN 1 ELSE 0 END AS is_contact,
    CASE WHEN name = 'page.viewed' THEN COALESCE(route, name) ELSE name END AS contact
  FROM events
  WHERE is_bot = 0 AND consent_analytics = 1 AND session_id IS NOT NULL
    AND (scale IS NOT NULL OR kind IN ('view', 'action', 'message', 'transaction', 'service', 'feedback'))
),
placed AS (
  SELECT event_id AS placed_id, session_id AS placed_session, is_contact, contact,
    SUM(is_contact) OVER (
      PARTITION BY session_id ORDER BY ts_ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS nth
  FROM seen
),
earlier AS (
  SELECT answers.placed_id AS answer_id, contacts.contact AS earlier_contact
  FROM placed AS answers
  INNER JOIN placed AS contacts
    ON contacts.placed_session = answers.placed_session AND contacts.nth = answers.nth AND contacts.is_contact = 1
  WHERE answers.is_contact = 0
),
causes AS (
  SELECT event_id AS cause_id,
    CASE WHEN name = 'page.viewed' THEN COALESCE(route, name) ELSE name END AS cause_contact
  FROM events
),
told AS (
  SELECT scale, score AS points,
    COALESCE(
      CASE
        WHEN $by = 'device' THEN device_class
        WHEN $by = 'channel' THEN channel
        WHEN $by = 'country' THEN country
        WHEN $by = 'language' THEN language
        ELSE COALESCE(cause_contact, earlier_contact)
      END, '') AS label
  FROM events
  LEFT JOIN causes ON cause_id = cause
  LEFT JOIN earlier ON answer_id = event_id
  WHERE is_bot = 0 AND consent_analytics = 1 AND scale IS NOT NULL AND score IS NOT NULL
    AND local_day BETWEEN $since_day AND $until_day
)
SELECT scale, label, points, COUNT(*) AS answers
FROM told
GROUP BY scale, label, points
ORDER BY scale, label, points
"""
"""Parameters: ``$by``, a dimension; ``$since_day`` and ``$until_day``, both included."""


@attrs.frozen
class Row:
    """Answers that are the same."""

    scale: str
    label: str
    """The touchpoint, device, ...; empty if that is not known."""
    score: int
    answers: int


@attrs.frozen(kw_only=True)
class Voice:
    """What was answered on one scale."""

    scale: str
    label: str
    answers: int
    value: float
    """Of NPS from -100 to 100; of CSAT a share; of the others a mean score."""
    variance: float | None
    """Of one answer, as it is coded for ``value``; None for a single one."""
    low: float | None
    high: float | None
    """The interval; None where there is not enough for one."""


def voices(rows: Iterable[Row]) -> list[Voice]:
    """The numbers, from the rows of `SQL`; scores that are on no scale, or off theirs, left out.

    Example:
        >>> (nps,) = voices([Row("nps", "/cart", 10, 50), Row("nps", "/cart", 7, 30), Row("nps", "/cart", 3, 20)])
        >>> nps.value, round(nps.low, 1), round(nps.high, 1)
        (30.0, 14.4, 45.6)
    """
    sound = [one for one in rows if one.scale in SCALES and _on_scale(one)]
    sound.sort(key=lambda one: (one.scale, one.label))
    found = []
    for (scale, label), same in groupby(sound, key=lambda one: (one.scale, one.label)):
        scores = Counter[int]()
        for one in same:
            scores[_coded(scale, one.score)] += one.answers
        found.append(_voice(scale, label, scores))
    return found


def _on_scale(row: Row) -> bool:
    low, high = SCALES[row.scale]
    return low <= row.score <= high and row.answers > 0


def _coded(scale: str, score: int) -> int:
    if scale == "nps":
        return 1 if score >= 9 else -1 if score <= 6 else 0
    return int(score >= 4) if scale == "csat" else score


def _voice(scale: str, label: str, scores: Counter[int]) -> Voice:
    factor = 100 if scale == "nps" else 1
    sample = Sample(
        units=scores.total(),
        total=sum(score * times for score, times in scores.items()),
        squares=sum(score * score * times for score, times in scores.items()),
    )
    interval = _wilson(sample) if scale == "csat" else _of_mean(sample, *_ends(scale))
    return Voice(
        scale=scale,
        label=label,
        answers=sample.units,
        value=factor * sample.mean,
        variance=None if math.isnan(sample.variance) else factor * factor * sample.variance,
        low=None if interval is None else factor * interval[0],
        high=None if interval is None else factor * interval[1],
    )


def _ends(scale: str) -> tuple[int, int]:
    return (-1, 1) if scale == "nps" else SCALES[scale]


def _of_mean(sample: Sample, lowest: int, highest: int) -> tuple[float, float] | None:
    if not sample.variance > 0:
        return None
    half = t_quantile(ALPHA, sample.units - 1) * math.sqrt(sample.of_mean)
    return max(float(lowest), sample.mean - half), min(float(highest), sample.mean + half)


def _wilson(sample: Sample) -> tuple[float, float]:
    z, units = normal_quantile(1 - ALPHA / 2), sample.units
    middle = (sample.mean + z * z / (2 * units)) / (1 + z * z / units)
    half = z / (1 + z * z / units) * math.sqrt(sample.mean * (1 - sample.mean) / units + z * z / (4 * units * units))
    return max(0.0, middle - half), min(1.0, middle + half)


def reference(events: Iterable[Event], *, by: Dimension, days: tuple[int, int] = EVER) -> list[Row]:
    """The same as `SQL`."""
    known = sorted(events, key=lambda one: (one.ts_ms, one.event_id))
    causes: dict[str | None, str] = {one.event_id: place(one) for one in known}
    last: dict[str | None, str] = {}
    found = Counter[tuple[str, str, int]]()
    for one in known:
        if one.is_bot or not one.consent_analytics:
            continue
        if one.scale is None:
            if one.session_id is not None and one.kind in CONTACTS:
                last[one.session_id] = place(one)
        elif one.score is not None and days[0] <= one.local_day <= days[1]:
            about = causes.get(one.cause, last.get(one.session_id))
            labels = {"device": one.device_class, "channel": one.channel, "country": one.country}
            labels |= {"language": one.language, "touchpoint": about}
            found[one.scale, labels[by] or "", one.score] += 1
    return [Row(scale, label, score, answers) for (scale, label, score), answers in sorted(found.items())]
