"""What an experience chooses: how personal it may be, who is divided how, then the first that fits.

``cap``         how personal a decision may be         ``hashing``     where somebody falls
``conditions``  whom something is for                  ``patterns``    regular expressions that cannot stall
``comparing``   values, as conditions compare them     ``assigning``   who gets which variation of an experiment
``choosing``    the first variant that fits            ``checking``    what is refused before it can happen
"""

from __future__ import annotations

from cxkit.rules.experience.assigning import Division, Given, sticky_key
from cxkit.rules.experience.cap import Cap, depth_cap
from cxkit.rules.experience.checking import check_together
from cxkit.rules.experience.choosing import PENDING, Asking, Chooser, Ruling
from cxkit.rules.experience.conditions import Condition, Groups, compile_condition

__all__ = [
    "PENDING",
    "Asking",
    "Cap",
    "Chooser",
    "Condition",
    "Division",
    "Given",
    "Groups",
    "Ruling",
    "check_together",
    "compile_condition",
    "depth_cap",
    "sticky_key",
]
