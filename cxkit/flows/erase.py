"""erase: a person leaves. What the store holds of them goes, at once and for good.

What stays says nothing about them: for each of their identifiers a tombstone, so that what arrives late brings
nobody back; and what they refused, so that somebody who asked to be left alone is. The rest of what is kept, in
spools, dead letters and at exporters, goes when they hear of the tombstones.

A device that several people use is nobody's of them: named alone it means whoever used it with no login, and what
its owner has under other identifiers stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast

import attrs

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import (
    Body,
    Life,
    asked_doc,
    assigned_doc,
    consent_doc,
    consents_in,
    consents_written,
    history_doc,
    identifier_doc,
    keys_of,
    ledger_doc,
    mailing_doc,
    mailing_term,
    message_doc,
    message_term,
    owned_in,
    person_doc,
    preference_doc,
    sent_doc,
    suppression_doc,
    times_in,
    tombstone_doc,
    tombstone_in,
    whole_of,
    written,
)
from cxkit.flows.known import Known
from cxkit.flows.people import read_lives
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import PURPOSES, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.consent import denials
from cxkit.rules.identity import Owned, Tombstone, anonymous

__all__ = ["ERASED", "Stored", "erase", "erased", "keys_of_person", "leave", "owners_of", "stored"]

ERASED = TouchpointSpec(name="privacy.erased", kind="identity", purpose="necessary", priority="critical")

GOES: Final[tuple[Callable[[str], str], ...]] = (identifier_doc, history_doc, sent_doc, assigned_doc, asked_doc)
"""The documents of an identifier that go altogether; one that is new belongs here."""


def erase(
    desk: Desk,
    scope: Scope,
    *,
    identity: Identity,
    suppress: bool,
    until: datetime | None,
    keys: Iterable[str] = (),
) -> str | None:
    """Have the person erased to whom these identifiers belong, and all other identifiers of theirs.

    Every exporter hears of it, whatever it was allowed: it is the last that it ever hears of them.

    Args:
        suppress: Whether their identifiers may not come back: a login with one of them makes nobody.
        until: ... before then; None: ever.
        keys: Of all that is known to be theirs now. When it is applied somebody else may have erased half of it,
            and then nothing says any more that the rest belongs to it.
    """

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        return Known(tombstone=Tombstone(erased_at=at, suppress=suppress, until=until), documents=known.documents)

    return desk.command(
        ERASED,
        scope,
        identity=identity,
        properties={"suppress": suppress, "until": until.isoformat() if until else None, "keys": [*keys]},
        purposes=purpose_bits(PURPOSES),
        shows=shows,
        governed=False,
        traceless=True,
    )


def leave(desk: Desk, scope: Scope | None, keys: Iterable[str]) -> None:
    """Let nothing of somebody stay in a scope or those around it: what is still captured there is not theirs."""
    theirs = frozenset(keys)
    while scope is not None:
        if not theirs.isdisjoint(keys_of(desk.keyring, scope.identity)):
            desk.leave_person(scope)
        scope = scope.parent


# --- what is theirs -------------------------------------------------------------------------------


def owners_of(reading: Reading, keys: Iterable[str]) -> dict[str, Life]:
    """Whom these identifiers mean, by id; a contested device means whoever uses it with no login.

    Raises:
        StoreError: It cannot be read now.
    """
    owned = _owned(reading, keys)
    return read_lives(
        reading, [anonymous(key, held.contested) if held.contested else held.person for key, held in owned.items()]
    )


def keys_of_person(reading: Reading, keys: Iterable[str]) -> list[str]:
    """These keys, and those of everything else that is theirs.

    Raises:
        StoreError: It cannot be read now.
    """
    given = list(keys)
    lives = owners_of(reading, given).values()
    return list(dict.fromkeys([*given, *(link.key for life in lives for link in life.graph.links)]))


def _owned(reading: Reading, keys: Iterable[str]) -> dict[str, Owned]:
    names = {identifier_doc(key): key for key in keys}
    return {names[name]: owned_in(body) for name, body in reading.get(names).items()}


def _goes(reading: Reading, given: Iterable[str], keys: Iterable[str]) -> list[str]:
    """The documents that go with somebody, of those that there are.

    Args:
        given: Keys that mean them.
        keys: All that are theirs.
    """
    theirs, lives = list(keys), dict(owners_of(reading, given))
    owned = _owned(reading, theirs)
    lives |= read_lives(reading, [anonymous(key, held.contested) for key, held in owned.items() if held.contested])
    linked = {link.key for life in lives.values() for link in life.graph.links}
    others = {key for key, held in owned.items() if held.contested and key not in linked}
    names = [name(key) for key in theirs for name in GOES if not (name is identifier_doc and key in others)]
    names += [person_doc(id) for life in lives.values() for id in life.graph.ids]
    names += [ledger_doc(command) for life in lives.values() for command in life.graph.merges]
    names += [name for key in theirs for name in reading.under(message_term(key))]
    return list(reading.get(names))


# --- applied --------------------------------------------------------------------------------------


def erased(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """Leave nothing of the person but tombstones, and what they refused.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no erasure.
    """
    grave = _grave(command)
    given = _not_yet(reading, keys_of(keyring, command.identity), grave)
    keys = keys_of_person(reading, given)
    keys += _nobody_elses(reading, _not_yet(reading, _told(command), grave), keys)
    goes = _goes(reading, given, keys)
    for name in [*goes, *_theirs_alone(reading, goes)]:
        reading.put(name, None)
    for names, left in _REDUCED:
        for name, body in reading.get(map(names, keys)).items():
            reading.put(name, left(body))
    for key in _not_yet(reading, keys, grave):
        reading.put(tombstone_doc(key), written(grave))


def _grave(command: Interaction) -> Tombstone:
    until = cast("str | None", command.properties["until"])
    return Tombstone(
        erased_at=command.occurred_at,
        suppress=bool(command.properties["suppress"]),
        until=datetime.fromisoformat(until) if until else None,
    )


def _told(command: Interaction) -> list[str]:
    """The keys that whoever asked for it knew."""
    return [bytes.fromhex(str(key)).hex() for key in cast("list[Any]", command.properties.get("keys", []))]


def _not_yet(reading: Reading, keys: Iterable[str], grave: Tombstone) -> list[str]:
    """Those that were not erased then or later: whoever has come back since is not meant."""
    names = {key: tombstone_doc(key) for key in keys}
    held = reading.get(names.values())
    return [
        key for key, name in names.items() if name not in held or tombstone_in(held[name]).erased_at < grave.erased_at
    ]


def _nobody_elses(reading: Reading, told: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Of these, those that have no owner any more: the rest is somebody else's now."""
    more = [key for key in told if key not in set(keys)]
    owned = _owned(reading, more)
    return [key for key in more if key not in owned]


def _theirs_alone(reading: Reading, goes: Iterable[str]) -> list[str]:
    """The mailings of which no message is left when these documents go: their links may be of this person's own."""
    mailings = (body.get("mailing") for name, body in reading.get(goes).items() if name.startswith(message_doc("")))
    sent = Counter(str(one) for one in mailings if one is not None)
    alone = [id for id, count in sent.items() if len(reading.under(mailing_term(id), limit=count + 1)) <= count]
    return list(reading.get(map(mailing_doc, alone)))


def _refusals(body: Body) -> Body | None:
    """Of the choices the denials that hold, and nothing of where and how they were made."""
    return consents_written(
        attrs.evolve(one, choices=denied, touchpoint=None, channel=None, notice=None, signals={})
        for one in consents_in([body])
        if (denied := denials(one.choices))
    )


def _refused_topics(body: Body) -> Body | None:
    choices = [one for one in cast("list[Any]", body.get("choices", [])) if one["choice"] == "denied"]
    stops = [one for one in cast("list[Any]", body.get("stops", [])) if not one.get("lifted")]
    return {"choices": choices, "stops": stops} if choices or stops else None


_REDUCED: Final[tuple[tuple[Callable[[str], str], Callable[[Body], Body | None]], ...]] = (
    (consent_doc, _refusals),
    (preference_doc, _refused_topics),
)
"""The documents of which what was refused stays."""


# --- looking --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Stored:
    """What the store holds under some keys: kind of document to how many."""

    held: Mapping[str, int] = attrs.field(factory=dict)
    """What says something of a person."""
    kept: Mapping[str, int] = attrs.field(factory=dict)
    """What an erasure leaves, and which says nothing: tombstones, refusals, addresses not to be written to."""


def stored(reading: Reading, given: Iterable[str], keys: Iterable[str], *, until: datetime | None = None) -> Stored:
    """What there is.

    Args:
        given: Keys that mean somebody.
        keys: All that are theirs.
        until: Only what began by then; None: all. Whoever was erased may have come back since.

    Raises:
        StoreError: It cannot be read now.
    """
    theirs = list(keys)
    held, kept = _goes(reading, given, theirs), list(reading.get(map(tombstone_doc, theirs)))
    kept += reading.get(map(suppression_doc, theirs))
    for names, left in _REDUCED:
        for name, body in reading.get(map(names, theirs)).items():
            (kept if left(body) == body else held).append(name)
    if until is not None:
        held = [name for name in held if not _began_after(reading, name, until)]
    return Stored(held=_counted(held), kept=_counted(kept))


def _began_after(reading: Reading, name: str, at: datetime) -> bool:
    """Whether all that a document says is of after a moment."""
    body = reading.get([name])[name]
    while (whole := whole_of(name, body)) is not None:
        name = whole
        if (found := reading.get([name]).get(name)) is None:
            return False
        body = found
    return all(one is not None and one > at for one in times_in(name, body))


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        kind = name.partition("/")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))
