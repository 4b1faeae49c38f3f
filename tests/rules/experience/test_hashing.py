"""Where somebody falls: the same everywhere, evenly, and each part has its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.experience.hashing import bucketing, choose_range, fnv1a32, shares
from tests.rules.experience.vectors import vectors


@pytest.mark.parametrize(
    "case", vectors("hashing"), ids=lambda case: f"{case['seed']}-{case['value']}-{case['version']}"
)
def test_vectors(case: dict[str, Any]) -> None:
    assert bucketing(case["seed"], case["version"])(case["value"]) == case["number"]


@pytest.mark.parametrize(("text", "state"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_published_hashes(text: str, state: int) -> None:
    """From the test vectors of RFC 9923."""
    assert fnv1a32(text) == state


def plainly(text: str) -> int:
    """The algorithm as it is written down, over UTF-16 code units."""
    state = 2166136261
    for at in range(0, len(encoded := text.encode("utf-16-le", "surrogatepass")), 2):
        state = ((state ^ int.from_bytes(encoded[at : at + 2], "little")) * 16777619) % 2**32
    return state


@given(st.text(st.characters()), st.text(st.characters()))
def test_it_is_the_published_algorithm(seed: str, value: str) -> None:
    """Lone surrogates, which JavaScript allows, included."""
    assert fnv1a32(seed + value) == plainly(seed + value) == fnv1a32(value, fnv1a32(seed))
    assert bucketing(seed)(value) == plainly(str(plainly(seed + value))) % 10000 / 10000
    assert bucketing(seed, 1)(value) == plainly(value + seed) % 1000 / 1000


def test_an_emoji_is_two_units() -> None:
    assert fnv1a32("\U0001f36c") == fnv1a32("\ud83c\udf6c") != fnv1a32("\uf36c")


@given(st.text(), st.text(), st.sampled_from([1, 2]))
def test_the_number_is_from_0_up_to_1(seed: str, value: str, version: int) -> None:
    number = bucketing(seed, version)(value)
    assert 0 <= number < 1
    assert number == bucketing(seed, version)(value)


def test_a_split_is_even() -> None:
    """Within the interval that 99.9 % of fair splits of 100,000 units are in (binomial: 3.2905 standard deviations)."""
    number_of = bucketing("even-split")
    numbers = [number_of(f"visitor-{one}") for one in range(100_000)]
    for weights in [(0.5, 0.5), (0.1, 0.2, 0.7)]:
        parts = shares(len(weights), weights=weights)
        counts = [sum(low <= number < high for number in numbers) for low, high in parts]
        assert sum(counts) == len(numbers)
        for count, weight in zip(counts, weights, strict=True):
            spread = 3.2905 * (len(numbers) * weight * (1 - weight)) ** 0.5
            assert abs(count - len(numbers) * weight) <= spread


weights = st.lists(st.integers(1, 100), min_size=1, max_size=6).map(lambda parts: [one / sum(parts) for one in parts])


@given(weights, st.floats(0, 1), st.floats(0, 0.9999))
def test_parts_share_out_the_space_and_never_overlap(
    given_weights: list[float], coverage: float, number: float
) -> None:
    parts = shares(len(given_weights), coverage=coverage, weights=given_weights)
    holding = [place for place, (low, high) in enumerate(parts) if low <= number < high]
    assert len(holding) <= 1
    assert choose_range(number, parts) == (holding[0] if holding else None)
    assert sum(high - low for low, high in parts) == pytest.approx(coverage)


@given(weights, st.floats(0, 0.9999), st.floats(0, 1), st.floats(0, 1))
def test_more_coverage_moves_nobody(given_weights: list[float], number: float, one: float, other: float) -> None:
    little, much = sorted([one, other])
    few = choose_range(number, shares(len(given_weights), coverage=little, weights=given_weights))
    more = choose_range(number, shares(len(given_weights), coverage=much, weights=given_weights))
    assert few is None or few == more


def test_an_end_belongs_to_the_next() -> None:
    parts = shares(2)
    assert parts == [(0.0, 0.5), (0.5, 1.0)]
    assert [choose_range(number, parts) for number in (0.0, 0.4999, 0.5, 0.9999, 1.0)] == [0, 0, 1, 1, None]
    assert choose_range(0.5, [(0.5, 0.5), (0.5, 0.6)]) == 1


@pytest.mark.parametrize("given_weights", [(), (0.5,), (0.5, 0.4), (0.6, 0.5), (1.0, 1.0)])
def test_weights_that_are_none_are_equal_ones(given_weights: tuple[float, ...]) -> None:
    assert shares(2, weights=given_weights) == shares(2)


@pytest.mark.parametrize("given_weights", [(0.5, 0.49), (0.5, 0.509)])
def test_weights_that_are_nearly_right_are_taken(given_weights: tuple[float, ...]) -> None:
    assert shares(2, weights=given_weights)[1] == (0.5, 0.5 + given_weights[1])


@pytest.mark.parametrize("coverage", [-1, 0])
def test_no_coverage_is_nobody(coverage: float) -> None:
    assert choose_range(0.0, shares(2, coverage=coverage)) is None
    assert shares(2, coverage=7) == shares(2)
    assert shares(0) == []
