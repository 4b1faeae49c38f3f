"""Place: where a customer, or their device, says they are; it outranks what was found, and widens no law."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from cxkit.capture.scope import TOLD, Scope
from cxkit.codec.wire import check_context
from cxkit.flows.consent import obey
from cxkit.flows.desk import Desk
from cxkit.model import Blocked, Context

__all__ = ["Found", "place"]

Found = Callable[[Context, Context], Context]
"""Given the context as it is, and as it was before anything was found: as it is from now on."""


def place(desk: Desk, scope: Scope, found: Found, *, needs: str | None) -> Context | None:
    """The context with the place that was told; None where its customer does not allow what it needs.

    Raises:
        InvalidInteractionError: It is no context.
    """
    desk.follow(scope)
    scope.enrich()
    if needs is not None and needs not in scope.allowed.granted:
        reason = "refused" if needs in scope.allowed.denied else "undecided"
        desk.intake.block(Blocked(gate="capture", purpose=needs, reason=reason, destination="position"))
        return None
    before = scope.context
    scope.given = given = scope.given or before
    told = found(before, given)
    after = attrs.evolve(before, **{name: getattr(told, name) for name in TOLD})
    if after != before:
        check_context(after)
        scope.found = scope.found or before
        scope.change(context=after)
        if after.place != before.place:
            obey(desk, scope)
    return after
