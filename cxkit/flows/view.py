"""The view: what this process knows of people now.

It answers from memory. What it does not hold is read from the store: at once where that is a file,
by a thread of its own (`cxkit.flows.watching`) where it is remote, for then nobody on a request's
path waits longer than they may. Commands of this process show in it at once, before they are
committed; changes by other processes within half a second of being asked for, or as soon as a
remote store announces them. Where spools are kept (`View.watch`) they are heard of even by who is idle.

A store that cannot be reached is trusted for a minute. After that only refusals are remembered:
what somebody granted may have been withdrawn meanwhile.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Final, TypeVar

import attrs

from cxkit.capture.interruption import let_through
from cxkit.errors import RewoundError, StoreError
from cxkit.flows.bus import Committed
from cxkit.flows.documents import seen_in, tombstone_doc, tombstone_in
from cxkit.flows.histories import Histories
from cxkit.flows.known import Change, Known, owners_in, read_known
from cxkit.flows.rulings import Rulings
from cxkit.flows.underway import Underway
from cxkit.flows.watching import CHANGES_FAILED, STORE_FAILED, Failed, Watcher, newest
from cxkit.model import Identifier
from cxkit.roles import Store
from cxkit.rules.consent import refused
from cxkit.rules.identity import TYPES, Types, anonymous, opens, whose

__all__ = ["View"]

T = TypeVar("T")

_HELD: Final = 10_000
_POLL_S: Final = 0.5
_LOOK_BACK: Final = 1000
_AT_ONCE: Final = 500
_TRUSTED_S: Final = 60.0
_TOMBSTONE: Final = tombstone_doc("")


class View:
    """Known people by the keys of their identifiers. For all threads.

    Args:
        erased: Told of keys that were erased, here or elsewhere, and up to when; must not block.
        kept: Tells keys of whom something may have been kept here for long; asked once, on a thread of its own.
        failed: Told of each failure of the store that nobody else hears of.
        types: What identifiers are worth.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        erased: Callable[[frozenset[str], datetime], None] = lambda keys, until: None,
        kept: Callable[[], Iterable[str]] = tuple,
        failed: Failed = lambda name, what, error: None,
        types: Types = TYPES,
    ) -> None:
        self._store = store
        self._kept = kept
        self._failed = failed
        self._types = types
        self._clock = clock
        self._now = now
        self._erased = erased
        self.reset()

    version = 0
    """Another whenever anything else is known of anybody."""

    def reset(self) -> None:
        """Know nothing: in a forked child."""
        self.version += 1
        self._guard = threading.Lock()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._readers: dict[str, set[str]] = {}
        self._underway = Underway(self._guard)
        self._uncommitted: dict[str, dict[str, Change]] = {}
        self.histories = Histories(self.ask, remote=lambda: self._store().remote, clock=self._clock)
        """The last contacts of people, for those who read them."""
        self.rulings = Rulings(self.ask, remote=lambda: self._store().remote, clock=self._clock)
        self._catching_up = threading.Lock()
        self._token: int | None = None
        self._polled_at = self._heard_at = -math.inf
        self._deaf: Exception | None = None
        """What the store said when it was asked for changes in vain."""
        self._watcher = Watcher(
            self._store,
            read=self._read_ahead,
            catch_up=self._listen,
            token=lambda: self._token,
            begin=self._search,
            failed=self._failed,
        )

    def watch(self) -> None:
        """Hear of what others change from now on even if nobody asks: of who was erased, nothing must be kept here."""
        self._watcher.watch()

    def close(self) -> None:
        """End the threads."""
        self._watcher.end()

    def of(self, keys: Mapping[str, Identifier], *, patience_s: float = math.inf) -> Known | None:
        """What is known of the person these identifiers, the strongest first, belong to.

        What is known of somebody else who owns one of them, the device say, is left out.

        Args:
            patience_s: How long a remote store may be waited for.

        Returns:
            None if it could not be known in time.

        Raises:
            StoreError: The store was asked, here and now, and failed.
        """
        if not keys:
            return Known()
        found = self._all(list(keys), patience_s)
        if found is None:
            return None
        known = _of_nobody(found)
        if known is None:
            owned, people = owners_in(found)
            person = whose(seen_in(keys), owned=owned, people=people, types=self._types)
            theirs = [of for key, one in found.items() if (of := _of(key, one, person)) is not None]
            known = reduce(Known.with_more, theirs or [Known()])
        barred = frozenset(key for key, one in found.items() if one.tombstone and one.tombstone.bars(self._now()))
        return attrs.evolve(known, barred=barred) if barred else known

    def opened_by(self, keys: Mapping[str, Identifier]) -> frozenset[str]:
        """Of these the keys under which whoever has them may allow something; while it is not known, the strongest.

        Raises:
            StoreError: As `of`.
        """
        found = self._all(list(keys), 0.0)
        if found is None:
            return frozenset([*keys][:1])
        owned, people = owners_in(found)
        return opens(seen_in(keys), owned=owned, people=people, types=self._types)

    def under(self, key: str, *, patience_s: float = math.inf) -> Known | None:
        """What is known of whoever this one identifier belongs to; see `of`."""
        found = self._all([key], patience_s)
        return None if found is None else found[key]

    def ask(self, question: Callable[[Store], T], *, patience_s: float) -> T | None:
        """What the store answers to a question of its own; None if not in time.

        Raises:
            Exception: Whatever the store raised, if it was asked here and now.
        """
        if patience_s == math.inf or not self._store().remote:
            return question(self._store())
        return self._watcher.answer(question, patience_s)

    def standing(self, subject: bytes, purposes: Iterable[str]) -> tuple[bool | None, datetime | None]:
        """Whether a person has denied one of these purposes or no longer allows it, and up to when they are erased.

        None instead of the former: that is not known for sure.
        """
        try:
            known = self.under(subject.hex())
        except Exception as error:  # noqa: BLE001 - whatever a store raises, not knowing is the safe answer
            let_through(error)
            self._failed(*STORE_FAILED, error)
            return None, None
        erased_at = known.tombstone.erased_at if known and known.tombstone else None
        if known is None or self._deaf is not None:
            return None, erased_at
        denied = frozenset(
            purpose
            for one in known.both  # of a shared device nobody says whose it is
            for purpose in refused({purpose: choice for purpose, (choice, _) in one.choices.items()}) | one.ended
        )
        return not denied.isdisjoint(purposes), erased_at

    def remembers(self, keys: Iterable[str], command: str, change: Change) -> None:
        """Show a command's effect before it is committed."""
        with self._guard:
            self.version += 1
            for key in keys:
                self._uncommitted.setdefault(key, {})[command] = change

    def forgets(self, keys: Iterable[str], command: str) -> None:
        """Show a command's effect no longer: it is committed, or never will be."""
        with self._guard:
            for key in keys:
                self._uncommitted.get(key, {}).pop(command, None)
                if not self._uncommitted.get(key):
                    self._uncommitted.pop(key, None)

    def uncommitted(self, keys: Iterable[str]) -> Known:
        """What the commands that are not committed yet say of whoever has these identifiers, and nothing else."""
        with self._guard:
            changes = {id: change for key in keys for id, change in self._uncommitted.get(key, {}).items()}
        return reduce(lambda known, change: change(known), changes.values(), Known())

    def committed(self, event: Committed) -> None:
        """Forget what was read of the documents that changed. Subscribed to the bus."""
        with self._guard:
            self._forget(event.documents)
        keys = _graves(event.documents)
        if keys:
            self._erased(frozenset(keys.values()), event.command.occurred_at)
        # Only now: in between, a command must be seen twice rather than not at all.
        self.forgets(event.keys, event.command.id)

    # --- what is held ---

    def _all(self, keys: Sequence[str], patience_s: float) -> dict[str, Known] | None:
        here = patience_s == math.inf or not self._store().remote
        if here:
            self._poll()
        found, own, others = self._look(keys)
        missing = [key for key in keys if key not in found or found[key].stale]
        if missing and here:
            if self._deaf is not None:
                fix = "see the error that caused this one"
                raise StoreError("the store failed a moment ago", fix=fix, code="CX6021") from self._deaf
            found.update(self._fetch(missing))
            others.update(self._look(missing)[2])
        elif missing:
            self._watcher.ask(missing, patience_s)
            found, own, others = self._look(keys)
            if len(found) < len(set(keys)):
                return None
        distrusted = self._deaf is not None and self._clock() - self._heard_at > _TRUSTED_S
        if distrusted:
            found = {key: one.refusals_only() for key, one in found.items()}
        if not own and not others:
            return {key: found[key] for key in keys}
        return {key: found[key].changed(own.get(key, ()), others.get(key, ())) for key in keys}

    def _look(self, keys: Iterable[str]) -> tuple[dict[str, Known], dict[str, list[Change]], dict[str, list[Change]]]:
        """What is held, and what is not committed: under the identifiers themselves, and under others of the person."""
        now = self._now()
        with self._guard:
            held = {key: self._known[key] for key in keys if key in self._known}
            own = {key: list(self._uncommitted[key].values()) for key in keys if key in self._uncommitted}
            others = {key: self._of_others(key, known) for key, known in held.items()} if self._uncommitted else {}
            return {key: known for key, known in held.items() if not known.over(now)}, own, others

    def _of_others(self, key: str, known: Known) -> list[Change]:
        own = self._uncommitted.get(key, {}) if known.alone is None else {}
        names = [self._uncommitted[one] for one in known.proven(self._types) if one in self._uncommitted and one != key]
        return [*{id: change for one in names for id, change in one.items() if id not in own}.values()]

    def _fetch(self, keys: Sequence[str]) -> dict[str, Known]:
        with self._underway.reading() as changed:
            read = read_known(self._store(), keys, self._now())
            with self._guard:
                for key, known in read.items():
                    if not changed(known.all_documents):
                        self._keep(key, known)
        return read

    def _read_ahead(self, keys: Sequence[str]) -> None:
        """On the watcher's thread: hold these from now on."""
        if not keys:
            return
        if self._token is None:
            self._listen()
        found = self._fetch(keys)
        self.histories.ahead(self._store(), {key for known in found.values() for key in known.keys})

    # --- changes by others ---

    def _poll(self) -> None:
        """Forget what others have changed: the store is asked every half second, if anybody asks us."""
        if self._clock() - self._polled_at >= _POLL_S:
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - whatever a store raises: who finds nothing here is told
                let_through(error)
                self._failed(*CHANGES_FAILED, error)

    def _listen(self) -> None:
        self._polled_at = self._clock()
        try:
            with self._catching_up:
                try:
                    self._catch_up(self._store())
                except RewoundError:
                    self._know_nothing()
                    self._catch_up(self._store())
        except Exception as error:
            let_through(error)
            self._deaf = error
            raise
        self._heard_at = self._clock()
        self._deaf = None

    def _know_nothing(self) -> None:
        """What was read may be gone: begin anew, with the changes that come next."""
        with self._guard:
            self._underway.changed(None)
            self.version += 1
            self._known.clear()
            self._readers.clear()
            self.histories.changed(None)
            self.rulings.changed(None)
            self._token = None

    def _catch_up(self, store: Store) -> None:
        if self._token is None:  # and who was erased just before: what this process found may be about them
            self._token = max(0, newest(store) - _LOOK_BACK)
        while changes := store.changes_since(self._token):
            with self._guard:  # first: what interrupts us in between must not leave a change unseen
                self._forget({change.key for change in changes})
            self._bury(store, [change.key for change in changes])
            self._token = changes[-1].token

    def _keep(self, key: str, known: Known) -> None:
        self._drop(key)
        self._known[key] = known
        self.version += 1
        for document in known.all_documents:
            self._readers.setdefault(document, set()).add(key)
        if len(self._known) > _HELD:
            self._drop(next(iter(self._known)))

    def _forget(self, documents: Collection[str]) -> None:
        self.histories.changed(documents)
        self.rulings.changed(documents)
        self._underway.changed(documents)
        again = {key for document in documents for key in self._readers.get(document, ())}
        for key in again:  # until it is read again, what was refused is remembered
            self._keep(key, self._known[key].refusals_only())
        if again and self._store().remote:  # at once: whoever asks next may not wait
            self._watcher.ask([*again], 0.0)

    def _search(self) -> None:
        """Of whom something has been kept here since before we listened: were they erased meanwhile?"""
        graves = [*map(tombstone_doc, self._kept())]
        for start in range(0, len(graves), _AT_ONCE):
            self._bury(self._store(), graves[start : start + _AT_ONCE])

    def _bury(self, store: Store, documents: Iterable[str]) -> None:
        graves = _graves(documents)
        by_time: dict[datetime, set[str]] = {}
        for name, one in (store.get_many(graves) if graves else {}).items():
            by_time.setdefault(tombstone_in(one.body).erased_at, set()).add(graves[name])
        for erased_at, keys in by_time.items():
            self._erased(frozenset(keys), erased_at)

    def _drop(self, key: str) -> None:
        known = self._known.pop(key, Known())
        for document in known.all_documents:
            self._readers[document].discard(key)
            if not self._readers[document]:
                del self._readers[document]


def _of_nobody(found: Mapping[str, Known]) -> Known | None:
    """What is known under the one identifier of somebody who has no other: of most visitors there is no more to ask."""
    one = next(iter(found.values()))
    return one if len(found) == 1 and one.graph is None and one.owned is None and one.alone is None else None


def _of(key: str, known: Known, person: str | None) -> Known | None:
    """What is known under an identifier that is this person's, too; None if it is somebody else's."""
    if known.person in (None, person):
        return known
    contested = known.owned.contested if known.owned else None
    return known.alone if contested is not None and person == anonymous(key, contested) else None


def _graves(documents: Iterable[str]) -> dict[str, str]:
    """Of these documents the tombstones, and whose they are."""
    return {name: name.removeprefix(_TOMBSTONE) for name in documents if name.startswith(_TOMBSTONE)}
