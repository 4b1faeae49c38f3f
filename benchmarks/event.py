"""The event that is measured: eight properties, one of them nested, two identifiers, a full context."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

import cxkit
from cxkit.capture.scope import Scope
from cxkit.kit import Kit
from cxkit.model import Acquisition, Context, Device, Identifier, Identity, Page, Place
from cxkit.roles import Exporter
from cxkit.settings import Plugins, Queue, Settings

ITEM_ADDED = cxkit.touchpoint("cart.item_added", stage="consideration")

CONTEXT = Context(
    channel="web",
    page=Page(route="/products/{sku}", method="GET", title="Almonds"),
    device=Device(type="phone", os="Android", browser="Chrome"),
    place=Place(country="FR", region="IDF"),
    locale="fr-FR",
    timezone="Europe/Paris",
    acquisition=Acquisition(source="newsletter", medium="email", campaign="spring"),
)
IDENTITY = Identity(
    identifiers=(
        Identifier(type="user_id", value="nancy", evidence="login"),
        Identifier(type="visitor", value="0123456789abcdef012345", evidence="cookie"),
    )
)


def properties(number: int) -> dict[str, Any]:
    """What the app hands over, built anew for each call as an app would."""
    return {
        "sku": "ALM-200",
        "quantity": number,
        "price": 12.45,
        "currency": "EUR",
        "gift": False,
        "category": "sweets",
        "position": 3,
        "shelf": {"aisle": 4, "name": "nuts"},
    }


def make_kit(
    directory: Path | None,
    *,
    exporters: dict[str, Exporter] | None = None,
    queue_bytes: int = 33_554_432,
    durability: Literal["queue", "write", "sync"] = "queue",
) -> Kit:
    """A kit with default settings, and none of the plugins beside it; in memory if there is no directory."""
    settings = Settings(
        directory=directory or Path(".cxkit"),
        durability=durability,
        queue=Queue(max_bytes=queue_bytes),
        plugins=Plugins(allow=()),
    )
    return Kit(settings, exporters=exporters or {}, in_memory=directory is None)


def make_scope(kit: Kit) -> Scope:
    """A recognised visitor who allowed analytics."""
    scope = kit.open_scope(CONTEXT)
    scope.choices = {"analytics": ("granted", datetime.now(UTC))}
    kit.desk.govern(scope)
    scope.change(identity=IDENTITY)
    return scope


def whole(kit: Kit, scope: Scope) -> dict[str, Any]:
    """The same interaction as one dict: what a hand-written capture would build and encode."""
    kit.intake.capture(scope, ITEM_ADDED.spec, properties(1))
    taken = kit.intake.take(0)
    kit.intake.release(taken)
    event: dict[str, Any] = msgspec.json.decode(kit.intake.record(taken[0]).payload)
    return event


class Floor:
    """Build the event, encode it with msgspec, keep the bytes: nothing can honestly be cheaper."""

    def __init__(self, event: dict[str, Any]) -> None:
        self._event = event
        self._encode = msgspec.json.Encoder().encode
        self.kept: list[bytes] = []

    def __call__(self, number: int) -> None:
        self.kept.append(self._encode(self.build(number)))

    def build(self, number: int) -> dict[str, Any]:
        return {**self._event, "data": {**self._event["data"], "properties": properties(number)}}
