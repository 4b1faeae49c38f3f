"""Comparisons and alarms: what they say of what can be checked by hand, and of what is not enough."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.readout import (
    Design,
    Sample,
    Tally,
    compare,
    detectable,
    holm,
    left_behind,
    ratio_mismatch,
    read,
)


def of_values(*values: int) -> Sample:
    return Sample(units=len(values), total=sum(values), squares=sum(one * one for one in values))


# --- one comparison -------------------------------------------------------------------------------


def test_welch_as_reckoned_by_hand() -> None:
    # Means 2 and 7, variances 1 and 4, of three and four: spread 1/3 + 1 = 4/3, t = 5 / sqrt(4/3),
    # df = (4/3)^2 / ((1/3)^2 / 2 + 1 / 3) = 32/7.
    found = compare(of_values(1, 2, 3), Sample(units=4, total=28, squares=208), fixed=True)
    assert found is not None
    assert found.fixed is not None
    assert found.difference == 5
    assert found.relative is None  # a mean of 2 with a standard error of 0.58 is not clearly above zero
    assert (found.fixed.low + found.fixed.high) / 2 == pytest.approx(5)
    # By numerical integration of the density, its tails beyond t are 0.0091828, and 0.05 beyond 2.6448.
    assert found.fixed.p == pytest.approx(0.0091828, abs=1e-7)
    assert (found.fixed.high - found.fixed.low) / 2 == pytest.approx(2.6448 * math.sqrt(4 / 3), rel=1e-3)


def test_the_relative_effect_is_by_the_delta_method() -> None:
    control, other = of_values(*[90, 110] * 50), of_values(*[110, 130] * 50)
    found = compare(control, other, fixed=True)
    assert found is not None
    assert found.fixed is not None
    assert found.relative == pytest.approx(0.2)
    assert found.fixed.relative_low is not None
    assert found.fixed.relative_high is not None
    error = math.sqrt(control.of_mean / 100**2 + other.of_mean / 120**2)  # of the logarithm of 120 / 100
    assert found.fixed.relative_low == pytest.approx(1.2 * math.exp(-1.972 * error) - 1, rel=1e-3)
    assert found.fixed.relative_high == pytest.approx(1.2 * math.exp(1.972 * error) - 1, rel=1e-3)


def test_the_sequential_interval_at_the_units_it_is_tuned_for() -> None:
    # With a = 0.05: rho^2 = (5.9915 + log(6.9915)) / 5000, so n rho^2 = 7.9362 and the width is
    # sqrt(2 * 8.9362 / 7.9362 * log(sqrt(8.9362) / 0.05)) = 3.0352 standard errors.
    found = compare(Sample.of_shares(units=2500, reached=250), Sample.of_shares(units=2500, reached=300), fixed=False)
    assert found is not None
    assert found.fixed is None
    error = math.sqrt(0.1 * 0.9 / 2499 + 0.12 * 0.88 / 2499)
    assert (found.sequential.high - found.sequential.low) / 2 == pytest.approx(3.0352 * error, rel=1e-4)


SAMPLES = st.builds(
    lambda units, reached: Sample.of_shares(units=units, reached=min(units, reached)),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)


@given(SAMPLES, SAMPLES)
def test_a_p_below_the_level_means_an_interval_without_zero(control: Sample, other: Sample) -> None:
    found = compare(control, other, fixed=True)
    if found is None or found.fixed is None:
        return
    for one in (found.fixed, found.sequential):
        assert 0 <= one.p <= 1
        assert one.low <= found.difference <= one.high
        ends = one.low, one.high
        if found.relative is not None and one.relative_low is not None and one.relative_high is not None:
            ends = one.relative_low, one.relative_high
            assert ends[0] <= found.relative <= ends[1]
        if abs(one.p - 0.05) > 1e-9:
            assert (one.p < 0.05) == (not ends[0] <= 0 <= ends[1])
    assert found.sequential.high - found.sequential.low > found.fixed.high - found.fixed.low or control.units < 30


@given(SAMPLES, SAMPLES)
def test_the_other_way_round_is_the_same_but_for_the_sign(control: Sample, other: Sample) -> None:
    one, back = compare(control, other, fixed=True), compare(other, control, fixed=True)
    assert (one is None) == (back is None)
    if one is None or back is None or one.fixed is None or back.fixed is None:
        return
    assert (one.difference, one.fixed.low) == (-back.difference, pytest.approx(-back.fixed.high))
    assert one.fixed.p == pytest.approx(back.fixed.p)


ENOUGH = of_values(1, 2, 3, 4)
HUGE = 10**400


@pytest.mark.parametrize(
    "poor",
    [
        of_values(),
        of_values(5),
        Sample(units=-3, total=1, squares=1),
        Sample(units=3, total=HUGE, squares=HUGE**2),
        Sample(units=3, total=math.inf, squares=math.inf),  # type: ignore[arg-type]
        Sample(units=3, total=math.nan, squares=1),  # type: ignore[arg-type]
        Sample(units=3, total=9, squares=1),  # impossible: its variance is negative
    ],
    ids=["none", "one", "negative", "huge", "infinite", "nan", "impossible"],
)
def test_what_is_not_enough_is_no_comparison(poor: Sample) -> None:
    assert compare(poor, ENOUGH, fixed=True) is None
    assert compare(ENOUGH, poor, fixed=True) is None


def test_where_nothing_varies_there_is_nothing_to_compare() -> None:
    assert compare(of_values(2, 2, 2), of_values(3, 3, 3), fixed=True) is None


def test_one_side_may_be_all_the_same() -> None:
    found = compare(Sample.of_shares(units=1000, reached=0), Sample.of_shares(units=1000, reached=60), fixed=True)
    assert found is not None
    assert found.fixed is not None
    assert found.fixed.p < 1e-9
    assert found.relative is None


def test_negative_values_have_a_difference_and_no_relative_effect() -> None:
    found = compare(of_values(-4, -5, -6), of_values(-1, -2, -4), fixed=True)
    assert found is not None
    assert found.difference > 0
    assert found.relative is None


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=30))
def test_no_digit_of_a_variance_is_lost(values: list[int]) -> None:
    far = of_values(*(10**15 + one for one in values))
    assert far.variance == pytest.approx(of_values(*values).variance)


# --- alarms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "shares", "p"),
    [
        ([50, 50], [1, 1], 1.0),
        ([5000, 5300], [0.5, 0.5], 0.00312),
        ([900, 100], [0.9, 0.1], 1.0),
        ([10, 10, 10], [1, 1, 1], 1.0),
        ([100, 5], [1, 0], 0.0),  # nobody was to get it
        ([4, 4], [1, 1], None),
        ([0, 0], [1, 1], None),
        ([7], [1], None),
        ([], [], None),
        ([7, 7], [0, 0], 0.0),
    ],
)
def test_a_mismatch_of_the_ratio(units: list[int], shares: list[float], p: float | None) -> None:
    found = ratio_mismatch(units, shares)
    assert found == (None if p is None else pytest.approx(p, abs=1e-5))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_an_adjusted_p_is_at_least_what_it_was_and_keeps_the_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    pairs = sorted(zip(values, adjusted, strict=True))
    assert [after for _, after in pairs] == sorted(adjusted)
    if values:
        assert min(adjusted) == pytest.approx(min(1, len(values) * min(values)))


@pytest.mark.parametrize(
    ("groups", "left"),
    [
        ({"en": (600, 300), "fr": (400, 80)}, {"fr"}),
        ({"en": (600, 300), "fr": (400, 0)}, {"fr"}),
        ({"en": (600, 600), "fr": (400, 0)}, {"fr"}),
        ({"en": (600, 300), "fr": (400, 180)}, set()),  # fewer, but not by a fifth
        ({"en": (6, 3), "fr": (4, 0)}, set()),  # chance
        ({"en": (600, 0), "fr": (400, 0)}, set()),
        ({"en": (600, 300)}, set()),
        ({"en": (600, 300), "fr": (0, 0)}, set()),
        ({}, set()),
    ],
)
def test_who_is_left_behind(groups: dict[str, tuple[int, int]], left: set[str]) -> None:
    assert left_behind(groups).keys() == left


@pytest.mark.parametrize(("share", "units"), [(0.0, 100), (1.0, 100), (0.1, 3), (0.5, 0), (0.9, 4)])
def test_nothing_can_be_shown_by_too_few(share: float, units: int) -> None:
    assert detectable(share, units) is None


# --- what the intervals promise -------------------------------------------------------------------
#
# Everything is seeded, so each runs the same every time. The bounds are those of a binomial variable at the stated
# rate which it leaves once in a hundred thousand seeds.

RUNS = 1000


def at_most(rate: float, runs: int = RUNS, chance: float = 1e-5) -> int:
    """How many of so many runs something of this rate happens in, at most."""
    return next(count for count in range(runs + 1) if _binomial_above(count, runs, rate) < chance)


def _binomial_above(count: int, runs: int, rate: float) -> float:
    return math.fsum(
        math.exp(
            math.lgamma(runs + 1)
            - math.lgamma(one + 1)
            - math.lgamma(runs - one + 1)
            + one * math.log(rate)
            + (runs - one) * math.log1p(-rate)
        )
        for one in range(count + 1, runs + 1)
    )


class Binomial:
    """Draws, by its distribution function: `random.binomialvariate` is for Python 3.12."""

    def __init__(self, units: int, share: float) -> None:
        chances = (
            math.comb(units, one) * share**one * (1 - share) ** (units - one) if one <= units else 0.0
            for one in range(units + 1)
        )
        self._values = range(units + 1)
        self._chances = list(chances)

    def draw(self, source: random.Random, times: int) -> list[int]:
        return source.choices(self._values, self._chances, k=times)


def looks(source: random.Random, control: float, other: float, *, times: int, step: int) -> Iterator[list[Sample]]:
    """Experiments, each as its pairs of samples at every look, a step further each time."""
    draws = [Binomial(step, share).draw(source, RUNS * times) for share in (control, other)]
    for run in range(RUNS):
        reached = [0, 0]
        pairs = []
        for look in range(times):
            for arm in (0, 1):
                reached[arm] += draws[arm][run * times + look]
                pairs.append(Sample.of_shares(units=step * (look + 1), reached=reached[arm]))
        yield pairs


@pytest.mark.parametrize(("control", "other"), [(0.1, 0.1), (0.1, 0.12), (0.5, 0.45)])
def test_the_fixed_interval_covers_the_truth_at_its_rate(control: float, other: float) -> None:
    source, missed = random.Random(20261123), Counter[str]()
    for pair in looks(source, control, other, times=1, step=900):
        found = compare(*pair, fixed=True)
        assert found is not None
        assert found.fixed is not None
        assert found.fixed.relative_low is not None
        assert found.fixed.relative_high is not None
        missed["difference"] += not found.fixed.low <= other - control <= found.fixed.high
        missed["relative"] += not found.fixed.relative_low <= other / control - 1 <= found.fixed.relative_high
    for count in missed.values():
        assert RUNS - at_most(0.95) <= count <= at_most(0.05)


def test_the_fixed_interval_covers_a_skewed_mean() -> None:
    source, missed = random.Random(20261124), 0
    values, chances = [0, 990, 2490, 12_900], [0.8, 0.1, 0.08, 0.02]
    truth = sum(value * chance for value, chance in zip(values, chances, strict=True))
    for _ in range(RUNS):
        arms = [Counter(source.choices(values, chances, k=600)) for _ in range(2)]
        control, other = (
            Sample(
                units=600,
                total=sum((value + more) * times for value, times in arm.items()),
                squares=sum((value + more) ** 2 * times for value, times in arm.items()),
            )
            for arm, more in zip(arms, (0, 100), strict=True)
        )
        assert control.mean == pytest.approx(truth, rel=0.8)
        found = compare(control, other, fixed=True)
        assert found is not None
        assert found.fixed is not None
        missed += not found.fixed.low <= 100 <= found.fixed.high
    assert RUNS - at_most(0.95) <= missed <= at_most(0.05)


@pytest.mark.parametrize(("control", "other"), [(0.1, 0.1), (0.05, 0.06)])
def test_the_sequential_interval_covers_the_truth_at_all_looks_together(control: float, other: float) -> None:
    source, missed = random.Random(20261125), Counter[str]()
    difference, relative = other - control, other / control - 1
    for pairs in looks(source, control, other, times=30, step=150):
        compared = [compare(*pairs[place : place + 2], fixed=False) for place in range(0, len(pairs), 2)]
        found = [one.sequential for one in compared if one is not None]
        missed["difference"] += any(not one.low <= difference <= one.high for one in found)
        missed["relative"] += any(
            not one.relative_low <= relative <= one.relative_high
            for one in found
            if one.relative_low is not None and one.relative_high is not None
        )
        missed["false alarm"] += difference == 0 and any(one.p < 0.05 for one in found)
    assert max(missed.values()) <= at_most(0.05)


def test_the_fixed_interval_does_not_which_is_why_nobody_is_shown_it_before_its_moment() -> None:
    source, missed = random.Random(20261125), 0
    for pairs in looks(source, 0.1, 0.1, times=10, step=300):
        found = [compare(*pairs[place : place + 2], fixed=True) for place in range(0, len(pairs), 2)]
        missed += any(one is not None and one.fixed is not None and one.fixed.p < 0.05 for one in found)
    assert missed > at_most(0.05)


def test_a_division_as_planned_raises_the_alarm_no_more_often_than_its_rate() -> None:
    source = random.Random(20261126)
    for shares, units in (([0.5, 0.5], 1000), ([0.9, 0.1], 800)):
        false = 0
        for first in Binomial(units, shares[0]).draw(source, 10 * RUNS):
            p = ratio_mismatch([first, units - first], shares)
            assert p is not None
            false += p < 0.001
        assert false <= at_most(0.001, 10 * RUNS)


def test_a_division_that_loses_one_in_ten_of_an_arm_raises_it() -> None:
    p = ratio_mismatch([5000, 4500], [0.5, 0.5])
    assert p is not None
    assert p < 0.001


@pytest.mark.parametrize(("units", "fixed", "ready"), [(999, False, False), (1000, True, True), (1101, False, True)])
def test_what_holds_at_one_moment_is_shown_about_then_and_neither_before_nor_after(
    units: int, fixed: bool, ready: bool
) -> None:
    design = Design(
        experiment="t", version=0, shares={"a": 0.5, "b": 0.5}, goals=("order.paid",), planned_units=1000
    )  # fmt: skip
    same: dict[str, Any] = {"label": "", "crossed": 0, "worth": 0, "low_currency": "", "high_currency": ""}
    half = units // 2
    rows = [
        Tally(variation=name, reached=reached, units=number, **same)
        for name, whole in (("a", half), ("b", units - half))
        for reached, number in ((0, whole - 50), (1, 50))
    ]
    found = read(design, {"order.paid": rows})
    comparison = found.lines[1].comparison
    assert comparison is not None
    assert (comparison.fixed is not None, found.ready) == (fixed, ready)
