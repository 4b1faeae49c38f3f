"""An experience: an element that can adapt; and what it may adapt to."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from cxkit.errors import DeclarationError
from cxkit.model.properties import JSON
from cxkit.model.touchpoint import check_name

__all__ = ["ExperienceSpec", "Variant"]


@attrs.frozen(kw_only=True)
class Variant:
    """One way an experience can be."""

    name: str
    form: JSON = None
    """How it looks: a template, a layout, a size."""
    content: JSON = None
    """What it says or offers."""
    sequence: JSON = None
    """In which order its parts or steps come."""
    audience: Mapping[str, JSON] = attrs.field(factory=dict)
    """Whom it is for: dotted attribute to the value it must have. Empty: everybody."""
    depth: int = attrs.field(default=0, validator=[attrs.validators.ge(0), attrs.validators.le(4)])
    """How personal it is: 0 same for all, 1 contextual, 2 segment, 3 individual, 4 adaptive."""


@attrs.frozen(kw_only=True)
class ExperienceSpec:
    """What is declared of an experience: variants in the order they are tried, and the fallback.

    Raises:
        DeclarationError: The name is malformed, two variants share a name, or the fallback is
            not for everybody.
    """

    name: str
    fallback: Variant = Variant(name="default")
    """Shown when nothing else fits or is allowed: depth 0, no audience."""
    variants: tuple[Variant, ...] = ()
    level: int = 2
    """How wide it reaches: 1 undifferentiated, 2 one element, 3 a journey, 4 the whole relation."""

    def __attrs_post_init__(self) -> None:
        check_name(self.name, "experience")
        names = [variant.name for variant in (self.fallback, *self.variants)]
        if len(set(names)) < len(names):
            raise DeclarationError(
                f'two variants of experience "{self.name}" have one name',
                fix="name each variant, the fallback too, differently",
                code="CX3005",
            )
        if self.fallback.audience or self.fallback.depth:
            raise DeclarationError(
                f'the fallback of experience "{self.name}" is not for everybody',
                fix="leave out its audience and its depth",
                code="CX3006",
            )
