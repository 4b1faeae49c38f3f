"""Carriage: a scope as text, to go with a message, and what it is worth where that arrives.

What travels is what somebody who acts for this customer later on must know: the identifiers with
their evidence, the choices and when they were made, channel, session, language. What describes the
visit itself (page, device, place) stays with it. Of a contact only the keyed hash is known here, so
no address travels.

The text is signed for one recipient, by default the id of its message: evidence is neither
made up nor moved to another message on the way. Where it arrives consent is asked for again: later choices win, and
an identifier that may no longer be kept is left behind. All of it is visible ASCII and spaces, for the
headers of any protocol.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from typing import Final

import msgspec

from cxkit.capture.scope import Scope
from cxkit.errors import TokenError
from cxkit.flows.consent import visitor_may_stay
from cxkit.flows.desk import Desk
from cxkit.model import Choice, Context, Evidence, Identifier, Identity
from cxkit.model.consent import InferredFrom
from cxkit.model.context import Actor
from cxkit.rules.consent import Home, Jurisdiction, denials, later
from cxkit.rules.identity import join, without

__all__ = ["pack", "unpack"]

_USE: Final = "carried scope"
_MAX_AGE_S: Final = 30 * 86_400
_NOT_IN_HEADERS: Final = re.compile(r"[^ -~]")


class _Carried(msgspec.Struct, omit_defaults=True):
    identifiers: list[tuple[str, str, Evidence]] = []
    choices: dict[str, tuple[Choice, datetime]] = {}
    gpc: bool = False
    despite_gpc: bool = False
    channel: str | None = None
    session: str | None = None
    locale: str | None = None
    timezone: str | None = None
    given_timezone: str | None = None
    actor: Actor = "unknown"
    minor: bool = False
    region: tuple[str, InferredFrom] | None = None
    """Whose law was taken to hold there."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Carried).decode


def pack(desk: Desk, scope: Scope, *, to: str) -> str:
    """What travels of a scope, signed.

    Args:
        to: Whom it is for; who unpacks it says the same.
    """
    scope.enrich()
    context, where = scope.context, scope.jurisdiction
    encoded = _encode(
        _Carried(
            identifiers=[(one.type, one.value, one.evidence) for one in scope.identity.identifiers],
            choices=later(scope.choices, denials(scope.recalled)),  # what was refused elsewhere may be known there late
            gpc=scope.gpc,
            despite_gpc=scope.despite_gpc,
            channel=context.channel,
            session=context.session,
            locale=context.locale,
            timezone=context.timezone,
            given_timezone=scope.given_timezone,
            actor=context.actor,
            minor=scope.home.minor or scope.home.account_minor,
            region=None if where.inferred_from == "unknown" else (where.region, where.inferred_from),
        )
    ).decode()
    text = _NOT_IN_HEADERS.sub(lambda found: json.dumps(found[0])[1:-1], encoded)
    return f"{desk.keyring.sign(_USE, _digest(text, to), now=_now(desk))} {text}"


def unpack(desk: Desk, scope: Scope, carried: str, *, to: str, patience_s: float) -> None:
    """Let a new scope be about whom it was packed for.

    Until the store has told what the person chose meanwhile, refusals hold and grants do not, however
    fresh: the signature proves that the person granted, not that they have not withdrawn since, for
    which a second is enough. What somebody known by a cookie or a login has granted is in the store, too,
    and holds in a scope that is opened once that has answered. Of somebody without any identifier it knows
    nothing, so what was packed holds.

    Args:
        patience_s: How long a remote store may be waited for.

    Raises:
        TokenError: It was packed under other keys or for somebody else, or too long ago; the scope is about nobody.
    """
    token, _, text = carried.partition(" ")
    if desk.keyring.verify(_USE, token, now=_now(desk), max_age_s=_MAX_AGE_S) != _digest(text, to):
        raise TokenError(
            "a carried scope is not for this message", fix="pack it for the message it goes with", code="CX4104"
        )
    found = _decode(text)
    region, inferred_from = found.region or ("unknown", "unknown")
    scope.home = Home(minor=found.minor, brought=Jurisdiction(region=region, inferred_from=inferred_from))
    scope.given_timezone = found.given_timezone
    scope.choices, scope.gpc, scope.despite_gpc = found.choices, scope.gpc or found.gpc, found.despite_gpc
    scope.change(
        identity=join(
            Identity(),
            (Identifier(type=type, value=value, evidence=how) for type, value, how in found.identifiers),
            types=desk.identifying.types,
        ),
        context=Context(
            channel=found.channel,
            session=found.session,
            locale=found.locale,
            timezone=found.timezone,
            actor=found.actor,
        ),
    )
    desk.govern(scope)
    desk.recall(scope, patience_s=patience_s)
    if scope.pending:
        scope.choices = denials(scope.choices)
        desk.govern(scope)
    if not visitor_may_stay(desk, scope):
        scope.change(identity=without(scope.identity, ["visitor"]))


def _digest(text: str, to: str) -> str:
    return hashlib.blake2b(f"{to} {text}".encode(), digest_size=16).hexdigest()


def _now(desk: Desk) -> float:
    return desk.intake.stamper.time_ns() / 1e9
