"""Enrichers at work: once per scope, each in its guard, switched off when it fails again and again."""

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
_STRIKES: Final = 100
_FIELDS: Final = {attribute.name: attribute.default for attribute in attrs.fields(Context)}

logger = logging.getLogger("cxkit")


class Enrichment:
    """All enrichers as one step.

    Args:
        enrichers: By plugin, in the order in which they run.
        count: Told ``enricher_failed``, ``enricher_slow`` or ``enricher_off`` with the plugin's name.
    """

    def __init__(
        self,
        enrichers: Mapping[str, Enricher],
        *,
        count: Callable[[str], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._enrichers = dict(enrichers)
        self._strikes = dict.fromkeys(enrichers, 0)
        self._count = count
        self._clock = clock

    def __call__(self, facts: Facts, context: Context) -> Context:
        """The context with what the enrichers add; what was there is never overwritten."""
        for name, enricher in list(self._enrichers.items()):
            began = self._clock()
            try:
                merged = _merged(context, enricher.enrich(facts, context))
                if merged is not context:
                    check_context(merged)
            except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
                let_through(error)
                self._strike(name, "enricher_failed")
            else:
                context = merged
                if self._clock() - began > _BUDGET_S:
                    self._strike(name, "enricher_slow")
        return context

    def _strike(self, name: str, reason: str) -> None:
        self._count(f"{reason}.{name}")
        self._strikes[name] += 1
        if self._strikes[name] >= _STRIKES:
            self._enrichers.pop(name, None)
            self._count(f"enricher_off.{name}")
            logger.warning("cxkit: enricher %s is switched off (%s %d times)", name, reason, _STRIKES)


def _merged(context: Context, found: Mapping[str, object]) -> Context:
    new: dict[str, Any] = {
        name: value for name, value in found.items() if value is not None and getattr(context, name) == _FIELDS[name]
    }
    return attrs.evolve(context, **new) if new else context
