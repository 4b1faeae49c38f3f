"""decide and show: what an experience is for this scope."""

from __future__ import annotations

from datetime import datetime

import attrs

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.flows.desk import Desk
from cxkit.flows.known import Known
from cxkit.model import JSON, Blocked, Decision, ExperienceSpec, TouchpointSpec
from cxkit.rules.experience import choose, depth_cap

__all__ = ["SHOWN", "decide", "show"]

SHOWN = TouchpointSpec(name="experience.shown", kind="exposure", direction="outbound")


def decide(desk: Desk, scope: Scope, spec: ExperienceSpec, *, patience_s: float) -> Decision:
    """What the experience is for this scope. Captures nothing.

    Args:
        patience_s: How long a remote store may be waited for; what is not known by then caps depth at 1.
    """
    scope.enrich()
    known = desk.recall(scope, patience_s=patience_s)
    cap = depth_cap(
        granted=scope.allowed.granted,
        identity=scope.identity,
        pending=scope.pending,
        contested=known is not None and known.contested,
        ceiling=_ceiling(scope),
    )
    if cap.by == "consent" and any(one.depth > cap.depth for one in spec.variants):
        purpose = "profiling" if cap.depth > 1 else "personalization"
        desk.intake.block(Blocked(gate="decision", purpose=purpose, reason="not_allowed", destination=spec.name))
    attributes = _attributes(scope, known or Known(), desk.intake.stamper.now())
    for decider in desk.deciders:
        try:
            decision = decider.decide(spec, attributes, cap=cap.depth)
        except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
            let_through(error)
            desk.intake.fault("decider_failed", "a decider failed, and is done without", error)
            continue
        if isinstance(decision, Decision) and decision.depth <= cap.depth:
            return decision
        if decision is not None:
            desk.intake.count("decider_refused")
    return choose(spec, attributes, cap)


def show(desk: Desk, scope: Scope, spec: ExperienceSpec, *, patience_s: float) -> Decision:
    """`decide`, and one exposure: once per experience and variant in a scope."""
    decision = decide(desk, scope, spec, patience_s=patience_s)
    scope.show(decision.depth)
    what = (decision.experience, decision.variant, desk.subject(scope.identity))
    if what not in scope.shown or scope is scope.kit.root_scope:  # which never ends
        scope.shown.add(what)
        desk.intake.capture(scope, SHOWN, {}, occurrence(decision=_told(decision)))
    return decision


def _ceiling(scope: Scope) -> int:
    """The lowest of the scope and those around it: what is shown in them goes into one response."""
    return scope.ceiling if scope.parent is None else min(scope.ceiling, _ceiling(scope.parent))


def _attributes(scope: Scope, known: Known, now: datetime) -> dict[str, JSON]:
    context = scope.context
    return {
        "channel": context.channel,
        "locale": context.locale,
        "country": context.place.country if context.place else None,
        "device": context.device.type if context.device else None,
        "route": context.page.route if context.page else None,
        "returning": scope.returning or known.person is not None,
        "known": scope.identity.signed_in,
        "traits": known.values(now),
    }


def _told(decision: Decision) -> Decision:
    """The decision less its slots: what was shown is known from experience and variant."""
    return attrs.evolve(decision, form=None, content=None, sequence=None)
