"""Alarms: what makes an answer worthless, or unfair, however small its p is.

Sources: A. Fabijan and others, "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019; W. G.
Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10, 1954 (no fewer than five
expected); S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
1979; the four-fifths rule, 29 CFR 1607.4 D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cxkit.rules.measure.readout.comparing import ALPHA
from cxkit.rules.measure.readout.tails import chi_square_tail

__all__ = ["CROSSED_OVER", "FOUR_FIFTHS", "MISMATCH", "holm", "left_behind", "ratio_mismatch"]

MISMATCH: Final = 0.001
"""Below this p the numbers of units are not those that were to be: something loses or adds some of them."""
CROSSED_OVER: Final = 0.01
"""Above this share it is told that there are units that were given two variations, which are in no result."""
FOUR_FIFTHS: Final = 0.8
_LEAST_EXPECTED: Final = 5


def ratio_mismatch(units: Sequence[int], shares: Sequence[float]) -> float | None:
    """The p of the numbers of units, if they are divided in these shares; None where that is not to be told.

    Args:
        units: One number for each variation.
        shares: What each was to have; they need not make 1.

    Example:
        >>> round(ratio_mismatch([5000, 5300], [1, 1]), 5)
        0.00312
        >>> ratio_mismatch([3, 4], [1, 1]) is None
        True
    """
    whole, total = sum(shares), sum(units)
    pairs = [(number, total * share / whole) for number, share in zip(units, shares, strict=True) if share > 0]
    if total > sum(number for number, _ in pairs):
        return 0.0  # somebody was given what nobody is to get
    if len(pairs) < 2 or any(expected < _LEAST_EXPECTED for _, expected in pairs):
        return None
    return chi_square_tail(sum((number - expected) ** 2 / expected for number, expected in pairs), len(pairs) - 1)


def holm(values: Sequence[float]) -> list[float]:
    """Each p, adjusted for there being so many: comparable with the level that one alone would have.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, before = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        before = adjusted[place] = max(before, min(1.0, (len(values) - rank) * values[place]))
    return adjusted


def left_behind(groups: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """Which groups get personal decisions less than four fifths as often as the whole, and that is no chance.

    No chance: the adjusted p of the group beside all the others is below 0.05, by the chi-square of the four numbers.

    Args:
        groups: For each its units, and how many of them got one.

    Returns:
        Each such group's share as a part of that of the whole.

    Example:
        >>> left_behind({"en": (600, 300), "fr": (400, 80), "br": (4, 0)})
        {'fr': 0.528...}
    """
    units, reached = (sum(pair[place] for pair in groups.values()) for place in (0, 1))
    found: dict[str, tuple[float, float]] = {}
    for name, (theirs, got) in groups.items():
        if (p := _differs(theirs, got, units, reached)) is not None:
            found[name] = p, (got * units) / (theirs * reached)
    adjusted = holm([p for p, _ in found.values()])
    return {
        name: ratio
        for (name, (_, ratio)), p in zip(found.items(), adjusted, strict=True)
        if p < ALPHA and ratio < FOUR_FIFTHS
    }


def _differs(theirs: int, got: int, units: int, reached: int) -> float | None:
    """The p of a part of the units having its own share; None where fewer than five are expected anywhere."""
    least = min(theirs, units - theirs) * min(reached, units - reached)
    if not units or least < _LEAST_EXPECTED * units:
        return None
    off = got * units - theirs * reached
    return chi_square_tail(off * off / (theirs * (units - theirs)) * units / (reached * (units - reached)), 1)
