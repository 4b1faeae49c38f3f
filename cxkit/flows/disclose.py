"""disclose: everything that is held of a person, for that person.

What somebody else did is nobody's to see: of a device that several people use, its owner gets what is from before
that showed, and whoever names that device alone what is from after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs
import msgspec

from cxkit.codec import decode, encode
from cxkit.codec.frame import Record
from cxkit.delivery.dead import exporter_of, open_letters, pieces
from cxkit.delivery.erasure import Meant, find_in
from cxkit.delivery.removal import letter_files
from cxkit.delivery.segment import open_segments
from cxkit.errors import CodecError
from cxkit.flows.documents import (
    Body,
    Life,
    consent_doc,
    consents_in,
    history_doc,
    identifier_doc,
    key_of,
    owned_in,
    preference_doc,
    read,
    sent_doc,
    suppression_doc,
    tombstone_doc,
    tombstone_in,
)
from cxkit.flows.erase import keys_of_person, owners_of
from cxkit.flows.operate import MERGED
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import JSON, Consent, Evidence, GlobalStop, Identifier, Interaction, Preference, Recent, Suppression
from cxkit.model.profile import How, Provenance
from cxkit.rules.consent import chained
from cxkit.rules.preferences import Sent
from cxkit.rules.profile import History, Traits
from cxkit.rules.profile.traits import Held

__all__ = [
    "Disclosure",
    "KnownIdentifier",
    "KnownTrait",
    "Refused",
    "Theirs",
    "dead_letters",
    "disclose",
    "names_another",
    "spooled",
    "theirs",
]

T = TypeVar("T", Consent, Preference, GlobalStop, Suppression, Sent, Recent)


@attrs.frozen(kw_only=True)
class KnownIdentifier:
    """An identifier of theirs."""

    type: str
    key: str
    """What stands for it in the store: a keyed hash."""
    value: str | None = None
    """None: it is held nowhere, only its key is; of an e-mail address or a number that is always so."""
    evidence: Evidence | None = None
    """The best it was ever known by."""
    linked_at: datetime | None = None
    """When it was linked to them; None: it is nobody's."""


@attrs.frozen(kw_only=True)
class KnownTrait:
    """What is known of them in one way."""

    name: str
    value: JSON
    provenance: Provenance
    how: How
    at: datetime | None = None
    """When it was last told."""
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Refused:
    """An interaction that an exporter's other side refused for ever."""

    exporter: str
    at: str
    interaction: Interaction


@attrs.frozen(kw_only=True)
class Disclosure:
    """Everything that is held of a person. Made by `cxkit.disclose`."""

    disclosed_at: datetime
    identifiers: tuple[KnownIdentifier, ...] = ()
    traits: tuple[KnownTrait, ...] = ()
    choices: tuple[Consent, ...] = ()
    """Every choice on record, in order."""
    preferences: tuple[Preference, ...] = ()
    """What they want of each topic on each channel."""
    stops: tuple[GlobalStop, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    """Where nothing is sent to them any more."""
    contacts: tuple[Recent, ...] = ()
    """The last contacts that are remembered."""
    older_sessions: int = 0
    """How many sessions before these are remembered, by number alone."""
    messages: tuple[Sent, ...] = ()
    """Messages to them that were counted."""
    spooled: tuple[Interaction, ...] = ()
    """What lies on this machine on its way to exporters; some of them may have had it."""
    dead_letters: tuple[Refused, ...] = ()
    local: tuple[Interaction, ...] | None = None
    """What the local file has; None: there is none."""
    erased_at: datetime | None = None
    """When they were last erased."""
    unread: tuple[str, ...] = ()
    """What could not be looked at, and may hold more."""

    def as_json(self) -> dict[str, Any]:
        """The same by these names, for `msgspec.json.encode`; interactions are CloudEvents."""
        plain = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        letters = [
            {"exporter": one.exporter, "at": one.at, "interaction": _event(one.interaction)}
            for one in self.dead_letters
        ]
        local = None if self.local is None else [*map(_event, self.local)]
        return {**plain, "spooled": [*map(_event, self.spooled)], "dead_letters": letters, "local": local}


def _event(interaction: Interaction) -> msgspec.Raw:
    return msgspec.Raw(encode(interaction))


# --- what is theirs -------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Theirs:
    """Which keys are a person's, and what under each of them."""

    lives: tuple[Life, ...]
    keys: tuple[str, ...]
    contested: Mapping[str, tuple[str, bool]] = attrs.field(factory=dict)
    """Key of a device that several people use to the command that showed it, and whether they are its owner."""

    def own(self, key: str, id: str) -> bool:
        """Whether what was recorded under this key, with this id, is theirs."""
        if key not in self.contested:
            return True
        since, owner = self.contested[key]
        return (id < since) is owner


def theirs(reading: Reading, given: Iterable[str]) -> Theirs:
    """Whom these keys mean.

    Raises:
        StoreError: It cannot be read now.
    """
    meant = list(given)
    lives, keys = owners_of(reading, meant), keys_of_person(reading, meant)
    bodies = reading.get(map(identifier_doc, keys))
    contested = {}
    for key in keys:
        body = bodies.get(identifier_doc(key))
        owned = owned_in(body) if body is not None else None
        if owned is not None and owned.contested:
            contested[key] = (owned.contested, any(owned.person in life.graph.ids for life in lives.values()))
    return Theirs(lives=tuple(lives.values()), keys=tuple(keys), contested=contested)


def disclose(
    reading: Reading, who: Theirs, *, given: Mapping[str, Identifier], values: Mapping[str, str], now: datetime
) -> Disclosure:
    """What the store holds of them.

    Args:
        given: Key to identifier, of those that were named.
        values: Key to value, of those whose value was found somewhere.

    Raises:
        StoreError: It cannot be read now.
    """

    def rows(doc: Callable[[str], str], part: str, kind: type[T]) -> Iterator[T]:
        for key in who.keys:
            body = reading.get([doc(key)]).get(doc(key), {})
            found = (read(one, kind) for one in cast("list[Any]", body.get(part, [])))
            yield from (one for one in found if who.own(key, one.id))

    histories = {
        key: read(body, History)
        for key in who.keys
        if (body := reading.get([history_doc(key)]).get(history_doc(key))) is not None
    }
    graves = reading.get(map(tombstone_doc, who.keys)).values()
    return Disclosure(
        disclosed_at=now,
        identifiers=tuple(_identifiers(who, given, values)),
        traits=tuple(trait for life in who.lives for trait in _traits(life.traits)),
        choices=tuple(sorted(_consents(reading, who), key=lambda one: (one.decided_at, one.id))),
        preferences=tuple(_once(rows(preference_doc, "choices", Preference))),
        stops=tuple(_once(rows(preference_doc, "stops", GlobalStop))),
        suppressions=tuple(_once(rows(suppression_doc, "records", Suppression))),
        contacts=tuple(_once(_contacts(histories, who))),
        older_sessions=sum(one.older_sessions for key, one in histories.items() if key not in who.contested),
        messages=tuple(_once(rows(sent_doc, "messages", Sent))),
        erased_at=max((tombstone_in(body).erased_at for body in graves), default=None),
    )


def _once(found: Iterable[T]) -> list[T]:
    """Each once: what concerns several identifiers is kept under each of them."""
    return list({one.id or place: one for place, one in enumerate(found)}.values())


def _consents(reading: Reading, who: Theirs) -> list[Consent]:
    bodies = {key: reading.get([consent_doc(key)]).get(consent_doc(key)) for key in who.keys}
    held: list[tuple[str, Body]] = [(key, body) for key, body in bodies.items() if body is not None]
    return chained(one for key, body in held for one in consents_in([body]) if who.own(key, one.id))


def _contacts(histories: Mapping[str, History], who: Theirs) -> list[Recent]:
    found = [one for key, history in histories.items() for one in history.recent if who.own(key, one.id)]
    return sorted(found, key=lambda one: (one.at, one.id))


def _identifiers(who: Theirs, given: Mapping[str, Identifier], values: Mapping[str, str]) -> Iterator[KnownIdentifier]:
    links = {link.key: link for life in who.lives for link in life.graph.links}
    for key in who.keys:
        link, named = links.get(key), given.get(key)
        type = link.type if link else named.type if named else ""
        yield KnownIdentifier(
            type=type,
            key=key,
            value=values.get(key),
            evidence=link.evidence if link else None,
            linked_at=link.at if link else None,
        )


def _traits(traits: Traits) -> Iterator[KnownTrait]:
    for name, ways in sorted(traits.held.items()):
        for provenance, held in ways.items():
            for how, value, at, expires_at in _ways(held):
                yield KnownTrait(name=name, value=value, provenance=provenance, how=how, at=at, expires_at=expires_at)


def _ways(held: Held) -> Iterator[tuple[How, JSON, datetime | None, datetime | None]]:
    """Each way in which a trait was changed: what is told no longer is held all the same."""
    if held.latest is not None:
        yield "set", held.latest.value, held.latest.at, held.latest.expires_at
    if held.earliest is not None:
        yield "set_once", held.earliest.value, held.earliest.at, None
    if held.counter is not None:
        last = held.counter.steps[-1].at if held.counter.steps else held.counter.folded_at
        yield "increment", held.counter.total(), last, None
    if held.members:
        yield "union", [one.value for one in held.members], held.members[-1].at, None


# --- what lies in spools and among dead letters ---------------------------------------------------


def spooled(root: Path, who: Theirs) -> tuple[list[Interaction], list[str]]:
    """What the spools under ``root`` hold of them, and the names of those that could not be read whole."""
    found: dict[str, Interaction] = {}
    unread = []
    for path in sorted((root / "spool").glob("[!.]*/")):
        try:
            for record in _records(path, Meant.about(_subjects(who))):
                one = decode(record.payload)
                if who.own(record.subject.hex(), one.id):
                    found[one.id] = one
        except FileNotFoundError:
            continue  # removed just now: all of it was delivered
        except (OSError, CodecError):
            unread.append(path.name)
    return sorted(found.values(), key=lambda one: (one.occurred_at, one.id)), unread


def dead_letters(root: Path, who: Theirs) -> tuple[list[Refused], list[str]]:
    """Likewise the dead letters.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it.
    """
    found, unread = [], []
    for path in letter_files(root):
        try:
            found += list(_letters(path, who))
        except FileNotFoundError:
            continue  # somebody has just taken it in hand
        except (OSError, CodecError):
            unread.append(path.name)
    return found, unread


def _subjects(who: Theirs) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, who.keys))


def _records(path: Path, meant: Meant) -> Iterator[Record]:
    segments = open_segments(path)
    try:
        for segment in segments:
            for _, record in find_in(segment, meant):
                yield record
    finally:
        for segment in segments:
            segment.close()


def _letters(path: Path, who: Theirs) -> Iterator[Refused]:
    opened, subjects = open_letters(path), _subjects(who)
    if opened is None:
        return
    try:
        for piece in pieces(*opened):
            if piece.letter is None or piece.record is None or piece.record.subject not in subjects:
                continue
            one = decode(bytes(piece.letter.interaction))
            if who.own(piece.record.subject.hex(), one.id):
                yield Refused(exporter=exporter_of(path), at=piece.letter.at, interaction=one)
    finally:
        os.close(opened[0])


def names_another(keys: Collection[str], keyring: Keyring, one: Interaction) -> bool:
    """Whether it is a merge with somebody who has been parted from them since."""
    said = one.properties.get("with")
    if one.name != MERGED.name or not isinstance(said, dict):
        return False
    other = Identifier(type=str(said.get("type")), value=str(said.get("value")), evidence="claim")
    return key_of(keyring, other) not in keys
