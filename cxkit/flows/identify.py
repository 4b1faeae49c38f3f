"""identify: the scope so far belongs to this person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import (
    Ledger,
    identifier_doc,
    keys_of,
    ledger_doc,
    owned_in,
    read,
    tombstone_doc,
    tombstone_in,
)
from cxkit.flows.people import read_lives, write_resolution
from cxkit.flows.reading import Reading
from cxkit.flows.telling import clean_traits, told, traits_in
from cxkit.keyring import Keyring
from cxkit.model import JSON, Evidence, Identifier, Identity, Interaction, TouchpointSpec, Trait, purpose_bits
from cxkit.rules.identity import CONTACTS, UNIQUE, Resolution, join, normalise, people_of, resolve, without

__all__ = ["IDENTIFIED", "STITCHING", "identified", "identifiers_of", "identify"]

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
    told_of = clean_traits(traits)
    if _nothing_new(desk, scope.identity, told_of, patience_s=patience_s):
        return None
    joined = frozenset(keys_of(desk.keyring, scope.identity))
    return desk.command(
        IDENTIFIED,
        scope,
        identity=scope.identity,
        properties=told(told_of),
        purposes=purpose_bits(scope.allowed.granted),
        shows=lambda known, /, *, id, at: known.told(told_of, joined, id=id, at=at),
    )


def identified(reading: Reading, keyring: Keyring, command: Interaction) -> Resolution:
    """What the command makes of the graph and of the person's traits.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It tells no traits.
    """
    traits = traits_in(command.properties)
    seen = {key: (one.type, one.evidence) for key, one in keys_of(keyring, command.identity).items()}
    bodies = reading.get([name for key in seen for name in (identifier_doc(key), tombstone_doc(key))])
    row = reading.get([ledger_doc(command.id)]).get(ledger_doc(command.id))
    owned = {key: owned_in(bodies[name]) for key in seen if (name := identifier_doc(key)) in bodies}
    lives = read_lives(reading, people_of(owned))
    found = resolve(
        seen,
        owned=owned,
        people={id: life.graph for id, life in lives.items()},
        at=command.occurred_at,
        command=command.id,
        row=None if row is None else read(row, Ledger).merge,
        tombstones={key: tombstone_in(bodies[name]) for key in seen if (name := tombstone_doc(key)) in bodies},
        stitching=command.consent.get(STITCHING, False),
    )
    if found.person is not None and found.dropped is None:
        types = {key: type for key, (type, _) in seen.items()}
        write_resolution(reading, found, lives, types=types, command=command, traits=traits)
    return found


def _somebody_else(known: Identity, proven: list[Identifier]) -> bool:
    """Whether a login of another person came before in this scope: one type, two values."""
    before = {one.type: one.value for one in known.identifiers if one.evidence == "login"}
    return any(before.get(one.type, one.value) != one.value for one in proven if one.type in UNIQUE)


def _nothing_new(desk: Desk, identity: Identity, traits: Mapping[str, Trait], *, patience_s: float) -> bool:
    """Whether each identifier that could be linked has an owner, and the person these traits."""
    keys = [key for key, one in keys_of(desk.keyring, identity).items() if one.evidence in ("cookie", "login")]
    try:
        held = [desk.view.under(key, patience_s=patience_s) for key in keys]
    except Exception as error:  # noqa: BLE001 - whatever a store raises, it cannot be known, so it is recorded
        let_through(error)
        return False
    known = [one for one in held if one is not None and (one.person is not None or one.joined.issuperset(keys))]
    if not known or len(known) < len(held) or any(one != Trait(value=one.value) for one in traits.values()):
        return False
    values = known[0].values(desk.intake.stamper.now())
    return all(name in values and _same(values[name], one.value) for name, one in traits.items())


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
