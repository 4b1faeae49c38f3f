"""Where a page's script tells the position of its device: ``POST {mount}/place``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

import cxkit
from cxkit.errors import CXError, InvalidInteractionError
from cxkit.kit import current_kit
from cxkit.model import Facts
from cxkit.roles import Channel, Endpoint, Factory, Reply
from cxkit.web.limits import Rate
from cxkit.web.posted import as_json, check_sender, json_of, scope_here, too_many
from cxkit_geo.here import check_position, locate
from cxkit_geo.settings import Settings

__all__ = ["FACTORY", "PlaceChannel"]

_NEEDS: Final = "precise_location"
LOCATED: Final = cxkit.touchpoint("place.located", purpose=_NEEDS)
"""What is captured when a position was told and allowed: the place is in its context, the position is nowhere."""
_PER_MINUTE: Final = 600
_STATUS: Final = {"CX9104": 403, "CX9107": 429}


class _Posted(msgspec.Struct):
    """What ``navigator.geolocation`` tells, as far as it is used."""

    latitude: float
    longitude: float
    accuracy: float | None = None
    """In metres."""


_decoder: Final = msgspec.json.Decoder(_Posted)


class PlaceChannel:
    """Takes positions from pages of the site itself, where there are stores or fences to find by them."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.places.any or settings.precision == "coordinates"
        self._rate = Rate(_PER_MINUTE)

    def endpoints(self) -> Sequence[Endpoint]:
        """The one, or none."""
        if not self._wanted:
            return ()
        post = frozenset({"POST"})
        handle = self.handle
        return (Endpoint(path="/place", methods=post, handle=handle, max_body_bytes=1_024, waits=False, needs=_NEEDS),)

    def handle(self, facts: Facts, body: bytes) -> Reply:
        """The nearest store and the fences, as JSON; or why there is no answer."""
        try:
            return as_json(self._located(facts, body))
        except CXError as error:
            return as_json(error, status=_STATUS.get(error.code))

    def _located(self, facts: Facts, body: bytes) -> dict[str, object]:
        check_sender(facts, scope_here())
        kit = current_kit()
        if not self._rate.allows(facts.client_ip):
            raise too_many(kit, "positions", counted="endpoint_limited.geo", code="CX9107")
        said = json_of(facts, body, _decoder)
        check_position(said.latitude, said.longitude, said.accuracy)
        place = locate(latitude=said.latitude, longitude=said.longitude, accuracy_m=said.accuracy)
        if place is None:
            asked = _NEEDS in kit.settings.web.asked
            raise InvalidInteractionError(
                f"the position is not used, for its customer does not allow {_NEEDS}",
                fix="ask for it first, on the page of choices"
                if asked
                else f"add {_NEEDS} to web.asked, and ask for it",
                code="CX9104",
            )
        LOCATED.capture()
        return {"store": place.store, "fences": list(place.fences)}


FACTORY: Final[Factory[Channel]] = Factory(name="geo", settings=Settings, build=PlaceChannel)
