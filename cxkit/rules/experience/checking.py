"""What is refused when experiences are declared or configured, so that nothing of it is met when somebody is waiting.

`check_experience` judges one by itself, but for its conditions: `Chooser` does, who reads those. `check_together`
judges all that one kit has, configured and declared: call it when they are put together, and again when what is
configured is read anew. What code declares when the kit stands already is not judged with the rest: if that ends in a
circle, whoever asks gets what comes next in order, which is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, TypeVar

from cxkit.errors import DeclarationError, nearest
from cxkit.model import ExperienceSpec, Experiment, Holdout, Namespace, Question

__all__ = ["check_experience", "check_together"]


def check_experience(spec: ExperienceSpec) -> None:
    """Refuse an experience that cannot mean what it says.

    Raises:
        DeclarationError: An experiment has the name of another or of a variant, names a variant that there is not or
            that has an audience of its own, or contradicts itself; or the order is none.
    """
    where = f'experience "{spec.name}"'
    taken = {variant.name for variant in (spec.fallback, *spec.variants)}
    for experiment in spec.experiments:
        if experiment.name in taken:
            raise _wrong(
                f'{where} has two experiments "{experiment.name}", or a variant of that name',
                "name each variant and experiment differently",
                "CX3046",
            )
        taken.add(experiment.name)
        _check_experiment(spec, experiment)
    if len(held := {one.holdout.name: one.name for one in spec.experiments if one.holdout is not None}) > 1:
        raise _wrong(
            f"{where} has experiments that heed different holdouts: {', '.join(map(repr, held))}",
            "name one holdout in all of them: a decision tells of one",
            "CX3049",
        )
    _check_order(spec)


def check_together(specs: Iterable[ExperienceSpec], *, complete: bool = True) -> None:
    """Refuse experiences that cannot stand beside each other.

    Args:
        complete: Whether these are all there will be: else one that another needs may be declared later.

    Raises:
        DeclarationError: A prerequisite names an experience that there is not, or needs itself in the end; one name is
            that of two different experiments, holdouts or questions; or two experiments overlap in a namespace that is
            exclusive.
    """
    by_name = {spec.name: spec for spec in specs}
    _check_prerequisites(by_name, complete=complete)
    experiments = dict[str, tuple[str, Experiment]]()
    holdouts = dict[str, tuple[str, Holdout]]()
    questions = dict[str, tuple[str, Question]]()
    for spec in by_name.values():
        for question in spec.questions:
            _check_same(questions, spec.name, question, "question")
        for experiment in spec.experiments:
            _check_same(experiments, spec.name, experiment, "experiment")
            if experiment.holdout is not None:
                _check_same(holdouts, spec.name, experiment.holdout, "holdout")
    for name in sorted(experiments.keys() & holdouts.keys()):
        raise _wrong(
            f'"{name}" is an experiment in experience "{experiments[name][0]}" and a holdout in "{holdouts[name][0]}"',
            "give one of them another name: both are told by it",
            "CX3052",
        )
    _check_namespaces([experiment for _, experiment in experiments.values()])


# --- one ---


def _check_experiment(spec: ExperienceSpec, experiment: Experiment) -> None:
    where = f'experience "{spec.name}", experiment "{experiment.name}"'
    variants = {variant.name: variant for variant in (spec.fallback, *spec.variants)}
    for place, name in enumerate(experiment.variations):
        if name not in variants:
            shown = str(name)[:64]
            raise _wrong(
                f'{where}: variations.{place}, "{shown}", is no variant of it', nearest(shown, variants), "CX3045"
            )
        if variants[name].audience:
            raise _wrong(
                f'{where}: variations.{place}, "{name}", has an audience of its own',
                "give it to the experiment: who is in it is divided, all of them",
                "CX3047",
            )
    if experiment.fallback_unit is not None and (not experiment.sticky or experiment.fallback_unit == experiment.unit):
        raise _wrong(
            f"{where}: fallback_unit is the unit itself, or nothing would be kept when they get it",
            "name another type of identifier, and let sticky be true; or leave it out",
            "CX3049",
        )
    if experiment.min_version > experiment.version:
        raise _wrong(
            f"{where}: min_version is over version, so that nobody who takes part could go on",
            f"give at most {experiment.version}",
            "CX3049",
        )

    _check_seeds(where, experiment)


def _check_seeds(where: str, experiment: Experiment) -> None:
    """What divides people by one hash divides them in one way: whoever is within a part is in one variation, too."""
    own = [experiment.unit, experiment.fallback_unit or experiment.unit]
    taken = {(experiment.seed or experiment.name, experiment.hash_version, unit): "the experiment" for unit in own}
    parts = [(f'namespace "{one.name}"', one.name, one.hash_version, one.unit) for one in experiment.namespaces]
    if (held := experiment.holdout) is not None:
        parts.append((f'holdout "{held.name}"', held.name, 2, held.unit))
    for what, seed, version, by in parts:
        for unit in own if by is None else [by]:
            other = taken.setdefault((seed, version, unit), what)
            if other != what:  # a second part of one namespace narrows the first, as it should
                raise _wrong(
                    f"{where}: {what} divides people in the same way as {other}",
                    "give one of them another name, or the experiment a seed of its own",
                    "CX3054",
                )


def _check_order(spec: ExperienceSpec) -> None:
    """All that can be tried, once: what is left out would never be seen."""
    if not spec.order:
        return
    tested = {name for experiment in spec.experiments for name in experiment.variations}
    free = [variant.name for variant in spec.variants if variant.name not in tested]
    known = [*(experiment.name for experiment in spec.experiments), *free]
    where = f'experience "{spec.name}": order'
    for place, name in enumerate(spec.order):
        if name in tested:
            raise _wrong(f'{where}.{place}, "{name}", is shown by an experiment', "name that one instead", "CX3048")
        if name not in known or name in spec.order[:place]:
            fix = nearest(str(name)[:64], [one for one in known if one not in spec.order[:place]])
            raise _wrong(f"{where}.{place} is nothing that is still to be tried", fix, "CX3048")
    if left := [name for name in known if name not in spec.order]:
        raise _wrong(f'{where} leaves out "{left[0]}", which would never be tried', "add it", "CX3048")


# --- together ---


def _check_prerequisites(specs: Mapping[str, ExperienceSpec], *, complete: bool) -> None:
    needs = {name: _needed(spec) for name, spec in specs.items()}
    for name, needed in needs.items():
        for experiment, other in needed:
            if complete and other not in needs:
                raise _wrong(
                    f'experience "{name}", experiment "{experiment}": there is no experience "{other}" to come before',
                    nearest(other[:64], needs),
                    "CX3050",
                )
    done = set[str]()
    for name in needs:
        if circle := _circle(name, needs, done):
            raise _wrong(
                f"experiences need each other before they can be decided: {' -> '.join(circle)}",
                f'leave out a prerequisite of experience "{circle[-2]}"',
                "CX3051",
            )


def _needed(spec: ExperienceSpec) -> list[tuple[str, str]]:
    return [(experiment.name, one.experience) for experiment in spec.experiments for one in experiment.prerequisites]


def _circle(start: str, needs: Mapping[str, Sequence[tuple[str, str]]], done: set[str]) -> list[str]:
    """The names from one around to itself, if it can be reached. Those that are `done` lead into none."""
    way = [start]
    left = [iter(needs[start])]
    while left:
        _, following = next(left[-1], (None, None))
        if following is None:
            left.pop()
            done.add(way.pop())
        elif following in way:
            return [*way[way.index(following) :], following]
        elif following in needs and following not in done:
            way.append(following)
            left.append(iter(needs[following]))
    return []


_Named = TypeVar("_Named", Experiment, Holdout, Question)


def _check_same(seen: dict[str, tuple[str, _Named]], experience: str, one: _Named, kind: str) -> None:
    before = seen.setdefault(one.name, (experience, one))
    if before[1] != one:
        raise _wrong(
            f'{kind} "{one.name}" is one thing in experience "{before[0]}" and another in "{experience}"',
            "give one of them another name, or both the same content",
            "CX3052",
        )


class _Part(NamedTuple):
    experiment: Experiment
    namespace: Namespace

    @property
    def unit(self) -> str:
        return self.namespace.unit or self.experiment.unit


def _check_namespaces(experiments: Iterable[Experiment]) -> None:
    parts = dict[str, list[_Part]]()
    for experiment in experiments:
        if experiment.active:
            for namespace in experiment.namespaces:
                parts.setdefault(namespace.name, []).append(_Part(experiment, namespace))
    for name, those in parts.items():
        for one, other in combinations(those, 2):
            if one.experiment is other.experiment or not (one.namespace.exclusive or other.namespace.exclusive):
                continue
            both = f'experiments "{one.experiment.name}" and "{other.experiment.name}"'
            if one.unit != other.unit or one.namespace.hash_version != other.namespace.hash_version:
                raise _wrong(
                    f'{both} do not divide people alike in namespace "{name}", so that it keeps them apart from nobody',
                    "give both the same unit and hash_version there",
                    "CX3053",
                )
            if _overlap(one.namespace, other.namespace):
                raise _wrong(
                    f'{both} overlap in the ranges of namespace "{name}", which is exclusive',
                    "give them ranges that do not; or write exclusive = false in both",
                    "CX3053",
                )


def _overlap(one: Namespace, other: Namespace) -> bool:
    return any(max(a[0], b[0]) < min(a[1], b[1]) for a in one.ranges for b in other.ranges)


def _wrong(what: str, fix: str, code: str) -> DeclarationError:
    return DeclarationError(what, fix=fix, code=code)
