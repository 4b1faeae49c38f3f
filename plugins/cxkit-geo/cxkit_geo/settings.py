"""The table ``[geo]``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import attrs

from cxkit.errors import ConfigurationError, nearest
from cxkit.model.context import Precision
from cxkit.settings import structure
from cxkit.settings.ranges import Validator, between
from cxkit_geo import layouts, platforms
from cxkit_geo.countries import COUNTRIES
from cxkit_geo.found import is_position
from cxkit_geo.points import Fence, Points, Store

__all__ = ["Settings"]

_AREA: Final = re.compile("([A-Z]{2})(-[A-Z0-9]{1,3})?")
_MOST: Final = 10_000


def _refusal(name: str, what: str, fix: str) -> ConfigurationError:
    error = ConfigurationError(f'"{name}" {what}', fix=fix, code="CX9103")
    error.setting = name
    return error


def _known(names: Iterable[str]) -> Validator:
    """One of these names, or several."""
    known = tuple(sorted(names))

    def check(_: object, attribute: attrs.Attribute[Any], given: str | Iterable[str] | None) -> None:
        for one in (given,) if isinstance(given, str) else given or ():
            if one not in known:
                raise _refusal(attribute.name, "has a name that is not known", nearest(one[:64], known))

    return check


@attrs.frozen(kw_only=True)
class _Listed:
    """What a file of stores and fences holds."""

    stores: tuple[Store, ...] = ()
    fences: tuple[Fence, ...] = ()


@attrs.frozen(kw_only=True, slots=False)
class Settings:
    """Where places are known from, and how finely. Without any of it: from *iptocc*, if that is installed."""

    platform: str | None = attrs.field(default=None, validator=_known(platforms.PLATFORMS))
    """Whose headers count, from the peers that ``web.client_ip.trusted`` names."""
    headers: Mapping[str, str] = attrs.field(factory=dict, validator=_known(platforms.FIELDS))
    """Field to header, instead of the platform's own: ``{ country = "X-Geo-Country" }``."""
    database: Path | None = None
    """A file in the format MMDB."""
    layout: str | None = attrs.field(default=None, validator=_known(layouts.LAYOUTS))
    """Whose; None: by what is in it."""
    paths: Mapping[str, str] = attrs.field(factory=dict, validator=_known(layouts.FIELDS))
    """Field to where it stands in a record, of another layout: ``{ country = "land.code" }``."""
    copy: bool = True
    """Whether the database is copied into memory, so that whoever overwrites the file harms nobody."""
    reload_interval_s: float = attrs.field(default=60.0, validator=between(0.01, 86_400))
    """How often to look whether the file is a newer one."""
    iptocc: bool | None = None
    """Whether that tells countries where nothing else does; None: if it is installed and there is no database."""
    precision: Precision = "region"
    """The finest that is kept in a place."""
    markets: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Market to its countries (``AT``) and regions (``CA-QC``); a region's goes before its country's."""
    stores: tuple[Store, ...] = ()
    fences: tuple[Fence, ...] = ()
    points: Path | None = None
    """A JSON file with more of both: ``{"stores": [...], "fences": [...]}``."""
    nearest_within_km: float = attrs.field(default=100.0, validator=between(0.001, 20_000))
    """Farther away than this, no store is the nearest."""

    def __attrs_post_init__(self) -> None:
        if self.platform == "fastly" and "country" not in self.headers:
            fix = 'name the headers that your VCL sets: headers = { country = "X-Geo-Country" }'
            raise _refusal("headers", "is needed for Fastly, and lacks country", fix)
        if self.headers and self.platform is None:
            raise _refusal("platform", "is missing beside headers", "name the platform that writes them")
        if self.paths and (self.layout is not None or "country" not in self.paths):
            raise _refusal("paths", "lacks country, or stands beside a layout", "give country = ..., and no layout")
        self.market_of  # noqa: B018 - checked now, read later

    @cached_property
    def market_of(self) -> Mapping[str, str]:
        """Country, or country and region, to market."""
        areas: dict[str, str] = {}
        for market, listed in self.markets.items():
            for area in listed:
                match = _AREA.fullmatch(area)
                if match is None or match[1] not in COUNTRIES:
                    raise _refusal("markets", "has what is no country", 'write countries like "DE", regions "CA-QC"')
                if areas.setdefault(area, market) != market:
                    raise _refusal("markets", f"has {area} in two markets", "leave it in one of them")
        return areas

    @cached_property
    def places(self) -> Points:
        """Stores and fences; the file is read once.

        Raises:
            ConfigurationError: It cannot be read, or something in it or in the settings is wrong.
        """
        more = _Listed() if self.points is None else _read(self.points)
        stores, fences = (*self.stores, *more.stores), (*self.fences, *more.fences)
        for name, points in (("stores", stores), ("fences", fences)):
            _check_points(name, points)
        return Points(stores, fences)


def _read(path: Path) -> _Listed:
    try:
        held: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        what = f'"points" names a file that cannot be read ({type(error).__name__})'
        fix = 'name a JSON file with "stores" and "fences"'
        raise ConfigurationError(what, fix=fix, code="CX9102") from None
    if not isinstance(held, dict):
        held = {"": held}
    return structure(_Listed, held, where="geo.points")


def _check_points(name: str, points: Iterable[Store | Fence]) -> None:
    keys = [one.key for one in points]
    if len(keys) > _MOST:
        raise _refusal(name, f"has more than {_MOST:,}", "leave some out")
    if len(set(keys)) < len(keys) or not all(0 < len(key) <= 64 and key.isprintable() for key in keys):
        raise _refusal(name, "has one twice, or one without a name of at most 64 characters", "name each once")
    for one in points:
        if not is_position(one.latitude, one.longitude):
            raise _refusal(name, "has one that is nowhere on earth", "give degrees, north and east positive")
        if isinstance(one, Fence) and not 0 < one.radius_m <= 1_000_000:
            raise _refusal(name, "has one without a radius of up to 1,000 km", "give radius_m in metres")
