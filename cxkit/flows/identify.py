"""identify: the scope so far belongs to this person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cxkit.capture.interruption import let_through
from cxkit.capture.redact import Redactor
from cxkit.capture.sanitise import sanitise
from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import keys_of
from cxkit.flows.known import Known
from cxkit.keyring import Keyring
from cxkit.model import JSON, Evidence, Identifier, Identity, TouchpointSpec, purpose_bits
from cxkit.rules.identity import CONTACTS, UNIQUE, join, normalise, without

__all__ = ["IDENTIFIED", "STITCHING", "identifiers_of", "identify"]

IDENTIFIED = TouchpointSpec(name="identity.identified", kind="identity", purpose="necessary", priority="critical")

STITCHING = "identity_stitching"
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def identify(
    desk: Desk, scope: Scope, *, identifiers: Mapping[str, str | int], traits: Mapping[str, Any], patience_s: float
) -> str | None:
    """Join what was proven (a login) to the scope, and record it.

    Safe to call in every request of a customer who is signed in: what is already known is not
    recorded again. Without consent to ``identity_stitching`` the visitor's own identifier is set
    aside: nothing captured carries both. A login of somebody else ends the earlier one.

    Raises:
        InvalidInteractionError: An identifier identifies nobody ("null", "0", ...).
    """
    proven = identifiers_of(desk.keyring, identifiers, evidence="login")
    known = scope.identity
    if _somebody_else(known, proven):
        known = Identity(identifiers=tuple(one for one in known.identifiers if one.evidence != "login"))
    visitor = known.get("visitor")
    if visitor is not None and STITCHING not in scope.allowed.granted:
        scope.aside = visitor
        known = without(known, ["visitor"])
    scope.change(identity=join(known, proven))
    desk.recall(scope, patience_s=patience_s)
    plain = sanitise(dict(traits), redactor=Redactor()).properties
    if _nothing_new(desk, scope.identity, plain, patience_s=patience_s):
        return None
    return desk.command(
        IDENTIFIED,
        scope,
        identity=scope.identity,
        properties=plain,
        purposes=purpose_bits(scope.allowed.granted),
        shows=Known(traits=plain, joined=frozenset(keys_of(desk.keyring, scope.identity))),
    )


def _somebody_else(known: Identity, proven: list[Identifier]) -> bool:
    """Whether a login of another person came before in this scope: one type, two values."""
    before = {one.type: one.value for one in known.identifiers if one.evidence == "login"}
    return any(before.get(one.type, one.value) != one.value for one in proven if one.type in UNIQUE)


def _nothing_new(desk: Desk, identity: Identity, traits: Mapping[str, JSON], *, patience_s: float) -> bool:
    """Whether each identifier that could be linked has an owner, and the person these traits."""
    keys = [key for key, one in keys_of(desk.keyring, identity).items() if one.evidence in ("cookie", "login")]
    try:
        held = [desk.view.under(key, patience_s=patience_s) for key in keys]
    except Exception as error:  # noqa: BLE001 - whatever a store raises, it cannot be known, so it is recorded
        let_through(error)
        return False
    known = [one for one in held if one is not None and (one.person is not None or one.joined.issuperset(keys))]
    return (
        bool(known)
        and len(known) == len(held)
        and all(name in known[0].traits and _same(known[0].traits[name], value) for name, value in traits.items())
    )


def _same(one: JSON, other: JSON) -> bool:
    """Whether two values are one in JSON, where 1 is not true."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def identifiers_of(keyring: Keyring, values: Mapping[str, str | int], *, evidence: Evidence) -> list[Identifier]:
    """Identifiers in the one form in which they are kept; of a contact, its keyed hash.

    Raises:
        InvalidInteractionError: One identifies nobody, has a type that is no word, or cannot be known in this way.
    """
    found = []
    for type, value in values.items():
        if not _TYPE.fullmatch(type):
            raise InvalidInteractionError(
                "an identifier has a type that is not lower-case letters, digits and _",
                fix='name it like "loyalty_card"',
                code="CX3124",
            )
        if type == "visitor" and evidence == "login":
            raise InvalidInteractionError(
                "a visitor is known by a cookie, never by a login", fix="leave the visitor out", code="CX3125"
            )
        text = normalise(type, str(value)) if value.__class__ in (str, int) else None
        if text is None:
            raise InvalidInteractionError(
                f'the value given as "{type}" identifies nobody',
                fix="identify with a real, stable id as text, and not at all when there is none",
                code="CX3120",
            )
        kept = keyring.identifier_key(type, text).hex() if type in CONTACTS else text
        found.append(Identifier(type=type, value=kept, evidence=evidence))
    return found
