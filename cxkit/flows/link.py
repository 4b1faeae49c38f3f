"""link: an identifier more for the customer of the scope. logout: the scope is theirs no longer."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.errors import InvalidInteractionError, StateError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import keys_of
from cxkit.flows.identify import linkable, resolved, usable
from cxkit.flows.known import Known
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import Identifier, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.identity import TYPES, Resolution, Types, added_in, join, type_of

__all__ = ["LINKED", "LOGGED_OUT", "link", "linked", "logout"]

LINKED = TouchpointSpec(name="identity.linked", kind="identity", purpose="necessary", priority="critical")
"""The identifiers of its ``added`` types were added to the others: they are claims, whatever vouches for those."""
LOGGED_OUT = TouchpointSpec(name="identity.logged_out", purpose="necessary")


def link(desk: Desk, scope: Scope, *, identifiers: Mapping[str, str | int], patience_s: float) -> str | None:
    """Say that these belong to the customer of the scope, as surely as that customer is known; no new login.

    One that is somebody else's stays there, unless that is nobody who ever logged in and nothing speaks against the
    two being one.

    Raises:
        InvalidInteractionError: An identifier identifies nobody ("null", "0", ...), or is another of a type of which
            a person has one. The others count all the same.
        StateError: The customer of the scope is not known by a cookie or a login: there is nobody to link to.
    """
    scope.enrich()
    held = linkable(desk, scope.identity)
    best = max(held.identifiers, key=lambda one: one.rank, default=None)
    if best is None or not best.proven:
        raise StateError(
            "there is nobody to link to: nobody in this scope is known by a cookie or a login",
            fix="call identify() with what the login proved first",
            code="CX7009",
        )
    found, wrong = usable(desk, scope, identifiers, evidence=best.evidence)
    id = None
    new, another = _new(found, held, types=desk.identifying.types)
    if new := linkable(desk, Identity(identifiers=new)).identifiers:
        id = _link(desk, scope, held, new, patience_s=patience_s)
    if (wrong := wrong or another) is not None:
        raise wrong
    return id


def _new(
    found: list[Identifier], held: Identity, *, types: Types
) -> tuple[tuple[Identifier, ...], InvalidInteractionError | None]:
    """Those that the scope does not hold yet, and what is wrong with the rest."""
    new, wrong = [], None
    for one in found:
        other = held.get(one.type)
        if other is not None and other.value != one.value and type_of(one.type, types).unique:
            wrong = InvalidInteractionError(
                f'the scope holds another "{one.type}", and a person has one',
                fix="identify() whoever signs in; what are two accounts of one person, an operator may merge",
                code="CX3134",
            )
        elif other is None or other.value != one.value or other.rank < one.rank:
            new.append(one)
    return tuple(new), wrong


def _link(desk: Desk, scope: Scope, held: Identity, new: tuple[Identifier, ...], *, patience_s: float) -> str | None:
    """Add them to the scope where they are known to be nobody's else, of each type the first; and record all."""
    mine = desk.known(scope, patience_s=patience_s)
    own = frozenset(key for key, one in keys_of(desk.keyring, held).items() if one.proven)
    theirs = {
        key: one
        for key, one in keys_of(desk.keyring, Identity(identifiers=new)).items()
        if _theirs(desk.under(key, patience_s=patience_s), mine, own)
    }
    shown = [one for one in theirs.values() if (other := held.get(one.type)) is None or other.value == one.value]
    scope.change(identity=join(held, shown, types=desk.identifying.types))
    desk.recall(scope, patience_s=patience_s)
    given = {(one.type, one.value) for one in new}
    rest = [one for one in held.identifiers if (one.type, one.value) not in given]
    joined = own | theirs.keys()
    return desk.command(
        LINKED,
        scope,
        identity=Identity(identifiers=(*rest, *(attrs.evolve(one, evidence="claim") for one in new))),
        properties={"added": [one.type for one in new]},
        purposes=purpose_bits(scope.allowed.granted),
        shows=lambda known, /, *, id, at: (
            known.with_more(mine).told({}, joined, id=id, at=at) if mine and _theirs(known, mine, own) else known
        ),
    )


def _theirs(known: Known | None, mine: Known | None, own: frozenset[str]) -> bool:
    """Whether what is known under an identifier is nobody's or this person's, as far as that is known.

    Args:
        mine: What is known of the person.
        own: Keys that prove who they are.
    """
    if known is None or mine is None or mine.contested or known.tombstone or (known.owned and known.owned.contested):
        return False
    if known.graph is not None:
        return known.person == mine.person
    return not known.joined or not known.joined.isdisjoint(own)


def linked(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> Resolution:
    """What the command makes of the graph.

    Raises:
        StoreError: It cannot be read now.
    """
    seen = {key: one.type for key, one in keys_of(keyring, command.identity).items()}
    added = added_in(seen, command.properties.get("added"))
    return resolved(reading, keyring, command, {}, types=types, added=added)


def logout(desk: Desk, scope: Scope) -> None:
    """Let nothing of the person stay in the scope: whoever comes next on this device is a new visitor.

    What was chosen in this browser, and its objection (``Sec-GPC``), are the device's and hold on.
    """
    desk.intake.capture(scope, LOGGED_OUT, {}, occurrence())
    desk.leave_person(scope)
