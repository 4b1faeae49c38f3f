"""erase: a person leaves. What the store holds of them goes, at once and for good.

What stays says nothing about them: for each of their identifiers a tombstone, so that what arrives late brings
nobody back; and what they refused, so that somebody who asked to be left alone is. The rest of what is kept, in
spools, dead letters and at exporters, goes when they hear of the tombstones.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import attrs

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import (
    Body,
    consent_doc,
    consents_in,
    history_doc,
    identifier_doc,
    keys_of,
    ledger_doc,
    owned_in,
    person_doc,
    preference_doc,
    sent_doc,
    tombstone_doc,
    tombstone_in,
    written,
)
from cxkit.flows.known import Known
from cxkit.flows.people import read_lives
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import PURPOSES, Choice, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.identity import Tombstone, people_of

__all__ = ["ERASED", "erase", "erased", "keys_of_person"]

ERASED = TouchpointSpec(name="privacy.erased", kind="identity", purpose="necessary", priority="critical")


def erase(desk: Desk, scope: Scope, *, identity: Identity, suppress: bool, until: datetime | None) -> str | None:
    """Have the person erased to whom these identifiers belong, and all other identifiers of theirs.

    Every exporter hears of it, whatever it was allowed: it is the last that it ever hears of them.

    Args:
        suppress: Whether their identifiers may not come back: a login with one of them makes nobody.
        until: ... before then; None: ever.
    """

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        return Known(tombstone=Tombstone(erased_at=at, suppress=suppress, until=until), documents=known.documents)

    return desk.command(
        ERASED,
        scope,
        identity=identity,
        properties={"suppress": suppress, "until": until.isoformat() if until else None},
        purposes=purpose_bits(PURPOSES),
        shows=shows,
        governed=False,
        traceless=True,
    )


def erased(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """Leave nothing of the person but tombstones, and what they refused.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no erasure.
    """
    until = cast("str | None", command.properties["until"])
    grave = Tombstone(
        erased_at=command.occurred_at,
        suppress=bool(command.properties["suppress"]),
        until=datetime.fromisoformat(until) if until else None,
    )
    given = keys_of(keyring, command.identity)
    held = reading.get(map(tombstone_doc, given))
    if any(tombstone_in(body).erased_at >= grave.erased_at for body in held.values()):
        return  # it comes again: whoever has come back since is not meant
    keys = keys_of_person(reading, given)
    graves = reading.get(map(tombstone_doc, keys))
    for key in keys:
        older = graves.get(tombstone_doc(key))
        if older is None or tombstone_in(older).erased_at < grave.erased_at:
            reading.put(tombstone_doc(key), written(grave))
    _erase_people(reading, keys)
    _erase_all(reading, [name(key) for key in keys for name in (identifier_doc, history_doc, sent_doc)])
    for names, left in (([*map(consent_doc, keys)], _refusals), ([*map(preference_doc, keys)], _refused_topics)):
        for name, body in reading.get(names).items():
            reading.put(name, left(body))


def keys_of_person(reading: Reading, keys: Iterable[str]) -> list[str]:
    """These keys, and those of everything else that is theirs.

    Raises:
        StoreError: It cannot be read now.
    """
    given = list(keys)
    bodies = reading.get(map(identifier_doc, given))
    lives = read_lives(reading, people_of({key: owned_in(body) for key, body in _by_key(bodies)}))
    return list(dict.fromkeys([*given, *(link.key for life in lives.values() for link in life.graph.links)]))


def _by_key(bodies: dict[str, Body]) -> list[tuple[str, Body]]:
    return [(name.partition("/")[2], body) for name, body in bodies.items()]


def _erase_people(reading: Reading, keys: Iterable[str]) -> None:
    owned = {key: owned_in(body) for key, body in _by_key(reading.get(map(identifier_doc, keys)))}
    lives = read_lives(reading, people_of(owned)).values()
    _erase_all(reading, [person_doc(id) for life in lives for id in life.graph.ids])
    _erase_all(reading, [ledger_doc(command) for life in lives for command in life.graph.merges])


def _erase_all(reading: Reading, names: Iterable[str]) -> None:
    for name in reading.get(names):
        reading.put(name, None)


def _refusals(body: Body) -> Body | None:
    """Of the choices the denials that hold, and nothing of where and how they were made."""
    left = []
    for one in consents_in([body]):
        denied: dict[str, Choice] = {name: choice for name, choice in one.choices.items() if choice == "denied"}
        if denied:
            plain = attrs.evolve(one, choices=denied, touchpoint=None, channel=None, notice=None, signals={})
            left.append(written(plain))
    return {"records": cast("Any", left)} if left else None


def _refused_topics(body: Body) -> Body | None:
    choices = [one for one in cast("list[Any]", body.get("choices", [])) if one["choice"] == "denied"]
    stops = [one for one in cast("list[Any]", body.get("stops", [])) if not one.get("lifted")]
    return {"choices": choices, "stops": stops} if choices or stops else None
