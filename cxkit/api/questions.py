"""What the customer answers, or does not want to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxkit.errors import InvalidInteractionError, nearest
from cxkit.flows import ask as asking
from cxkit.kit.here import in_scope
from cxkit.model import JSON, Question

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["answer", "skip"]


def answer(question: str | Question, value: JSON, *, cause: str | None = None) -> None:
    """The customer of this scope answered a question: from now on it is a trait of theirs, or on a scale feedback.

    What the question is for must be allowed; if not, nothing is kept. Nobody needs to have been asked first: a
    call, a letter will do.

    Args:
        question: Its name, of those that an experience asks; or the question itself.
        value: One of its options, its score, or where it has none a text, a number, true or false. A text may spell
            the option or the score, as forms have it. An empty field is no answer: `skip` it.
        cause: The id of the interaction that the feedback is about; by default what it was asked after, else the
            last contact that was captured in this scope.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> diet = cxkit.Question(name="diet", options=("vegan", "nuts"))
        >>> with recorder(), cxkit.scope(user_id="nancy", evidence="login"):
        ...     cxkit.grant("personalization")
        ...     cxkit.answer(diet, "vegan")
        ...     cxkit.current().profile.traits
        {'diet': 'vegan'}
    """
    in_scope(
        lambda kit, here: asking.answer(
            kit.desk, here, _meant(kit, question), value, cause=cause, patience_s=kit.patience_s()
        )
    )


def skip(question: str | Question) -> None:
    """The customer of this scope does not want to answer: they are not asked again for a while.

    Args:
        question: As for `answer`.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> form = cxkit.experience("doc.form", questions=[cxkit.Question(name="diet")])
        >>> with recorder(), cxkit.scope(user_id="nancy", evidence="login"):
        ...     cxkit.grant("personalization")
        ...     before = form.decide().asks("diet")
        ...     cxkit.skip("diet")
        ...     before, form.decide().asks("diet")
        (True, False)
    """
    in_scope(lambda kit, here: asking.skip(kit.desk, here, _meant(kit, question), patience_s=kit.patience_s()))


def _meant(kit: Kit, question: object) -> Question:
    """The question of that name: the same wherever it is asked."""
    if isinstance(question, Question):
        return question
    asked = {one.name: one for chooser in kit.experiences.all().values() for one in chooser.spec.questions}
    if isinstance(question, str) and question in asked:
        return asked[question]
    named = str(question)[:64] if isinstance(question, str) else type(question).__name__
    fix = nearest(named, asked)
    raise InvalidInteractionError(f'no experience asks a question called "{named}"', fix=fix, code="CX3163")
