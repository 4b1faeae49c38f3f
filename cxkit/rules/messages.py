"""Messages: what holds of one after everything that was told of it, whatever the order in which that arrived.

What is told is only ever added, so two who heard the same in another order, or some of it twice, agree. From it:

- **The state** is the furthest of queued < sent < deferred < delivered < read. Who opened it, followed a link in it,
  complained of it or left by it has it. Who says that it bounced, failed or was rejected is believed over all that: a
  server that takes a message in may find out later that it cannot deliver it.
- **A soft bounce** that was delivered all the same was none in the end.
- **Contradictory** is what was delivered, and bounced for good or was rejected: whoever suppressed the address for it
  goes on doing so, for nothing but an operator lifts that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import attrs

from cxkit.model import JSON
from cxkit.model.message import Bounce, Happening, Message

__all__ = ["MOST_HITS", "contradictory", "state", "with_hit", "with_report"]

MOST_HITS: Final = 30
"""Of how many openings and clicks of one message it is remembered what they looked like."""
_MOST_REPORTS: Final = 50

_ORDER: Final[tuple[Happening, ...]] = ("unknown", "queued", "sent", "deferred", "delivered", "read")
_LOST: Final[tuple[Happening, ...]] = ("failed", "rejected", "bounced")
"""The last is the one to tell of."""
_GRAVITY: Final = ("soft", "unknown", "block", "hard")
_ARRIVED: Final[frozenset[Happening]] = frozenset(
    {"delivered", "read", "opened", "clicked", "complained", "unsubscribed"}
)


def state(happened: Collection[Happening], *, bounce: Bounce | None = None) -> Happening:
    """Where a message is, by all that has happened to it.

    Example:
        >>> state(["delivered", "sent"]), state(["bounced", "sent"]), state(["clicked"])
        ('delivered', 'bounced', 'delivered')
    """
    arrived = not _ARRIVED.isdisjoint(happened)
    lost = [one for one in _LOST if one in happened]
    if arrived and lost == ["bounced"] and bounce is not None and bounce.kind == "soft":
        lost = []
    if lost:
        return lost[-1]
    furthest = max((_ORDER.index(one) for one in happened if one in _ORDER), default=0)
    return _ORDER[max(furthest, _ORDER.index("delivered") if arrived else 0)]


def contradictory(happened: Collection[Happening]) -> bool:
    """Whether somebody has it, by what was told, and cannot have it."""
    return not _ARRIVED.isdisjoint(happened) and not {"bounced", "rejected"}.isdisjoint(happened)


def with_report(message: Message, happened: Happening, *, at: datetime, report: str, bounce: Bounce | None) -> Message:
    """A message of which this was told, too.

    Args:
        report: A digest by which a repetition of it is known.
    """
    if report in message.reports:
        return message
    times = dict(message.happened)
    times[happened] = min(at, times.get(happened, at))
    return attrs.evolve(
        message,
        happened=times,
        bounce=_gravest(message.bounce, bounce),
        reports=(*message.reports, report)[-_MOST_REPORTS:],
    )


def with_hit(
    message: Message, hit: Mapping[str, JSON], *, how: Happening | None = None, at: datetime | None = None
) -> Message:
    """A message that something opened or followed, too; a hit with the ``id`` of an earlier one replaces it.

    What were its ``signs`` stay: two who look at one hit may each know some.

    Args:
        how: What happened then, and ``at`` when; None: nothing new.
    """
    others = [one for one in message.hits if one.get("id") != hit.get("id")]
    known = {sign for one in message.hits if one.get("id") == hit.get("id") for sign in _texts(one.get("signs"))}
    if known:
        hit = {**hit, "signs": sorted(known.union(_texts(hit.get("signs"))), key=str)}
    times = dict(message.happened)
    if how is not None and at is not None:
        times[how] = min(at, times.get(how, at))
    hits = sorted([*others, hit], key=lambda one: (str(one.get("at")), str(one.get("id"))))
    return attrs.evolve(message, happened=times, hits=tuple(hits[-MOST_HITS:]))


def _texts(told: JSON) -> list[JSON]:
    return [str(one) for one in told] if isinstance(told, (list, tuple)) else []


def _gravest(one: Bounce | None, other: Bounce | None) -> Bounce | None:
    """Of two the graver; of two as grave the one whose words come first, so that the order does not matter."""
    known = [bounce for bounce in (one, other) if bounce is not None]
    return max(
        known, key=lambda bounce: (_GRAVITY.index(bounce.kind), bounce.reason, bounce.status or ""), default=None
    )
