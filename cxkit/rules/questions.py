"""Which questions may be asked here and now, and in which order.

A question stands in the customer's way, so whatever speaks against it wins: it is asked only where its answer is
neither known nor needless, may be kept, and was not refused or asked for a while. One mechanism for what fills a
profile and for feedback: a wait period is `Question.cooldown_s`, sampling is `Question.sample`.

What comes of all that was asked does not depend on the order in which it is heard of, nor on how often (`kept`), so
what is known under several identifiers of a person is simply put together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import attrs

from cxkit.model import JSON, Question

__all__ = [
    "MOST_KEPT",
    "Act",
    "Asked",
    "Chosen",
    "LeftOut",
    "Occasion",
    "allows",
    "choose",
    "ended",
    "kept",
    "sampled",
]

Act = Literal["asked", "skipped", "answered"]
LeftOut = Literal[
    "actor", "nobody", "late", "pending", "shared", "unproven", "consent", "channel", "known", "alternative",
    "condition", "sample", "elsewhere", "skipped", "answered", "asked", "most_asks", "room",
]  # fmt: skip
"""Why a question is not asked; see `Occasion` and `Question`. ``room``: others are worth more."""

MOST_KEPT: Final = 1_000
"""How many acts are remembered; of one question 100 times that it was asked, and none allows more."""
_MOST_ASKED: Final = 100
_SMALL: Final = frozenset({"phone", "watch"})
_ROOM, _SMALL_ROOM = 3, 1
"""How many are asked in one decision, and how many of them where the screen is small."""


@attrs.frozen(kw_only=True)
class Asked:
    """That something was asked, or what became of it."""

    question: str
    act: Act
    at: datetime
    id: str = ""
    after: str | None = None
    """The interaction that it was asked after."""


def kept(askings: Iterable[Asked]) -> list[Asked]:
    """Those that still decide something, oldest first: each once, of a question the last answer and refusal.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
        >>> once = Asked(question="diet", act="asked", at=noon, id="a")
        >>> kept([once, once]) == [once]
        True
    """
    newest = sorted({(one.at, one.id, one.question, one.act): one for one in askings}.items(), reverse=True)
    counts: dict[tuple[str, Act], int] = {}
    held: list[Asked] = []
    for _, one in newest:
        place = (one.question, one.act)
        counts[place] = counts.get(place, 0) + 1
        if counts[place] <= (_MOST_ASKED if one.act == "asked" else 1):
            held.append(one)
    return held[:MOST_KEPT][::-1]


@attrs.frozen(kw_only=True)
class Occasion:
    """Where something may be asked: whom, by what is allowed and known of them, and in which circumstances."""

    now: datetime
    subject: str | None = None
    """What stands for the customer; None: nobody is recognised, so what they refused could not be remembered."""
    proven: bool = False
    """Whether they proved who they are, by a login or a cookie. Without, no trait could be kept."""
    granted: Collection[str] = frozenset()
    explicit: Collection[str] = frozenset()
    """Purposes that they allowed in so many words."""
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    """What is known of them now."""
    askings: Sequence[Asked] = ()
    here: Mapping[str, str] = attrs.field(factory=dict)
    """Question to the experience that asks it in this scope; to nothing, once it was answered or skipped."""
    channel: str | None = None
    device: str | None = None
    machine: bool = False
    late: bool = False
    """Whether others may get what is shown, too."""
    pending: bool = False
    """Whether what was asked before is not known yet."""
    shared: bool = False
    """Whether they are known by a device alone that several people use."""

    @property
    def room(self) -> int:
        """How many questions fit in one decision."""
        return _SMALL_ROOM if self.device in _SMALL else _ROOM


@attrs.frozen(kw_only=True)
class Chosen:
    """What is asked, and why nothing else is."""

    questions: tuple[Question, ...] = ()
    left_out: Mapping[str, LeftOut] = attrs.field(factory=dict)
    """Name to reason."""


def choose(
    questions: Iterable[Question],
    occasion: Occasion,
    *,
    experience: str,
    holds: Callable[[Question], bool],
) -> Chosen:
    """What an experience asks on this occasion: what is worth most first; of what is worth the same, in its order.

    Args:
        holds: Whether a question's condition does. Asked last: it may look at what caches must be told of then.

    Example:
        >>> from datetime import UTC, datetime
        >>> occasion = Occasion(
        ...     now=datetime(2026, 11, 23, tzinfo=UTC), subject="k", proven=True, granted={"personalization"},
        ...     traits={"diet": "vegan"},
        ... )
        >>> both = [Question(name="diet"), Question(name="size")]
        >>> found = choose(both, occasion, experience="a", holds=lambda question: True)
        >>> [one.name for one in found.questions], found.left_out
        (['size'], {'diet': 'known'})
    """
    left_out: dict[str, LeftOut] = {}
    fit: list[Question] = []
    for one in questions:
        reason = _against(one, occasion, experience)
        if reason is None and one.when and not holds(one):
            reason = "condition"
        if reason is None:
            fit.append(one)
        else:
            left_out[one.name] = reason
    fit.sort(key=lambda one: -_worth(one))  # which is stable
    left_out.update((one.name, "room") for one in fit[occasion.room :])
    return Chosen(questions=tuple(fit[: occasion.room]), left_out=left_out)


def _worth(question: Question) -> float:
    """How much its answer is worth to ask for: what it unlocks over what it costs."""
    return max(len(question.unlocks), 1) / question.friction


def sampled(question: Question, subject: str) -> bool:
    """Whether somebody is among those who are asked it: always the same answer, and another for another question.

    Example:
        >>> rare = Question(name="diet", sample=0.25)
        >>> 200 < sum(sampled(rare, str(number)) for number in range(1000)) < 300
        True
    """
    if question.sample >= 1:
        return True
    drawn = hashlib.blake2b(f"{question.name}\n{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn) / 2**64 < question.sample


def allows(question: Question, *, granted: Collection[str], explicit: Collection[str]) -> bool:
    """Whether somebody allows what it is for; a sensitive one they must have allowed in so many words.

    Example:
        >>> allows(Question(name="diet", sensitive=True), granted={"personalization"}, explicit=set())
        False
    """
    return question.purpose in granted and (not question.sensitive or question.purpose in explicit)


def ended(question: Question, askings: Iterable[Asked], *, now: datetime) -> Asked | None:
    """The answer that has ended, if the question was not asked since; else None."""
    mine = [one for one in askings if one.question == question.name]
    last = max((one for one in mine if one.act == "answered"), key=lambda one: one.at, default=None)
    if last is None or question.lasts_s is None or last.at + timedelta(seconds=question.lasts_s) > now:
        return None
    return None if any(one.act == "asked" and one.at > last.at for one in mine) else last


def _against(question: Question, occasion: Occasion, experience: str) -> LeftOut | None:
    """What speaks against a question, but for its condition; None: nothing."""
    return (
        _in_the_way(occasion)
        or _not_allowed(question, occasion)
        or _needless(question, occasion)
        or _too_soon(question, occasion, experience)
    )


def _in_the_way(occasion: Occasion) -> LeftOut | None:
    if occasion.machine:
        return "actor"
    if occasion.late:
        return "late"
    if occasion.subject is None:
        return "nobody"
    return "pending" if occasion.pending else None


def _not_allowed(question: Question, occasion: Occasion) -> LeftOut | None:
    if not allows(question, granted=occasion.granted, explicit=occasion.explicit):
        return "consent"
    if question.scale is None and occasion.shared:
        return "shared"
    if question.scale is None and not occasion.proven:
        return "unproven"
    return "channel" if question.channels and occasion.channel not in question.channels else None


def _needless(question: Question, occasion: Occasion) -> LeftOut | None:
    if question.scale is None and _known(occasion.traits, question.name):
        return "known"
    return "alternative" if any(_known(occasion.traits, name) for name in question.alternatives) else None


def _known(traits: Mapping[str, JSON], name: str) -> bool:
    """Whether something is known: what was emptied is not."""
    return traits.get(name) not in (None, "")


def _too_soon(question: Question, occasion: Occasion, experience: str) -> LeftOut | None:
    assert occasion.subject is not None, "whoever is nobody is not asked"
    if not sampled(question, occasion.subject):
        return "sample"
    if (asks_it := occasion.here.get(question.name)) is not None:
        return None if asks_it == experience else "elsewhere"
    mine = [one for one in occasion.askings if one.question == question.name]
    since = occasion.now - timedelta(seconds=question.cooldown_s)
    recent = {one.act for one in mine if one.at > since}
    for act in ("skipped", "answered", "asked"):
        if act in recent and (act != "answered" or question.scale is not None):
            return act
    return "most_asks" if sum(one.act == "asked" for one in mine) >= question.most_asks else None
