"""What a script posts to an endpoint of ours or of a plugin's, who may, and how it is answered."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from cxkit.capture.scope import Scope, current_scope
from cxkit.errors import CXError, InvalidInteractionError, StateError
from cxkit.kit import Kit
from cxkit.model import Facts
from cxkit.roles import Reply
from cxkit.web.origin import same_origin

__all__ = [
    "FORM",
    "JSON",
    "PRIVATE",
    "as_json",
    "check_sender",
    "json_of",
    "scope_here",
    "status_of",
    "too_many",
    "type_of",
    "unreadable",
    "waits",
]

T = TypeVar("T")

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
PRIVATE: Final = (("Cache-Control", "private, no-store"), ("X-Content-Type-Options", "nosniff"))
_STATUS: Final = {
    "CX3170": 403, "CX3174": 409, "CX3175": 403, "CX3177": 503, "CX3178": 403, "CX3179": 429, "CX3180": 403,
}  # fmt: skip
"""Code to status; the others are 400."""


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
    if scope.machine:
        fix = "let a person do it, in a browser that says so"
        raise InvalidInteractionError("a machine asks for what only a person can", fix=fix, code="CX3180")


def too_many(kit: Kit, what: str, *, counted: str, code: str) -> InvalidInteractionError:
    """What is said, and counted, where too much comes from one address."""
    kit.intake.count(counted)
    fix = "try again in a minute; behind a proxy, set web.client_ip"
    return InvalidInteractionError(f"too many {what} come from one address", fix=fix, code=code)


def scope_here() -> Scope:
    """The scope of the visitor who asks.

    Raises:
        StateError: There is none: a mistake of whoever mounts the endpoints.
    """
    scope = current_scope()
    if scope is None:
        raise StateError("an endpoint was asked outside a visit", fix="mount it by a middleware", code="CX7010")
    return scope


def json_of(facts: Facts, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """What a script posted.

    Args:
        decoder: Of the shape it must have.

    Raises:
        InvalidInteractionError: It does not say that it is JSON, or is not of that shape.
    """
    if type_of(facts) != JSON:
        raise unreadable(f"it is neither {FORM} nor {JSON}")
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise unreadable("it is not JSON of the documented shape") from None


def type_of(facts: Facts) -> str:
    """The media type that what was posted says it has."""
    return facts.headers.get("content-type", "").partition(";")[0].strip().lower()


def unreadable(what: str) -> InvalidInteractionError:
    """What is said where that is so."""
    fix = f"send {FORM}, in a script new URLSearchParams(new FormData(form)), or {JSON}; multipart is not read"
    return InvalidInteractionError(f"what was posted cannot be read: {what}", fix=fix, code="CX3171")


def status_of(error: CXError) -> int:
    """The status that goes with a code."""
    return _STATUS.get(error.code, 400)


def waits(status: int) -> tuple[tuple[str, str], ...]:
    """What says when to try again, where there were too many."""
    return (("Retry-After", "60"),) if status == 429 else ()


def as_json(value: object, *, status: int | None = None) -> Reply:
    """An answer for a script; an error says its code, what happened and what to do.

    Args:
        status: None: the one that goes with it.
    """
    if isinstance(value, CXError):
        status = status or status_of(value)
        value = {"error": {"code": value.code, "what": value.what, "fix": value.fix}}
    status = status or 200
    headers = (*PRIVATE, *waits(status), ("Content-Type", JSON))
    return Reply(status=status, headers=headers, body=msgspec.json.encode(value))
