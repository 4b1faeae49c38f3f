"""Headers of platforms, with the traps of each; and that they count from trusted peers only."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cxkit.errors import ConfigurationError
from cxkit.model import Context, Place
from cxkit.web.cookies import cookie_names
from cxkit.web.facts import FactsReader
from cxkit_geo.found import Found, capped
from cxkit_geo.platforms import FIELDS, PLATFORMS, Platform

SAO_PAULO = "São Paulo"
BARE = SAO_PAULO.encode().decode("latin-1")
"""As servers hand over bytes of UTF-8."""
LYON = Place(
    country="FR", region="ARA", city="Lyon", latitude=45.8, longitude=4.8, precision="coordinates", source="here"
)


def netlify(said: Any) -> str:
    return base64.b64encode(json.dumps(said).encode()).decode()


SAID: dict[str, dict[str, str]] = {
    "app_engine": {
        "x-appengine-country": "FR",
        "x-appengine-region": "ara",
        "x-appengine-city": "Lyon",
        "x-appengine-citylatlong": "45.764043,4.835659",
    },
    "cloudflare": {
        "cf-ipcountry": "FR",
        "cf-region-code": "ARA",
        "cf-ipcity": "Lyon",
        "cf-iplatitude": "45.76404",
        "cf-iplongitude": "4.83566",
        "cf-timezone": "Europe/Paris",
    },
    "cloudfront": {
        "cloudfront-viewer-country": "FR",
        "cloudfront-viewer-country-region": "ARA",
        "cloudfront-viewer-city": "Lyon",
        "cloudfront-viewer-latitude": "45.76404",
        "cloudfront-viewer-longitude": "4.83566",
        "cloudfront-viewer-time-zone": "Europe/Paris",
    },
    "vercel": {
        "x-vercel-ip-country": "FR",
        "x-vercel-ip-country-region": "ARA",
        "x-vercel-ip-city": "Lyon",
        "x-vercel-ip-latitude": "45.764",
        "x-vercel-ip-longitude": "4.8357",
        "x-vercel-ip-timezone": "Europe/Paris",
    },
    "netlify": {
        "x-nf-geo": netlify(
            {
                "city": "Lyon",
                "country": {"code": "FR", "name": "France"},
                "subdivision": {"code": "ARA", "name": "Auvergne-Rhône-Alpes"},
                "timezone": "Europe/Paris",
                "latitude": 45.764,
                "longitude": 4.8357,
            }
        )
    },
}
COUNTRY = {
    "app_engine": "x-appengine-country",
    "cloudflare": "cf-ipcountry",
    "cloudfront": "cloudfront-viewer-country",
    "vercel": "x-vercel-ip-country",
}
CITY = {
    "app_engine": "x-appengine-city",
    "cloudflare": "cf-ipcity",
    "cloudfront": "cloudfront-viewer-city",
    "vercel": "x-vercel-ip-city",
}


@pytest.mark.parametrize("platform", sorted(SAID))
def test_what_each_platform_says(platform: str, geo: Any) -> None:
    place = geo(platform=platform, precision="coordinates").place(SAID[platform])
    assert place == Place(
        country="FR",
        region="ARA",
        city="Lyon",
        latitude=45.8,
        longitude=4.8,
        precision="coordinates",
        source=platform,
    )


@pytest.mark.parametrize("platform", sorted(SAID))
def test_headers_from_an_untrusted_peer_are_anybodys_word(platform: str, geo: Any) -> None:
    assert geo(platform=platform).by(SAID[platform], proxied=False) == {}


@pytest.mark.parametrize("platform", sorted(SAID))
def test_headers_of_another_platform_are_the_clients(platform: str, geo: Any) -> None:
    others = {name: value for other, said in SAID.items() if other != platform for name, value in said.items()}
    assert geo(platform=platform).by(others) == {}


def test_no_header_counts_unless_a_platform_is_named(geo: Any) -> None:
    for said in SAID.values():
        assert geo().by(said) == {}


@pytest.mark.parametrize("platform", sorted(COUNTRY))
@pytest.mark.parametrize("said", ["XX", "ZZ", "?", "", "T1", "EU", "AP", "A1", "FRA", "F", "FR, US", "\x00", "çà"])
def test_a_country_that_is_none(platform: str, said: str, geo: Any) -> None:
    assert geo(platform=platform).by({**SAID[platform], COUNTRY[platform]: said}) == {}


def test_who_is_behind_tor_is_nowhere_even_if_a_database_knows_the_exit(geo: Any, database: str) -> None:
    asked = geo(platform="cloudflare", database=database)
    assert asked.by({"cf-ipcountry": "T1"}, address="81.2.69.142") == {}


@pytest.mark.parametrize("headers", [{"cf-ipcountry": "XX"}, {}])
def test_where_the_platform_does_not_know_the_database_may(headers: dict[str, str], geo: Any, database: str) -> None:
    """And then the whole place is the database's."""
    asked = geo(platform="cloudflare", database=database)
    assert asked.by(headers, address="81.2.69.142")["place"].source == "mmdb"


def test_a_place_is_of_one_source(geo: Any, database: str) -> None:
    """A country of the one and a city of the other could be in different parts of the world."""
    asked = geo(platform="cloudflare", database=database, precision="city")
    place = asked.by({"cf-ipcountry": "CA"}, address="81.2.69.142")["place"]
    assert place == Place(country="CA", source="cloudflare", precision="country")


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", sorted(CITY))
@pytest.mark.parametrize("said", [BARE, "S%C3%A3o%20Paulo", "S%c3%a3o Paulo"])
def test_a_city_in_utf8_or_percent_encoded_is_what_people_call_it(platform: str, said: str, geo: Any) -> None:
    headers = {COUNTRY[platform]: "BR", CITY[platform]: said}
    assert geo(platform=platform, precision="city").place(headers).city == SAO_PAULO


@pytest.mark.parametrize("platform", sorted(CITY))
@pytest.mark.parametrize(
    "said",
    ["S\xe3o Paulo", "S%E3o Paulo", "%FF%00", "100%", "?", "-", "...", "", " ", "a\x00b", "a\nb", "<b>x</b>",
     "%3Cscript%3E", "x" * 200, "x" * 1_000_000, "\ud800", "S\u0303\u20ac", "%EF%BF%BD", "12345"],
)  # fmt: skip
def test_a_city_that_is_not_utf8_or_no_name_is_left_out(platform: str, said: str, geo: Any) -> None:
    headers = {COUNTRY[platform]: "BR", CITY[platform]: said}
    place = geo(platform=platform, precision="city").place(headers)
    assert place in (None, Place(country="BR", source=platform, precision="country"))  # None: too long to be true


def test_a_region_is_a_code_and_no_name(geo: Any) -> None:
    asked = geo(platform="cloudflare")
    for said, region in (("ARA", "ARA"), ("FR-ARA", "ARA"), ("ara", "ARA"), ("Bayern", None), ("?", None), ("", None)):
        assert asked.place({"cf-ipcountry": "FR", "cf-region-code": said}).region == region


# --- positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    ["0.000000,0.000000", "0,0", "0.0001,-0.0001", "91,0", "45.7", "45.7,", ",4.8", "nan,nan", "inf,4", "45.7,4.8,9",
     "1e1,4.8", "45.7,181", "?", "4" * 400 + ",1"],
)  # fmt: skip
def test_null_island_and_other_positions_that_are_none(said: str, geo: Any) -> None:
    headers = {**SAID["app_engine"], "x-appengine-citylatlong": said}
    place = geo(platform="app_engine", precision="coordinates").place(headers)
    assert (place.latitude, place.longitude, place.precision) == (None, None, "city")


def test_the_middle_of_a_country_is_nobodys_place(geo: Any) -> None:
    headers = {"cf-ipcountry": "US", "cf-iplatitude": "37.751", "cf-iplongitude": "-97.822"}
    assert geo(platform="cloudflare", precision="coordinates").place(headers).latitude is None


# --- platforms of their own kind ------------------------------------------------------------------


def test_where_flys_server_is_nobody_else_is(geo: Any) -> None:
    assert geo(platform="fly").by({"fly-region": "cdg", "fly-client-ip": "81.2.69.142"}) == {}


def test_fastly_says_what_your_vcl_lets_it_say(geo: Any) -> None:
    asked = geo(platform="fastly", headers={"country": "X-Geo-Country", "region": "X-Geo-Region"})
    place = asked.place({"x-geo-country": "CA", "x-geo-region": "QC"})
    assert place == Place(country="CA", region="QC", source="fastly", precision="region")
    with pytest.raises(ConfigurationError, match="VCL"):
        geo(platform="fastly")


@pytest.mark.parametrize(
    "said",
    ["", "{}", "====", "e30=", netlify([]), netlify({"country": "FR"}), netlify({"country": {"code": ["FR"]}}),
     netlify({"country": {"code": "ZZ"}}), base64.b64encode(b"\xff\xfe").decode(), netlify("x"), "%" * 99,
     base64.b64encode(b"[" * 700).decode()],
)  # fmt: skip
def test_what_netlify_never_sent_says_nothing(said: str, geo: Any) -> None:
    assert geo(platform="netlify").by({"x-nf-geo": said}) == {}


# --- how finely -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "place"),
    [
        ("country", Place(country="CA", source="cloudflare", precision="country")),
        ("region", Place(country="CA", region="QC", source="cloudflare", precision="region")),
        ("city", Place(country="CA", region="QC", city="Montreal", source="cloudflare", precision="city")),
        (
            "coordinates",
            Place(
                country="CA",
                region="QC",
                city="Montreal",
                latitude=45.5,
                longitude=-73.6,
                source="cloudflare",
                precision="coordinates",
            ),
        ),
    ],
)
def test_no_place_leaves_finer_than_the_setting(precision: str, place: Place, geo: Any) -> None:
    found = geo(platform="cloudflare", precision=precision).by(
        {
            "cf-ipcountry": "CA",
            "cf-region-code": "QC",
            "cf-ipcity": "Montreal",
            "cf-iplatitude": "45.50884",
            "cf-iplongitude": "-73.58781",
            "cf-timezone": "America/Toronto",
        }
    )
    assert found["place"] == place
    # Canada has many zones: which one tells more than the country.
    assert found.get("timezone") == (None if precision == "country" else "America/Toronto")


def test_by_default_it_is_the_region(geo: Any) -> None:
    assert geo(platform="cloudflare").place(SAID["cloudflare"]).precision == "region"


@pytest.mark.parametrize("said", ["", "x" * 300, "../../etc/passwd", "Europe/<b>", "UTC+1", "\ud800", "Europe Paris"])
def test_a_time_zone_that_is_none_is_left_to_the_country(said: str, geo: Any) -> None:
    headers = {"cf-ipcountry": "FR", "cf-timezone": said}
    assert geo(platform="cloudflare").by(headers)["timezone"] == "Europe/Paris"
    headers = {"cf-ipcountry": "CA", "cf-timezone": said}
    assert "timezone" not in geo(platform="cloudflare").by(headers)


def test_bare_utf8_survives_an_asgi_server(geo: Any) -> None:
    """And so does a header that is sent twice: it says nothing."""
    names = cookie_names("cxkit", secure=False)
    reader = FactsReader(
        cookie_names=lambda scheme: names, client_ip=lambda headers, peer: None, proxied=lambda peer: True
    )

    def asked(*headers: tuple[bytes, bytes]) -> Place | None:
        scope = {"type": "http", "path": "/", "headers": list(headers), "client": ("10.0.0.1", 1)}
        found = geo(platform="cloudflare", precision="city").enricher.enrich(reader.asgi(scope), Context())
        return found.get("place")

    place = asked((b"cf-ipcountry", b"BR"), (b"cf-ipcity", SAO_PAULO.encode()))
    assert place is not None
    assert place.city == SAO_PAULO
    assert asked((b"cf-ipcountry", b"BR"), (b"cf-ipcountry", b"FR")) is None


# --- what is read, and what is kept of it -----------------------------------------------------------


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)
PARTS = some.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("latitude", "longitude", "city", "timezone"), JSON),
        "country": JSON | some.fixed_dictionaries({"code": some.just("FR") | JSON}),
        "subdivision": JSON | some.fixed_dictionaries({"code": JSON}),
    },
)
WORDS = some.text() | some.from_regex(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?") | some.sampled_from(
    ["FR", "T1", "XX", "S%C3%A3o", "%FF", "45.7,4.8", "ARA", "Europe/Paris"]
)  # fmt: skip


@given(name=some.sampled_from(sorted(PLATFORMS)), parts=PARTS | JSON, words=some.lists(WORDS, min_size=6, max_size=6))
def test_whatever_a_platform_says_is_read(name: str, parts: Any, words: list[str]) -> None:
    platform = Platform(name, {field: f"x-{field}" for field in FIELDS} if name == "fastly" else None)
    for said in (words, [base64.b64encode(json.dumps(parts).encode()).decode()]):
        given = dict(zip(platform._names, said, strict=False))
        platform.read(platform.said(given))


def test_a_number_as_long_as_json_lets_it_be_is_no_position(geo: Any) -> None:
    said = base64.b64encode(b'{"country":{"code":"FR"},"city":"Lyon","latitude":4,"longitude":1%s}' % (b"0" * 400))
    place = geo(platform="netlify", precision="coordinates").place({"x-nf-geo": said.decode()})
    assert (place.country, place.latitude, place.longitude) == ("FR", None, None)


@pytest.mark.parametrize("precision", ["country", "region", "city", "coordinates"])
@pytest.mark.parametrize("platform", sorted(SAID))
def test_what_is_finer_than_the_setting_is_not_even_read(platform: str, precision: Any) -> None:
    headers = SAID[platform]
    whole, less = Platform(platform), Platform(platform, precision=precision)
    read, alike = whole.read(whole.said(headers)), less.read(less.said(headers))
    assert isinstance(read, Found)
    assert isinstance(alike, Found)
    assert capped(alike, precision) == capped(read, precision)
    if precision == "region" and platform != "netlify":
        assert not {"Lyon", "45.76404", "45.764043,4.835659", "45.7640"} & {*less.said(headers)}


def test_no_exact_position_stays_in_the_process(geo: Any) -> None:
    asked = geo(platform="cloudflare")
    asked.by({**SAID["cloudflare"], "cf-iplatitude": "45.7601", "cf-iplongitude": "4.8402"})
    assert "45.7601" not in repr(vars(asked.enricher._said))
    assert len(asked.enricher._said) == 1
    asked.by({**SAID["cloudflare"], "cf-iplatitude": "45.7700", "cf-iplongitude": "4.8500"})
    assert len(asked.enricher._said) == 1, "for the region it is the same"


def test_what_is_remembered_is_bounded(geo: Any) -> None:
    asked = geo(platform="cloudflare", precision="city")
    for number in range(5_000):
        asked.by({"cf-ipcountry": "FR", "cf-ipcity": f"Lyon {number}" + "n" * 300})
        asked.by({"cf-ipcountry": "FR", "cf-ipcity": f"Lyon {number}"})
    assert len(asked.enricher._said) == 4_096


def test_the_zone_of_a_country_with_several_is_finer_than_the_country(geo: Any) -> None:
    found = geo(platform="cloudflare", precision="country").by({"cf-ipcountry": "US", "cf-timezone": "America/Denver"})
    assert found["place"].country == "US"
    assert "timezone" not in found
