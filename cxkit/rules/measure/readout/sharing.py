"""What of a readout may be told to others: nothing of a group so small that somebody in it may be meant.

Source: the rule of ten in "Input and output clearance" of the Australian Bureau of Statistics' DataLab, 2021: what is
told has ten contributors at least, also what can be had by subtracting one thing told from another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

import attrs

from cxkit.rules.measure.readout.reading import Readout

__all__ = ["LEAST_GROUP", "shareable"]

LEAST_GROUP: Final = 10
"""Units of each variation; none at all are nobody."""


def shareable(readout: Readout) -> Readout:
    """The same without the lines of groups that are smaller, and of so many others that those cannot be told from all.

    Example:
        >>> from cxkit.rules.measure.readout import Design, Tally, read
        >>> same = {"crossed": 0, "worth": 0, "low_currency": "", "high_currency": ""}
        >>> rows = [Tally(variation=name, label=label, reached=0, units=units, **same)
        ...     for name in ("all", "bold") for label, units in (("FR", 400), ("DE", 20), ("LI", 1))]
        >>> design = Design(experiment="bolder", version=0, shares={"all": 1, "bold": 1}, goals=("paid",),
        ...     planned_units=None)
        >>> found = shareable(read(design, {"paid": rows}, by={"country": {"paid": rows}}))
        >>> sorted({line.group for line in found.lines if line.group})
        ['FR']
    """
    sizes: defaultdict[str | None, defaultdict[str | None, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for line in readout.lines:
        sizes[line.dimension][line.group][line.variation] = line.units
    told = {dimension: _told(groups) for dimension, groups in sizes.items()}
    everybody = bool(told.get(None))
    return attrs.evolve(
        readout,
        lines=tuple(one for one in readout.lines if everybody and one.group in told[one.dimension]),
        left_behind={
            dimension: {
                group: share for group, share in groups.items() if everybody and group in told.get(dimension, ())
            }
            for dimension, groups in readout.left_behind.items()
        },
    )


def _told(groups: Mapping[str | None, Mapping[str, int]]) -> frozenset[str | None]:
    """Without the smallest, until none is too small, nor all together that are left out."""
    hidden, told = Counter[str](), set(groups)
    for group in sorted(groups, key=lambda one: (min(filter(None, groups[one].values()), default=0), str(one))):
        if _is_small(groups[group]) or _is_small(hidden):
            hidden.update(groups[group])
            told.discard(group)
    return frozenset(told)


def _is_small(units: Mapping[str, int]) -> bool:
    return any(0 < number < LEAST_GROUP for number in units.values())
