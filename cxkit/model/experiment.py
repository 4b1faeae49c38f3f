"""An experiment: a test of which variant of an experience serves better; and what it gave to whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import attrs

from cxkit.errors import DeclarationError
from cxkit.model.properties import JSON
from cxkit.model.touchpoint import TOUCHPOINT, check_name

__all__ = ["Assignment", "Experiment", "Holdout", "Namespace", "Prerequisite"]

Range = tuple[float, float]
"""Half open: from the first, up to but without the second; both from 0 to 1."""

_KEY: Final = re.compile(r"[\w.:/-]{1,100}", re.ASCII)
_UNIT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NEARLY: Final = 0.01
_LAST_VERSION: Final = 1000
"""Each version before ``min_version`` is looked up at each decision."""


def _check_key(owner: object, attribute: attrs.Attribute[str], value: str) -> None:
    if type(value) is not str or not _KEY.fullmatch(value):
        raise _wrong(
            type(owner).__name__.lower(), f'has the {attribute.name} "{_short(value)}"', 'name it like "hero-2026"'
        )


def _check_unit(owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not str or not _UNIT.fullmatch(value):
        fix = 'name a type of identifier, e.g. "visitor" or "user_id", or "session"'
        raise _wrong(_of(owner), f'has the {attribute.name} "{_short(value)}"', fix)
    if value == "person":
        fix = 'divide by an identifier, e.g. unit = "visitor", fallback_unit = "user_id"'
        raise _wrong(_of(owner), "divides people by the graph's person, who changes with each merge", fix)


def _check_hash(owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or value not in (1, 2):
        raise _wrong(_of(owner), "has a hash_version that there is not", "give 2; 1 is for imported ones")


def _check_truth(owner: object, attribute: attrs.Attribute[bool], value: bool) -> None:
    if type(value) is not bool:
        raise _wrong(_of(owner), f"has {attribute.name} neither true nor false", "write true or false")


def _check_condition(owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(_of(owner), f"has for {attribute.name} what is no condition", 'write one like {"country": "FR"}')


def _check_experience(owner: object, attribute: attrs.Attribute[str], value: str) -> None:
    check_name(value, "prerequisite")


def _made_of(kind: type, fix: str) -> Callable[..., None]:
    """For one of them, none, or several."""

    def check(owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
        several = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(isinstance(one, kind) for one in several):
            raise _wrong(_of(owner), f"has for {attribute.name} something else", f"write {fix}")

    return check


def _check_share(owner: object, attribute: attrs.Attribute[float], value: float) -> None:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise _wrong(_of(owner), f"has a {attribute.name} that is no share", "give a number from 0 to 1")


def _check_ranges(owner: object, attribute: attrs.Attribute[Any], value: tuple[tuple[Any, ...], ...]) -> None:
    for one in value:
        sound = len(one) == 2 and all(type(end) in (int, float) for end in one)
        if not sound or not 0 <= one[0] <= one[1] <= 1:
            raise _wrong(_of(owner), "has a range that is none", "give pairs like [0, 0.5], within 0 and 1")


def _check_version(owner: object, attribute: attrs.Attribute[int], value: int) -> None:
    if type(value) is not int or not 0 <= value <= _LAST_VERSION:
        raise _wrong(
            _of(owner), f"has a {attribute.name} that is none", f"give a whole number from 0 to {_LAST_VERSION}"
        )


def _check_units(owner: object, attribute: attrs.Attribute[int], value: int) -> None:
    if type(value) is not int or value < 1:
        raise _wrong(_of(owner), f"has {attribute.name} that are none", "give a whole number from 1")


def _of(owner: object) -> str:
    name = getattr(owner, "name", None) or getattr(owner, "experience", "?")
    return f'{type(owner).__name__.lower()} "{_short(name)}"'


def _differ(names: tuple[object, ...]) -> bool:
    texts = {one for one in names if type(one) is str}
    return len(texts) == len(names)


def _short(value: object) -> str:
    return value[:64] if isinstance(value, str) else type(value).__name__


def _wrong(whose: str, what: str, fix: str) -> DeclarationError:
    return DeclarationError(f"{whose} {what}", fix=fix, code="CX3018")


def _ranges(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(tuple(one) if isinstance(one, (list, tuple)) else (one,) for one in value)


# Converters with types: of `tuple` itself a type checker does not know what may be in it, and refuses any list.


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def _numbers(value: Iterable[float]) -> tuple[float, ...]:
    return tuple(value)


def _namespaces(value: Iterable[Namespace]) -> tuple[Namespace, ...]:
    return tuple(value)


def _prerequisites(value: Iterable[Prerequisite]) -> tuple[Prerequisite, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class Namespace:
    """A part of everybody, so that experiments which must not meet do not.

    Source: GrowthBook SDK specification 0.8.0, ``filters`` and ``namespace``.
    """

    name: str = attrs.field(validator=_check_key)
    """Experiments of one namespace divide the same people in the same way."""
    ranges: tuple[Range, ...] = attrs.field(converter=_ranges, validator=_check_ranges)
    """Which part: from 0 to 1, half open."""
    unit: str | None = attrs.field(default=None, validator=attrs.validators.optional(_check_unit))
    """None: that of the experiment."""
    hash_version: Literal[1, 2] = attrs.field(default=2, validator=_check_hash)
    exclusive: bool = attrs.field(default=True, validator=_check_truth)
    """Whether two experiments with overlapping ranges in it are a mistake."""


@attrs.frozen(kw_only=True)
class Prerequisite:
    """Another experience that must have chosen something before."""

    experience: str = attrs.field(validator=_check_experience)
    condition: Mapping[str, JSON] = attrs.field(factory=dict, validator=_check_condition)
    """Over its decision's ``variant``, ``form``, ``content`` and ``sequence``: ``{"variant": "new"}``."""


@attrs.frozen(kw_only=True)
class Holdout:
    """A part of everybody that no experiment reaches, and one of the same size to compare it with."""

    name: str = attrs.field(validator=_check_key)
    share: float = attrs.field(validator=_check_share)
    """How many are held out: 0.05 is one in twenty. At most a half."""
    unit: str = attrs.field(default="visitor", validator=_check_unit)

    def __attrs_post_init__(self) -> None:
        if self.share > 0.5:
            raise _wrong(f'holdout "{self.name}"', "has more than half of everybody", "give a share of at most 0.5")


@attrs.frozen(kw_only=True)
class Experiment:
    """A test: people are divided by a hash of one of their identifiers, and each part gets one variant.

    Source: GrowthBook SDK specification 0.8.0, whose words, where they differ, are given in brackets.

    Raises:
        DeclarationError: A field is not what it should be.

    Example:
        >>> Experiment(name="bolder", variations=("all", "bold")).unit
        'visitor'
    """

    name: str = attrs.field(validator=_check_key)
    """[key]"""
    variations: tuple[str, ...] = attrs.field(converter=_names)
    """Names of variants of the experience, the first is the control. One alone is a rollout."""
    weights: tuple[float, ...] = attrs.field(default=(), converter=_numbers)
    """The share of each, together 1. Empty: all alike."""
    coverage: float = attrs.field(default=1.0, validator=_check_share)
    """The share of everybody who takes part."""
    unit: str = attrs.field(default="visitor", validator=_check_unit)
    """The type of the identifier that divides people, or ``session`` [hashAttribute]."""
    fallback_unit: str | None = attrs.field(default=None, validator=attrs.validators.optional(_check_unit))
    """Where they have none of that type [fallbackAttribute]."""
    audience: Mapping[str, JSON] = attrs.field(factory=dict, validator=_check_condition)
    """Who may take part; empty: everybody."""
    seed: str | None = attrs.field(default=None, validator=attrs.validators.optional(_check_key))
    """None: its name."""
    hash_version: Literal[1, 2] = attrs.field(default=2, validator=_check_hash)
    ranges: tuple[Range, ...] = attrs.field(default=(), converter=_ranges, validator=_check_ranges)
    """One for each variation, instead of weights and coverage."""
    namespaces: tuple[Namespace, ...] = attrs.field(
        default=(),
        converter=_namespaces,
        validator=_made_of(Namespace, 'cxkit.Namespace(name="checkout", ranges=[[0, 0.5]])'),
    )
    """In all of these parts [filters]."""
    prerequisites: tuple[Prerequisite, ...] = attrs.field(
        default=(),
        converter=_prerequisites,
        validator=_made_of(Prerequisite, 'cxkit.Prerequisite(experience="home.hero")'),
    )
    holdout: Holdout | None = attrs.field(
        default=None, validator=_made_of(Holdout, 'cxkit.Holdout(name="quiet-2026", share=0.05)')
    )
    version: int = attrs.field(default=0, validator=_check_version)
    """Another one assigns everybody anew [bucketVersion]."""
    min_version: int = attrs.field(default=0, validator=_check_version)
    """Who was assigned in a version before this takes part no more [minBucketVersion]."""
    sticky: bool = attrs.field(default=True, validator=_check_truth)
    """Whether who was shown a variation keeps it, when weights change and when they sign in."""
    force: str | None = None
    """The variation that everybody gets who would take part; nobody does."""
    active: bool = attrs.field(default=True, validator=_check_truth)
    goals: tuple[str, ...] = attrs.field(default=(), converter=_names)
    """Touchpoints that it is to bring about; the first decides."""
    planned_units: int | None = attrs.field(default=None, validator=attrs.validators.optional(_check_units))
    """How many units it is to have, if nobody may judge before. None: it may be judged at any time."""

    def __attrs_post_init__(self) -> None:
        if not self.variations or not _differ(self.variations):
            raise _wrong(_of(self), "has no variations, or one twice", 'give names of variants, e.g. ["all", "bold"]')
        for name, given in (("weights", self.weights), ("ranges", self.ranges)):
            if given and len(given) != len(self.variations):
                raise _wrong(
                    _of(self), f"has {len(given)} {name}", f"give {len(self.variations)}, as many as variations"
                )
        if self.weights and (
            any(type(one) not in (int, float) or not 0 <= one <= 1 for one in self.weights)
            or abs(sum(self.weights) - 1) > _NEARLY
        ):
            raise _wrong(_of(self), "has weights that do not make 1 together", "give shares like [0.5, 0.5]")
        if self.force is not None and self.force not in self.variations:
            raise _wrong(_of(self), "forces what is none of its variations", f"name one: {', '.join(self.variations)}")
        for goal in self.goals:
            if type(goal) is not str or not TOUCHPOINT.fullmatch(goal):
                raise _wrong(_of(self), "has a goal that is no touchpoint", 'name them like "order.paid"')


@attrs.frozen(kw_only=True, cache_hash=True)
class Assignment:
    """What an experiment, or a holdout, gave to somebody."""

    experiment: str
    variation: str
    """The variant's name; of a holdout ``held`` or ``compared``."""
    version: int = 0
    unit: str = "visitor"
    """By which type of identifier."""
    sticky: bool = False
    """Whether it is what they were given before."""
    crossed_over: bool = False
    """Whether they were given another one, too, on another device, say: they are left out of the readout."""
