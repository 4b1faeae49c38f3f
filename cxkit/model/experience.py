"""An experience: an element that can adapt; and what it may adapt to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from cxkit.errors import DeclarationError
from cxkit.model.experiment import Experiment
from cxkit.model.properties import JSON
from cxkit.model.question import Question
from cxkit.model.touchpoint import check_name

__all__ = ["ExperienceSpec", "Variant"]


def _from_to(low: int, high: int) -> Callable[..., None]:
    def check(owner: object, attribute: attrs.Attribute[int], value: int) -> None:
        if type(value) is not int or not low <= value <= high:
            raise DeclarationError(
                f'{attribute.name} of "{getattr(owner, "name", "?")}" is out of its range',
                fix=f"give a whole number from {low} to {high}",
                code="CX3010",
            )

    return check


@attrs.frozen(kw_only=True)
class Variant:
    """One way an experience can be.

    Raises:
        DeclarationError: The name or the depth is not one.
    """

    name: str = attrs.field()
    """Any text, short enough to be stored with each exposure: ``gold``, ``B``."""
    form: JSON = None
    """How it looks: a template, a layout, a size."""
    content: JSON = None
    """What it says or offers."""
    sequence: JSON = None
    """In which order its parts or steps come."""
    audience: Mapping[str, JSON] = attrs.field(factory=dict)
    """Whom it is for: a condition over dotted attributes. Empty: everybody."""
    depth: int = attrs.field(default=0, validator=_from_to(0, 4))
    """How personal it is: 0 same for all, 1 contextual, 2 segment, 3 individual, 4 adaptive."""

    @name.validator
    def _short(self, attribute: attrs.Attribute[str], value: str) -> None:
        if type(value) is not str or not 0 < len(value) <= 100 or not value.isprintable():
            raise DeclarationError(
                "the name of a variant is not a short text", fix='name it like "gold"', code="CX3012"
            )


@attrs.frozen(kw_only=True)
class ExperienceSpec:
    """What is declared of an experience: variants in the order they are tried, and the fallback.

    Raises:
        DeclarationError: The name, the level, a variant, an experiment or a question is not one, two of these share a
            name, or the fallback is not for everybody.
    """

    name: str
    fallback: Variant = Variant(name="default")
    """Shown when nothing else fits or is allowed: depth 0, no audience."""
    variants: tuple[Variant, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    """Each of some of the variants; those are shown by experiments alone."""
    questions: tuple[Question, ...] = ()
    """What it may ask, if there is something to ask."""
    order: tuple[str, ...] = ()
    """Names of experiments and variants, as they are tried. By default experiments, then variants."""
    level: int = attrs.field(default=2, validator=_from_to(1, 4))
    """How wide it reaches: 1 undifferentiated, 2 one element, 3 a journey, 4 the whole relation."""

    def __attrs_post_init__(self) -> None:
        check_name(self.name, "experience")
        if not all(isinstance(variant, Variant) for variant in (self.fallback, *self.variants)):
            raise DeclarationError(
                f'experience "{self.name}" has a fallback or a variant that is no Variant',
                fix='write cxkit.Variant(name="all", content=...)',
                code="CX3016",
            )
        tested: tuple[object, ...] = self.experiments
        if not all(isinstance(one, Experiment) for one in tested):
            raise DeclarationError(
                f'experience "{self.name}" has an experiment that is no Experiment',
                fix='write cxkit.Experiment(name="bolder", variations=["all", "bold"])',
                code="CX3018",
            )
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
        asked: tuple[object, ...] = self.questions
        if len({one.name for one in asked if isinstance(one, Question)}) < len(asked):
            raise DeclarationError(
                f'experience "{self.name}" asks what is no Question, or one question twice',
                fix='write cxkit.Question(name="diet"), each with a name of its own',
                code="CX3061",
            )
