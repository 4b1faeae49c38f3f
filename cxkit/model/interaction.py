"""An interaction: one occurrence of a touchpoint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import attrs

from cxkit.errors import InvalidInteractionError
from cxkit.model.context import Context
from cxkit.model.decision import Decision
from cxkit.model.feedback import Feedback
from cxkit.model.identity import Identity
from cxkit.model.money import Money
from cxkit.model.properties import JSON
from cxkit.model.touchpoint import Direction, Kind, Nature, Presence, Reach, Stage

__all__ = ["Interaction", "Outcome"]

Outcome = Literal["completed", "failed", "abandoned"]


def _aware(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise InvalidInteractionError(
            "a time without a time zone was given", fix="use datetime.now(timezone.utc)", code="CX3114"
        )
    return value


@attrs.frozen(kw_only=True)
class Interaction:
    """One occurrence of a touchpoint, as every exporter, store and test sees it.

    It names identifiers, never a person: who they belong to is asked of the identity graph.
    """

    id: str
    """UUIDv7; the same in every retry, so that a backend can deduplicate."""
    occurred_at: datetime = attrs.field(converter=_aware)
    """Aware; set once, at capture. Microseconds."""
    name: str
    """The touchpoint's name, ``cart.item_added``."""
    source: str
    """The service that captured it, as a URI reference: ``/shop``."""
    kind: Kind = "action"
    purpose: str = "analytics"
    """What it was captured for."""
    channel: str | None = None
    direction: Direction = "inbound"
    stage: Stage | None = None
    nature: Nature | None = None
    presence: Presence = "online"
    reach: Reach = "direct"
    via: str | None = None
    promise: str | None = None
    case: str | None = None
    """The support case it belongs to."""
    plugin: str | None = None
    """The distribution that captured it; None is the app itself."""
    identity: Identity = attrs.field(factory=Identity)
    context: Context = attrs.field(factory=Context)
    consent: Mapping[str, bool] = attrs.field(factory=dict)
    """What was allowed when it was captured, for each purpose."""
    outcome: Outcome | None = None
    error: str | None = None
    """The type of what failed, ``ValueError``; never its text."""
    duration: timedelta | None = None
    value: Money | None = None
    feedback: Feedback | None = None
    decision: Decision | None = None
    cause: str | None = None
    """The id of the interaction that led to this one."""
    properties: Mapping[str, JSON] = attrs.field(factory=dict)
    trimmed: Mapping[str, str] = attrs.field(factory=dict)
    """What was changed in the properties at capture: path to marker."""
    received_at: datetime | None = None
    """When a collector received it, if one did."""
