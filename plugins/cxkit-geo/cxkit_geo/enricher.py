"""The enricher: a place from the first source that knows it, and what follows from a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cxkit.errors import MissingDependencyError
from cxkit.model import Context, Facts, Place
from cxkit.roles import Enricher, Factory
from cxkit.web.remembered import Remembered
from cxkit_geo.addresses import is_public, network_of, written
from cxkit_geo.countries import COUNTRIES, Country
from cxkit_geo.database import Database, Opened
from cxkit_geo.found import Found, capped, found
from cxkit_geo.platforms import Platform
from cxkit_geo.settings import Settings

__all__ = ["FACTORY", "GeoEnricher", "following"]

_MOST_KEPT: Final = 4_096
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_ASK_ANOTHER: Final[Mapping[str, object]] = MappingProxyType({})
"""What is remembered of headers that say nothing of use."""


class GeoEnricher:
    """Fills place, time zone, currency and market, as far as they can be known.

    Raises:
        ConfigurationError: The database or the list of stores cannot be read.
        MissingDependencyError: *iptocc* is asked for, and not installed.
    """

    def __init__(self, settings: Settings) -> None:
        settings.places  # noqa: B018 - read now, for nobody who serves a request may wait for a file
        self._settings = settings
        self._platform = _platform(settings)
        self._database = None if settings.database is None else _opened(settings)
        self._country_of = _registered(settings)
        self._said = Remembered[Mapping[str, object]](most=_MOST_KEPT)
        self._held = (self._database and self._database.opened), _answers()

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        """What is known; of a place that the context has already, what follows from it."""
        if context.place is not None:
            follows = following(self._settings, Found(context.place))
            return {name: value for name, value in follows.items() if getattr(context, name) is None}
        if self._platform is not None and facts.proxied:
            told = self._told(self._platform, facts.headers)
            if told is not None:
                return told
        network = network_of(facts.client_ip)
        return _NOTHING if network is None else self._looked_up(network)

    def _told(self, platform: Platform, headers: Mapping[str, str]) -> Mapping[str, object] | None:
        """What the platform tells; None if somebody else may know better."""
        said = platform.said(headers)
        told = self._said.get(said)
        if told is None:
            read = platform.read(said)
            told = self._from(read) if isinstance(read, Found) else _ASK_ANOTHER if read is None else _NOTHING
            self._said.keep(said, told)
        return None if told is _ASK_ANOTHER else told

    def _looked_up(self, network: bytes) -> Mapping[str, object]:
        """What is known of a network, which is remembered until the database is another one."""
        database = self._database
        if database is not None:
            database.watch()
        opened = None if database is None else database.opened
        held, answers = self._held
        if held is not opened:
            answers = _answers()
            self._held = opened, answers
        answer = answers.get(network)
        if answer is None:
            answer = self._answer(network, opened) if is_public(network) else _NOTHING
            answers.keep(network, answer)
        return answer

    def _answer(self, network: bytes, opened: Opened | None) -> Mapping[str, object]:
        address = written(network)
        known = None if opened is None else opened.find(address)
        if known is None and self._country_of is not None:
            known = found({"country": self._country_of(address), "low": True}, source="iptocc")
        return _NOTHING if known is None else self._from(known)

    def _from(self, known: Found) -> Mapping[str, object]:
        less = capped(known, self._settings.precision)
        return MappingProxyType({"place": less.place, **following(self._settings, less)})


def _answers() -> Remembered[Mapping[str, object]]:
    return Remembered(most=_MOST_KEPT)


def _platform(settings: Settings) -> Platform | None:
    if settings.platform is None:
        return None
    return Platform(settings.platform, settings.headers, precision=settings.precision)


def following(settings: Settings, known: Found) -> dict[str, object]:
    """What follows from being in a place."""
    country = COUNTRIES.get(known.place.country or "", Country(None, None))
    follows = {
        "timezone": known.timezone or country.timezone,
        "currency": country.currency,
        "market": _market_of(settings, known.place),
    }
    return {name: value for name, value in follows.items() if value is not None}


def _market_of(settings: Settings, place: Place) -> str | None:
    """Which market a place is in; a region's goes before its country's."""
    areas = settings.market_of
    return areas.get(f"{place.country}-{place.region}") or areas.get(place.country or "")


def _opened(settings: Settings) -> Database:
    assert settings.database is not None
    return Database(
        settings.database,
        layout=settings.layout,
        paths=settings.paths,
        copy=settings.copy,
        interval_s=settings.reload_interval_s,
    )


def _registered(settings: Settings) -> Callable[[str], str | None] | None:
    """What tells the country whose registry gave an address away: right for about 95 of 100, so of low confidence."""
    if settings.iptocc is False or (settings.iptocc is None and settings.database is not None):
        return None
    try:
        import iptocc
    except ImportError:
        if settings.iptocc is None:
            return None
        fix = 'install "cxkit-geo[iptocc]"'
        raise MissingDependencyError('"iptocc" is on, and that package is not installed', fix=fix) from None
    country_of: Callable[[str], str | None] = iptocc.country_code
    return country_of


FACTORY: Final[Factory[Enricher]] = Factory(name="geo", settings=Settings, build=GeoEnricher)
