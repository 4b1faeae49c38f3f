"""A question: something to ask a customer, where it does not stand in their way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from cxkit.errors import DeclarationError, InvalidInteractionError
from cxkit.model.consent import PURPOSES
from cxkit.model.feedback import SCALES, Scale
from cxkit.model.properties import JSON
from cxkit.model.touchpoint import WORD, check_name

__all__ = ["Question"]

_DAY_S: Final = 86_400.0
_LONGEST_S: Final = 100 * 365 * _DAY_S
_MOST_OPTIONS: Final = 1_000
_TOLD: Final = 10
"""Options that an error names."""
_LONGEST: Final = 1_000
"""Characters of an answer: it is a trait, not a letter."""
_EXACT: Final = 2**53  # beyond it, JSON numbers are no longer exact everywhere (RFC 8259, section 6)
_RANGES: Final = {
    "friction": (0.01, 100),
    "cooldown_s": (0, _LONGEST_S),
    "most_asks": (1, 100),
    "lasts_s": (1, _LONGEST_S),
    "sample": (0, 1),
}


def _values(value: Iterable[JSON]) -> tuple[JSON, ...]:
    return tuple(value)


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class Question:
    """What is asked, whom, when, and how often. The answer fills the trait of its name; on a scale it is `Feedback`.

    Raises:
        DeclarationError: A field is not what it should be.

    Example:
        >>> diet = Question(name="diet", options=("vegan", "nuts"), unlocks=("home.hero",))
        >>> diet.most_asks, diet.read("vegan")
        (3, 'vegan')
        >>> Question(name="nps.after_order", scale="nps").read("9")
        9
    """

    name: str
    """The trait that it fills; of feedback any name: ``diet``, ``nps.after_order``."""
    text: Mapping[str, str] = attrs.field(factory=dict)
    """Language to what is asked, for who shows it: ``{"en": "Do you eat nuts?", "fr": "..."}``."""
    why: Mapping[str, str] = attrs.field(factory=dict)
    """Likewise, what the answer is for."""
    options: tuple[JSON, ...] = attrs.field(default=(), converter=_values)
    """The answers that there are: texts, numbers, true and false. Empty: any of these."""
    scale: Scale | None = None
    """``nps``, ``csat``, ... (`SCALES`): then the answer is a score, and no trait."""
    purpose: str = attrs.field(
        default=attrs.Factory(lambda self: "analytics" if self.scale else "personalization", takes_self=True)
    )
    """What the answer is for: who does not allow that is not asked. On a scale ``analytics``, unless you say so."""
    sensitive: bool = False
    """It is asked only of who has allowed its purpose in so many words; what a policy lets be assumed is not enough."""
    when: Mapping[str, JSON] = attrs.field(factory=dict)
    """A condition, as of a variant's audience: who is asked. Empty: everybody."""
    unlocks: tuple[str, ...] = attrs.field(default=(), converter=_names)
    """Experiences that use the answer: the more, the sooner it is asked."""
    friction: float = 1.0
    """How hard it is to answer: twice as hard counts half."""
    cooldown_s: float = 30 * _DAY_S
    """How long after it was asked, refused or, on a scale, answered it is asked again."""
    most_asks: int = 3
    """How often anybody is asked, ever."""
    lasts_s: float | None = None
    """How long an answer holds. None: for good."""
    channels: tuple[str, ...] = attrs.field(default=(), converter=_names)
    """Where it may be asked; empty: anywhere."""
    alternatives: tuple[str, ...] = attrs.field(default=(), converter=_names)
    """Traits that make it needless, where they are known."""
    sample: float = 1.0
    """The share of people who are asked at all."""

    def __attrs_post_init__(self) -> None:
        check_name(self.name, "question")
        if self.scale is not None and self.scale not in SCALES:
            raise self._wrong("has a scale that there is not", f"use one of {', '.join(SCALES)}")
        if self.purpose not in PURPOSES:
            raise self._wrong("is for a purpose that there is not", f"use one of {', '.join(PURPOSES)}")
        if self.sensitive and self.purpose == "necessary":
            raise self._wrong("is sensitive, and for what nobody is asked about", "name the purpose they must allow")
        if self.scale is not None and (self.options or self.lasts_s is not None):
            raise self._wrong("is on a scale, and has options or lasts", "leave out options and lasts_s")
        if len(self.options) > _MOST_OPTIONS or not all(map(_answers, self.options)):
            raise self._wrong("has options that are no answers", "give up to 1000 texts, numbers, true or false")
        if len({(type(one), one) for one in self.options}) < len(self.options):
            raise self._wrong("has an option twice", "name each once")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = type(value) is int or (type(value) is float and name != "most_asks")
            if value is not None and not (whole and low <= value <= high):
                raise self._wrong(f'has a "{name}" out of its range', f"give a number from {low} to {high:g}")
        self._check_words()

    def _check_words(self) -> None:
        if not (_are_texts(self.text) and _are_texts(self.why)):
            raise self._wrong("says something that is no text", 'give texts by language: {"en": "..."}')
        if not isinstance(self.when, Mapping):
            raise self._wrong("is asked when something holds that is no condition", 'write it like {"device": "phone"}')
        if not all(type(one) is str and one for one in (*self.unlocks, *self.alternatives)):
            raise self._wrong("unlocks or has an alternative that is no name", "give names")
        if not all(type(one) is str and WORD.fullmatch(one) for one in self.channels):
            raise self._wrong("has a channel that is not one lower-case word", 'use a word like "web"')

    def _wrong(self, what: str, fix: str) -> DeclarationError:
        return DeclarationError(f'question "{self.name}" {what}', fix=fix, code="CX3060")

    def read(self, answer: object) -> JSON:
        """The answer as it is kept. A text, as a form sends it, stands for the option or the score that it spells.

        Raises:
            InvalidInteractionError: It is none of the options, off the scale, or nothing that could be kept.
        """
        if isinstance(answer, str):
            answer = str.__str__(answer)  # whatever a framework made of it
        if self.scale is not None:
            low, high = SCALES[self.scale]
            if (score := _spelling(answer, range(low, high + 1))) is None:
                fix = f"give a whole number from {low} to {high}"
                raise self._refused(f'is off the scale "{self.scale}"', fix, code="CX3162")
            return score
        if not _answers(answer):
            fix = f"give a text of at most {_LONGEST} characters, a number, true or false; and skip what is left empty"
            raise self._refused("is no answer", fix, code="CX3161")
        if self.options and (answer := _spelling(answer, self.options)) is None:
            several = ", ".join(map(str, (*self.options[:_TOLD], *["..."] * (len(self.options) > _TOLD))))
            raise self._refused("is none of its options", f"give one as it was declared: {several}", code="CX3160")
        return answer  # type: ignore[return-value]  # an answer is a text, a number, true or false

    def _refused(self, what: str, fix: str, *, code: str) -> InvalidInteractionError:
        return InvalidInteractionError(f'what was answered to "{self.name}" {what}', fix=fix, code=code)


def _are_texts(told: object) -> bool:
    """Whether it is texts by language."""
    return isinstance(told, Mapping) and all(type(one) is str for pair in told.items() for one in pair)


def _answers(value: object) -> bool:
    """Whether something can be an answer at all."""
    if type(value) is str:
        return 0 < len(value) <= _LONGEST and not value.isspace()
    if type(value) in (int, float):
        return -_EXACT <= value <= _EXACT  # type: ignore[operator]  # nan is not within
    return type(value) is bool


def _spelling(answer: object, options: range | tuple[JSON, ...]) -> JSON:
    """The option that an answer is or, as a text, spells; None: none of them."""
    if not _answers(answer):
        return None
    same = next((one for one in options if type(one) is type(answer) and one == answer), None)
    if same is not None or type(answer) is not str:
        return same
    return next((one for one in options if type(one) is not str and _spelt(one) == answer), None)


def _spelt(option: object) -> str:
    """An option that is no text, as JSON has it: ``9``, ``true``."""
    return str(option).lower() if type(option) is bool else repr(option)
