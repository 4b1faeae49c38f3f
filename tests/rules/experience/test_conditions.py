"""Conditions: whom something is for. Every operator by vectors of our own; what is none is refused by name."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError
from cxkit.rules.experience.conditions import Condition, compile_condition
from tests import strategies as some
from tests.rules.experience.vectors import vectors

VECTORS = vectors("conditions")
OPERATORS = """$and $or $nor $not $eq $ne $lt $lte $gt $gte $veq $vne $vgt $vgte $vlt $vlte $in $nin $ini $nini $all
    $alli $elemMatch $size $exists $type $regex $regexi $notRegex $notRegexi $inGroup $notInGroup""".split()


def compiled(condition: Any, groups: Any = None) -> Condition:
    return compile_condition(condition, groups=groups, where='experience "home.hero"')


def refused(condition: Any) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        compiled(condition)
    return caught.value


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["it"])
def test_vectors(case: dict[str, Any]) -> None:
    condition = compiled(case["condition"], case.get("groups"))
    for attributes in case["fits"]:
        assert condition(attributes), attributes
        assert condition.missed(attributes) is None
    for attributes in case["misses"]:
        assert not condition(attributes), attributes
        assert condition.missed(attributes) in case["condition"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_has_vectors_either_way(operator: str) -> None:
    cases = [case for case in VECTORS if f'"{operator}"' in json.dumps(case["condition"])]
    assert any(case["fits"] for case in cases)
    assert any(case["misses"] for case in cases)


# --- what it looks at ---


class Watched(Mapping[str, Any]):
    """Attributes that note which of them were asked for."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes, self.asked = attributes, list[str]()

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        return self.attributes[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


def test_it_looks_at_no_more_than_it_needs() -> None:
    condition = compiled({"country": "FR", "$or": [{"traits.plan": "gold"}, {"device": "mobile"}]})
    assert condition.reads == {"country", "traits.plan", "device"}
    for attributes, asked in [
        ({"country": "DE"}, ["country"]),
        ({"country": "FR", "traits": {"plan": "gold"}}, ["country", "traits"]),
        ({"country": "FR", "device": "mobile"}, ["country", "traits", "device"]),
    ]:
        watched = Watched(attributes)
        condition(watched)
        assert watched.asked == asked


def test_what_elements_of_a_list_have_is_no_attribute() -> None:
    assert compiled({"orders": {"$elemMatch": {"total": {"$gt": 1}}}}).reads == {"orders"}


def test_what_is_missed_is_named() -> None:
    condition = compiled({"country": "FR", "traits.plan": "gold", "$not": {"device": "mobile"}})
    found = {"country": "FR", "traits": {"plan": "gold"}, "device": "mobile"}
    assert condition.missed(found) == "$not"
    assert condition.missed({**found, "traits": {}}) == "traits.plan"
    assert condition.missed({}) == "country"


# --- what is refused ---


@pytest.mark.parametrize(
    ("condition", "code", "at", "fix"),
    [
        ({"page": {"$regx": "x"}}, "CX3041", "page.$regx ", '"$regex"'),
        ({"$orr": [{"a": 1}]}, "CX3041", "$orr ", "$and, $or, $nor and $not"),
        ({"$in": ["FR"]}, "CX3041", "$in ", '{"country": {"$in": ...}}'),
        ({"a": {"$and": [{"b": 1}]}}, "CX3041", "a.$and ", ""),
        ({"$and": {"a": 1}}, "CX3042", "$and ", "a list of conditions"),
        ({"$or": [{"a": 1}, 7]}, "CX3040", "$or.1 ", '{"country": "FR"}'),
        ({"$not": [{"a": 1}]}, "CX3040", "$not ", ""),
        ({"": 1}, "CX3040", "", "dotted names"),
        ({"a..b": 1}, "CX3040", "a..b ", "dotted names"),
        ({7: 1}, "CX3040", "7 ", "dotted names"),
        ({"a": {"$gt": 1, "b": 2}}, "CX3040", "a ", ""),
        ({"a": {"$in": "FR"}}, "CX3042", "a.$in ", "a list"),
        ({"a": {"$nin": [["FR"]]}}, "CX3042", "a.$nin.0 ", "a text"),
        ({"a": {"$all": "FR"}}, "CX3042", "a.$all ", "a list"),
        ({"a": {"$lt": True}}, "CX3042", "a.$lt ", "a number or a text"),
        ({"a": {"$vgt": None}}, "CX3042", "a.$vgt ", "a number or a text"),
        ({"a": {"$size": "3"}}, "CX3042", "a.$size ", "a number"),
        ({"a": {"$exists": 1}}, "CX3042", "a.$exists ", "true or false"),
        ({"a": {"$type": "text"}}, "CX3042", "a.$type ", "string, number"),
        ({"a": {"$type": []}}, "CX3042", "a.$type ", "string, number"),
        ({"a": {"$elemMatch": 3}}, "CX3042", "a.$elemMatch ", "a condition"),
        ({"a": {"$inGroup": 3}}, "CX3042", "a.$inGroup ", "the name of a group"),
        ({"a": {"$notInGroup": "g"}}, "CX3041", "a.$notInGroup ", "$in"),
        ({"a": {"$regex": 3}}, "CX3042", "a.$regex ", "a regular expression"),
        ({"a": {"$regex": "("}}, "CX3043", "a.$regex ", "simpler"),
        ({"a": {"$regexi": "(a+)+$"}}, "CX3043", "a.$regexi ", "simpler"),
        ({"a": datetime.date(2026, 1, 1)}, "CX3042", "a has a date", "a text"),
        ({"a": {"$eq": math.nan}}, "CX3042", "a.$eq ", "a text"),
        ({"a": {"b": [1, {2}]}}, "CX3042", "a.b.1 ", "a text"),
        (["a"], "CX3040", "the condition ", '{"country": "FR"}'),
    ],
)
def test_what_is_none_is_refused(condition: Any, code: str, at: str, fix: str) -> None:
    error = refused(condition)
    assert error.code == code
    assert error.what.startswith(f'experience "home.hero": {at}')
    assert fix in error.fix


@pytest.mark.parametrize(
    "wrap", [lambda one: {"$not": one}, lambda one: {"$or": [one]}, lambda one: {"a": {"$not": one}}]
)
def test_what_is_nested_too_deep_is_refused(wrap: Any) -> None:
    condition: Any = {"a": 1}
    for _ in range(5_000):
        condition = wrap(condition)
    assert refused(condition).code == "CX3044"


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = [value]
    assert refused({"a": value}).code == "CX3044"


# --- laws ---

operators = st.sampled_from([*OPERATORS, "$x", "a", "a.b", "b"])
conditions = st.recursive(
    some.leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(operators, inner, max_size=3))
)
attributes = st.dictionaries(st.sampled_from(["a", "b", "$groups"]), some.json_values, max_size=3)


@given(st.one_of(conditions, some.json_values), attributes)
def test_it_is_refused_or_it_answers(condition: Any, found: dict[str, Any]) -> None:
    """No condition raises anything else; none that was accepted raises at all."""
    try:
        accepted = compiled(condition)
    except DeclarationError:
        return
    assert accepted(found) is (accepted.missed(found) is None)


class Odd:
    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["it"])
@pytest.mark.parametrize(
    "found",
    [Odd(), math.nan, "9" * 5_000, "-" * 5_000, pytest.param(10**5_000, id="huge"), {"a": Odd()}, [Odd()], ("a",)],
)
def test_no_value_makes_it_raise(case: dict[str, Any], found: object) -> None:
    condition = compiled(case["condition"], case.get("groups"))
    condition(dict.fromkeys(condition.reads, found))


@given(conditions, attributes)
def test_its_opposite_is_its_opposite(condition: Any, found: dict[str, Any]) -> None:
    try:
        accepted, opposite = compiled(condition), compiled({"$not": condition})
    except DeclarationError:
        return
    assert accepted(found) is not opposite(found)
    assert compiled({"$nor": [condition]})(found) is opposite(found)
    assert compiled({"$and": [condition]})(found) is compiled({"$or": [condition]})(found) is accepted(found)


@pytest.mark.parametrize("condition", [{"$gt": 5}, {"$vgte": "1.0.0"}, {"$vlt": "2"}])
@pytest.mark.parametrize(
    "text", ["1" * 100_000 + "x", "+" * 100_000 + "\n", "1." * 100_000, "v" * 100_000, "-" * 100_000]
)
def test_a_long_text_is_no_number_and_of_a_version_only_its_beginning_counts(condition: Any, text: str) -> None:
    """Else one that is made for it holds up everybody: each pattern looks at it again from each place."""
    compiled_ = compile_condition({"x": condition}, where="here")
    assert compiled_({"x": text}) is compiled_({"x": text[:512] if "$gt" not in condition else "nothing"})
