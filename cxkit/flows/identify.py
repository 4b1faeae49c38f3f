"""identify: the scope so far belongs to this person."""

from __future__ import annotations

import difflib
import functools
import logging
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError, nearest
from cxkit.flows.desk import GOVERNING, Desk
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
from cxkit.flows.known import Known
from cxkit.flows.people import read_lives, write_resolution
from cxkit.flows.reading import Reading
from cxkit.flows.telling import clean_traits, told, traits_in, untold
from cxkit.keyring import Keyring
from cxkit.model import JSON, Blocked, Evidence, Identifier, Identity, Interaction, TouchpointSpec, Trait, purpose_bits
from cxkit.model.identity import EVIDENCE
from cxkit.rules.identity import (
    SESSIONS,
    TYPES,
    Identifying,
    Resolution,
    Types,
    join,
    normalise,
    people_of,
    resolve,
    type_of,
    unfit,
    without,
)

__all__ = [
    "IDENTIFIED",
    "IGNORED",
    "REMEMBERED",
    "STITCHING",
    "TYPE",
    "identified",
    "identifiers_of",
    "identify",
    "linkable",
    "meant",
    "nameless",
    "resolved",
    "traits_of",
    "usable",
]

logger = logging.getLogger("cxkit")

IDENTIFIED = TouchpointSpec(name="identity.identified", kind="identity", purpose="necessary", priority="critical")
IGNORED = TouchpointSpec(name="identity.ignored", kind="identity", purpose="necessary", priority="low")
"""An identifier that identifies nobody was left out: its type, and why."""

STITCHING = "identity_stitching"
REMEMBERED = "personalization"
"""What a visitor must allow to have a profile."""
_MOST: Final = 10**256
_TRIED: Final = 10_000
_NOT_STITCHED: Final = Blocked(gate="identity", purpose=STITCHING, reason="not_allowed")
_NOT_REMEMBERED: Final = Blocked(gate="identity", purpose=REMEMBERED, reason="not_allowed")
TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MISSPELT: Final = 0.81
"""From this ratio on a type is another one misspelt: ``e_mail`` is, and ``customer_id`` is none of ours."""
_MOST_TOLD: Final = 64
_GIVEN: Final[Mapping[str, str]] = {
    "email": 'give one whole address, like "nancy@example.com", and none when there is none',
    "phone": 'give the whole number with its country, like "+33 6 39 98 12 34", and none when there is none',
}
"""What to give for a type that has a form of its own."""


def identify(
    desk: Desk, scope: Scope, *, identifiers: Mapping[str, str | int], traits: object, patience_s: float
) -> str | None:
    """Join what was proven (a login) to the scope, and record it.

    Safe to call in every request of a customer who is signed in: what is already known is not
    recorded again. Without consent to ``identity_stitching`` the visitor's own identifier is set
    aside: nothing captured carries both. A login of somebody else ends the earlier one.

    A visitor alone has traits only where they allow ``personalization``; without consent to stitching none while
    their browser's visitor is known by a login, too: they would be that person's.

    Args:
        traits: Their names and values.

    Raises:
        InvalidInteractionError: An identifier identifies nobody ("null", "0", ...), or has a misspelt type; the traits
            are none, or the residence among them. The others count all the same.
    """
    scope.enrich()  # first: whom a machine was taken for must not be joined to anybody
    proven, wrong = usable(desk, scope, identifiers, evidence="login")
    _tell_undeclared(desk, proven)
    id = None
    faulty = untold(traits)
    if proven or wrong is None:
        told_of = clean_traits(traits if isinstance(traits, Mapping) else {})
        id = _identify(desk, scope, proven, told_of, patience_s=patience_s)
    if (wrong := wrong or faulty) is not None:
        raise wrong
    return id


def _tell_undeclared(desk: Desk, proven: Iterable[Identifier]) -> None:
    """Once for each type: it may be a trait that was given as an identifier, and then links whoever shares it."""
    for type in sorted({one.type for one in proven} - desk.identifying.types.keys() - desk.undeclared):
        if len(desk.undeclared) < _MOST_TOLD:
            desk.undeclared.add(type)
            what = 'cxkit: "%s" is no declared identifier type; did you mean traits={"%s": ...}?'
            logger.warning(what, type, type)


def _identify(
    desk: Desk, scope: Scope, proven: list[Identifier], told_of: dict[str, Trait], *, patience_s: float
) -> str | None:
    types = desk.identifying.types
    known = linkable(desk, scope.identity)
    if _somebody_else(known, proven, types):
        known = Identity(identifiers=tuple(one for one in known.identifiers if one.evidence != "login"))
    visitor = known.get("visitor")
    granted = scope.allowed.granted
    if visitor is not None and known.identifiers == (visitor,) and not proven and REMEMBERED not in granted:
        desk.intake.block(_NOT_REMEMBERED)
        return None
    if (
        visitor is not None
        and STITCHING not in granted
        and (proven or not nameless(desk, known, desk.known(scope, patience_s=patience_s)))
    ):
        scope.aside = visitor
        desk.intake.block(_NOT_STITCHED)
        known = without(known, ["visitor"])
    given = linkable(desk, join(known, proven, types=types))
    scope.change(identity=given)
    desk.recall(scope, patience_s=patience_s)
    if _barred(desk, scope, given):
        return None
    if visitor is not None and len(scope.identity.identifiers) > 1 and STITCHING not in scope.allowed.granted:
        scope.aside = visitor  # so the store says: they refused it elsewhere
        desk.intake.block(_NOT_STITCHED)
        scope.change(identity=without(scope.identity, ["visitor"]))
    if _nothing_new(desk, scope.identity, told_of, patience_s=patience_s):
        return None
    joined = frozenset(keys_of(desk.keyring, scope.identity))
    command = desk.command(
        IDENTIFIED,
        scope,
        identity=scope.identity,
        properties=told(told_of),
        purposes=purpose_bits(scope.allowed.granted),
        shows=lambda known, /, *, id, at: known.told(told_of, joined, id=id, at=at),
    )
    if not told_of.keys().isdisjoint(GOVERNING):
        desk.recall(scope, patience_s=patience_s)
    return command


def nameless(desk: Desk, identity: Identity, known: Known | None) -> bool:
    """Whether it is a visitor alone, and surely one whom no login ever named: what they do is said of nobody else.

    Args:
        known: What is known of them.
    """
    keys = keys_of(desk.keyring, identity)
    if len(keys) > 1 or identity.get("visitor") is None or known is None or known.stale or known.contested:
        return False
    links = known.graph.links if known.graph else ()
    named = any(one.evidence == "login" or type_of(one.type, desk.identifying.types).kind != "device" for one in links)
    return not named and known.joined <= keys.keys()


def traits_of(desk: Desk, scope: Scope, known: Known | None) -> dict[str, JSON]:
    """The traits that something may follow here: of a visitor alone none, unless they allow ``personalization``.

    Args:
        known: What is known of the scope's person.
    """
    alone = [one.type for one in scope.identity.identifiers] == ["visitor"]
    if known is None or not known.traits.held or (alone and REMEMBERED not in scope.allowed.granted):
        return {}
    return known.values(desk.intake.stamper.now())


def _barred(desk: Desk, scope: Scope, given: Identity) -> bool:
    """Whether a login of these recognises nobody, for who it names was erased and may not come back."""
    lost = {one.type for one in given.identifiers if one.evidence == "login" and one not in scope.identity.identifiers}
    for type in sorted(lost):
        desk.note(IGNORED, scope, {"type": type, "reason": "tombstoned"})
    return bool(lost)


def identified(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> Resolution:
    """What the command makes of the graph and of the person's traits.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It tells no traits.
    """
    return resolved(reading, keyring, command, traits_in(command.properties), types=types)


def resolved(
    reading: Reading,
    keyring: Keyring,
    command: Interaction,
    traits: Mapping[str, Trait],
    *,
    types: Types,
    added: Collection[str] = (),
) -> Resolution:
    """What a command that names somebody makes of the graph and of their traits.

    Args:
        added: Keys that are linked to whom the others name; see `rules.identity.resolve`.

    Raises:
        StoreError: It cannot be read now.
    """
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
        types=types,
        row=None if row is None else read(row, Ledger).merge,
        tombstones={key: tombstone_in(bodies[name]) for key in seen if (name := tombstone_doc(key)) in bodies},
        stitching=command.consent.get(STITCHING, False),
        added=added,
    )
    nobody = found.person is None or (found.person.id == command.id and not found.person.links)
    if found.dropped is None and not nobody:
        named = {key: type for key, (type, _) in seen.items()}
        write_resolution(reading, found, lives, types=named, command=command, traits=traits)
    return found


def _somebody_else(known: Identity, proven: list[Identifier], types: Types) -> bool:
    """Whether a login of another person came before in this scope: one type, two values."""
    before = {one.type: one.value for one in known.identifiers if one.evidence == "login"}
    return any(before.get(one.type, one.value) != one.value for one in proven if type_of(one.type, types).unique)


def _nothing_new(desk: Desk, identity: Identity, traits: Mapping[str, Trait], *, patience_s: float) -> bool:
    """Whether each identifier that could be linked has an owner, and the person these traits."""
    keys = [key for key, one in keys_of(desk.keyring, identity).items() if one.proven]
    try:
        held = [desk.view.under(key, patience_s=patience_s) for key in keys]
    except Exception as error:  # noqa: BLE001 - whatever a store raises, it cannot be known, so it is recorded
        let_through(error)
        return False
    known = [one for one in held if one is not None and (one.person is not None or one.joined.issuperset(keys))]
    if not known or len(known) < len(held) or any(one != Trait(value=one.value) for one in traits.values()):
        return False
    if _never_met(desk, known, frozenset(keys)) or _only_typed(desk, known, identity):
        return False
    values = known[0].values(desk.intake.stamper.now())
    return all(name in values and _same(values[name], one.value) for name, one in traits.items())


def _never_met(desk: Desk, known: list[Known], keys: frozenset[str]) -> bool:
    """Whether several people own what is now seen together: they may be one. What was refused is not tried again."""
    people = {one.person for one in known if one.person and not (one.owned and one.owned.contested)}
    return len(people) > 1 and _untried(desk, keys)


def _only_typed(desk: Desk, known: list[Known], identity: Identity) -> bool:
    """Whether what a login proves now was only typed in until now; what was refused is not tried again."""
    logins = {key for key, one in keys_of(desk.keyring, identity).items() if one.evidence == "login"}
    links = (link for one in known if one.graph for link in one.graph.links)
    weak = frozenset(link.key for link in links if link.key in logins and link.evidence != "login")
    return bool(weak) and _untried(desk, weak)


def _untried(desk: Desk, keys: frozenset[str]) -> bool:
    """Whether these were not put to the graph yet; from now on they were."""
    if keys in desk.tried:
        return False
    if len(desk.tried) >= _TRIED:
        desk.tried.clear()
    desk.tried.add(keys)
    return True


def _same(one: JSON, other: JSON) -> bool:
    """Whether two values are one in JSON, where 1 is not true."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def linkable(desk: Desk, identity: Identity) -> Identity:
    """The identity as it may be joined to a login: where everybody uses the device, without it."""
    if not desk.identifying.kiosk:
        return identity
    types = desk.identifying.types
    return without(identity, {one.type for one in identity.identifiers if type_of(one.type, types).kind == "device"})


def usable(
    desk: Desk, scope: Scope, values: Mapping[str, str | int], *, evidence: Evidence
) -> tuple[list[Identifier], InvalidInteractionError | None]:
    """Those that may identify somebody, and what is wrong with the rest, which is captured as ignored.

    With an evidence that there is not they are claims: to refuse something needs no more.
    """
    found: list[Identifier] = []
    wrong = None
    if evidence not in EVIDENCE:
        fix = nearest(str(evidence)[:64], EVIDENCE)
        wrong = InvalidInteractionError("there is no such evidence", fix=fix, code="CX3132")
        evidence = "claim"
    for type, value in values.items():
        try:
            found += identifiers_of(desk.keyring, {type: value}, evidence=evidence, declared=desk.identifying)
        except InvalidInteractionError as error:
            wrong = error
            if error.code == "CX3120":
                reason = unfit(type, _text(value), blocked=desk.identifying.blocked) or "illegal_id"
                desk.note(IGNORED, scope, {"type": type, "reason": reason})
    return found, wrong


def identifiers_of(
    keyring: Keyring,
    values: Mapping[str, str | int],
    *,
    evidence: Evidence,
    declared: Identifying = Identifying(),
) -> list[Identifier]:
    """Identifiers in the one form in which they are kept; of a contact, its keyed hash.

    Raises:
        InvalidInteractionError: One identifies nobody, has a type that is no word or a known one misspelt, or cannot
            be known in this way.
    """
    found = []
    for type, value in values.items():
        if not TYPE.fullmatch(type):
            raise InvalidInteractionError(
                "an identifier has a type that is not lower-case letters, digits and _",
                fix='name it like "loyalty_card"',
                code="CX3124",
            )
        if type == "visitor" and evidence == "login":
            raise InvalidInteractionError(
                "a visitor is known by a cookie, never by a login", fix="leave the visitor out", code="CX3125"
            )
        if type not in declared.types and (right := meant(type, tuple(declared.types))) is not None:
            raise InvalidInteractionError(
                f'"{type}" is no declared type of identifier',
                fix=f'did you mean "{right}"? If not, declare it: [identity.types.{type}]',
                code="CX3129",
            )
        text = normalise(type, _text(value), blocked=declared.blocked)
        if text is None:
            fix = "identify with a real, stable id as text, and not at all when there is none"
            what = f'the value given as "{type}" identifies nobody'
            raise InvalidInteractionError(what, fix=_GIVEN.get(type, fix), code="CX3120")
        kept = keyring.identifier_key(type, text).hex() if type in keyring.contacts else text
        found.append(Identifier(type=type, value=kept, evidence=evidence))
    return found


@functools.lru_cache(maxsize=256)
def meant(type: str, types: tuple[str, ...]) -> str | None:
    """The type that is meant by one which is nearly it: a letter more or less, or the same in another order."""
    if type in SESSIONS:
        return None
    shuffled = [one for one in types if sorted(one) == sorted(type)]
    return next(iter(shuffled or difflib.get_close_matches(type, types, n=1, cutoff=_MISSPELT)), None)


def _text(value: object) -> str:
    """A value as text; of what is none, and of a number that nobody has, the text that identifies nobody."""
    if type(value) is int and abs(value) < _MOST:
        return str(value)
    return str(value) if isinstance(value, str) else ""
