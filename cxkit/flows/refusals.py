"""refusals: what the graph refused is an interaction of its own, about nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.flows.bus import Committed
from cxkit.flows.desk import Desk
from cxkit.model import JSON, TouchpointSpec

__all__ = ["MERGE_REFUSED", "tells_refusals"]

MERGE_REFUSED = TouchpointSpec(name="identity.merge_refused", kind="identity", purpose="necessary")
"""Identifiers were not linked, or people not merged: which types, and why. Its ``cause`` is the command."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def tells_refusals(desk: Desk, scope: Scope) -> Callable[[Committed], None]:
    """A listener that captures each refusal. A command that comes again gives the same interaction again."""

    def tell(event: Committed) -> None:
        if not event.refused:
            return
        command = event.command
        us = max(0, (command.occurred_at - _EPOCH) // timedelta(microseconds=1))
        stamp = desk.intake.stamper.stamp_past(us, blake2b(command.id.encode(), digest_size=8).digest())
        told: dict[str, JSON] = {"command": command.name, "reasons": {**event.refused}}
        desk.note(MERGE_REFUSED, scope, told, stamp=stamp, occurrence=occurrence(cause=command.id))

    return tell
