"""The tails against closed forms and numerical integration, over all that experiments can ask of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.measure.readout.tails import chi_square_tail, normal_quantile, t_quantile, t_tails


def integral(density: Callable[[float], float], low: float, high: float, pieces: int = 4000) -> float:
    """By Simpson's rule."""
    wide = (high - low) / pieces
    weights = (1 if place in (0, pieces) else 4 if place % 2 else 2 for place in range(pieces + 1))
    return wide / 3 * math.fsum(weight * density(low + place * wide) for place, weight in enumerate(weights))


def t_of_even(t: float, df: int) -> float:
    """The finite sum that there is for even degrees of freedom (Abramowitz and Stegun, 26.7.4)."""
    square = 1 / (1 + t * t / df)
    term, total = 1.0, 1.0
    for step in range(1, df // 2):
        term *= (2 * step - 1) / (2 * step) * square
        total += term
    return 1 - t / math.sqrt(df + t * t) * total


@pytest.mark.parametrize("t", [1e-6, 0.1, 1.0, 1.9, 2.0, 5.0, 30.0])
def test_t_of_one_and_two_degrees_of_freedom(t: float) -> None:
    assert t_tails(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-12)
    assert t_tails(t, 2) == pytest.approx(2 / (2 + t * t) / (1 + t / math.sqrt(2 + t * t)), rel=1e-12)


@pytest.mark.parametrize("df", [4, 10, 30, 100, 1000, 20_000])
@pytest.mark.parametrize("t", [0.01, 0.5, 1.0, 1.7, 2.0, 3.0])
def test_t_of_even_degrees_of_freedom(t: float, df: int) -> None:
    assert t_tails(t, df) == pytest.approx(t_of_even(t, df), rel=1e-9)


@pytest.mark.parametrize("df", [1.5, 3.7, 11.25, 99.9, 100.1, 12_345.6])
@pytest.mark.parametrize("t", [0.3, 1.96, 4.5, 12.0])
def test_t_of_any_degrees_of_freedom_by_integration(t: float, df: float) -> None:
    def density(u: float) -> float:  # with t = sqrt(df) tan(u) the tail ends at a right angle
        return math.exp((df - 1) * math.log(math.cos(u))) if u < math.pi / 2 else 0.0

    whole, start = integral(density, 0, math.pi / 2), math.atan(t / math.sqrt(df))
    end = min(math.pi / 2, start + 60 / math.sqrt(df))
    assert t_tails(t, df) == pytest.approx(integral(density, start, end) / whole, rel=1e-6)


@pytest.mark.parametrize("df", [1e9, 1e12, 1e300, math.inf])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.0, 8.0])
def test_t_of_very_many_degrees_of_freedom_is_normal(t: float, df: float) -> None:
    assert t_tails(t, df) == pytest.approx(math.erfc(t / math.sqrt(2)), rel=1e-5)


def test_t_far_out_is_still_told_from_nothing() -> None:
    assert t_tails(3.0, 6) == t_tails(-3.0, 6)
    assert 0 < t_tails(30, 1e6) < 1e-190
    assert t_tails(0, 5) == 1
    assert t_tails(math.inf, 5) == 0


@given(st.floats(1, 1e7), st.floats(1e-12, 0.999))
def test_the_quantile_is_where_the_tails_are_that_large(df: float, alpha: float) -> None:
    assert t_tails(t_quantile(alpha, df), df) == pytest.approx(alpha, rel=1e-9)


@pytest.mark.parametrize("x", [1e-9, 0.1, 0.9, 2.0, 3.841, 10.8, 40.0, 300.0])
def test_chi_square_of_few_degrees_of_freedom(x: float) -> None:
    assert chi_square_tail(x, 1) == pytest.approx(math.erfc(math.sqrt(x / 2)), rel=1e-9)
    assert chi_square_tail(x, 2) == pytest.approx(math.exp(-x / 2), rel=1e-12)
    assert chi_square_tail(x, 3) == pytest.approx(
        math.erfc(math.sqrt(x / 2)) + math.sqrt(2 * x / math.pi) * math.exp(-x / 2), rel=1e-9
    )


@pytest.mark.parametrize("df", [4, 20, 60])
@pytest.mark.parametrize("x", [1, 15, 60, 100])
def test_chi_square_of_even_degrees_of_freedom(x: int, df: int) -> None:
    half, term, total = Fraction(x, 2), Fraction(1), Fraction(1)
    for step in range(1, df // 2):
        term *= half / step
        total += term
    assert chi_square_tail(x, df) == pytest.approx(math.exp(-x / 2) * float(total), rel=1e-9)


def test_chi_square_of_nothing() -> None:
    assert chi_square_tail(0.0, 3) == 1
    assert chi_square_tail(1e6, 3) == 0


@pytest.mark.parametrize("share", [0.001, 0.3, 0.975])
def test_the_normal_quantile_is_where_the_share_ends(share: float) -> None:
    assert math.erfc(-normal_quantile(share) / math.sqrt(2)) / 2 == pytest.approx(share, rel=1e-12)
