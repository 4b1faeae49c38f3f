"""What follows from a country: a currency and a time zone where it has one of each, and a market."""

from __future__ import annotations

import sys
from typing import Any
from zoneinfo import available_timezones

import pytest

from cxkit.errors import MissingDependencyError
from cxkit.model import Context, Place
from cxkit_geo.countries import COUNTRIES
from cxkit_geo.testing import LYON, MONTREAL, NICOSIA

KNOWN = {
    "FR": ("EUR", "Europe/Paris"),
    "CH": ("CHF", "Europe/Zurich"),
    "JP": ("JPY", "Asia/Tokyo"),
    "BG": ("EUR", "Europe/Sofia"),
    "HR": ("EUR", "Europe/Zagreb"),
    "GB": ("GBP", "Europe/London"),
    "DE": ("EUR", None),  # Büsingen has a zone of its own
    "US": ("USD", None),
    "CA": ("CAD", None),
    "PA": (None, "America/Panama"),
    "AQ": (None, None),
}


def test_a_currency_and_a_zone_where_there_is_one() -> None:
    assert {code: tuple(COUNTRIES[code]) for code in KNOWN} == KNOWN


def test_there_are_all_of_iso_3166_and_kosovo() -> None:
    assert len(COUNTRIES) == 250
    assert "XK" in COUNTRIES
    assert not COUNTRIES.keys() & {"XX", "ZZ", "T1", "EU", "UK", "AN", "SU", "AP"}


def test_every_zone_is_one() -> None:
    zones = available_timezones()
    assert not zones or {one.timezone for one in COUNTRIES.values() if one.timezone} <= zones


def test_most_currencies_are_as_babel_has_them() -> None:
    numbers = pytest.importorskip("babel.numbers")
    differ = {
        code
        for code, one in COUNTRIES.items()
        if one.currency and numbers.get_territory_currencies(code) != [one.currency]
    }
    assert len(differ) <= 8, differ  # countries change theirs, and releases of Babel follow


def test_a_place_has_what_follows_from_it(geo: Any, database: str) -> None:
    asked = geo(database=database, markets={"france": ["FR"], "quebec": ["CA-QC"], "canada": ["CA"]})
    told = {name: value for name, value in asked.at(LYON).items() if name != "place"}
    assert told == {"timezone": "Europe/Paris", "currency": "EUR", "market": "france"}
    assert asked.at(MONTREAL)["market"] == "quebec", "a region's goes before its country's"
    assert asked.at(NICOSIA) == {
        "place": Place(country="CY", source="mmdb", precision="country"),
        "currency": "EUR",
    }, "Cyprus has two zones"


def test_what_is_not_told_is_no_market(geo: Any, database: str) -> None:
    asked = geo(database=database, precision="country", markets={"quebec": ["CA-QC"], "canada": ["CA"]})
    assert asked.at(MONTREAL)["market"] == "canada"


def test_a_place_that_the_app_gave_stays_and_has_a_market(geo: Any, database: str) -> None:
    asked = geo(database=database, markets={"dach": ["DE", "AT", "CH"], "france": ["FR"]})
    given = Context(place=Place(country="CH", source="chosen"))
    assert asked.at(LYON, context=given) == {"timezone": "Europe/Zurich", "currency": "CHF", "market": "dach"}
    given = Context(place=Place(country="CH"), currency="EUR", timezone="Europe/Berlin", market="other")
    assert asked.at(LYON, context=given) == {}
    assert asked.at(LYON, context=Context(place=Place(city="Lyon"))) == {}


# --- without a database ---------------------------------------------------------------------------


def test_countries_without_any_configuration(geo: Any) -> None:
    pytest.importorskip("iptocc")
    found = geo(iptocc=None).at("8.8.8.8")
    place = Place(country="US", source="iptocc", precision="country", confidence="low")
    assert found == {"place": place, "currency": "USD"}, "five of a hundred addresses are used elsewhere"


def test_a_database_that_does_not_know_is_no_reason_to_guess(geo: Any, database: str) -> None:
    pytest.importorskip("iptocc")
    assert geo(database=database, iptocc=None).at("8.8.8.8") == {}
    assert geo(database=database, iptocc=True).at("8.8.8.8")["place"].source == "iptocc"
    assert geo(iptocc=False).at("8.8.8.8") == {}


def test_without_iptocc_nothing_is_known_and_asking_for_it_is_a_mistake(geo: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "iptocc", None)
    assert geo(iptocc=None).at("8.8.8.8") == {}
    with pytest.raises(MissingDependencyError, match="cxkit-geo"):
        geo(iptocc=True)
