"""The proof of the exporter suite: an exporter that passes it, and what authors get wrong, which must not.

Each mutant is the reference with one plausible bug, and says of which check it must die. Every check
has one. They are what to look at when a check fails and its message is not enough.

``reference``  an exporter that passes, and its backend    ``arriving``  who loses or changes something
``register``   where mutants are written down              ``failing``   who misjudges an attempt
                                                           ``behaving``  who is a bad guest
"""

from __future__ import annotations

from typing import Final

from cxkit.testing.exporter_mutants import arriving, behaving, failing
from cxkit.testing.exporter_mutants.reference import REFERENCE, CounterBackend, CounterExporter, Settings
from cxkit.testing.exporter_mutants.register import Mutant, mutants

__all__ = [
    "MUTANTS",
    "REFERENCE",
    "CounterBackend",
    "CounterExporter",
    "Mutant",
    "Settings",
    "arriving",
    "behaving",
    "failing",
]

MUTANTS: Final[tuple[Mutant, ...]] = tuple(mutants)
"""All of them."""
