"""What a page or a script posts to our endpoints, read by allow-list; and what is answered to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from cxkit.capture.scope import Scope, current_scope
from cxkit.errors import CXError, InvalidInteractionError, StateError
from cxkit.kit import Kit
from cxkit.model import Facts
from cxkit.roles import Reply
from cxkit.web.consent.page import PRIVATE, waits
from cxkit.web.consent.texts import language_of, spoken
from cxkit.web.origin import same_origin

__all__ = [
    "Fields",
    "as_json",
    "check_sender",
    "fields_of",
    "is_form",
    "json_of",
    "language_for",
    "limited",
    "query_of",
    "scope_here",
    "status_of",
    "wants_html",
]

T = TypeVar("T")

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_MOST_FIELDS: Final = 1_000
_STATUS: Final = {
    "CX3170": 403, "CX3174": 409, "CX3175": 403, "CX3177": 503, "CX3178": 403, "CX3179": 429, "CX3180": 403,
}  # fmt: skip
"""Code to status; the others are 400."""
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
            raise _unreadable("a field is there twice")
        return found[0] if found else None

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a field that may be there more than once."""
        return tuple(self._values.get(name, ()))


def check_sender(facts: Facts, scope: Scope) -> None:
    """That somebody asks for it, on a page of this very site.

    Raises:
        InvalidInteractionError: It is another's page, or it is not known whose; or it is a machine that asks.
    """
    if not same_origin(facts):
        raise InvalidInteractionError(
            "the request does not come from a page of this site",
            fix="send it from a page of this site, whose browser says so in Sec-Fetch-Site or Origin; "
            "behind a proxy, let that pass Host on",
            code="CX3170",
        )
    scope.enrich()
    if scope.context.actor in ("bot", "prefetch"):
        fix = "let a person choose, in a browser that says so"
        raise InvalidInteractionError("a machine has nothing to choose", fix=fix, code="CX3180")


def limited(kit: Kit) -> InvalidInteractionError:
    """What is said, and counted, where too much is allowed from one address."""
    kit.intake.count("consent_limited")
    fix = "try again in a minute; behind a proxy, set web.client_ip"
    return InvalidInteractionError("too many choices come from one address", fix=fix, code="CX3179")


def scope_here() -> Scope:
    """The scope of the visitor who asks.

    Raises:
        StateError: There is none: a mistake of whoever mounts the endpoints.
    """
    scope = current_scope()
    if scope is None:
        raise StateError("an endpoint was asked outside a visit", fix="mount it by a middleware", code="CX7010")
    return scope


def query_of(facts: Facts) -> Mapping[str, str]:
    """The first of each parameter of the query; none where it cannot be read."""
    try:
        found = parse_qs(facts.query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def is_form(facts: Facts) -> bool:
    """Whether what was posted is a form, so that a page is the answer."""
    return _type_of(facts) == _FORM


def fields_of(body: bytes) -> Fields:
    """The fields of a form; those that nobody asks for do no harm.

    Raises:
        InvalidInteractionError: It is not one in UTF-8, or has more than 1,000 fields.
    """
    try:
        text = body.decode("ascii")
        return Fields(parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise _unreadable("the form cannot be read") from None


def json_of(facts: Facts, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """What a script posted.

    Args:
        decoder: Of the shape it must have.

    Raises:
        InvalidInteractionError: It does not say that it is JSON, or is not of that shape.
    """
    if _type_of(facts) != _JSON:
        raise _unreadable(f"it is neither {_FORM} nor {_JSON}")
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _unreadable("it is not JSON of the documented shape") from None


def _type_of(facts: Facts) -> str:
    return facts.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unreadable(what: str) -> InvalidInteractionError:
    fix = f"send {_FORM}, in a script new URLSearchParams(new FormData(form)), or {_JSON}; multipart is not read"
    return InvalidInteractionError(f"what was posted cannot be read: {what}", fix=fix, code="CX3171")


# --- answers ----------------------------------------------------------------------------------------


def status_of(error: CXError) -> int:
    """The status that goes with a code."""
    return _STATUS.get(error.code, 400)


def as_json(value: object, *, status: int = 200) -> Reply:
    """An answer for a script; an error says its code, what happened and what to do."""
    if isinstance(value, CXError):
        status, value = status_of(value), {"error": {"code": value.code, "what": value.what, "fix": value.fix}}
    return Reply(
        status=status, headers=(*PRIVATE, *waits(status), ("Content-Type", _JSON)), body=msgspec.json.encode(value)
    )


def wants_html(facts: Facts) -> bool:
    """Whether a person's browser asks: one names HTML, and scripts do not.

    Source: RFC 9110, section 12.5.1.
    """
    accept = facts.headers.get("accept", "")[:_MOST_CHARS].lower()
    weights = dict(map(_weighed, accept.split(",")))
    html = max(weights.get(kind, 0.0) for kind in ("text/html", "application/xhtml+xml", "text/*"))
    return html > 0 and html >= weights.get(_JSON, 0.0)


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (one.strip() for one in part.split(";"))
    found = next((match for match in map(_QUALITY.fullmatch, parameters) if match), None)
    return kind, float(found[1]) if found else 1.0


def language_for(facts: Facts, *asked: str | None) -> str:
    """The first of these that is one of ours, else what the browser asks for."""
    return next(filter(None, map(spoken, asked)), None) or language_of(facts.headers.get("accept-language"))
