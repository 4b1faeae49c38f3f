"""Waiting: what is held in a scope, in memory, for the choice it needs. The rule is ``rules.consent.hold``.

It has its id and its time from when it happened, and nothing of who it was: that is added when it may be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cxkit.capture.gate import Prepared
from cxkit.capture.scope import Held, Scope
from cxkit.model import TouchpointSpec
from cxkit.rules.consent import fate

if TYPE_CHECKING:
    from cxkit.capture.intake import Intake

__all__ = ["MAX_HELD_BYTES", "hold", "settle"]

MAX_HELD_BYTES: Final = 131_072
"""For one scope."""
_TTL_S: Final = 1800.0


def hold(intake: Intake, scope: Scope, spec: TouchpointSpec, parts: tuple[str, int, bytes, bytes]) -> str | None:
    """Let one wait; its id, or None where there is no room."""
    one = Held(spec, *parts, since_ns=intake.stamper.time_ns())
    waiting = scope.held.copy()
    if waiting and one.since_ns - waiting[0].since_ns >= _TTL_S * 1e9:
        intake.settle(scope)
        waiting = scope.held.copy()
    size = sum(each.size_bytes for each in waiting)
    # Closed: it would wait for ever.
    if scope.closed or size + one.size_bytes > MAX_HELD_BYTES:
        intake.dropped[f"consent_undecided:{spec.purpose}"] += 1
        return None
    scope.held.append(one)
    return one.id


def settle(intake: Intake, scope: Scope, prepare: Callable[[TouchpointSpec, Scope], Prepared], *, ended: bool) -> None:
    """Do with all that waits what follows from the choices as they are now."""
    held, now_ns = scope.held, intake.stamper.time_ns()
    for _ in range(len(held)):
        try:
            one = held.popleft()
        except IndexError:  # another thread does the same
            return
        age_s = (now_ns - one.since_ns) / 1e9
        purpose = one.spec.purpose
        became = fate(scope.allowed, purpose, age_s=age_s, ttl_s=_TTL_S, ended=ended)
        if became == "held":
            held.append(one)
        elif became == "replayed":
            intake.put((prepare(one.spec, scope), one.id, one.us, one.occurrence, one.properties))
        else:
            intake.dropped[f"consent_{'refused' if became == 'purged' else 'undecided'}:{purpose}"] += 1
