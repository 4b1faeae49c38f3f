"""Enrichers at work: once per scope, each in its guard, switched off for a while when it fails more often than not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from cxkit.capture.interruption import let_through
from cxkit.codec.wire import check_context
from cxkit.model import Context, Facts
from cxkit.roles import Enricher

__all__ = ["Enrichment"]

_BUDGET_S: Final = 0.005
_WAIT_S: Final = 0.05
"""Whoever waits for something takes no time of the processor, nor does a thread that others keep from it."""
_STRIKES: Final = 100
_SLOW: Final = "enricher_slow"
_PAUSE_S: Final = 60.0
_MAX_REMEMBERED: Final = 1024
_FIELDS: Final = {attribute.name: attribute.default for attribute in attrs.fields(Context)}

logger = logging.getLogger("cxkit")


@attrs.define
class _Guarded:
    """An enricher and its breaker."""

    name: str
    enrich: Callable[[Facts, Context], Mapping[str, object]]
    strikes: int = 0
    was_slow: bool = False
    """Slow once in a process is chance: the interpreter may have tidied up just then."""
    off_until: float | None = None
    """When it is tried again; None: it is on."""


class Enrichment:
    """All enrichers as one step.

    Args:
        enrichers: By plugin, in the order in which they run.
        count: Told ``enricher_failed``, ``enricher_slow`` or ``enricher_off`` with the plugin's name.
        clock: In seconds; it never goes back.
        spent: Seconds of the processor's time that this thread has had.
    """

    def __init__(
        self,
        enrichers: Mapping[str, Enricher],
        *,
        count: Callable[[str], None],
        clock: Callable[[], float] = time.perf_counter,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._guarded = [_Guarded(name, enricher.enrich) for name, enricher in enrichers.items()]
        self._count = count
        self._clock = clock
        self._spent = spent
        self._remembered: dict[tuple[object, ...], tuple[object, Context]] = {}

    def __call__(self, facts: Facts, context: Context) -> Context:
        """The context with what the enrichers add; what was there is never overwritten."""
        ended, spent = self._clock(), self._spent()
        for one in self._guarded:
            if one.off_until is not None and not self._tries(one, ended):
                continue
            try:
                found = one.enrich(facts, context)
                if len(found) > 0:
                    context = self._with(context, {**found})  # once: some mappings make what they hold when asked
            except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
                let_through(error)
                ended = self._clock()
                self._strike(one, "enricher_failed", ended)
                continue
            began, ended = ended, self._clock()
            if ended - began > _BUDGET_S and (ended - began > _WAIT_S or self._spent() - spent > _BUDGET_S):
                self._strike(one, _SLOW, ended)
            elif one.strikes:
                self._pay_back(one)
        return context

    def _with(self, context: Context, found: Mapping[str, object]) -> Context:
        """The context with what one found; made and checked once, where both are objects that were met before."""
        key = (id(context), *found, *[id(one) for one in found.values()])  # no other's: what is remembered is held
        remembered = self._remembered.get(key)
        if remembered is not None:
            return remembered[1]
        merged = _merged(context, found)
        if merged.acquisition is None or merged.acquisition.click_id is None:  # that is one person's, and comes once
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (context, *found.values()), merged
        return merged

    def _tries(self, one: _Guarded, now: float) -> bool:
        """Whether one that is off is tried now; nobody else tries it meanwhile."""
        if one.off_until is None or now < one.off_until:
            return False
        one.off_until = now + _PAUSE_S
        return True

    def _strike(self, one: _Guarded, reason: str, now: float) -> None:
        one.strikes += 1
        if reason != _SLOW or one.was_slow:
            self._count(f"{reason}.{one.name}")
        one.was_slow = one.was_slow or reason == _SLOW
        if one.strikes >= _STRIKES and one.off_until is None:
            one.off_until = now + _PAUSE_S
            self._count(f"enricher_off.{one.name}")
            logger.warning(
                "cxkit: enricher %s is off until a try succeeds, one in %.0f seconds (%s %d times)",
                *(one.name, _PAUSE_S, reason, _STRIKES),
            )

    def _pay_back(self, one: _Guarded) -> None:
        """It did well: a strike less, or none where it was off."""
        one.strikes = one.strikes - 1 if one.off_until is None else 0
        one.off_until = None


def _merged(context: Context, found: Mapping[str, object]) -> Context:
    new: dict[str, Any] = {
        name: value for name, value in found.items() if value is not None and getattr(context, name) == _FIELDS[name]
    }
    if not new:
        return context
    check_context(Context(**new))
    merged = attrs.evolve(context, **new)
    hash(merged)  # what cannot be, cannot be told from another either
    return merged
