"""What a customer's device, or the customer, says of where they are: in the scope of here and now."""

from __future__ import annotations

from typing import Any, Final

import attrs

from cxkit.errors import InvalidInteractionError, StateError
from cxkit.kit import current_kit, place_here
from cxkit.model import Context, Place
from cxkit.model.context import CHOSEN, Precision
from cxkit_geo.enricher import following
from cxkit_geo.found import Found, coordinates, country_of, is_position, region_of
from cxkit_geo.settings import Settings

__all__ = ["check_position", "choose_place", "locate"]

_DEVICE: Final = "device"
_FARTHEST_M: Final = 20_000_000
_LONGEST: Final = 128


def locate(*, latitude: float, longitude: float, accuracy_m: float | None = None) -> Place | None:
    """The device of this scope's customer says where it is: which store is the nearest, and which fences it is in.

    The position itself is not kept, unless ``geo.precision`` is ``coordinates``; then rounded to a tenth of a degree.
    It is looked at only where they allow ``precise_location``; else it is refused, and counted.

    Args:
        latitude: In degrees, north positive.
        longitude: In degrees, east positive.
        accuracy_m: How wrong it may be, in metres. In a fence smaller than that nobody is told to be.

    Returns:
        The place, as the scope has it from now on. None if it was refused.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> with recorder(), cxkit.scope(channel="app"):
        ...     refused = locate(latitude=45.76, longitude=4.84)
        >>> refused is None
        True
    """

    def found(context: Context, _: Context) -> Context:
        settings = _settings()
        check_position(latitude, longitude, accuracy_m)
        before = context.place or Place()
        place = _placed(settings, before, latitude, longitude, accuracy_m)
        return context if place == before else attrs.evolve(context, place=place)

    now = place_here(found, needs="precise_location")
    return None if now is None else now.place or Place()


def choose_place(
    *,
    country: str | None = None,
    region: str | None = None,
    city: str | None = None,
    store: str | None = None,
    market: str | None = None,
) -> None:
    """The customer says where they are, which store is theirs, or which market they want: it outranks all the rest.

    It holds for this scope. Keep the choice where your app keeps such things (its session, the address of the page),
    and call this with it in each request. A country replaces the whole place, and time zone, currency and market
    follow it, unless your app said them itself. Which consent is needed it can only make stricter.

    Args:
        country: ISO 3166-1 alpha-2.
        region: ISO 3166-2 without the country, which must be given, too.
        city: Likewise.
        store: The id of one of your stores; kept where they allow ``precise_location``.
        market: The name of a market; without it, that of the country.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> with recorder(), cxkit.scope(channel="web"):
        ...     choose_place(country="CH", market="dach")
        ...     cxkit.current().context.market
        'dach'
    """

    def found(context: Context, given: Context) -> Context:
        settings = _settings()
        _check_choice(settings, country, region, city, store, market)
        place = _chosen(context.place or Place(), country, region, city, store)
        if country is not None:
            context = attrs.evolve(context, **_followed(settings, given, place))
        return attrs.evolve(
            context, place=place if country or store else context.place, market=market or context.market
        )

    place_here(found)


def _settings() -> Settings:
    settings = current_kit().tables.get("geo")
    if not isinstance(settings, Settings):
        raise StateError(
            "the plugin geo is not in use, so it knows of no stores, fences and markets",
            fix="take it out of plugins.block, or add it to plugins.allow",
            code="CX9108",
        )
    return settings


# --- where the device is ---------------------------------------------------------------------------


def _placed(settings: Settings, before: Place, latitude: float, longitude: float, accuracy_m: float | None) -> Place:
    """The place with what the position adds to it: its country stays as it was said, for a position names none."""
    points, sure_m = settings.places, accuracy_m or 0.0
    sources = before.source.split("+") if before.source else []
    chosen = before.store is not None and sources[-1:] == [CHOSEN]
    sources = [one for one in sources if one != _DEVICE]
    store = before.store if chosen else None
    if not chosen and sure_m <= settings.nearest_within_km * 1000:
        store = points.nearest(latitude, longitude, within_km=settings.nearest_within_km)
    at = coordinates(latitude, longitude) if settings.precision == "coordinates" else None
    fences = points.around(latitude, longitude, accuracy_m=sure_m)
    place = attrs.evolve(before, store=store, fences=fences, latitude=at and at[0], longitude=at and at[1])
    if place == before:
        return before
    known = bool(sources) or before.country is not None
    sure = before.confidence if known else None
    if store is None and not fences and at is None:  # it has left what it was at
        source = "+".join(sources) or None
        return attrs.evolve(place, source=source, precision=_finest(place), accuracy_km=None, confidence=sure)
    return attrs.evolve(
        place,
        source="+".join(sources if chosen else [*sources, _DEVICE]),
        precision="coordinates",
        accuracy_km=None if accuracy_m is None else round(sure_m / 1000, 3),
        confidence=sure if known else "high",
    )


def check_position(latitude: object, longitude: object, accuracy_m: object) -> None:
    """Refuse what cannot be one.

    Raises:
        InvalidInteractionError: It is no position, or its accuracy is none.
    """
    known = accuracy_m is None or (type(accuracy_m) in (int, float) and 0 <= accuracy_m <= _FARTHEST_M)  # type: ignore[operator]  # a number, by then
    if not (is_position(latitude, longitude) and known):
        raise InvalidInteractionError(
            "what was given is no position on earth",
            fix="give degrees, north and east positive, and the accuracy in metres",
            code="CX9105",
        )


# --- where the customer says they are ---------------------------------------------------------------


def _chosen(before: Place, country: str | None, region: str | None, city: str | None, store: str | None) -> Place:
    if country is None:
        source = CHOSEN if before.source in (None, CHOSEN) else f"{before.source}+{CHOSEN}"
        return attrs.evolve(before, store=store, source=source, precision="coordinates")
    place = Place(country=country_of(country), region=region and region_of(region, country), city=city, store=store)
    return attrs.evolve(place, source=CHOSEN, precision=_finest(place), confidence="high")


def _followed(settings: Settings, given: Context, place: Place) -> dict[str, Any]:
    """What follows from this place, whatever followed from the one before; what the app said itself stays."""
    follows = following(settings, Found(place))
    names = ("timezone", "currency", "market")
    return {name: follows.get(name) if getattr(given, name) is None else getattr(given, name) for name in names}


def _finest(place: Place) -> Precision | None:
    if place.store:
        return "coordinates"
    return "city" if place.city else "region" if place.region else "country" if place.country else None


def _check_choice(
    settings: Settings,
    country: str | None,
    region: str | None,
    city: str | None,
    store: str | None,
    market: str | None,
) -> None:
    fits = all(one is None or _fits(one) for one in (city, store, market))
    known = fits and (country is None or country_of(country) is not None)
    known = known and (region is None or (country is not None and region_of(region, country) is not None))
    known = known and (city is None or country is not None) and (store is None or settings.places.has(store))
    known = known and (market is None or not settings.markets or market in settings.markets)
    if not known:
        raise InvalidInteractionError(
            "a place was chosen that is not known",
            fix="give a country's two letters, and stores and markets of the settings",
            code="CX9106",
        )


def _fits(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST
