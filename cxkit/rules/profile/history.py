"""History: the last contacts of a person, and what follows from them.

A contact is an interaction of the kind view, action, message, transaction, service or feedback, as in
``rules.measure``. The newest `HISTORY_LENGTH` are kept; of the older ones only how many sessions they were, what
they ended with, and the last contact at each of the `PASSED_LENGTH` places that were left last: a journey begun
before a hundred pages were read is not forgotten. So the state does not depend on the order of arrival unless an
interaction comes later than that many newer ones: then it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import attrs

from cxkit.model import Interaction, Stage
from cxkit.model.profile import Recent
from cxkit.model.touchpoint import CONTACTS

__all__ = [
    "HISTORY_LENGTH",
    "PASSED_LENGTH",
    "History",
    "fold",
    "in_sessions",
    "last_seen_at",
    "merge_histories",
    "preferred_channel",
    "recent_of",
    "stage_now",
]

HISTORY_LENGTH: Final = 100
PASSED_LENGTH: Final = 100
_PAGE: Final = "page.viewed"
_GAP: Final = timedelta(minutes=30)
_CHANNEL_WINDOW: Final = timedelta(days=90)


@attrs.frozen(kw_only=True)
class History:
    """What is remembered of what happened. Plain enough for msgspec to write and read."""

    recent: tuple[Recent, ...] = ()
    """The newest contacts, in order of time and id."""
    older_sessions: int = 0
    """How many sessions the older ones began."""
    older_until: tuple[datetime, str] | None = None
    """Time and id of the newest of these."""
    older_seen_at: datetime | None = None
    """When the person last did something in these."""
    older_stage: Stage | None = None
    """The last stage of these."""
    passed: tuple[Recent, ...] = ()
    """Of these the last at each place that did not fail, in order."""

    @property
    def contacts(self) -> tuple[Recent, ...]:
        """All that are known one by one, in order."""
        return (*self.passed, *self.recent)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Of these."""
        return frozenset(one.id for one in self.contacts)

    @cached_property
    def last_at(self) -> Mapping[str, Recent]:
        """Place to the last of these there that did not fail."""
        return {one.place: one for one in self.contacts if one.succeeded}


def recent_of(interaction: Interaction) -> Recent:
    """What is remembered of an interaction."""
    return Recent(
        id=interaction.id,
        at=interaction.occurred_at,
        name=interaction.name,
        kind=interaction.kind,
        channel=interaction.channel or interaction.context.channel,
        direction=interaction.direction,
        stage=interaction.stage,
        route=interaction.context.page.route if interaction.name == _PAGE and interaction.context.page else None,
        outcome=interaction.outcome,
    )


def fold(history: History, fact: Recent) -> History:
    """The history with one more contact. One that it has is not taken twice, and one too old not at all.

    Example:
        >>> from datetime import UTC, datetime
        >>> call = Recent(id="a", at=datetime(2026, 11, 22, 12, tzinfo=UTC), name="call.answered", stage="service")
        >>> history = fold(fold(History(), call), call)
        >>> in_sessions(history), stage_now(history)
        (1, 'service')
    """
    too_old = history.older_until is not None and _order(fact) <= history.older_until
    if fact.kind not in CONTACTS or too_old or any(one.id == fact.id for one in history.recent):
        return history
    return _trimmed(history, [*history.recent, fact])


def _trimmed(history: History, contacts: Iterable[Recent]) -> History:
    ordered = sorted(contacts, key=_order)
    return _forgotten(history, ordered[:-HISTORY_LENGTH], kept=ordered[-HISTORY_LENGTH:])


def _forgotten(history: History, old: Iterable[Recent], *, kept: Iterable[Recent]) -> History:
    """The history with these contacts, in order, among the older ones."""
    passed = {one.place: one for one in history.passed}
    for one in old:
        if one.succeeded:
            passed[one.place] = one
        inbound = one.direction == "inbound"
        history = attrs.evolve(
            history,
            older_sessions=history.older_sessions + (inbound and _begins(one.at, history.older_seen_at)),
            older_until=_order(one),
            older_seen_at=one.at if inbound else history.older_seen_at,
            older_stage=one.stage or history.older_stage,
        )
    return attrs.evolve(history, recent=tuple(kept), passed=_last_passed(passed.values()))


def _last_passed(contacts: Iterable[Recent]) -> tuple[Recent, ...]:
    """Of each place the last, and of these the last ones."""
    last = {one.place: one for one in sorted(contacts, key=_order)}
    return tuple(sorted(last.values(), key=_order)[-PASSED_LENGTH:])


def _order(one: Recent) -> tuple[datetime, str]:
    return one.at, one.id


def _begins(at: datetime, last: datetime | None) -> bool:
    """Whether a session begins: more than half an hour after what the person did before."""
    return last is None or at - last > _GAP


def in_sessions(history: History) -> int:
    """How many sessions there were: runs of what the person did with no gap over 30 minutes.

    What the company does, a message say, begins none and prolongs none.
    """
    sessions, last = history.older_sessions, history.older_seen_at
    for one in history.recent:
        if one.direction == "inbound":
            sessions += _begins(one.at, last)
            last = one.at
    return sessions


def last_seen_at(history: History) -> datetime | None:
    """When the person last did something."""
    seen = (one.at for one in reversed(history.recent) if one.direction == "inbound")
    return next(seen, history.older_seen_at)


def stage_now(history: History, *, declared: Stage | None = None) -> Stage | None:
    """Where a person is in the relation: what was declared, else the stage of their latest contact that has one."""
    if declared is not None:
        return declared
    return next((one.stage for one in reversed(history.recent) if one.stage is not None), history.older_stage)


def preferred_channel(history: History, *, declared: str | None = None, profiling: bool, now: datetime) -> str | None:
    """The channel a person prefers: what they declared, else where they came most often in 90 days.

    Of two that are equally common, the one they used last. It is concluded from recent contacts only.

    Args:
        profiling: Whether they allow that purpose. If not, only what they declared is known.
    """
    if declared is not None or not profiling:
        return declared
    used = [
        one.channel
        for one in history.recent
        if one.channel is not None and one.direction == "inbound" and now - _CHANNEL_WINDOW < one.at <= now
    ]
    times = Counter(reversed(used))  # the first of equals is kept first
    return times.most_common(1)[0][0] if times else None


def merge_histories(one: History, other: History) -> History:
    """The history of two persons who are one.

    Sessions among the older contacts are added up, for nobody knows any more which of them were at one time.
    """
    end = max((each.older_until for each in (one, other) if each.older_until is not None), default=None)
    both = [_until(each, end) for each in (one, other)]  # what is older than the oldest kept cannot be put in order
    earlier, later = sorted(both, key=lambda each: (each.older_until is not None, each.older_until))
    older = History(
        older_sessions=earlier.older_sessions + later.older_sessions,
        older_until=end,
        older_seen_at=max(filter(None, [each.older_seen_at for each in both]), default=None),
        older_stage=later.older_stage or earlier.older_stage,
        passed=_last_passed(one for each in both for one in each.passed),
    )
    return _trimmed(older, {fact.id: fact for each in both for fact in each.recent}.values())


def _until(history: History, end: tuple[datetime, str] | None) -> History:
    """The history with all contacts up to ``end`` among the older ones."""
    old = [] if end is None else [one for one in history.recent if _order(one) <= end]
    return _forgotten(history, old, kept=history.recent[len(old) :])
