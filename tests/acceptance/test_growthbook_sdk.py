"""GrowthBook's official SDK for Python is asked the same as our rules: it reads the same payloads and decides the same.

It runs where tests run that need more than Python, CI included.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.growthbook import World
from tests.rules.experience.vectors import vectors

OTHERWISE: Final = {
    "an empty object is one too", "$lt and $gt", "$lte and $gte", "nothing counts as 0 where it is ordered",
    "... 10 before 9", "a number in a text, and the other way", "truth counts as 1", "$elemMatch of values",
    "$elemMatch passes over nothing, not over 0", "$regex at both ends", "$regex of a number", "$regex and line ends",
    "$regex and words", "a version that is a number",
}  # fmt: skip
"""Vectors in which that SDK, 4.0.0, says otherwise than the one of JavaScript, whom the public cases agree with."""


@pytest.mark.services
def test_the_official_sdk_says_the_same_of_conditions() -> None:
    from growthbook.core import evalCondition

    otherwise = {
        case["it"]
        for case in vectors("conditions")
        for fits, of in ((True, case["fits"]), (False, case["misses"]))
        for attributes in of
        if evalCondition(attributes, case["condition"], case.get("groups")) is not fits
    }
    assert otherwise == OTHERWISE


@pytest.mark.services
def test_the_official_sdk_says_the_same_of_features() -> None:
    from growthbook import GrowthBook, InMemoryStickyBucketService

    cases = vectors("growthbook")
    for person in cases["people"]:
        sdk = GrowthBook(
            attributes=person["attributes"], features=cases["payload"]["features"],
            savedGroups=cases["payload"]["savedGroups"], sticky_bucket_service=InMemoryStickyBucketService(),
        )  # fmt: skip
        for feature, value in person["values"].items():
            assert sdk.eval_feature(feature).value == value, (feature, person["attributes"])
        sdk.destroy()


# --- payloads that nobody has thought of ---

shares = st.integers(0, 100).map(lambda part: part / 100)
ranges = st.tuples(shares, shares).map(lambda ends: sorted(ends))
values = st.sampled_from([0, 1, 2, "v", True, False])  # it takes a rule that forces null for one that forces nothing
conditions = st.sampled_from([
    {}, {"x": "a"}, {"x": {"$in": ["a", "b", None]}}, {"y": {"$gt": 2}, "x": {"$ne": None}}, {"x": {"$inGroup": "g"}},
    {"$or": [{"y": None}, {"x": "b"}]}, {"$not": {"x": {"$nin": ["c", None]}}},
])  # fmt: skip
wanted = st.sampled_from([{"value": 1}, {"value": {"$ne": 2}}, {"value": None}, {"value": {"$exists": True}}])
parents = st.fixed_dictionaries(
    {"id": st.sampled_from(["first", "gone"]), "condition": wanted}, optional={"gate": st.just(True)}
)
filters = st.fixed_dictionaries(
    {"seed": st.just("filter"), "ranges": st.lists(ranges, min_size=1, max_size=2)},
    optional={"attribute": st.sampled_from(["id", "device"]), "hashVersion": st.sampled_from([1, 2])},
)
common: dict[Any, Any] = {
    "hashAttribute": st.sampled_from(["id", "device"]), "hashVersion": st.sampled_from([1, 2]), "condition": conditions,
    "seed": st.sampled_from(["one", "other"]), "coverage": st.sampled_from([0, 0.2, 0.5, 1]),
    "filters": st.lists(filters, min_size=1, max_size=2), "parentConditions": st.lists(parents, max_size=2),
    "fallbackAttribute": st.just("device"), "disableStickyBucketing": st.booleans(),
}  # fmt: skip
forced = st.fixed_dictionaries({"force": values}, optional={**common, "range": ranges})
divided = st.integers(2, 3).flatmap(
    lambda count: st.fixed_dictionaries(
        {"variations": st.lists(values, min_size=count, max_size=count)},
        optional={
            **common, "key": st.sampled_from(["one", "other"]),
            "namespace": st.tuples(st.just("space"), shares, shares),
            "weights": st.sampled_from([[1 / count] * count, [0.2] * count, [0.3, 0.7]]),
            "ranges": st.lists(ranges, min_size=count, max_size=count),
        },
    )
)  # fmt: skip
features = st.fixed_dictionaries({"defaultValue": values, "rules": st.lists(st.one_of(forced, divided), max_size=3)})
alone = features.map(
    lambda feature: {**feature, "rules": [{key: value for key, value in rule.items() if key != "parentConditions"}
                                          for rule in feature["rules"]]}
)  # fmt: skip
people = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.text(min_size=1, max_size=9), st.integers(1, 99)),
        "device": st.integers(0, 99).map("device-{}".format),
        "x": st.sampled_from("abcd"),
        "y": st.integers(0, 5),
    },
)


@pytest.mark.services
@settings(max_examples=400)
@given(alone, features, st.lists(people, min_size=1, max_size=4))
def test_the_official_sdk_says_the_same_of_any_payload(first: Any, second: Any, asking: list[dict[str, Any]]) -> None:
    from growthbook import GrowthBook, InMemoryStickyBucketService

    payload = {"features": {"first": first, "second": second}, "savedGroups": {"g": ["a", "c"]}}
    world = World(payload)
    for attributes in asking:
        sdk = GrowthBook(attributes=attributes, sticky_bucket_service=InMemoryStickyBucketService(), **payload)
        for feature in payload["features"]:
            assert world.decide(feature, attributes).content == sdk.eval_feature(feature).value
        sdk.destroy()
