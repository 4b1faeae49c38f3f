"""language, choose_language: the one to speak here, and the one that the customer wants from now on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

import attrs

from cxkit.capture.scope import Scope, Spoken
from cxkit.errors import InvalidInteractionError
from cxkit.flows.desk import Desk
from cxkit.flows.identify import identify, traits_of
from cxkit.flows.known import Known
from cxkit.rules.language import first, is_tag, lookup

__all__ = ["choose_language", "language", "settle", "speak", "speaking"]

_TRAIT: Final = "language"


def language(
    desk: Desk,
    scope: Scope,
    available: Sequence[object],
    *,
    related: Mapping[str, Sequence[str]],
    patience_s: float,
) -> str:
    """`speak`, and this is what the page, the letter or the call is in.

    Raises:
        InvalidInteractionError: None is available.
    """
    if not _are_tags(available):
        raise InvalidInteractionError(
            "no languages to choose from, or what is none among them", fix='give tags like ["en", "fr"]', code="CX3181"
        )
    found = _found(desk, scope, available, related=related, patience_s=patience_s)
    scope.spoken = found._replace(tag=settle(scope, found.tag))
    return found.tag


def speak(
    desk: Desk, scope: Scope, available: Sequence[str], *, related: Mapping[str, Sequence[str]], patience_s: float
) -> str:
    """The one of those available that the customer chose, else the first that their browser asks for, else the first.

    Once a response has begun that others may get, what it does not say that it follows is not followed any more.
    """
    return _found(desk, scope, available, related=related, patience_s=patience_s).tag


def settle(scope: Scope, tag: str) -> str:
    """What is captured here from now on was in this language: the text alone, of whatever class that is."""
    tag = str.__str__(tag)
    if scope.context.locale != tag:
        scope.change(context=attrs.evolve(scope.context, locale=tag))
    return tag


def choose_language(desk: Desk, scope: Scope, tag: str, *, patience_s: float) -> None:
    """From now on this one, here; and wherever this customer is recognised.

    Raises:
        InvalidInteractionError: It is no language tag.
    """
    if not is_tag(tag):
        raise InvalidInteractionError("the language is no tag", fix='give one like "fr-CA"', code="CX3182")
    scope.enrich()
    scope.chosen_language = tag = settle(scope, tag)
    scope.spoken = None
    if scope.identity:
        identify(desk, scope, identifiers={}, traits={_TRAIT: tag}, patience_s=patience_s)


def _found(
    desk: Desk, scope: Scope, available: Sequence[str], *, related: Mapping[str, Sequence[str]], patience_s: float
) -> Spoken:
    scope.enrich()
    wanted = chosen(desk, scope, desk.recall(scope, patience_s=patience_s))
    found = lookup([wanted], available, related=related) if wanted else None
    if found is not None and scope.vary("choice"):
        return Spoken(wanted, found, "choice")
    asked, source = _asked(scope)
    return Spoken(wanted, lookup(asked, available, related=related) or available[0], source)


def _asked(scope: Scope) -> tuple[Sequence[str], str]:
    """What the browser asks for; in a job that a request left behind, what that one was in. And what that follows."""
    if scope.asked is not None:
        return scope.asked if scope.vary("asked") else [], "asked"
    locale = scope.context.locale
    return [locale] if locale and scope.vary("locale") else [], "locale"


def _are_tags(available: Sequence[object]) -> TypeGuard[Sequence[str]]:
    return bool(available) and all(map(is_tag, available))


def speaking(desk: Desk, scope: Scope, known: Known | None) -> tuple[str | None, str]:
    """The language here, and what it follows: a ``choice``, what the browser ``asked``, or else the ``locale``.

    Args:
        known: What is known of them.
    """
    wanted, spoken, locale = chosen(desk, scope, known), scope.spoken, scope.context.locale
    if spoken is not None and spoken.wanted == wanted:
        return spoken.tag, spoken.follows
    if wanted is not None:
        return wanted, "choice"
    return locale, "asked" if scope.asked is not None and locale == first(scope.asked) else "locale"


def chosen(desk: Desk, scope: Scope, known: Known | None) -> str | None:
    """What they chose here, else before, in any channel.

    Args:
        known: What is known of them.
    """
    if scope.chosen_language is not None:
        return scope.chosen_language
    told = traits_of(desk, scope, known).get(_TRAIT)
    return told if is_tag(told) else None  # type: ignore[return-value]  # a tag is a text
