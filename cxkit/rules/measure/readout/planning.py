"""Planning: how small an effect so many units can show."""

from __future__ import annotations

import math
from typing import Final

from cxkit.rules.measure.readout.comparing import ALPHA
from cxkit.rules.measure.readout.tails import normal_quantile

__all__ = ["POWER", "detectable"]

POWER: Final = 0.8
"""How often an effect of that size is to be found."""


def detectable(share: float, units: int, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The least difference from a share that two halves of these units show with that power; None if there is none.

    Source: J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions, 3rd edition, 4.1; both
    variances taken at the control's share.

    Example:
        >>> round(detectable(0.1, 20_000), 4)
        0.0119
    """
    if units < 4 or not 0 < share < 1:
        return None
    least = (normal_quantile(1 - alpha / 2) + normal_quantile(power)) * math.sqrt(4 * share * (1 - share) / units)
    return least if least < 1 - share else None
