"""What a page posts to the endpoints of consent, read by allow-list; and in what form and language to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from cxkit.capture.scope import Scope
from cxkit.flows.language import speak
from cxkit.kit import Kit
from cxkit.model import Facts
from cxkit.web.consent.texts import LANGUAGES, spoken
from cxkit.web.posted import FORM, JSON, type_of, unreadable

__all__ = ["Fields", "fields_of", "is_form", "language_for", "query_of", "wants_html"]

_MOST_FIELDS: Final = 1_000
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
_MOST_CHARS: Final = 1_000


class Fields:
    """The fields of a form.

    Args:
        values: Name to all that was given under it.
    """

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def one(self, name: str) -> str | None:
        """The value of a field that may be there once.

        Raises:
            InvalidInteractionError: It is there more than once.
        """
        found = self.all(name)
        if len(found) > 1:
            raise unreadable("a field is there twice")
        return found[0] if found else None

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a field that may be there more than once."""
        return tuple(self._values.get(name, ()))


def query_of(facts: Facts) -> Mapping[str, str]:
    """The first of each parameter of the query; none where it cannot be read."""
    try:
        found = parse_qs(facts.query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def is_form(facts: Facts) -> bool:
    """Whether what was posted is a form, so that a page is the answer."""
    return type_of(facts) == FORM


def fields_of(body: bytes) -> Fields:
    """The fields of a form; those that nobody asks for do no harm.

    Raises:
        InvalidInteractionError: It is not one in UTF-8, or has more than 1,000 fields.
    """
    try:
        text = body.decode("ascii")
        return Fields(parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise unreadable("the form cannot be read") from None


def wants_html(facts: Facts) -> bool:
    """Whether a person's browser asks: one names HTML, and scripts do not.

    Source: RFC 9110, section 12.5.1.
    """
    accept = facts.headers.get("accept", "")[:_MOST_CHARS].lower()
    weights = dict(map(_weighed, accept.split(",")))
    html = max(weights.get(kind, 0.0) for kind in ("text/html", "application/xhtml+xml", "text/*"))
    return html > 0 and html >= weights.get(JSON, 0.0)


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (one.strip() for one in part.split(";"))
    found = next((match for match in map(_QUALITY.fullmatch, parameters) if match), None)
    return kind, float(found[1]) if found else 1.0


def language_for(kit: Kit, scope: Scope, said: str | None) -> str:
    """This, if it is one of ours, else the one to speak to whoever is here."""
    return spoken(said) or speak(kit.desk, scope, LANGUAGES, related={}, patience_s=kit.patience_s())
