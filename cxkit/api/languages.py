"""The language of whoever is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from cxkit.capture.interruption import let_through
from cxkit.flows import language as speaking
from cxkit.kit.here import in_scope

__all__ = ["choose_language", "language"]


_MOST: Final = 1_000


def language(available: Iterable[str], *, related: Mapping[str, Sequence[str]] | None = None) -> str:
    """The one to speak here: as the customer chose, else as their browser asks, else the first.

    In a request, the response says what it follows: ``Vary: Accept-Language``, or where a choice was followed that
    it is for this customer alone. Once a response has begun that others may get, nothing is followed that its headers
    do not name: speak the language before.

    Args:
        available: What you have, the one for everybody else first: ``["en", "fr-CA"]``, or what holds the texts by
            language. A set has no first: the first by the alphabet is.
        related: Languages that do as well for speakers of another: ``{"nb": ["no", "da"]}``; none unless you say so.

    Returns:
        Outside of any scope, and of what are no language tags (in strict mode that is an error), the first as it is;
        of nothing, ``""``.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     choose_language("fr-CA")
        ...     language(["en", "fr"])
        'fr'
    """
    have = _listed(available)
    found = [next((one for one in have if isinstance(one, str)), "")]
    in_scope(
        lambda kit, here: found.append(
            speaking.language(kit.desk, here, have, related=related or {}, patience_s=kit.patience_s())
        )
    )
    return found[-1]


def _listed(available: object) -> Sequence[object]:
    """Them in their order; a text is one of them."""
    if isinstance(available, str):
        return [available]
    try:
        have = list(islice(available, _MOST))  # type: ignore[call-overload]
    except Exception as error:  # noqa: BLE001 - the guest's promise
        let_through(error)
        return []
    return sorted(have, key=str) if isinstance(available, set | frozenset) else have


def choose_language(tag: str) -> None:
    """The customer wants this one: from now on here and, where they are recognised, in every channel.

    A visitor who is not recognised, or does not allow ``personalization``, is remembered nowhere: keep the choice
    where your app keeps such things (its session, the address of the page), and call this with it in each request.

    Args:
        tag: BCP 47, ``fr-CA``.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     with scope(user_id="nancy", evidence="login"):
        ...         choose_language("fr")
        ...     with scope(channel="email", user_id="nancy", evidence="login"):
        ...         language(["en", "fr"])
        'fr'
    """
    in_scope(lambda kit, here: speaking.choose_language(kit.desk, here, tag, patience_s=kit.patience_s()))
