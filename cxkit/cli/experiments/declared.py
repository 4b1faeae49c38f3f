"""Experiments and holdouts by name, as they are declared, and what was to come of their units."""

from __future__ import annotations

from typing import Final

import attrs
import click

from cxkit.cli.language import nearest, say
from cxkit.cli.schema import imported
from cxkit.kit.experiences import configured, declared
from cxkit.model import ExperienceSpec, Experiment, Holdout
from cxkit.rules.experience.assigning import COMPARED, HELD
from cxkit.rules.measure.readout import Design
from cxkit.settings import load

__all__ = ["Declared", "all_of", "find", "find_experiment", "module_option", "specs"]

module_option: Final = click.option(
    "--module", help="A module that declares it, where the configuration does not: the one your app starts with."
)
"""Passes ``module``: a name, or None."""


@attrs.frozen(kw_only=True)
class Declared:
    """An experiment or a holdout, and the experiences that it is of."""

    what: Experiment | Holdout
    experiences: tuple[str, ...]

    @property
    def about(self) -> str:
        """Which it is, in words that follow its name."""
        of = ", ".join(self.experiences)
        if isinstance(self.what, Holdout):
            return say("a holdout of {experience}", experience=of)
        return say("version {version}, of {experience}", version=self.what.version, experience=of)

    def design(self, *, goals: tuple[str, ...]) -> Design:
        """What the readout is held against: of a holdout, as many who are held as who are compared.

        Args:
            goals: Instead of those declared, if there are any.
        """
        one = self.what
        if isinstance(one, Holdout):
            halves = {HELD: 0.5, COMPARED: 0.5}
            return Design(experiment=one.name, version=0, shares=halves, goals=goals, planned_units=None)
        shares = [high - low for low, high in one.ranges] or one.weights or [1.0] * len(one.variations)
        return Design(
            experiment=one.name,
            version=one.version,
            shares=dict(zip(one.variations, map(float, shares), strict=True)),
            goals=goals or one.goals,
            planned_units=one.planned_units,
        )


def specs(module: str | None) -> list[ExperienceSpec]:
    """The experiences in the configuration, and those that a module of the application declares.

    Raises:
        ConfigurationError: The configuration is wrong.
        click.BadParameter: There is no such module.
    """
    if module is not None:
        imported(module)
    return [one.spec for one in {**declared, **configured(load())}.values()]


def all_of(module: str | None) -> dict[str, Declared]:
    """The experiments and the holdouts that there are, by name.

    Raises:
        ConfigurationError: The configuration is wrong.
        click.BadParameter: There is no such module.
    """
    known: dict[str, Declared] = {}
    for spec in specs(module):
        found: list[Experiment | Holdout] = [*spec.experiments]
        found += {one.holdout.name: one.holdout for one in spec.experiments if one.holdout is not None}.values()
        for what in found:
            before = known[what.name].experiences if what.name in known else ()
            known[what.name] = Declared(what=what, experiences=(*before, spec.name))
    return known


def find(name: str, module: str | None) -> Declared:
    """The experiment or the holdout of that name.

    Raises:
        ConfigurationError: The configuration is wrong.
        click.BadParameter: There is none of that name, or no such module.
    """
    known = all_of(module)
    if name not in known:
        told = say("there is no experiment {name}; {fix}", name=name, fix=nearest(name, known))
        if module is None:
            more = say("of a module of your app --module tells, too: the one your app starts with")
            told = say("{what}; {more}", what=told, more=more)
        raise click.BadParameter(told, param_hint="NAME")
    return known[name]


def find_experiment(name: str, module: str | None) -> Experiment:
    """The experiment of that name.

    Raises:
        ConfigurationError: The configuration is wrong.
        click.BadParameter: There is none of that name, or it is a holdout, or no such module.
    """
    what = find(name, module).what
    if isinstance(what, Holdout):
        told = say("{name} is a holdout: it lasts as long as experiments name it", name=name)
        raise click.BadParameter(told, param_hint="NAME")
    return what
