"""What an experience chooses: the first experiment or variant, in order, that takes whoever asks; else the fallback."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import attrs

from cxkit.model import JSON, Assignment, Decision, ExperienceSpec, Experiment, Variant
from cxkit.rules.experience.assigning import Division, Given, sticky_key
from cxkit.rules.experience.cap import Cap
from cxkit.rules.experience.checking import check_experience
from cxkit.rules.experience.conditions import compile_condition

__all__ = ["PENDING", "Asking", "Chooser", "Ruling"]

_Way = tuple[str, Cap, tuple[str, ...], Assignment | None, Assignment | None]
"""How somebody came to a variant."""
_REMEMBERED: Final = frozenset(["traits", "journeys"])
"""What is known of somebody from before."""
_SEGMENT: Final = 2
_SLOTS: Final = ("form", "content", "sequence")
_MOST: Final = 512
"""Decisions that are remembered: each is the same for all who came to it in the same way."""
_PENDING: Final = Given(None, "pending")
_STOPPED: Final = Given(None, "does not run")
_UNMEASURED: Final = Given(None, "analytics is not allowed")


class Asking(Mapping[str, JSON]):
    """What a decision may follow of whoever asks: attributes by name, None where one is not known; and the rest."""

    @abstractmethod
    def unit(self, type: str, /) -> str | None:
        """The value of that type of identifier; None where they have none."""

    @abstractmethod
    def withholds(self, name: str, /) -> bool:
        """Whether an attribute is kept back, as it is too late to follow it."""

    @abstractmethod
    def kept(self, key: str, /) -> str | None:
        """The variation that was given to them before under this `sticky_key`."""

    @abstractmethod
    def crossed_over(self, key: str, /) -> bool:
        """Whether they were given two."""

    @abstractmethod
    def ruling(self, experiment: str, /) -> Ruling | None:
        """What an operator said of an experiment; None if nothing, `PENDING` if that is not known yet."""

    @abstractmethod
    def before(self, experience: str, /) -> Mapping[str, JSON] | None:
        """What another experience is for them, its variant and slots; None: there is none, or it depends on this."""

    @property
    @abstractmethod
    def pending(self) -> bool:
        """Whether what is known of them has not arrived."""

    @property
    @abstractmethod
    def measured(self) -> bool:
        """Whether they allow that what they do is measured."""


@attrs.frozen(kw_only=True)
class Ruling:
    """What an operator said of an experiment since it was declared."""

    running: bool
    version: int = 0
    """Of the experiment; of another one it says nothing."""
    winner: str | None = None
    """The variation that everybody in the audience gets from now on."""
    at: datetime
    actor: str = ""
    reason: str = ""


PENDING: Final = Ruling(running=False, at=datetime.min.replace(tzinfo=UTC))
"""What was said is not known yet."""


class Chooser:
    """An experience, read once and then asked many times. Never raises then.

    Attributes:
        spec: What was declared.
        version: Another one for whatever is declared otherwise.
        depth: That of its deepest variant.
        reads: Names of variants, experiments and questions to the dotted names of attributes that each may look at.
        asked_when: The conditions of its questions, by their names; of one that has none there is none.

    Raises:
        DeclarationError: It cannot be judged; names the place and what to write there.
    """

    def __init__(self, spec: ExperienceSpec) -> None:
        check_experience(spec)
        self.spec = spec
        self.version = _version(spec)
        named = {variant.name: variant for variant in (spec.fallback, *spec.variants)}
        self.asked_when = {
            one.name: compile_condition(one.when, where=f'experience "{spec.name}", question "{one.name}", when')
            for one in spec.questions
            if one.when
        }
        tested = {name for experiment in spec.experiments for name in experiment.variations}
        self._tests = {one.name: _Test(spec, one, named) for one in spec.experiments}
        steps: dict[str, _Step] = {**self._tests}
        steps |= {one.name: _Try(spec, one) for one in spec.variants if one.name not in tested}
        self._steps = [(name, steps[name]) for name in (spec.order or steps)]
        self._depths = {name: variant.depth for name, variant in named.items()}
        self._depths |= {name: step.depth for name, step in steps.items() if name in named}
        self.depth = max([*self._depths.values(), *(step.depth for step in steps.values())])
        self.reads = {name: step.reads for name, step in steps.items()}
        self.reads |= {name: when.reads for name, when in self.asked_when.items()}
        self._variants = named
        self._apart = {name for name, one in named.items() if any(_is_mutable(getattr(one, slot)) for slot in _SLOTS)}
        self._remembered: dict[_Way, Decision] = {}

    def choose(self, asking: Asking, cap: Cap) -> Decision:
        """What it is for whoever asks."""
        reasons: list[str] = []
        holdout = None
        for name, step in self._steps:
            found = step.take(asking, cap)
            reasons.append(f"{name}: {found.reason}")
            holdout = found.holdout or holdout
            if found.variation is not None:
                return self._made((found.variation, cap, tuple(reasons), found.assignment, holdout))
        fallback = self.spec.fallback.name
        reasons.append(f"{fallback}: fallback")
        return self._made((fallback, cap, tuple(reasons), None, holdout))

    def preview(self, variant: object, cap: Cap) -> Decision | None:
        """That variant, whoever asks and whatever is tested; None: there is none of that name, or it is too deep."""
        found = self._variants.get(variant) if isinstance(variant, str) else None
        if found is None or self._depths[found.name] > cap.depth:
            return None
        return self._made((found.name, cap, (f"{found.name}: asked for",), None, None))

    def failed(self) -> Decision:
        """What it is where the decision itself failed, so that nobody knows who asks."""
        return self._made((self.spec.fallback.name, Cap(0, None), ("fallback: the decision failed",), None, None))

    def keeps(self, given: Assignment) -> bool:
        """Whether it is of an experiment as declared here, by which people keep what they got."""
        test = self._tests.get(given.experiment)
        return test is not None and test.experiment.sticky and test.experiment.version == given.version

    def gives(self, given: Assignment, unit: str) -> bool:
        """Whether its experiment divides so whoever has this value of that unit."""
        return self._tests[given.experiment].division.falls_to(unit) == given.variation

    def _made(self, way: _Way) -> Decision:
        found = self._remembered.get(way)
        if found is None:
            if len(self._remembered) >= _MOST:
                self._remembered.clear()
            found = self._remembered[way] = self._decision(*way)
        if way[0] not in self._apart:
            return found
        form, content, sequence = (_copied(getattr(found, slot)) for slot in _SLOTS)
        return attrs.evolve(found, form=form, content=content, sequence=sequence)

    def _decision(
        self,
        chosen: str,
        cap: Cap,
        reasons: tuple[str, ...],
        assignment: Assignment | None,
        holdout: Assignment | None,
    ) -> Decision:
        variant = self._variants[chosen]
        return Decision(
            experience=self.spec.name,
            variant=variant.name,
            form=variant.form,
            content=variant.content,
            sequence=variant.sequence,
            level=1 if variant is self.spec.fallback else self.spec.level,
            depth=self._depths[chosen],
            cap=cap.depth,
            capped_by=cap.by,
            reasons=reasons,
            version=self.version,
            fallback=variant is self.spec.fallback,
            assignment=assignment,
            holdout=holdout,
        )


class _Step(Protocol):
    reads: frozenset[str]
    depth: int

    def take(self, asking: Asking, cap: Cap) -> Given:
        """The variant that whoever asks is given here; None: the next step has its turn."""
        ...


class _Try:
    """A variant, for whom its audience is."""

    def __init__(self, spec: ExperienceSpec, variant: Variant) -> None:
        where = f'experience "{spec.name}", variant "{variant.name}", audience'
        self._audience = compile_condition(variant.audience, where=where)
        self.reads = self._audience.reads
        self._chosen, self.depth = Given(variant.name, "chosen"), max(variant.depth, _depth_of(self.reads))

    def take(self, asking: Asking, cap: Cap) -> Given:
        if self.depth > cap.depth:
            return _over(self.depth, cap)
        missed = self._audience.missed(asking)
        if missed is None:
            return self._chosen
        late = asking.withholds(missed.partition(".")[0])
        return Given(None, f"{missed} {'comes too late' if late else 'differs'}")


class _Test:
    """An experiment, for whoever takes part. If one of its variants may not be shown to them, they do not.

    Nor do they where it compares variants and they may not be measured: they would be counted on neither side, and
    could not keep what they got.
    """

    def __init__(self, spec: ExperienceSpec, experiment: Experiment, named: Mapping[str, Variant]) -> None:
        self._where = f'experience "{spec.name}"'
        self.experiment, self._name = experiment, experiment.name
        self.division = Division(experiment, where=self._where)
        self.depth = max(_depth_of(self.division.reads), *(named[name].depth for name in experiment.variations))
        self._kept = sticky_key(experiment.name, experiment.version)
        self.reads = self.division.reads
        self._compares = len(experiment.variations) > 1 and experiment.force is None
        self._won: dict[str, Division] = {}

    def take(self, asking: Asking, cap: Cap) -> Given:
        if self.depth > cap.depth:
            return _over(self.depth, cap)
        ruling = asking.ruling(self._name)
        if ruling is PENDING:
            return _PENDING
        if ruling is not None and ruling.version != self.experiment.version:
            ruling = None
        won = ruling is not None and ruling.winner in self.experiment.variations
        if not won and not (self.experiment.active if ruling is None else ruling.running):
            return _STOPPED
        if not won and self.experiment.sticky and asking.pending:
            return _PENDING
        if self._compares and not won and not asking.measured:
            return _UNMEASURED
        division = self.division if ruling is None or not won else self._ended(str(ruling.winner))
        found = division.assign(unit=asking.unit, attributes=asking, kept=asking.kept, decided=asking.before)
        given = found.assignment
        if given is not None and given.sticky and asking.crossed_over(self._kept):
            return found._replace(assignment=attrs.evolve(given, crossed_over=True))
        return found

    def _ended(self, winner: str) -> Division:
        if winner not in self._won:
            ended = attrs.evolve(
                self.experiment,
                force=None,
                variations=(winner,),
                weights=(),
                ranges=(),
                namespaces=(),
                coverage=1.0,
            )
            self._won[winner] = Division(ended, where=self._where)
        return self._won[winner]


def _is_mutable(value: object) -> bool:
    """Whether a handler could write into it, for all others to see."""
    return isinstance(value, (dict, list))


def _copied(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _depth_of(reads: frozenset[str]) -> int:
    """How personal it is to go by these attributes, whatever was declared."""
    return _SEGMENT if any(name.partition(".")[0] in _REMEMBERED for name in reads) else 0


def _over(depth: int, cap: Cap) -> Given:
    return Given(None, f"depth {depth} is over the cap of {cap.depth} ({cap.by})")


def _version(spec: ExperienceSpec) -> str:
    return hashlib.blake2b(repr(spec).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
