"""Names in experiences that look misspelt: a condition on them never fits, and nobody is divided by them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from cxkit.cli.checks.finding import Finding
from cxkit.cli.language import say
from cxkit.errors import CXError
from cxkit.flows.identify import meant
from cxkit.flows.stance import SOURCES
from cxkit.kit.assembly import identifying_of
from cxkit.kit.examination import Examined
from cxkit.kit.experiences import configured
from cxkit.model import Experiment
from cxkit.rules.experience import Chooser

__all__ = ["check_experiences"]

_MISSPELT: Final = 0.8
"""As alike as a word and itself with a letter more or less; what an app gives by ``given=`` is named freely."""


def check_experiences(examined: Examined) -> Iterator[Finding]:
    """Names of attributes that are nearly cxkit's own, and units that are nearly a type of identifier."""
    try:
        choosers = configured(examined.settings)
        types = tuple(identifying_of(examined.settings).types)
    except CXError:  # it is among the errors already
        return
    for name, chooser in choosers.items():
        yield from _attributes(name, chooser)
        for experiment in chooser.spec.experiments:
            for unit in sorted(_units(experiment)):
                if unit not in types and (right := meant(unit, types)) is not None:
                    what = say(
                        'experience "{name}", "{part}": "{unit}" is no declared type of identifier, and divides nobody',
                        name=name,
                        part=experiment.name,
                        unit=unit,
                    )
                    yield _finding(
                        what,
                        say(
                            'did you mean "{right}"? If not, declare it: [identity.types.{name}]',
                            right=right,
                            name=unit,
                        ),
                    )


def _attributes(name: str, chooser: Chooser) -> Iterator[Finding]:
    for part, reads in chooser.reads.items():
        for attribute in sorted({one.partition(".")[0] for one in reads} - SOURCES.keys()):
            if close := get_close_matches(attribute, SOURCES, n=1, cutoff=_MISSPELT):
                yield _finding(
                    say(
                        'experience "{name}", "{part}": "{attribute}" is nothing that cxkit knows',
                        name=name,
                        part=part,
                        attribute=attribute,
                    ),
                    say('did you mean "{right}"? If not, your app gives it by given=', right=close[0]),
                )


def _units(experiment: Experiment) -> set[str]:
    several = {experiment.unit, experiment.fallback_unit, *(one.unit for one in experiment.namespaces)}
    if experiment.holdout is not None:
        several.add(experiment.holdout.unit)
    return {one for one in several if one is not None}


def _finding(what: str, fix: str) -> Finding:
    return Finding(severity="warning", about="settings", what=what, fix=fix)
