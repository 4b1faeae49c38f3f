"""How vendors lay out their databases: the same file format, each with other names in it.

Sources: MaxMind's GeoIP2 City, Country, Enterprise and Insights (DB-IP has taken it over); ip-location-db's flat one,
whose ``state1`` is a name and no code; IPinfo, where ``country`` is a name in Lite and a code in all others, and
numbers are texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["FIELDS", "LAYOUTS", "Layout", "layout_of"]

FIELDS: Final = ("country", "region", "city", "latitude", "longitude", "accuracy_km", "timezone", "low")
_FLAGS: Final = "hosting vpn proxy tor relay is_hosting is_anonymous is_satellite"

LAYOUTS: Final[Mapping[str, Mapping[str, str]]] = {
    "geoip2": {
        "country": "country.iso_code",  # never registered_country: where its owner has an office
        "region": "subdivisions.0.iso_code",
        "city": "city.names.en",
        "latitude": "location.latitude",
        "longitude": "location.longitude",
        "accuracy_km": "location.accuracy_radius",
        "timezone": "location.time_zone",
        "low": " ".join(
            f"traits.{one}"
            for one in (
                "is_anonymous", "is_anonymous_proxy", "is_anonymous_vpn", "is_hosting_provider", "is_public_proxy",
                "is_residential_proxy", "is_satellite_provider", "is_tor_exit_node",
            )
        ),
    },
    "ip-location-db": {
        "country": "country_code",
        "city": "city",
        "latitude": "latitude",
        "longitude": "longitude",
        "timezone": "timezone",
    },
    "ipinfo-lite": {"country": "country_code", "low": _FLAGS},
    "ipinfo-standard": {
        "country": "country",
        "region": "region_code",
        "city": "city",
        "latitude": "lat",
        "longitude": "lng",
        "accuracy_km": "radius",
        "timezone": "timezone",
        "low": _FLAGS,
    },
}  # fmt: skip
"""Vendor to where each field stands: keys, and numbers of lists, joined by dots; where a field has several places,
all of them with blanks between, of which the first that says something counts."""


class Layout:
    """Where the fields of a place stand in a record.

    Args:
        paths: As in `LAYOUTS`.

    Example:
        >>> Layout({"country": "land.code"}).read({"land": {"code": "FR"}})
        {'country': 'FR'}
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = tuple(
            (field, tuple(tuple(path.split(".")) for path in places.split())) for field, places in paths.items()
        )

    def read(self, record: Any) -> dict[str, object]:
        """What a record says, field by field; whatever the record is."""
        said: dict[str, object] = {}
        for field, places in self._paths:
            for path in places:
                value = _at(record, path)
                if value is not None and value is not False and value != "":
                    said[field] = value
                    break
        return said


def layout_of(records: Iterable[Any]) -> str | None:
    """Whose layout these have, by the first that tells.

    Example:
        >>> layout_of([{"country": "France", "country_code": "FR", "asn": "AS3215"}])
        'ipinfo-lite'
    """
    for record in records:
        if isinstance(record, Mapping):
            name = _named(record)
            if name is not None:
                return name
    return None


def _named(record: Mapping[str, Any]) -> str | None:
    country, code = record.get("country"), record.get("country_code")
    if isinstance(country, Mapping) or isinstance(record.get("registered_country"), Mapping):
        return "geoip2"
    if isinstance(code, str):
        return "ipinfo-lite" if isinstance(country, str) or "asn" in record else "ip-location-db"
    if isinstance(country, str) and len(country) == 2:
        return "ipinfo-standard"
    return None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, (list, tuple)) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
