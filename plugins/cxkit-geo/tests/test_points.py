"""Stores and fences: the nearest is the nearest, also across the antimeridian and at the poles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import ConfigurationError
from cxkit_geo.points import Fence, Points, Store, distance_km

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)
POSITIONS = st.tuples(LATITUDES, LONGITUDES)


def stores(*positions: tuple[float, float]) -> list[Store]:
    return [Store(id=f"s{number}", latitude=one[0], longitude=one[1]) for number, one in enumerate(positions)]


@given(st.lists(POSITIONS, max_size=30), POSITIONS, st.floats(0.1, 30_000))
def test_the_nearest_is_that_which_looking_at_all_of_them_finds(
    positions: list[tuple[float, float]], here: tuple[float, float], within_km: float
) -> None:
    found = Points(stores(*positions), []).nearest(*here, within_km=within_km)
    every = [(distance_km(*here, *one), f"s{number}") for number, one in enumerate(positions)]
    assert found == min((one for one in every if one[0] <= within_km), default=(0, None))[1]


@given(st.lists(st.tuples(POSITIONS, st.floats(1, 1_000_000)), max_size=20), POSITIONS)
def test_the_fences_are_those_that_looking_at_all_of_them_finds(
    circles: list[tuple[tuple[float, float], float]], here: tuple[float, float]
) -> None:
    fences = [
        Fence(name=f"f{number:02}", latitude=at[0], longitude=at[1], radius_m=radius)
        for number, (at, radius) in enumerate(circles)
    ]
    inside = {one.name for one in fences if distance_km(*here, one.latitude, one.longitude) * 1000 <= one.radius_m}
    assert Points([], fences).around(*here, accuracy_m=0) == tuple(sorted(inside))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((45.76, 4.84), (48.86, 2.35), 392),
        ((0, 179.9), (0, -179.9), 22),
        ((90, 0), (90, 120), 0),
        ((89.9, 0), (89.9, 180), 22),
        ((0, 0), (0, 180), 20_015),
    ],
)
def test_distances(one: tuple[float, float], other: tuple[float, float], km: float) -> None:
    assert distance_km(*one, *other) == pytest.approx(km, abs=1)


def test_across_the_antimeridian_and_the_pole() -> None:
    points = Points(stores((-17.0, -179.95), (89.95, 180.0)), [])
    assert points.nearest(-17.0, 179.95, within_km=50) == "s0"
    assert points.nearest(89.95, 0.0, within_km=50) == "s1"


def test_in_a_fence_smaller_than_the_position_is_sure_nobody_is() -> None:
    fences = [Fence(name=name, latitude=45.76, longitude=4.84, radius_m=m) for name, m in (("shop", 50), ("town", 9e3))]
    points = Points([], fences)
    assert points.around(45.76, 4.84, accuracy_m=20) == ("shop", "town")
    assert points.around(45.76, 4.84, accuracy_m=500) == ("town",)


def test_of_many_fences_the_smallest_are_told() -> None:
    fences = [Fence(name=f"f{number:02}", latitude=1, longitude=1, radius_m=100 + number) for number in range(50)]
    assert Points([], fences).around(1, 1, accuracy_m=0) == tuple(f"f{number:02}" for number in range(32))


# --- the list -------------------------------------------------------------------------------------


def test_stores_and_fences_from_a_file_join_those_of_the_settings(geo: Any, tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    held = {
        "stores": [{"id": "paris", "latitude": 48.86, "longitude": 2.35}],
        "fences": [{"name": "louvre", "latitude": 48.861, "longitude": 2.336, "radius_m": 400}],
    }
    file.write_text(json.dumps(held))
    asked = geo(points=str(file), stores=[{"id": "lyon", "latitude": 45.76, "longitude": 4.84}])
    points = asked.settings.places
    assert points.nearest(48.8, 2.3, within_km=100) == "paris"
    assert points.nearest(45.7, 4.8, within_km=100) == "lyon"
    assert points.around(48.861, 2.337, accuracy_m=10) == ("louvre",)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "\x00", '{"stores": 7}', '{"shops": []}', '{"stores": [{"id": "a"}]}', "[" * 5000,
     '{"stores": [{"id": "a", "latitude": "x", "longitude": 1}]}'],
)  # fmt: skip
def test_a_file_that_is_no_list_of_points_is_a_mistake_of_the_configuration(
    text: str, geo: Any, tmp_path: Path
) -> None:
    file = tmp_path / "points.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        geo(points=str(file))


def test_a_file_that_is_not_there(geo: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="points"):
        geo(points=str(tmp_path / "none.json"))


AT = {"latitude": 1.0, "longitude": 1.0}


@pytest.mark.parametrize(
    "table",
    [
        {"stores": [{"id": "a", **AT}, {"id": "a", **AT}]},
        {"stores": [{"id": "", **AT}]},
        {"stores": [{"id": "x" * 65, **AT}]},
        {"stores": [{"id": "a", "latitude": 91.0, "longitude": 1.0}]},
        {"stores": [{"id": "a", "latitude": 0.0, "longitude": 0.0}]},
        {"stores": [{"id": str(number), **AT} for number in range(10_001)]},
        {"fences": [{"name": "a", **AT, "radius_m": 0.0}]},
        {"fences": [{"name": "a", **AT, "radius_m": 1e9}]},
        {"nearest_within_km": 0.0},
        {"nearest_within_km": float("nan")},
        {"nearest_within_km": 100_000.0},
        {"reload_interval_s": -1.0},
        {"reload_interval_s": 1e9},
        {"layout": "maxmind"},
        {"markets": {"dach": ["Deutschland"]}},
        {"markets": {"dach": ["DE"], "de": ["DE"]}},
        {"markets": {"any": ["XX"]}},
        {"headers": {"country": "X-Country"}},
        {"platform": "vercel", "headers": {"land": "X-Country"}},
        {"paths": {"city": "ort"}},
        {"paths": {"country": "land"}, "layout": "geoip2"},
        {"platform": "akamai"},
        {"precision": "street"},
    ],
)
def test_what_is_wrong_with_the_settings_is_said_at_start(table: dict[str, Any], geo: Any) -> None:
    with pytest.raises(ConfigurationError):
        geo(**table)


@pytest.mark.parametrize(
    ("table", "fix"),
    [
        ({"reload_interval_s": 1e9}, "from 0.01 to 86400"),
        ({"nearest_within_km": 0.0}, "from 0.001 to 20000"),
        ({"platform": "cloudflair"}, "cloudflare"),
        ({"layout": "geoip"}, "geoip2"),
        ({"platform": "vercel", "headers": {"land": "X-Country"}}, "country"),
    ],
)
def test_the_fix_says_what_may_be_written(table: dict[str, Any], fix: str, geo: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        geo(**table)
    assert fix in refused.value.fix
    assert refused.value.setting == f"geo.{'headers' if 'headers' in table else next(iter(table))}"
