"""What a source says, made sound: a place as it may leave, or none. Whatever is doubtful is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import attrs

from cxkit.model import Place
from cxkit.model.context import Precision
from cxkit_geo.countries import COUNTRIES

__all__ = ["Found", "capped", "coordinates", "country_of", "found", "is_position", "region_of"]

_LONGEST: Final = 128
_REGION: Final = re.compile("[A-Z0-9]{1,3}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,5}(?:\.[0-9]{0,20})?")
_ZONE: Final = re.compile(r"[A-Z][A-Za-z_]{1,14}(?:/[A-Za-z0-9_+-]{1,20}){1,2}")
_TRUE: Final = (True, 1, "1", "true", "True")
_RANK: Final[tuple[Precision, ...]] = ("country", "region", "city", "coordinates")


class Found(NamedTuple):
    """What one source says."""

    place: Place
    timezone: str | None = None


def found(said: Mapping[str, object], *, source: str) -> Found | None:
    """What to make of it; None where not even the country is known.

    Args:
        said: By ``country``, ``region``, ``city``, ``latitude``, ``longitude``, ``accuracy_km``, ``timezone``, and
            ``low``: whether somebody else answers at that address for whoever is behind it.

    Example:
        >>> found({"country": "FR", "region": "ARA", "city": "Lyon"}, source="mmdb").place.precision
        'city'
        >>> found({"country": "XX", "city": "Lyon"}, source="mmdb")
    """
    country = country_of(said.get("country"))
    if country is None:
        return None
    region = region_of(said.get("region"), country)
    city = _city_of(said.get("city"))
    # With neither, what is given is the middle of a country, where nobody is.
    at = coordinates(said.get("latitude"), said.get("longitude")) if region or city else None
    place = Place(
        country=country,
        region=region,
        city=city,
        latitude=at and at[0],
        longitude=at and at[1],
        source=source,
        precision="coordinates" if at else "city" if city else "region" if region else "country",
        accuracy_km=_accuracy_of(said.get("accuracy_km")) if at else None,  # it is that of the position
        confidence="low" if said.get("low") in _TRUE else None,
    )
    return Found(place, _zone_of(said.get("timezone")))


def capped(one: Found, precision: Precision) -> Found:
    """No finer than that. The zone of a country with several is finer than the country.

    Example:
        >>> lyon = found({"country": "FR", "region": "ARA", "city": "Lyon"}, source="mmdb")
        >>> capped(lyon, "region").place.city is None
        True
    """
    place, finest = one.place, _RANK.index(precision)
    zone = None if precision == "country" else one.timezone
    if place.precision is None or _RANK.index(place.precision) <= finest:
        return Found(place, zone)
    less: dict[str, None] = {"latitude": None, "longitude": None, "accuracy_km": None}
    if finest < _RANK.index("city"):
        less["city"] = None
    if finest < _RANK.index("region"):
        less["region"] = None
    place = attrs.evolve(place, **less)  # type: ignore[arg-type]  # names of its own fields
    place = attrs.evolve(place, precision="city" if place.city else "region" if place.region else "country")
    return Found(place, zone)


def country_of(said: object) -> str | None:
    """A country that there is; not ``XX``, ``ZZ``, ``T1`` or ``EU``.

    Example:
        >>> country_of("fr"), country_of("XX")
        ('FR', None)
    """
    code = said.strip().upper() if isinstance(said, str) and len(said) < _LONGEST else ""
    return code if code in COUNTRIES else None


def region_of(said: object, country: str) -> str | None:
    """ISO 3166-2 without the country; not a name.

    Example:
        >>> region_of("FR-ARA", "FR"), region_of("Bayern", "DE")
        ('ARA', None)
    """
    if not isinstance(said, str) or len(said) > _LONGEST:
        return None
    code = said.strip().upper().removeprefix(f"{country}-")
    return code if _REGION.fullmatch(code) else None


def is_position(latitude: object, longitude: object) -> bool:
    """Whether this is a position on earth. Null island, where the equator meets the meridian, is a mistake.

    Example:
        >>> is_position(45.76, 4.84), is_position(0.0, 0.0), is_position(91, 0)
        (True, False, False)
    """
    for degrees, most in ((latitude, 90), (longitude, 180)):
        if type(degrees) not in (int, float) or not abs(degrees) <= most:  # type: ignore[arg-type]  # also no NaN
            return False
    return abs(latitude) >= 0.001 or abs(longitude) >= 0.001  # type: ignore[arg-type]  # numbers, by now


def coordinates(latitude: object, longitude: object) -> tuple[float, float] | None:
    """Both, rounded to a tenth of a degree; None if they are no position."""
    at = _number(latitude), _number(longitude)
    return (round(at[0], 1), round(at[1], 1)) if is_position(*at) else None  # type: ignore[arg-type]  # numbers


def _number(said: object) -> float | None:
    if isinstance(said, str):
        return float(said) if _NUMBER.fullmatch(said.strip()) else None
    try:
        return float(said) if type(said) in (int, float) else None  # type: ignore[arg-type]  # no bool
    except OverflowError:  # JSON has integers of any length
        return None


def _accuracy_of(said: object) -> float | None:
    number = _number(said)
    return number if number is not None and 0 < number <= 20_000 and math.isfinite(number) else None


def _zone_of(said: object) -> str | None:
    return said if isinstance(said, str) and _ZONE.fullmatch(said) else None


def _city_of(said: object) -> str | None:
    """A name as people write it."""
    if not isinstance(said, str) or len(said) > _LONGEST:
        return None
    text = said.strip()
    fit = text.isprintable() and not set(text) & set("\ufffd%<>?")
    return text if fit and any(map(str.isalpha, text)) else None
