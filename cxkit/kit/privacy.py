"""erase, disclose and find: all places in which something of a person lies, and nothing claimed that was not seen.

In this order: the store first, for from then on nothing of before is used, handed on or comes back; then what this
process keeps, what nobody looks after, and what other processes keep, who hear of it through the store; then the
exporters; and at the end everything is looked at again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from cxkit.capture.intake import Captured
from cxkit.capture.scope import Scope, current_scope
from cxkit.delivery.account import read_account
from cxkit.delivery.engine import Engine
from cxkit.delivery.kept import Found, erase_kept, find_kept
from cxkit.delivery.receipts import Receipt
from cxkit.errors import InvalidInteractionError, LocalFileError, StoreError
from cxkit.flows.desk import Desk
from cxkit.flows.disclose import Disclosure, Refused, Theirs, dead_letters, names_another, spooled, theirs
from cxkit.flows.disclose import disclose as disclose_flow
from cxkit.flows.documents import Body, key_of, keys_of, tombstone_doc, tombstone_in
from cxkit.flows.erase import erase as erase_flow
from cxkit.flows.erase import leave, owners_of, stored
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.kit.assembly import STORE_LANE
from cxkit.kit.local import local_interactions, local_names
from cxkit.model import Identifier, Identity, Interaction
from cxkit.roles import Store
from cxkit.settings import Settings

__all__ = ["Erasure", "Holdings", "Premises", "Stage", "disclose", "erase", "find"]

_SETTLE_S: Final = 2.0
"""How long at most to wait for what is on its way to the store, before it is asked."""
_SPOOLED_S: Final = 1.0
_STEP_S: Final = 0.05
_LONGEST_STEP_S: Final = 1.0

Stage = Callable[[str], object]
"""Told where an erasure is: ``store``, ``files``, ``others``, ``verify``."""


@attrs.frozen(kw_only=True)
class Premises:
    """What a kit has in which something of people may lie."""

    desk: Desk
    settings: Settings
    root: Path | None
    store: Callable[[], Store]
    start: Callable[[], None]
    """Starts the engine."""
    engine: Callable[[float], Engine[Captured] | None]
    """The engine, after a start that is under way, until a deadline."""
    scope: Scope
    """One that is about nobody."""


@attrs.frozen(kw_only=True)
class Holdings:
    """Where something of somebody is held, and how much: never what.

    Example:
        >>> Holdings(store={"history": 1}).empty
        False
    """

    store: Mapping[str, int] | None = attrs.field(factory=dict)
    """Kind of document to how many; None: the store could not be read."""
    kept: Mapping[str, int] = attrs.field(factory=dict)
    """Likewise what an erasure leaves, for it says nothing of anybody: tombstones, refusals, and addresses that must
    not be written to."""
    files: Found = attrs.field(factory=Found)
    """Records in spools, and dead letters."""
    local: int | None = None
    """Interactions in the local file; None: there is none here, or it cannot be read."""

    @property
    def empty(self) -> bool:
        """Whether all of it was looked at, and nothing found."""
        return self.store == {} and not (self.files.total or self.files.unread or self.local)


@attrs.frozen(kw_only=True)
class Erasure:
    """How an erasure went, as far as it was seen. Made by `cxkit.erase`."""

    committed: bool
    """Whether the store has it: from then on nothing of before is used or handed on, and nothing late brings it back.
    Otherwise nothing is erased yet."""
    command: str | None = None
    """The id of ``privacy.erased``: spooled, and applied as soon as the store can be reached, by whatever process is
    there then. None: there was no room even for that, or the kit is closed: ask again."""
    held: Holdings = attrs.field(factory=Holdings)
    """What there was."""
    left: Holdings = attrs.field(factory=Holdings)
    """What there still is: read again at the end. Of whoever has come back since, what is new is not counted."""
    receipts: Mapping[str, Receipt] = attrs.field(factory=dict)
    """Exporter to what it came to there."""
    unreached: tuple[str, ...] = ()
    """Exporters that were handed something here once, and are not this process's: made in another's code, or not
    configured any more. What they have is not erased."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left that anybody knows of. An exporter that was only asked (``requested``) is trusted."""
        refused = any(one.outcome == "not erased" for one in self.receipts.values())
        return self.committed and self.left.empty and not refused and not self.unreached


@attrs.frozen(kw_only=True)
class _Subject:
    """Whom it is about, and what of theirs can be read here."""

    identity: Identity
    """What they are called: what was named, and what was found besides."""
    who: Theirs
    known: bool
    """Whether the store could be asked whose these are."""
    spooled: Sequence[Interaction] = ()
    letters: Sequence[Refused] = ()
    local: Sequence[Interaction] | None = None
    unread: tuple[str, ...] = ()

    @property
    def subjects(self) -> frozenset[bytes]:
        return frozenset(map(bytes.fromhex, self.who.keys))


# --- who, and what is theirs ----------------------------------------------------------------------


def find(place: Premises, identity: Identity) -> Holdings:
    """Where something is held of whoever has these identifiers. Changes nothing, starts nothing.

    Raises:
        InvalidInteractionError: No identifier is named.
        OSError: A directory is not ours alone.
    """
    return _look(place, _meant(place, identity), None)


def disclose(place: Premises, identity: Identity) -> Disclosure:
    """Everything that is held of whoever has these identifiers.

    Raises:
        InvalidInteractionError: No identifier is named.
        StoreError: The store cannot be read: without it this would be half of the truth.
        OSError: A directory is not ours alone.
    """
    engine = place.engine(time.monotonic() + _SETTLE_S)
    if engine is not None:  # what was just captured is theirs, too
        engine.settle(STORE_LANE, _SETTLE_S)
    subject = _meant(place, identity)
    names = keys_of(place.desk.keyring, subject.identity)
    told = disclose_flow(
        Reading(place.store()),
        subject.who,
        given=names,
        values={key: one.value for key, one in names.items() if one.type not in place.desk.keyring.contacts},
        now=place.desk.intake.stamper.now(),
    )
    others = partial(names_another, subject.who.keys, place.desk.keyring)
    return attrs.evolve(
        told,
        spooled=tuple(one for one in subject.spooled if not others(one)),
        dead_letters=tuple(one for one in subject.letters if not others(one.interaction)),
        local=None if subject.local is None else tuple(one for one in subject.local if not others(one)),
        unread=subject.unread,
    )


def _meant(place: Premises, identity: Identity) -> _Subject:
    """Whom these identifiers mean, by all names that can be found.

    Of a contact the key is the value; of others only the key is kept, unless something of theirs is still here.
    """
    if not identity:
        fix = 'name who is meant, e.g. user_id="nancy"'
        raise InvalidInteractionError("no identifier is named: nobody is meant", fix=fix, code="CX3150")
    keyring = place.desk.keyring
    try:
        reading = Reading(place.store())
        identity = _linked_locally(place, reading, identity)
        subject = _Subject(identity=identity, who=theirs(reading, keys_of(keyring, identity)), known=True)
    except StoreError:
        keys = tuple(keys_of(keyring, identity))
        subject = _Subject(identity=identity, who=Theirs(lives=(), keys=keys), known=False)
    if place.root is not None:
        records, unread = spooled(place.root, subject.who)
        letters, unopened = dead_letters(place.root, subject.who)
        subject = attrs.evolve(subject, spooled=records, letters=letters, unread=(*unread, *unopened))
    links = [link for life in subject.who.lives for link in life.graph.links if link.type in keyring.contacts]
    contacts = [Identifier(type=link.type, value=link.key, evidence="claim") for link in links]
    seen = [*subject.spooled, *(one.interaction for one in subject.letters)]
    subject = _named(subject, keyring, [*contacts, *(one for each in seen for one in each.identity.identifiers)])
    return _with_local(place, subject)


def _linked_locally(place: Premises, reading: Reading, identity: Identity) -> Identity:
    """With what a login proved to be theirs, too, as only the local file knows: nobody called ``identify``.

    Whoever is somebody else in the store is not meant.

    Raises:
        StoreError: The store cannot be read now.
    """
    keyring, names = place.desk.keyring, [f"{one.type}:{one.value}" for one in identity.identifiers]
    linked: list[str] = []
    with contextlib.suppress(LocalFileError):  # which is told when it is to be looked through
        linked = local_names(place.settings, names)
    more = [name.partition(":") for name in linked if name not in names]
    found = [Identifier(type=type, value=value, evidence="claim") for type, _, value in more]
    owners = {one: owners_of(reading, [key_of(keyring, one)]).keys() for one in found}
    given = owners_of(reading, keys_of(keyring, identity)).keys()
    people = given or (frozenset().union(*owners.values()) if owners else frozenset())
    theirs = [one for one, owner in owners.items() if not owner or (owner <= people and len(people) == 1)]
    return Identity(identifiers=(*identity.identifiers, *theirs))


def _named(subject: _Subject, keyring: Keyring, seen: Iterable[Identifier]) -> _Subject:
    """With the names among these that are theirs."""
    known = keys_of(keyring, subject.identity)
    found = {key_of(keyring, one): attrs.evolve(one, evidence="claim") for one in seen}
    more = [one for key, one in found.items() if key in subject.who.keys and key not in known]
    return attrs.evolve(subject, identity=Identity(identifiers=(*subject.identity.identifiers, *more)))


def _with_local(place: Premises, subject: _Subject) -> _Subject:
    keyring = place.desk.keyring
    try:
        local = local_interactions(place.settings, _local_names(subject, keyring))
    except LocalFileError:
        return attrs.evolve(subject, unread=(*subject.unread, "local"))
    if local is None:
        return subject
    names = [one for each in local for one in each.identity.identifiers]
    return _named(attrs.evolve(subject, local=local), keyring, names)


def _local_names(subject: _Subject, keyring: Keyring) -> list[str]:
    """What the local file calls them. A device that others use too is not its owner there."""
    return [
        f"{one.type}:{one.value}"
        for key, one in keys_of(keyring, subject.identity).items()
        if not (key in subject.who.contested and subject.who.contested[key][1])
    ]


# --- what is held ---------------------------------------------------------------------------------


def _look(
    place: Premises, subject: _Subject, engine: Engine[Captured] | None, *, until: datetime | None = None
) -> Holdings:
    """All of it; or what is of no later than a moment, for whoever was erased may have come back."""
    given = keys_of(place.desk.keyring, subject.identity)
    documents = None
    with contextlib.suppress(StoreError):
        documents = stored(Reading(place.store()), given, subject.who.keys, until=until) if subject.known else None
    local = _with_local(place, subject).local
    return Holdings(
        store=None if documents is None else documents.held,
        kept={} if documents is None else documents.kept,
        files=_files(place, subject, engine, until),
        local=None if local is None else sum(until is None or one.occurred_at <= until for one in local),
    )


def _files(place: Premises, subject: _Subject, engine: Engine[Captured] | None, until: datetime | None) -> Found:
    if engine is not None:
        return engine.find(subject.subjects, until=until)
    return find_kept(place.root, subject.subjects, until=until) if place.root else Found()


# --- erase ----------------------------------------------------------------------------------------


def erase(
    place: Premises,
    identity: Identity,
    *,
    suppress: bool,
    until: datetime | None,
    timeout_s: float,
    stage: Stage = lambda name: None,
) -> Erasure:
    """Have somebody leave, and wait until they have, or the time is up.

    Raises:
        InvalidInteractionError: No identifier is named.
        OSError: A directory is not ours alone.
    """
    deadline = time.monotonic() + timeout_s
    place.start()
    engine = place.engine(deadline)
    if engine is not None:  # what is on its way may say more of who they are
        engine.settle(STORE_LANE, min(_SETTLE_S, _left(deadline)))
    subject = _meant(place, identity)
    held = _look(place, subject, engine)
    stage("store")
    leave(place.desk, current_scope(), subject.who.keys)
    now = place.desk.intake.stamper.now()
    until = until and until.astimezone()  # without a zone it is of this machine
    keys, names = subject.who.keys, subject.identity
    command = erase_flow(place.desk, place.scope, identity=names, suppress=suppress, until=until, keys=keys)
    settled = engine is not None and command is not None and engine.settle(STORE_LANE, _left(deadline))
    buried_at = _buried_at(place, names, now) if settled else None
    if engine is None or command is None or buried_at is None:
        kept = command if _is_spooled(place) else None
        return Erasure(committed=False, command=kept, held=held, left=_look(place, subject, engine))
    done = _erased(place, subject, engine, command, deadline, until=buried_at, stage=stage)
    return attrs.evolve(done, held=held)


def _erased(
    place: Premises,
    subject: _Subject,
    engine: Engine[Captured],
    command: str,
    deadline: float,
    *,
    until: datetime,
    stage: Stage,
) -> Erasure:
    """The rest, once the store has it."""
    stage("files")
    engine.erase(subject.subjects, _left(deadline), until=until)
    if place.root is not None:
        erase_kept(place.root, subject.subjects, until=until)
    stage("others")
    receipts = _await_others(place, subject, engine, command, deadline, until=until)
    stage("verify")
    return Erasure(
        committed=True,
        command=command,
        left=_look(place, subject, engine, until=until),
        receipts=receipts,
        unreached=_unreached(place, receipts),
    )


def _is_spooled(place: Premises) -> bool:
    """Whether all that was captured is written down by now, or in a moment: only then is it sure to follow."""
    deadline = time.monotonic() + _SPOOLED_S
    while place.desk.intake.queued and _left(deadline):
        time.sleep(_STEP_S)
    return not place.desk.intake.queued


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _buried_at(place: Premises, identity: Identity, asked_at: datetime) -> datetime | None:
    """Up to when they are erased; None: the store does not say that they were erased since it was asked for."""
    names = [tombstone_doc(key) for key in keys_of(place.desk.keyring, identity)]
    graves: Mapping[str, Body] = {}
    with contextlib.suppress(StoreError):
        graves = Reading(place.store()).get(names)
    times = [tombstone_in(body).erased_at for body in graves.values()]
    return min(times) if len(times) == len(names) and min(times) >= asked_at else None


def _await_others(
    place: Premises, subject: _Subject, engine: Engine[Captured], command: str, deadline: float, *, until: datetime
) -> dict[str, Receipt]:
    """Wait until other processes have erased what they keep, and exporters what they have; what these say."""
    step_s = _STEP_S
    while True:
        receipts = engine.receipts(command, timeout_s=0.0)
        waiting = any(one.why == "not_delivered" for one in receipts.values())
        if not waiting:
            waiting = _files(place, subject, engine, until).live > 0
        if not waiting or not _left(deadline):
            return receipts
        time.sleep(min(step_s, _left(deadline)))
        step_s = min(2 * step_s, _LONGEST_STEP_S)


def _unreached(place: Premises, receipts: Mapping[str, Receipt]) -> tuple[str, ...]:
    """Exporters of other processes, and of earlier ones, that were handed anything."""
    accounts = read_account(place.root).exporters if place.root else {}
    others = (name for name, one in accounts.items() if name not in receipts and (one.delivered or one.pending))
    return tuple(sorted(name for name in others if not name.startswith("_")))
