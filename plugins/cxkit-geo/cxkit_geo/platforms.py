"""What platforms write into headers of where their visitors are. They count from a trusted peer only.

Sources: the documentation of each platform. What they say where they do not know: Cloudflare ``XX``, and ``T1`` for
Tor; App Engine ``ZZ``, ``?`` and the position 0, 0. Vercel and CloudFront escape names by percent signs, Cloudflare
sends bare UTF-8. ``Fly-Region`` and its like are where the *server* is, and are not read.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from cxkit.model.context import Precision
from cxkit_geo.found import Found, found

__all__ = ["FIELDS", "NOBODY_KNOWS", "PLATFORMS", "Platform"]

_LONGEST: Final = 128
_LONGEST_JSON: Final = 1_024
_TOR: Final = "T1"

FIELDS: Final = ("country", "region", "city", "latitude", "longitude", "timezone")
NOBODY_KNOWS: Final = "nobody knows"
"""As an answer: whoever it is hides it, and no other source can know better."""

_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "app_engine": {
        "country": "x-appengine-country",
        "region": "x-appengine-region",
        "city": "x-appengine-city",
        "position": "x-appengine-citylatlong",
    },
    "cloudflare": {
        "country": "cf-ipcountry",
        "region": "cf-region-code",
        "city": "cf-ipcity",
        "latitude": "cf-iplatitude",
        "longitude": "cf-iplongitude",
        "timezone": "cf-timezone",
    },
    "cloudfront": {
        "country": "cloudfront-viewer-country",
        "region": "cloudfront-viewer-country-region",
        "city": "cloudfront-viewer-city",
        "latitude": "cloudfront-viewer-latitude",
        "longitude": "cloudfront-viewer-longitude",
        "timezone": "cloudfront-viewer-time-zone",
    },
    "fastly": {},
    "fly": {},
    "netlify": {"all": "x-nf-geo"},
    "vercel": {
        "country": "x-vercel-ip-country",
        "region": "x-vercel-ip-country-region",
        "city": "x-vercel-ip-city",
        "latitude": "x-vercel-ip-latitude",
        "longitude": "x-vercel-ip-longitude",
        "timezone": "x-vercel-ip-timezone",
    },
}
PLATFORMS: Final = frozenset(_HEADERS)
_FINER: Final[Mapping[Precision, frozenset[str]]] = {
    "country": frozenset({"region", "city", "latitude", "longitude", "position", "timezone"}),
    "region": frozenset({"city", "latitude", "longitude", "position"}),
    "city": frozenset({"latitude", "longitude", "position"}),
    "coordinates": frozenset(),
}
"""Precision to the fields that are not even read."""
Said = Mapping[str, object]


class Platform:
    """Reads what one platform says.

    Args:
        name: Which.
        headers: Field to header, instead of its own.
        precision: The finest that is wanted. What is finer is not read.

    Example:
        >>> vercel = Platform("vercel")
        >>> said = vercel.said({"x-vercel-ip-country": "BR", "x-vercel-ip-city": "S%C3%A3o%20Paulo"})
        >>> vercel.read(said).place.city
        'São Paulo'
    """

    def __init__(
        self, name: str, headers: Mapping[str, str] | None = None, *, precision: Precision = "coordinates"
    ) -> None:
        finer, told = _FINER[precision], headers or _HEADERS[name]
        named = {field: header.lower() for field, header in told.items() if field not in finer}
        self._source = name
        self._fields, self._names = tuple(named), tuple(named.values())
        self._read: Callable[[dict[str, str]], Said | None] = _netlify if "all" in named else _plain
        self._longest = _LONGEST_JSON if "all" in named else _LONGEST

    def said(self, headers: Mapping[str, str]) -> tuple[str | None, ...]:
        """The values of its headers; of one that is too long to be true, nothing."""
        longest = self._longest
        return tuple([
            value if value is None or len(value) <= longest else None for value in map(headers.get, self._names)
        ])  # fmt: skip

    def read(self, said: tuple[str | None, ...]) -> Found | str | None:
        """What that means: `NOBODY_KNOWS` where it says that; None where it says nothing of use. Never raises."""
        given = {field: value for field, value in zip(self._fields, said, strict=True) if value is not None}
        if given.get("country") == _TOR:
            return NOBODY_KNOWS
        fields = self._read(given)
        return None if fields is None else found(fields, source=self._source)


def _plain(given: dict[str, str]) -> Said | None:
    said: dict[str, object] = {**given}
    if "city" in given:
        said["city"] = _decoded(given["city"])
    if "position" in given:
        said["latitude"], _, said["longitude"] = given["position"].partition(",")
    return said


def _netlify(given: dict[str, str]) -> Said | None:
    try:
        said: Any = msgspec.json.decode(b64decode(given.get("all", ""), validate=True))
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    flat = dict(said)
    for field, name in (("country", "country"), ("subdivision", "region")):
        part = said.get(field)
        flat[name] = part.get("code") if isinstance(part, dict) else None
    return flat


def _decoded(text: str) -> str | None:
    """Of a name in a header, whose bytes servers hand over as if they were Latin-1; None if it is not UTF-8."""
    try:
        text = text if text.isascii() else text.encode("latin-1").decode("utf-8")
        return unquote_to_bytes(text).decode("utf-8") if "%" in text else text
    except UnicodeError:
        return None
