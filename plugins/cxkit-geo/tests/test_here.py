"""What a device or a customer says of where they are: only with consent, and the place, never the position."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.codec import encode
from cxkit.errors import InvalidInteractionError, StateError
from cxkit.kit import place_here
from cxkit.model import Context, Place
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.testing.enricher_suite import request
from cxkit_geo import choose_place, locate
from cxkit_geo.testing import LYON, MONTREAL

Kits = Callable[..., cxkit.Kit]
HERE = {"latitude": 45.7601, "longitude": 4.8402}
FAR = {"latitude": 12.3456, "longitude": -45.6789}
POINTS = {
    "stores": [
        {"id": "lyon-2", "latitude": 45.757, "longitude": 4.832},
        {"id": "lyon-6", "latitude": 45.772, "longitude": 4.855},
        {"id": "paris", "latitude": 48.86, "longitude": 2.35},
    ],
    "fences": [{"name": "bellecour", "latitude": 45.76, "longitude": 4.84, "radius_m": 300.0}],
    "markets": {"dach": ["DE", "AT", "CH"], "france": ["FR"]},
    "iptocc": False,
}
SEEN = cxkit.touchpoint("geo.seen", purpose="necessary")


def place() -> Place | None:
    return cxkit.current().context.place


# --- locate ---------------------------------------------------------------------------------------


def test_the_nearest_store_and_the_fences_are_kept_and_not_the_position(kit: Kits) -> None:
    exporter = RecordingExporter()
    shop = kit(geo=POINTS, exporter=exporter, clock=FakeClock())  # a real one's seconds may spell a position
    with cxkit.scope(kit=shop, user_id="nancy", evidence="login"):
        cxkit.grant("precise_location", "analytics")
        found = locate(**HERE, accuracy_m=20)
        SEEN.capture()
    assert found == Place(
        store="lyon-2", fences=("bellecour",), source="device", precision="coordinates", accuracy_km=0.02,
        confidence="high",
    )  # fmt: skip
    assert shop.flush().complete
    (seen,) = [one for one in exporter.interactions if one.name == "geo.seen"]
    assert seen.context.place == found
    for one in exporter.interactions:
        assert not any(digits in encode(one) for digits in (b"45.7", b"4.84", b"45.8", b"4.8"))


@pytest.mark.parametrize(("answer", "reason"), [(None, "undecided"), ("withdraw", "refused")])
def test_without_consent_a_position_is_refused_and_counted(answer: str | None, reason: str, kit: Kits) -> None:
    shop = kit(geo=POINTS)
    with cxkit.scope(kit=shop, user_id="nancy", evidence="login"):
        cxkit.grant("analytics", "personalization")
        if answer:
            cxkit.withdraw("precise_location")
        assert locate(**HERE) is None
        assert place() is None
    assert shop.account().blocked == {f"capture:precise_location:{reason}:position": 1}


def test_what_was_located_is_no_more_once_consent_is_withdrawn(kit: Kits) -> None:
    exporter = RecordingExporter()
    shop = kit(geo=POINTS, exporter=exporter)
    with cxkit.scope(kit=shop, user_id="nancy", evidence="login"):
        cxkit.grant("precise_location", "analytics")
        locate(**HERE)
        cxkit.withdraw("precise_location")
        SEEN.capture()
        assert locate(**HERE) is None
    assert shop.flush().complete
    (seen,) = [one for one in exporter.interactions if one.name == "geo.seen"]
    assert seen.context.place is None or (seen.context.place.store, seen.context.place.fences) == (None, ())


def test_a_bot_is_nowhere(kit: Kits) -> None:
    shop = kit(geo=POINTS)
    scope = shop.open_scope(Context(actor="bot"))
    from cxkit.capture.scope import enter

    enter(scope)
    assert locate(**HERE) is None
    scope.close()


def in_lyon(shop: cxkit.Kit, *, address: str = LYON, told: Context = Context(channel="web")) -> Any:
    """A request from there, or elsewhere."""
    from cxkit.capture.scope import enter

    scope = shop.open_scope(told, facts=request(client_ip=address))
    enter(scope)
    cxkit.grant("precise_location")
    return scope


def test_the_country_stays_as_its_source_said(kit: Kits, database: str) -> None:
    """A position names no country, and the nearest store may be across a border."""
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    found = locate(**HERE)
    assert found is not None
    assert (found.country, found.region, found.store, found.source) == ("FR", "ARA", "lyon-2", "mmdb+device")
    assert cxkit.current().context.market == "france"
    scope.close()


def test_whoever_moves_on_is_somewhere_else(kit: Kits, database: str) -> None:
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    before = locate(**HERE)
    moved = locate(latitude=48.85, longitude=2.34)
    assert moved is not None
    assert before is not None
    assert (moved.store, moved.fences, moved.source) == ("paris", (), "mmdb+device")
    gone = locate(**FAR)
    assert gone is not None
    assert (gone.store, gone.fences, gone.source, gone.precision) == (None, (), "mmdb", "region")
    scope.close()


def test_whoever_comes_next_is_where_they_were_found(kit: Kits, database: str) -> None:
    """What its person chose, and where their device was, goes with them; the law stays that of where they are."""
    shop = kit(geo={**POINTS, "database": database})
    scope = in_lyon(shop)
    before = cxkit.current().context
    for choose in (
        lambda: choose_place(country="CH", city="Bern"),
        lambda: choose_place(store="paris"),
        lambda: choose_place(market="dach"),
        lambda: locate(**HERE),
    ):
        cxkit.identify(user_id="nancy")
        choose()
        assert cxkit.current().context != before
        cxkit.logout()
        assert cxkit.current().context == before
    scope.close()


def test_far_from_all_stores_none_is_near(kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS), user_id="nancy", evidence="login"):
        cxkit.grant("precise_location")
        assert locate(**FAR) == Place()
        assert locate(**HERE, accuracy_m=500_000) == Place()


def test_coordinates_only_if_the_settings_say_so_and_rounded(kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo={"precision": "coordinates", "iptocc": False}), user_id="nancy", evidence="login"):
        cxkit.grant("precise_location")
        found = locate(latitude=45.7601, longitude=4.8402)
    assert found == Place(latitude=45.8, longitude=4.8, source="device", precision="coordinates", confidence="high")


def test_a_position_makes_no_doubtful_country_sure(kit: Kits) -> None:
    shop = kit(geo={"precision": "coordinates", "iptocc": False})
    doubtful = Place(country="US", region="TX", confidence="low")
    with cxkit.scope(kit=shop, user_id="nancy", evidence="login"):
        cxkit.grant("precise_location")
        place_here(lambda context, _: attrs.evolve(context, place=doubtful))
        found = locate(latitude=45.7601, longitude=4.8402)
    assert found is not None
    assert (found.country, found.latitude, found.confidence) == ("US", 45.8, "low")


NO_POSITION: list[dict[str, Any]] = [
    {"latitude": 91.0, "longitude": 1.0},
    {"latitude": 1.0, "longitude": 181.0},
    {"latitude": 0.0, "longitude": 0.0},
    {"latitude": 0, "longitude": 0},
    {"latitude": math.nan, "longitude": 1.0},
    {"latitude": math.inf, "longitude": 1.0},
    {"latitude": "45.7", "longitude": 1.0},
    {"latitude": None, "longitude": 1.0},
    {"latitude": True, "longitude": 1.0},
    {"latitude": 10**400, "longitude": 1.0},
    {**HERE, "accuracy_m": -1.0},
    {**HERE, "accuracy_m": math.nan},
    {**HERE, "accuracy_m": math.inf},
    {**HERE, "accuracy_m": "5"},
]


@pytest.mark.parametrize("said", NO_POSITION, ids=str)
def test_what_is_no_position_is_no_place_and_no_exception(said: dict[str, Any], kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS, strict=False), user_id="nancy", evidence="login"):
        cxkit.grant("precise_location")
        assert locate(**said) is None
        assert place() is None


def test_in_strict_mode_it_is_said(kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS), user_id="nancy", evidence="login"):
        cxkit.grant("precise_location")
        with pytest.raises(InvalidInteractionError, match="CX9105"):
            locate(latitude=0.0, longitude=0.0)


def test_without_a_scope_nobody_is_anywhere(kit: Kits) -> None:
    from cxkit.kit import install

    before = install(kit(geo=POINTS))
    try:
        assert current_scope() is None
        with pytest.raises(StateError, match="CX7002"):
            locate(**HERE)
        install(kit(geo=POINTS, strict=False))
        assert locate(**HERE) is None
        choose_place(country="CH")
    finally:
        install(before)


@pytest.mark.parametrize("act", [lambda: locate(**HERE), lambda: choose_place(country="CH")], ids=["locate", "choose"])
def test_where_the_plugin_is_blocked_nothing_is_done(act: Callable[[], object], kit: Kits) -> None:
    for strict in (True, False):
        shop = kit(geo={}, strict=strict)
        del shop.tables["geo"]
        with cxkit.scope(kit=shop, user_id="nancy", evidence="login"):
            cxkit.grant("precise_location")
            if strict:
                with pytest.raises(StateError, match="CX9108"):
                    act()
            else:
                assert act() is None
            assert place() is None


# --- choose_place ---------------------------------------------------------------------------------


def test_what_was_chosen_is_never_overwritten(kit: Kits, database: str) -> None:
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    choose_place(country="CH", region="ZH", city="Zürich")
    SEEN.capture()
    context = cxkit.current().context
    assert context.place == Place(
        country="CH", region="ZH", city="Zürich", source="chosen", precision="city", confidence="high"
    )
    assert (context.market, context.currency) == ("dach", "CHF")
    scope.close()


def test_nor_if_it_is_chosen_after_the_place_was_found(kit: Kits, database: str) -> None:
    """What followed from the place before follows from this one."""
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    SEEN.capture()
    assert cxkit.current().context.market == "france"
    choose_place(country="CH")
    context = cxkit.current().context
    assert (context.place, context.market, context.currency) == (
        Place(country="CH", source="chosen", precision="country", confidence="high"),
        "dach",
        "CHF",
    )
    scope.close()


def test_a_currency_of_the_apps_own_stays(kit: Kits, database: str) -> None:
    shop = kit(geo={**POINTS, "database": database})
    scope = in_lyon(shop, told=Context(channel="web", currency="USD", market="own"))
    SEEN.capture()
    choose_place(country="CH")
    assert (scope.context.currency, scope.context.market) == ("USD", "own")
    scope.close()


def test_a_market_alone(kit: Kits, database: str) -> None:
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    choose_place(market="dach")
    SEEN.capture()
    context = cxkit.current().context
    assert context.place is not None
    assert (context.place.country, context.market) == ("FR", "dach")
    scope.close()


def test_their_own_store_stays_theirs_wherever_they_are(kit: Kits, database: str) -> None:
    scope = in_lyon(kit(geo={**POINTS, "database": database}))
    choose_place(store="paris")
    found = locate(**HERE)
    assert found is not None
    assert (found.country, found.store, found.fences, found.source) == ("FR", "paris", ("bellecour",), "mmdb+chosen")
    scope.close()


@pytest.mark.parametrize(
    "said",
    [{"country": "XX"}, {"country": ""}, {"country": 7}, {"region": "ZH"}, {"country": "CH", "region": "Zürich"},
     {"city": "Lyon"}, {"store": "nowhere"}, {"market": "nowhere"}, {"country": "CH", "city": ""},
     {"country": "CH", "city": "x" * 500}, {"country": "CH", "city": 7}, {"store": ["x"]}],
    ids=str,
)  # fmt: skip
def test_what_is_not_known_cannot_be_chosen(said: Any, kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS, strict=False)):
        choose_place(**said)
        assert place() is None
    with cxkit.scope(kit=kit(geo=POINTS)), pytest.raises(InvalidInteractionError, match="CX9106"):
        choose_place(**said)


@pytest.mark.parametrize("country", ["AT", "US"])
@pytest.mark.parametrize("enriched_before", [True, False])
def test_the_time_zone_follows_in_whatever_order(country: str, enriched_before: bool, kit: Kits, database: str) -> None:
    """Of Montreal's clock nothing is left: Austria has one of its own, and the United States have several."""
    scope = in_lyon(kit(geo={**POINTS, "database": database}), address=MONTREAL)
    if enriched_before:
        SEEN.capture()
        assert scope.context.timezone == "America/Toronto"
    choose_place(country=country)
    SEEN.capture()
    assert scope.context.timezone == {"AT": "Europe/Vienna", "US": None}[country]
    scope.close()


@pytest.mark.parametrize("enriched_before", [True, False])
def test_local_hour_is_that_of_the_place_that_was_chosen(enriched_before: bool, kit: Kits, database: str) -> None:
    clock = FakeClock()
    hour = datetime.fromtimestamp(clock.time_ns() / 1e9, ZoneInfo("Europe/Vienna")).hour
    told = {"variants": [{"name": "now", "depth": 1, "audience": {"local_hour": hour}, "content": "now"}]}
    shop = kit(geo={**POINTS, "database": database}, clock=clock, experiences={"geo.hour": told})
    scope = in_lyon(shop, address=MONTREAL)
    if enriched_before:
        SEEN.capture()
    choose_place(country="AT")
    assert cxkit.experience("geo.hour").decide().variant == "now"
    scope.close()


def test_a_time_zone_of_the_apps_own_stays(kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS), timezone="Asia/Tokyo"):
        choose_place(country="AT")
        choose_place(country="CH")
        context = cxkit.current().context
        assert (context.timezone, context.currency, context.market) == ("Asia/Tokyo", "CHF", "dach")


def test_whoever_chose_a_country_and_then_a_store_is_where_they_chose(kit: Kits) -> None:
    with cxkit.scope(kit=kit(geo=POINTS)):
        choose_place(country="FR")
        choose_place(store="paris")
        assert place() == Place(
            country="FR", store="paris", source="chosen", precision="coordinates", confidence="high"
        )
