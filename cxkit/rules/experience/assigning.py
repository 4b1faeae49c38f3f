"""Which variation of one experiment somebody gets, if any.

Source of the order of the checks: GrowthBook SDK specification 0.8.0, ``run`` and ``stickyBucket``. Ours are the
holdout, which comes before all that divides people, and the rollout: an experiment of one variation tests nothing, so
it assigns nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cxkit.model import Assignment, Experiment
from cxkit.model.experiment import Range
from cxkit.rules.experience.conditions import compile_condition
from cxkit.rules.experience.hashing import bucketing, choose_range, shares

__all__ = ["Division", "Given", "sticky_key"]

HELD: Final = "held"
COMPARED: Final = "compared"
_REMEMBERED: Final = 1024
"""Of those who asked last: a hash is most of what a decision costs."""
_NOTHING: Final[Mapping[str, Any]] = {}
_KEPT: Final = "kept"
_DIVIDED: Final = "divided"


def sticky_key(experiment: str, version: int) -> str:
    """Under which name the variation of somebody is kept.

    Example:
        >>> sticky_key("bolder", 2)
        'bolder__2'
    """
    return f"{experiment}__{version}"


class Given(NamedTuple):
    """What an experiment gave to somebody."""

    variation: str | None
    """The name of a variant; None: they take no part, and what is next in order is tried."""
    reason: str
    """Why, in a few words that stay the same: ``country differs``."""
    assignment: Assignment | None = None
    """None where they take no part, and where nothing is tested: forced variations and rollouts."""
    holdout: Assignment | None = None
    """To which part of its holdout they belong, if to one."""


class Division:
    """One experiment, read once: what can be known before anybody asks is.

    Args:
        where: Of which experience, for messages.

    Raises:
        DeclarationError: Its audience or the condition of a prerequisite is none.

    Example:
        >>> division = Division(Experiment(name="bolder", variations=("all", "bold")))
        >>> division.assign(unit={"visitor": "visitor-7"}.get).variation
        'all'
    """

    def __init__(self, experiment: Experiment, *, where: str | None = None) -> None:
        self.experiment = experiment
        whose = f'experiment "{experiment.name}"' if where is None else f'{where}, experiment "{experiment.name}"'
        self._audience = compile_condition(experiment.audience, where=f"{whose}, audience")
        self._prerequisites = [
            (one.experience, compile_condition(one.condition, where=f'{whose}, after "{one.experience}"'))
            for one in experiment.prerequisites
        ]
        self._hashed = bucketing(experiment.seed or experiment.name, experiment.hash_version)
        self._numbers: dict[int, float] = {}
        self._ranges = _ranges_of(experiment)
        self._namespaces = [
            (one.unit, bucketing(one.name, one.hash_version), one.ranges) for one in experiment.namespaces
        ]
        held = experiment.holdout
        self._holdout = None if held is None else (held, bucketing(held.name))
        self._fallback = experiment.fallback_unit
        self._kept = sticky_key(experiment.name, experiment.version)
        self._blocked = [sticky_key(experiment.name, version) for version in range(experiment.min_version)]
        self._for_all = _is_for_all(experiment)
        self._given = {
            (variation, by, sticky): self._give(variation, by, sticky=sticky)
            for variation in experiment.variations
            for by in (experiment.unit, self._fallback or experiment.unit)
            for sticky in (False, True)
        }

    @property
    def reads(self) -> frozenset[str]:
        """The dotted names of attributes that its audience may look at."""
        return self._audience.reads

    def assign(
        self,
        *,
        unit: Callable[[str], str | None],
        attributes: Mapping[str, Any] = _NOTHING,
        kept: Callable[[str], str | None] = lambda key: None,
        decided: Callable[[str], Mapping[str, Any] | None] = lambda experience: None,
    ) -> Given:
        """What somebody gets, if it runs. Looks at no more of what it is given than it needs.

        Args:
            unit: A type of identifier to the value that they have of it; None or empty: none.
            kept: A `sticky_key` to the variation that is kept under it for any of their identifiers.
            decided: An experience to its decision's ``variant``, ``form``, ``content`` and ``sequence``; None: that
                there is none, or that it needs this one first.
        """
        experiment = self.experiment
        holdout = self._held(unit)
        if holdout is not None and holdout.variation == HELD:
            return Given(None, f'held out by "{holdout.experiment}"', holdout=holdout)
        if self._for_all:
            reason = self._missed(unit, attributes, decided)
            variation = None if reason else experiment.variations[0]
            return Given(variation, reason or "rolled out", holdout=holdout)
        by, value = self._unit(unit)
        if not value:
            return Given(None, f"no {experiment.unit}", holdout=holdout)
        variation, reason = self._chosen(value, unit, attributes, kept, decided)
        if variation is None:
            return Given(None, reason, holdout=holdout)
        given = self._given[variation, by, reason is _KEPT]
        return given if holdout is None else given._replace(holdout=holdout)

    def _held(self, unit: Callable[[str], str | None]) -> Assignment | None:
        if self._holdout is None:
            return None
        holdout, number_of = self._holdout
        value = unit(holdout.unit)
        if not value:
            return None
        number = number_of(value)
        part = HELD if number < holdout.share else COMPARED if number < 2 * holdout.share else None
        if part is None:
            return None
        return Assignment(experiment=holdout.name, variation=part, unit=holdout.unit)

    def _unit(self, unit: Callable[[str], str | None]) -> tuple[str, str | None]:
        by = self.experiment.unit
        value = unit(by)
        if not value and self._fallback is not None:
            return self._fallback, unit(self._fallback)
        return by, value

    def _chosen(
        self,
        value: str,
        unit: Callable[[str], str | None],
        attributes: Mapping[str, Any],
        kept: Callable[[str], str | None],
        decided: Callable[[str], Mapping[str, Any] | None],
    ) -> tuple[str | None, str]:
        """The variation, and why."""
        blocked = False
        if self.experiment.sticky:
            blocked = bool(self._blocked) and any(kept(key) is not None for key in self._blocked)
            before = None if blocked else kept(self._kept)
            if before in self.experiment.variations:
                return before, _KEPT
        if reason := self._missed(unit, attributes, decided):
            return None, reason
        if blocked:
            return None, "took part in a version that is over"
        variation = self.falls_to(value)
        return variation, "outside its coverage" if variation is None else _DIVIDED

    def falls_to(self, value: str) -> str | None:
        """The variation to whose share a unit belongs, whoever takes part; None: it is outside the coverage."""
        place = choose_range(self._number(value), self._ranges)
        return None if place is None else self.experiment.variations[place]

    def _number(self, value: str) -> float:
        """Where they fall; remembered for those who asked last, without their names."""
        key = hash(value)
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
            number = self._numbers[key] = self._hashed(value)
        return number

    def _missed(
        self,
        unit: Callable[[str], str | None],
        attributes: Mapping[str, Any],
        decided: Callable[[str], Mapping[str, Any] | None],
    ) -> str | None:
        """What keeps them out."""
        for by, number_of, ranges in self._namespaces:
            value = unit(by) if by is not None else self._unit(unit)[1]
            if not value:
                return f"no {by or self.experiment.unit}"
            number = number_of(value)
            if choose_range(number, ranges) is None:
                return "outside its namespace"
        if (missed := self._audience.missed(attributes)) is not None:
            return f"{missed} differs"
        for experience, fulfilled in self._prerequisites:
            if not fulfilled(decided(experience) or {}):
                return f'prerequisite "{experience}" is not fulfilled'
        return None

    def _give(self, variation: str, by: str, *, sticky: bool) -> Given:
        """What who falls there gets: made once, as it is the same for all of them."""
        experiment = self.experiment
        if experiment.force is not None:
            return Given(experiment.force, "forced for all")
        if len(experiment.variations) == 1:
            return Given(variation, "rolled out")
        assignment = Assignment(
            experiment=experiment.name,
            variation=variation,
            version=experiment.version,
            unit=by,
            sticky=sticky,
        )
        return Given(variation, _KEPT if sticky else _DIVIDED, assignment)


def _is_for_all(experiment: Experiment) -> bool:
    """Whether it divides nobody: a rollout to all, which so needs no identifier."""
    return len(experiment.variations) == 1 and experiment.coverage == 1 and not experiment.ranges


def _ranges_of(experiment: Experiment) -> list[Range]:
    """A rollout includes the end of its coverage, as the specification has it; unless that is 0."""
    if experiment.ranges:
        return list(experiment.ranges)
    if len(experiment.variations) == 1:
        return [(0.0, math.nextafter(experiment.coverage, 2) if experiment.coverage else 0.0)]
    return list(shares(len(experiment.variations), coverage=experiment.coverage, weights=experiment.weights))
