"""show, exposed: what was decided was really shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from cxkit.capture.scope import Scope
from cxkit.codec import NOBODY
from cxkit.codec.wire import occurrence
from cxkit.flows.ask import ask, private
from cxkit.flows.assign import assign
from cxkit.flows.decide import NOTHING, decided
from cxkit.flows.desk import Desk
from cxkit.flows.known import Known
from cxkit.flows.language import settle
from cxkit.flows.stance import Stance, stance_of
from cxkit.model import JSON, Decision, TouchpointSpec
from cxkit.rules.experience import Chooser

__all__ = ["SHOWN", "exposed", "show"]

SHOWN: Final = TouchpointSpec(name="experience.shown", kind="exposure", direction="outbound")
_WINDOW_US: Final = 86_400 * 1_000_000
"""Once in a day, by UTC, each unit counts as exposed to a variation."""
_MOST: Final = 20_000


def show(
    desk: Desk,
    scope: Scope,
    chooser: Chooser,
    *,
    patience_s: float,
    given: Mapping[str, JSON] = NOTHING,
    asks: bool = True,
) -> Decision:
    """`decide`, and one exposure: in a scope once per experience and variant, of an experiment once in a day.

    Args:
        asks: Whether its questions are put to whom it is shown.
    """
    decision, attributes = decided(desk, scope, chooser, given, patience_s=patience_s)
    scope.show(private(decision))
    scope.vary(*attributes.followed)
    if scope.late and not attributes.stance.late:  # the response has begun meanwhile, in another thread
        decision, attributes = decided(desk, scope, chooser, given, patience_s=patience_s)
    if attributes.spoken is not None:
        settle(scope, attributes.spoken)
    _expose(desk, scope, attributes.stance, decision, chooser)
    if asks:
        ask(desk, scope, decision)
    return decision


def exposed(desk: Desk, scope: Scope, chooser: Chooser, decision: Decision, *, patience_s: float) -> None:
    """What was decided before, in a batch say, was shown to the scope's person now.

    What it followed is not known any more. So what it is shown in is theirs alone.
    """
    scope.show(private(decision))
    scope.vary("decided")
    stance = stance_of(desk, scope, patience_s=patience_s)
    _expose(desk, scope, stance, decision, chooser)
    if not stance.machine:
        ask(desk, scope, decision)


def _expose(desk: Desk, scope: Scope, stance: Stance, decision: Decision, chooser: Chooser) -> None:
    if stance.machine:
        return
    named = SHOWN.purpose in scope.allowed.granted  # else it is kept without identifiers, and its id must be nobody's
    what = (decision.experience, decision.variant, desk.subject(scope.identity) if named else NOBODY)
    if what in scope.shown and scope is not scope.kit.root_scope:  # which never ends
        return
    scope.shown.add(what)
    stamp = _stamp(desk, stance, decision) if named else None
    if stamp is not None and _remembered(desk, stamp[0]):
        return
    told = attrs.evolve(decision, form=None, content=None, sequence=None)
    captured = desk.intake.capture(scope, SHOWN, {}, occurrence(decision=told), stamp=stamp)
    if captured is None:
        desk.exposed.discard(stamp[0] if stamp else "")
    elif decision.assignment is not None and chooser.keeps(decision.assignment):
        assign(desk, scope, chooser, decision.assignment, stance.known or Known())


def _stamp(desk: Desk, stance: Stance, decision: Decision) -> tuple[str, int] | None:
    """An id that is the same for all exposures of the unit to the variant within the window, in whatever process.

    None: nothing is tested; or the unit is not known here, in a batch say, or nobody has proven to be it.
    """
    assignments = [one for one in (decision.assignment, decision.holdout) if one is not None]
    units = [stance.unit(one.unit) if stance.proven(one.unit) else None for one in assignments]
    if not units or None in units:
        return None
    us = desk.intake.stamper.time_ns() // 1000
    parts = [
        text
        for one, unit in zip(assignments, units, strict=True)
        for text in (one.experiment, str(one.version), one.unit, str(unit), one.variation)
    ]
    what = "\0".join([decision.experience, decision.variant, *parts])
    tail = desk.keyring.identifier_key("exposure", what)[:8]
    id, _ = desk.intake.stamper.stamp_past(us - us % _WINDOW_US, tail)
    return id, us


def _remembered(desk: Desk, id: str) -> bool:
    """Whether this process has captured that exposure; from now on it has."""
    if id in desk.exposed:
        return True
    if len(desk.exposed) >= _MOST:
        desk.exposed.clear()
    desk.exposed.add(id)
    return False
