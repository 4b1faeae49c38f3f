"""Two variations compared: by how much they differ, how sure that is, and whether one may have looked before.

A fixed horizon is Welch's t: right at the one moment that was set before. The sequential one holds at all moments
together, however often somebody looks; its interval is wider for that.

Sources: B. L. Welch, "The generalization of Student's problem when several different population variances are
involved", Biometrika 34, 1947; I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024 (arXiv 2103.06476, Theorem
2.2, and its section on the choice of rho); the tuning for 5,000 units is the default of GrowthBook's gbstats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from cxkit.rules.measure.readout.tails import t_quantile, t_tails

__all__ = ["ALPHA", "TUNED_FOR", "Comparison", "Inference", "Sample", "compare"]

ALPHA: Final = 0.05
"""How often an interval may miss the truth."""
TUNED_FOR: Final = 5000
"""At so many units the sequential interval is at its best compared with the fixed one."""
_CLEAR: Final = 4.0
"""A relative effect is of means that are clearly above zero: by as many of their standard errors."""
_MOST_GROWTH: Final = 700.0
"""Beyond this exponent there is no float."""


@attrs.frozen(kw_only=True)
class Sample:
    """What one variation brought, as much as the formulas need of it.

    Example:
        >>> Sample.of_shares(units=1000, reached=120).mean
        0.12
    """

    units: int
    total: int
    """The sum of the units' values, whole numbers: so no digit is lost, however many there are."""
    squares: int
    """The sum of their squares."""

    @classmethod
    def of_shares(cls, *, units: int, reached: int) -> Sample:
        """Of units each of which reached something or did not."""
        return cls(units=units, total=reached, squares=reached)

    @property
    def mean(self) -> float:
        """Per unit; nan if that is not to be had."""
        return _quotient(self.total, self.units)

    @property
    def variance(self) -> float:
        """Among the units, unbiased; nan if that is not to be had."""
        if self.units < 2:
            return math.nan
        return _quotient(self.units * self.squares - self.total * self.total, self.units * (self.units - 1))

    @property
    def of_mean(self) -> float:
        """The variance of the mean."""
        return _quotient(self.variance, self.units)


@attrs.frozen(kw_only=True)
class Inference:
    """How sure a difference is."""

    p: float
    """How probable an effect at least as large is where there is none: the relative one, else the difference."""
    low: float
    high: float
    """The interval of the difference."""
    relative_low: float | None
    relative_high: float | None
    """The interval of the relative effect, where there is one."""


@attrs.frozen(kw_only=True)
class Comparison:
    """One variation beside the control."""

    difference: float
    relative: float | None
    """The difference as a share of the control's mean; None where not both means are clearly above zero."""
    sequential: Inference
    """Holds whenever one looks."""
    fixed: Inference | None
    """Holds at the moment that was set before; None: it has not come, or none was set."""


def compare(control: Sample, other: Sample, *, fixed: bool, alpha: float = ALPHA) -> Comparison | None:
    """The comparison, or None where there is not enough: fewer than two units, or nothing that varies.

    Args:
        fixed: Whether the moment has come that was set before.
        alpha: How often the intervals may miss.

    Example:
        >>> found = compare(Sample.of_shares(units=4000, reached=400), Sample.of_shares(units=4000, reached=480),
        ...     fixed=True)
        >>> round(found.relative, 3), round(found.fixed.p, 4), found.sequential.p < 0.05
        (0.2, 0.0043, False)
    """
    plain = _Estimate(other.mean - control.mean, control.of_mean, other.of_mean)
    if not plain.is_sound:
        return None
    relative = _logarithms(control, other)
    units = control.units + other.units
    width = _sequential_width(units, alpha)
    freedom = partial(_freedom, control.units, other.units)
    return Comparison(
        difference=plain.value,
        relative=None if relative is None else _effect(relative.value),
        sequential=_inference(plain, relative, p=partial(_sequential_p, units, alpha), wide=lambda _: width),
        fixed=_inference(
            plain,
            relative,
            p=lambda one: t_tails(one.value / one.error, freedom(one)),
            wide=lambda one: t_quantile(alpha, freedom(one)),
        )
        if fixed
        else None,
    )


@attrs.frozen
class _Estimate:
    """A difference of two means, or of their logarithms, whose variances add up."""

    value: float
    of_control: float
    of_other: float
    """The variances."""

    @property
    def error(self) -> float:
        return math.sqrt(self.of_control + self.of_other)

    @property
    def is_sound(self) -> bool:
        in_range = self.of_control >= 0 and self.of_other >= 0 and 0 < self.of_control + self.of_other < math.inf
        return in_range and abs(self.value) < math.inf


def _inference(
    plain: _Estimate,
    relative: _Estimate | None,
    *,
    p: Callable[[_Estimate], float],
    wide: Callable[[_Estimate], float],
) -> Inference:
    """The p of the relative effect, else of the difference; and the intervals of both.

    Args:
        wide: Half the width of the interval of an estimate, in its standard errors.
    """
    half = wide(plain) * plain.error
    of_effect = 0.0 if relative is None else wide(relative) * relative.error
    return Inference(
        p=p(relative or plain),
        low=plain.value - half,
        high=plain.value + half,
        relative_low=None if relative is None else _effect(relative.value - of_effect),
        relative_high=None if relative is None else _effect(relative.value + of_effect),
    )


def _freedom(control_units: int, other_units: int, one: _Estimate) -> float:
    """Degrees of freedom by the equation of Welch and Satterthwaite; shares of the variance keep it in range."""
    whole = one.of_control + one.of_other
    return 1 / ((one.of_control / whole) ** 2 / (control_units - 1) + (one.of_other / whole) ** 2 / (other_units - 1))


def _logarithms(control: Sample, other: Sample) -> _Estimate | None:
    """By the delta method, for the logarithm of a quotient of two independent means: so no interval reaches -100 %."""
    if not all(one.mean > 0 and one.mean >= _CLEAR * math.sqrt(one.of_mean) for one in (control, other)):
        return None
    of_control, of_other = (one.of_mean / one.mean / one.mean for one in (control, other))
    return _Estimate(math.log(other.mean) - math.log(control.mean), of_control, of_other)


def _effect(logarithm: float) -> float:
    return math.expm1(min(logarithm, _MOST_GROWTH))


def _rho_square(alpha: float) -> float:
    likely = -2 * math.log(alpha)
    return (likely + math.log(likely + 1)) / TUNED_FOR


def _sequential_width(units: int, alpha: float) -> float:
    """Half the width of the interval, in standard errors of the difference."""
    grown = units * _rho_square(alpha)
    return math.sqrt(2 * (grown + 1) / grown * math.log(math.sqrt(grown + 1) / alpha))


def _sequential_p(units: int, alpha: float, one: _Estimate) -> float:
    """The level at which the interval would just not hold zero."""
    grown = units * _rho_square(alpha)
    against = one.value / one.error
    evidence = grown * against * against / (2 * (grown + 1)) - math.log1p(grown) / 2
    return min(1.0, math.exp(-max(0.0, evidence)))


def _quotient(number: float, by: float) -> float:
    try:
        return number / by
    except (ZeroDivisionError, OverflowError):
        return math.nan
