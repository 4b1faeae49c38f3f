"""What of the circumstances may be kept: as much as its person allows, and nothing that singles out who is unknown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import attrs

from cxkit.model import Context, Device, Place
from cxkit.model.context import Precision

__all__ = ["needed", "permitted"]

_CLICKS: Final = "advertising"
_PRECISE: Final = "precise_location"
_NONE: Final = frozenset[str]()
_RECIPIENTS: Final = ("term", "content", "click_id")
"""Links are made for one person each, in mails above all."""
_ONES_OWN: Final = ("session", "traceparent", "timezone", "market")
"""A trace may know whose it is; a time zone may be that of one county, and a market that of one region."""
_SINGLING: Final = attrs.fields_dict(Device).keys() - {"type", "os", "browser", "touch"}


def permitted(context: Context, granted: Collection[str], *, linked: bool) -> Context:
    """The context as it may be kept, and decided by.

    Args:
        granted: The purposes that are allowed.
        linked: Whether it is kept beside who it is of.

    Example:
        >>> here = Context(place=Place(country="FR", city="Lyon", store="lyon-2", precision="coordinates"))
        >>> permitted(here, ["analytics"], linked=True).place == Place(country="FR", city="Lyon", precision="city")
        True
        >>> permitted(here, ["analytics"], linked=False).place == Place(country="FR", precision="country")
        True
    """
    less: dict[str, object] = {}
    place, acquisition = context.place, context.acquisition
    if place is not None and (shown := _coarser(place, precise=_PRECISE in granted, linked=linked)) != place:
        less["place"] = shown
    if acquisition is not None:
        hidden = () if linked and _CLICKS in granted else ("click_id",) if linked else _RECIPIENTS
        if any(getattr(acquisition, name) is not None for name in hidden):
            less["acquisition"] = attrs.evolve(acquisition, **dict.fromkeys(hidden))
    if not linked:
        less |= {name: None for name in _ONES_OWN if getattr(context, name) is not None}
        if context.device is not None and any(getattr(context.device, name) is not None for name in _SINGLING):
            less["device"] = attrs.evolve(context.device, **dict.fromkeys(_SINGLING))
    return attrs.evolve(context, **less) if less else context  # type: ignore[arg-type]  # names of its own fields


def needed(context: Context) -> frozenset[str]:
    """The purposes without which some of it may not be kept, nor handed on.

    Example:
        >>> from cxkit.model import Acquisition
        >>> sorted(needed(Context(acquisition=Acquisition(click_id="abc"), place=Place(country="FR", store="lyon-2"))))
        ['advertising', 'precise_location']
    """
    place, acquisition = context.place, context.acquisition
    if place is None and acquisition is None:
        return _NONE
    clicked = acquisition is not None and acquisition.click_id is not None
    located = place is not None and _is_precise(place)
    return frozenset([_CLICKS] * clicked + [_PRECISE] * located)


def _is_precise(place: Place) -> bool:
    return bool(place.store or place.fences) or place.latitude is not None or place.longitude is not None


def _coarser(place: Place, *, precise: bool, linked: bool) -> Place:
    if linked and precise:
        return place
    if not linked:
        place = attrs.evolve(place, region=None, city=None, accuracy_km=None)
    elif place.precision == "coordinates":
        place = attrs.evolve(place, accuracy_km=None)  # it is the position's
    place = attrs.evolve(place, latitude=None, longitude=None, store=None, fences=())
    return attrs.evolve(place, precision=place.precision and _precision(place))


def _precision(place: Place) -> Precision | None:
    return "city" if place.city else "region" if place.region else "country" if place.country else None
