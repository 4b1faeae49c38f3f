"""Stores and fences: which store is the nearest, and which circles somebody is in.

Source: the haversine formula on a sphere of the earth's mean radius (IUGG, 6,371.0088 km), which is off by half a
percent at most; what bounds a search, from the same sphere.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar

import attrs

__all__ = ["Fence", "Points", "Store", "distance_km"]

_EARTH_KM: Final = 6371.0088
_KM_PER_DEGREE: Final = math.pi * _EARTH_KM / 180
_MOST_FENCES: Final = 32
"""In more than these nobody is told to be: a context has its limits. The smallest are told."""


@attrs.frozen(kw_only=True)
class Store:
    """A place of yours that people can go to."""

    id: str
    latitude: float
    longitude: float

    @property
    def key(self) -> str:
        """What it is called."""
        return self.id


@attrs.frozen(kw_only=True)
class Fence:
    """A circle."""

    name: str
    latitude: float
    longitude: float
    radius_m: float

    @property
    def key(self) -> str:
        """What it is called."""
        return self.name


P = TypeVar("P", Store, Fence)


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Between two positions in degrees, along the surface.

    Example:
        >>> round(distance_km(45.76, 4.84, 48.86, 2.35))  # Lyon to Paris
        392
    """
    north, other = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((other - north) / 2) ** 2
    half += math.cos(north) * math.cos(other) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


class _Sorted(Generic[P]):
    """Points by latitude."""

    def __init__(self, points: Iterable[P]) -> None:
        self._points: list[P] = sorted(points, key=lambda one: (one.latitude, one.longitude, one.key))
        self._latitudes: list[float] = [one.latitude for one in self._points]

    def within(self, latitude: float, longitude: float, km: float) -> Iterator[P]:
        """Those in the box around a circle."""
        high = km / _KM_PER_DEGREE + 1e-9
        wide = _degrees_wide(latitude, km)
        first = bisect_left(self._latitudes, latitude - high)
        last = bisect_right(self._latitudes, latitude + high)
        for one in self._points[first:last]:
            if abs((one.longitude - longitude + 180) % 360 - 180) <= wide:
                yield one


class Points:
    """Your stores and fences.

    Example:
        >>> points = Points([Store(id="lyon-2", latitude=45.757, longitude=4.832)], [])
        >>> points.nearest(45.76, 4.84, within_km=10), points.nearest(48.86, 2.35, within_km=10)
        ('lyon-2', None)
    """

    def __init__(self, stores: Sequence[Store], fences: Sequence[Fence]) -> None:
        self._stores, self._fences = _Sorted(stores), _Sorted(fences)
        self._widest_km = max((one.radius_m for one in fences), default=0.0) / 1000
        self._ids = frozenset(one.id for one in stores)
        self.any = bool(stores or fences)
        """Whether there are any."""

    def has(self, store: str) -> bool:
        """Whether one of your stores is called so."""
        return store in self._ids

    def nearest(self, latitude: float, longitude: float, *, within_km: float) -> str | None:
        """The id of the store that is nearest; None if none is within that distance."""
        km = min(within_km, 10.0)
        while True:  # near ones first: most who ask are not far from one
            around = (
                (distance_km(latitude, longitude, one.latitude, one.longitude), one.id)
                for one in self._stores.within(latitude, longitude, km)
            )
            best = min(around, default=None)
            if best is not None and best[0] <= km:
                return best[1]
            if km >= within_km:
                return None
            km = min(within_km, km * 4)

    def around(self, latitude: float, longitude: float, *, accuracy_m: float) -> tuple[str, ...]:
        """The names of the fences that somebody is in, sorted; none that is smaller than the position is sure."""
        found = [
            one
            for one in self._fences.within(latitude, longitude, self._widest_km)
            if one.radius_m >= accuracy_m
            and distance_km(latitude, longitude, one.latitude, one.longitude) * 1000 <= one.radius_m
        ]
        smallest = sorted(found, key=lambda one: (one.radius_m, one.name))[:_MOST_FENCES]
        return tuple(sorted(one.name for one in smallest))


def _degrees_wide(latitude: float, km: float) -> float:
    """How many degrees of longitude a circle reaches to either side; all of them where it has a pole in it."""
    angle, north = km / _EARTH_KM, abs(math.radians(latitude))
    if north + angle >= math.pi / 2:
        return 180.0
    return math.degrees(math.asin(math.sin(angle) / math.cos(north))) + 1e-9
