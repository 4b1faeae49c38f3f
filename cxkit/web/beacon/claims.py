"""Claims: what a browser says happened, read as what it is, a body that anybody may have sent.

The envelope is read strictly: what two readers could understand differently is refused whole. Each
event in it is then read alone, and one that is wrong spoils no other. Keys that are not known are
left out, so a claim can say nothing of who it is from and what they allow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from cxkit.codec.typed import converter

__all__ = ["Claim", "Envelope", "read_claim", "read_envelope"]

_MAX_DEPTH: Final = 16
_MAX_DIGITS: Final = 20
_DAY_MS: Final = 86_400_000
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_ZONE: Final = re.compile(r"[A-Za-z_]{1,32}([/+-][A-Za-z0-9_+-]{1,32}){0,3}")

_Moment = Annotated[float, Meta(ge=0, le=253_402_300_799_000)]
"""Milliseconds since 1970."""
_Milliseconds = Annotated[int, Meta(ge=0, le=_DAY_MS)]
_Text = Annotated[str, Meta(max_length=1000)]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What all events of one call share."""

    sent: _Moment
    """By the browser's clock, when it sent them."""
    events: list[Any]
    gpc: bool = False
    """Whether the browser objects to sale and advertising."""
    locale: str | None = None
    zone: str | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{16,64}\Z")]
    at: _Moment
    """By the same clock."""
    name: Annotated[str, Meta(max_length=100)]
    route: Annotated[str, Meta(max_length=200)] | None = None
    path: _Text | None = None
    engaged_ms: _Milliseconds | None = None
    properties: dict[Annotated[str, Meta(max_length=100)], _Text | bool | int | float | None] = {}

    @property
    def used(self) -> bool:
        """Whether somebody clicked, touched or typed; a click that a script made is none."""
        return self.name == "page.engaged" and bool(self.properties.get("interactions"))


class _Nothing(msgspec.Struct):
    pass


class _Engaged(msgspec.Struct, omit_defaults=True):
    scroll_percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    interactions: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class _Vitals(msgspec.Struct, omit_defaults=True):
    lcp_ms: _Milliseconds | None = None
    cls: Annotated[float, Meta(ge=0, le=1000)] | None = None
    inp_ms: _Milliseconds | None = None


class _Clicked(msgspec.Struct):
    element: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,63}\Z")]


class _Left(msgspec.Struct):
    to: Annotated[str, Meta(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?\Z")]


_SHAPES: Final[Mapping[str, Callable[[object], msgspec.Struct]]] = {
    "page.viewed": converter(_Nothing),
    "page.engaged": converter(_Engaged),
    "page.vitals": converter(_Vitals),
    "element.clicked": converter(_Clicked),
    "link.left": converter(_Left),
}
"""What the events of cx.js itself may say; all others are the app's."""
_envelope: Final = converter(Envelope)
_claim: Final = converter(Claim)


def read_envelope(body: bytes) -> Envelope:
    """The envelope that a body holds.

    Raises:
        ValueError: It is not UTF-8, not JSON as RFC 8259 has it, ambiguous, too deep, or of another form.

    Example:
        >>> read_envelope(b'{"sent": 1795257000000, "events": [], "user_id": "nancy"}').events
        []
    """
    try:
        plain = json.loads(
            body.decode(),
            object_pairs_hook=_unambiguous,
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_short,
        )
        if not _shallow(plain):
            raise ValueError("it is too deep")
        found = _envelope(plain)
    except (RecursionError, msgspec.MsgspecError) as error:
        raise ValueError("it is too deep, or of another form") from error
    return msgspec.structs.replace(
        found,
        locale=found.locale if _LOCALE.fullmatch(found.locale or "") else None,
        zone=found.zone if _ZONE.fullmatch(found.zone or "") else None,
    )


def read_claim(event: object) -> Claim | None:
    """One event of an envelope; None if it is not as it should be."""
    try:
        claim = _claim(event)
        shape = _SHAPES.get(claim.name)
        if shape is not None:
            properties = msgspec.to_builtins(shape(claim.properties))
            claim = msgspec.structs.replace(claim, properties=properties)
    except (ValueError, msgspec.MsgspecError):  # ValueError: half a character where no text belongs
        return None
    if claim.route is not None and not claim.route.isprintable():
        return None
    return None if claim.name == "page.engaged" and claim.engaged_ms is None else claim


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError("it holds NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text) if len(text) <= 100 else math.inf
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _short(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _shallow(plain: object) -> bool:
    """Whether it is nested at most `_MAX_DEPTH` deep, level by level."""
    level = [plain]
    for _ in range(_MAX_DEPTH):
        containers = [one for one in level if isinstance(one, (dict, list))]
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return True
    return False
