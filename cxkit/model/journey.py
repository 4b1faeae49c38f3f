"""A journey: steps that lead a customer somewhere, over several elements and channels; and how far somebody is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

import attrs

from cxkit.errors import DeclarationError
from cxkit.model.touchpoint import TOUCHPOINT

__all__ = ["MOST_PLACES", "MOST_STEPS", "JourneySpec", "Progress", "Taken"]

MOST_STEPS: Final = 10
MOST_PLACES: Final = 20
"""Of all steps together."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LONGEST_S: Final = 315_360_000
_PAGES: Final = "page.viewed"


def _wrong(name: object, what: str, fix: str, code: str) -> DeclarationError:
    shown = name[:64] if isinstance(name, str) else type(name).__name__
    return DeclarationError(f'journey "{shown}" {what}', fix=fix, code=code)


def _check_name(owner: object, attribute: attrs.Attribute[str], value: str) -> None:
    if type(value) is not str or not _NAME.fullmatch(value):  # conditions name it between dots
        raise _wrong(value, "is not named by one lower-case word", 'name it like "checkout"', "CX3070")


def _check_time(owner: JourneySpec, attribute: attrs.Attribute[float], value: float) -> None:
    if type(value) not in (int, float) or not 0 < value <= _LONGEST_S:  # so written, it is true of NaN too
        fix = f"give seconds, more than 0 and at most {_LONGEST_S}"
        raise _wrong(owner.name, f'has an "{attribute.name}" that is no length of time', fix, "CX3073")


def _several(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)  # or a text would be as many as it has letters


def _several_each(places: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {step: _several(names) for step, names in dict(places).items()}


@attrs.frozen(kw_only=True)
class JourneySpec:
    """What is declared of a journey.

    Raises:
        DeclarationError: The name, a step, a place or a time is not one, or a place is in two steps.

    Example:
        >>> journey = JourneySpec(
        ...     name="checkout",
        ...     steps=("cart.item_added", "/checkout", "paid"),
        ...     places={"paid": ("order.paid", "call.order_taken")},
        ... )
        >>> journey.step_of["call.order_taken"]
        2
    """

    name: str = attrs.field(validator=_check_name)
    """One lower-case word: ``checkout``."""
    steps: tuple[str, ...] = attrs.field(converter=_several)
    """In their order. Each a touchpoint, ``cart.item_added``; the route of a page, ``/checkout``; or a name of its
    own, whose `places` are given."""
    places: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=_several_each)
    """Step to the touchpoints and routes that it can be taken at. One that is not in here is itself such a place."""
    stalled_after_s: float = attrs.field(default=1800.0, validator=_check_time)
    """Whoever did nothing on the journey for longer than that, and is not at its end, is stalled."""
    ends_after_s: float = attrs.field(default=604_800.0, validator=_check_time)
    """A step taken that long before the latest one counts no more; nor does any, that long after the latest."""

    def __attrs_post_init__(self) -> None:
        if not all(type(step) is str for step in self.steps):
            raise _wrong(self.name, 'has "steps" that are no texts', 'name touchpoints, e.g. "order.paid"', "CX3071")
        if not 2 <= len(self.steps) <= MOST_STEPS or len(set(self.steps)) < len(self.steps):
            fix = f"give 2 to {MOST_STEPS}, each once"
            raise _wrong(self.name, 'has too few or too many "steps", or one twice', fix, "CX3071")
        if self.places.keys() - set(self.steps) or not all(self.places.values()):
            fix = "give places of its own steps, each at least one"
            raise _wrong(self.name, 'has "places" of no step of its own, or a step without any', fix, "CX3072")
        for field, named in (("steps", set(self.steps) - self.places.keys()), ("places", self._named)):
            if not all(map(_is_place, named)):
                fix = 'name touchpoints, e.g. "order.paid", and routes of pages, e.g. "/checkout"'
                raise _wrong(self.name, f'has "{field}" that are no places', fix, "CX3072")
        if len(set(self._named)) < len(self._named) or len(self._named) > MOST_PLACES:
            fix = f"name each place once, at most {MOST_PLACES}"
            raise _wrong(self.name, 'has a place twice in its "places", or too many', fix, "CX3072")
        if self.stalled_after_s >= self.ends_after_s:
            fix = "let ends_after_s be longer than stalled_after_s"
            raise _wrong(self.name, 'has an "ends_after_s" before anybody is stalled', fix, "CX3073")

    @property
    def _named(self) -> list[str]:
        return [place for step in self.steps for place in self.places.get(step, (step,))]

    @cached_property
    def step_of(self) -> Mapping[str, int]:
        """Place to the step, from 0, that is taken there."""
        return {place: number for number, step in enumerate(self.steps) for place in self.places.get(step, (step,))}


def _is_place(place: object) -> bool:
    if type(place) is not str or place == _PAGES:  # a page goes by its route
        return False
    route = place.startswith("/") and len(place) <= 200 and place.isprintable()
    return route or (len(place) <= 100 and TOUCHPOINT.fullmatch(place) is not None)


@attrs.frozen(kw_only=True)
class Taken:
    """A step that somebody took, when and where they did so last."""

    step: str
    at: datetime
    """Aware."""
    channel: str | None = None


@attrs.frozen(kw_only=True)
class Progress:
    """How far somebody is on a journey."""

    journey: str
    step: str | None = None
    """The furthest that they took; None while they have not begun."""
    next: str | None = None
    """The one after that; None at the end."""
    stalled: bool = False
    """Whether they have begun, are not at the end, and did nothing on the journey for too long."""
    completed: bool = False
    since: datetime | None = None
    """When they took that step, last; aware."""
    channel: str | None = None
    """Where they did."""
    taken: tuple[Taken, ...] = ()
    """All steps that they took this time, in the order of the journey."""
