"""What an experiment has shown: pure statistics, in plain Python.

``tails``      of the normal, Student's t and the chi-square distribution
``comparing``  two variations: by how much they differ, and how sure that is
``alarms``     what makes such an answer worthless, or unfair
``reading``    all of that, of one experiment
``sharing``    what of it may be told to others
``planning``   how small an effect so many units can show
"""

from __future__ import annotations

from cxkit.rules.measure.readout.alarms import (
    CROSSED_OVER,
    FOUR_FIFTHS,
    MISMATCH,
    holm,
    left_behind,
    ratio_mismatch,
)
from cxkit.rules.measure.readout.comparing import ALPHA, Comparison, Inference, Sample, compare
from cxkit.rules.measure.readout.planning import POWER, detectable
from cxkit.rules.measure.readout.reading import Design, Line, Readout, Tally, read
from cxkit.rules.measure.readout.sharing import LEAST_GROUP, shareable

__all__ = [
    "ALPHA",
    "CROSSED_OVER",
    "FOUR_FIFTHS",
    "LEAST_GROUP",
    "MISMATCH",
    "POWER",
    "Comparison",
    "Design",
    "Inference",
    "Line",
    "Readout",
    "Sample",
    "Tally",
    "compare",
    "detectable",
    "holm",
    "left_behind",
    "ratio_mismatch",
    "read",
    "shareable",
]
