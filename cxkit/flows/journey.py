"""journey: how far the customer of a scope is on the journeys. The rule is ``rules.journey``.

It follows what is remembered of their contacts, wherever these were; and what they did in this process a moment ago,
which the store may not hold yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from cxkit.capture.scope import Scope
from cxkit.codec import decode
from cxkit.flows.desk import Desk
from cxkit.flows.known import Known
from cxkit.flows.profile import remembered_under, theirs
from cxkit.model import JSON, JourneySpec, Progress, Recent
from cxkit.rules.journey import last_at
from cxkit.rules.journey import progress as progress_of
from cxkit.rules.profile import History, fold, recent_of

__all__ = ["journeys", "progress"]

_ALLOWING: Final = "personalization"


def journeys(
    desk: Desk,
    scope: Scope,
    known: Known | None,
    *,
    now: datetime,
    patience_s: float,
) -> Mapping[str, JSON]:
    """What conditions call ``journeys``: name to ``step``, ``next``, ``stalled``, ``completed`` and ``channel``.

    Empty where it is not known how far anybody is, so that nothing equals it: of who is not recognised, does not allow
    ``personalization``, or is known by a device alone that others use, too; of machines; and until the store answers.

    Args:
        known: What is known of the scope's person.
        patience_s: How long a remote store may be waited for.
    """
    last = _last_at(desk, scope, known, patience_s) if desk.journeys else None
    if last is None:
        return {}
    return _Journeys(desk.journeys, last, now)


def progress(desk: Desk, scope: Scope, spec: JourneySpec, *, patience_s: float) -> Progress:
    """How far the scope's customer is on one journey; where that is not known, they have not begun."""
    scope.enrich()
    known = desk.recall(scope, patience_s=patience_s)
    last = _last_at(desk, scope, known, patience_s)
    return progress_of(spec, last or {}, now=desk.intake.stamper.now())


class _Journeys(Mapping[str, JSON]):
    """Each worked out where somebody asks for it, so that it costs nothing how many there are."""

    def __init__(self, specs: Mapping[str, JourneySpec], last: Mapping[str, Recent], now: datetime) -> None:
        self._specs, self._last, self._now = specs, last, now

    def __getitem__(self, name: str) -> JSON:
        return _told(progress_of(self._specs[name], self._last, now=self._now))

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


def _told(found: Progress) -> dict[str, JSON]:
    return {
        "step": found.step,
        "next": found.next,
        "stalled": found.stalled,
        "completed": found.completed,
        "channel": found.channel,
    }


def _last_at(desk: Desk, scope: Scope, known: Known | None, patience_s: float) -> Mapping[str, Recent] | None:
    """Place to the scope's customer's last contact there; None: it is not known, or must not be."""
    if known is None or known.stale or known.contested or not scope.identity or not desk.remembers:
        return None
    if _ALLOWING not in scope.allowed.granted or scope.machine:
        return None
    keys = remembered_under(known, desk.subject(scope.identity).hex())
    held = desk.remembered(keys, patience_s=patience_s) if keys else None
    if held is None:
        return None
    each = [theirs(_with_latest(desk, key, held[key]), known, key).last_at for key in keys]
    return each[0] if len(each) == 1 else last_at(one for last in each for one in last.values())


def _with_latest(desk: Desk, key: str, history: History) -> History:
    """With what was captured here since: as the store will remember it, too."""
    for captured in desk.intake.steps.of(bytes.fromhex(key)):
        if captured[1] not in history.ids:
            history = fold(history, recent_of(decode(desk.intake.record(captured).payload)))
    return history
