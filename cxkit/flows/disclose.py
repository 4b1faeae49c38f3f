"""disclose: everything that is held of a person, for that person.

What somebody else did is nobody's to see: of a device that several people use, its owner gets what is from before
that showed, and whoever names that device alone what is from after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs
import msgspec

from cxkit.codec import decode, encode
from cxkit.delivery.erasure import Meant
from cxkit.delivery.kept import kept_letters, kept_records
from cxkit.errors import CodecError
from cxkit.flows.documents import (
    Body,
    Life,
    asked_doc,
    consent_doc,
    consents_in,
    history_doc,
    identifier_doc,
    key_of,
    message_term,
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
from cxkit.model import (
    JSON,
    Consent,
    Evidence,
    GlobalStop,
    Identifier,
    Interaction,
    Message,
    Preference,
    Recent,
    Suppression,
)
from cxkit.model.profile import How, Provenance
from cxkit.rules.consent import chained
from cxkit.rules.identity import Owned
from cxkit.rules.preferences import Sent
from cxkit.rules.profile import History, Traits
from cxkit.rules.profile.traits import Held
from cxkit.rules.questions import Asked

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

T = TypeVar("T", Consent, Preference, GlobalStop, Suppression, Sent, Recent, Asked)


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
    received: tuple[Message, ...] = ()
    """Messages to them of which it is kept what became of each."""
    questions: tuple[Asked, ...] = ()
    """What they were asked, and what they answered to or skipped. The answers are among the traits."""
    spooled: tuple[Interaction, ...] = ()
    """What is kept in the spools on this machine, delivered or not: it goes with the segment that it is in."""
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
    contested: Mapping[str, tuple[Owned, bool]] = attrs.field(factory=dict)
    """Key of a device that several people use to whose it is, and whether that is them."""

    def own(self, key: str, id: str) -> bool:
        """Whether what was recorded under this key, with this id, is theirs."""
        if key not in self.contested:
            return True
        held, owner = self.contested[key]
        return held.vouches(id) is owner


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
            contested[key] = (owned, any(owned.person in life.graph.ids for life in lives.values()))
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
        received=tuple(_received(reading, who)),
        questions=tuple(_once(rows(asked_doc, "askings", Asked))),
        erased_at=max((tombstone_in(body).erased_at for body in graves), default=None),
    )


def _once(found: Iterable[T]) -> list[T]:
    """Each once: what concerns several identifiers is kept under each of them."""
    return list({one.id or place: one for place, one in enumerate(found)}.values())


def _consents(reading: Reading, who: Theirs) -> list[Consent]:
    bodies = {key: reading.get([consent_doc(key)]).get(consent_doc(key)) for key in who.keys}
    held: list[tuple[str, Body]] = [(key, body) for key, body in bodies.items() if body is not None]
    return chained(one for key, body in held for one in consents_in([body]) if who.own(key, one.id))


def _received(reading: Reading, who: Theirs) -> list[Message]:
    bodies = reading.get(name for key in who.keys for name in reading.under(message_term(key)))
    return sorted((read(body, Message) for body in bodies.values()), key=lambda one: (one.at, one.id))


def _contacts(histories: Mapping[str, History], who: Theirs) -> list[Recent]:
    found = [one for key, history in histories.items() for one in history.contacts if who.own(key, one.id)]
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
    """What the spools under ``root`` hold of them, and the names of those that could not be read whole.

    Raises:
        OSError: ``spool/`` is not ours alone.
    """
    found: dict[str, Interaction] = {}
    subjects = _subjects(who)
    records, unread = kept_records(root, Meant.about(subjects))
    for spool, record in records:
        if record.subject not in subjects:
            continue  # a merge of somebody else with them, who have been parted since
        try:
            one = decode(record.payload)
        except CodecError:
            unread.append(spool)
            continue
        if who.own(record.subject.hex(), one.id):
            found[one.id] = one
    return sorted(found.values(), key=lambda one: (one.occurred_at, one.id)), _distinct(unread)


def dead_letters(root: Path, who: Theirs) -> tuple[list[Refused], list[str]]:
    """Likewise the dead letters, and the exporters, or files, whose letters could not be read whole.

    Raises:
        OSError: ``dead/`` is a link, or others may write to it.
    """
    found, subjects = [], _subjects(who)
    letters, unread = kept_letters(root, lambda record, letter: record.subject in subjects)
    for exporter, record, letter in letters:
        try:
            one = decode(bytes(letter.interaction))
        except CodecError:
            unread.append(exporter)
            continue
        if who.own(record.subject.hex(), one.id):
            found.append(Refused(exporter=exporter, at=letter.at, interaction=one))
    return found, _distinct(unread)


def _subjects(who: Theirs) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, who.keys))


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def names_another(keys: Collection[str], keyring: Keyring, one: Interaction) -> bool:
    """Whether it is a merge with somebody who has been parted from them since."""
    said = one.properties.get("with")
    if one.name != MERGED.name or not isinstance(said, dict):
        return False
    other = Identifier(type=str(said.get("type")), value=str(said.get("value")), evidence="claim")
    return key_of(keyring, other) not in keys
