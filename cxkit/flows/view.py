"""The view: what this process knows of people now.

It answers from memory. What it does not hold it reads from the store, unless that is remote and
the caller must not wait. Commands of this process show in it at once, before they are committed;
changes by other processes within half a second of being asked for.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any, Final, cast

import attrs

from cxkit.capture.interruption import let_through
from cxkit.errors import StoreError
from cxkit.flows.bus import Committed
from cxkit.flows.documents import choices_in, consent_doc, identifier_doc, person_doc
from cxkit.model import JSON, Choice, Identifier
from cxkit.roles import Store
from cxkit.rules.consent import refused
from cxkit.rules.identity import Owner, owner

__all__ = ["Known", "View"]

_HELD: Final = 10_000
_POLL_S: Final = 0.5


@attrs.frozen(kw_only=True)
class Known:
    """What is known of whoever an identifier belongs to."""

    person: str | None = None
    unique: Mapping[str, str] = attrs.field(factory=dict)
    """Key by type, of the person's identifiers of a unique type."""
    logged_in: bool = False
    """Whether the person was ever reached by a login."""
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    choices: Mapping[str, tuple[Choice, datetime]] = attrs.field(factory=dict)
    joined: frozenset[bytes] = frozenset()
    """Keys that a command which is not committed yet makes one person's."""
    documents: frozenset[str] = frozenset()
    """What it was read from."""

    def with_more(self, more: Known) -> Known:
        """Both; later choices win, denials among equals."""
        if more.traits == self.traits and more.choices == self.choices and self.person:
            return self  # as for two identifiers of one person
        choices = dict(self.choices)
        for purpose, new in more.choices.items():
            held = choices.get(purpose)
            if held is None or (new[1], new[0] == "denied") >= (held[1], held[0] == "denied"):
                choices[purpose] = new
        return attrs.evolve(
            self,
            person=self.person or more.person,
            traits={**self.traits, **more.traits},
            choices=choices,
            joined=self.joined | more.joined,
        )


class View:
    """Known people by the keys of their identifiers. For all threads."""

    def __init__(self, store: Callable[[], Store], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Know nothing: in a forked child."""
        self._guard = threading.Lock()
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._readers: dict[str, set[bytes]] = {}
        self._forgets = 0
        self._uncommitted: dict[bytes, dict[str, Known]] = {}
        self._token: int | None = None
        self._polled_at = float("-inf")
        self._blind = False

    def of(self, keys: Mapping[bytes, Identifier], *, wait: bool = True) -> Known | None:
        """What is known of the person these identifiers, the strongest first, belong to.

        What is known of somebody else who owns one of them, the device say, is left out.

        Args:
            wait: Whether the store may be asked.

        Returns:
            None if the store would have to be asked and may not be.

        Raises:
            StoreError: The store was asked and failed.
        """
        found: dict[bytes, Known] = {}
        for key in keys:
            one = self.under(key, wait=wait)
            if one is None:
                return None
            found[key] = one
        if len(found) == 1:
            return next(iter(found.values()))
        owners = {
            key.hex(): Owner(person=known.person, unique=known.unique, logged_in=known.logged_in)
            for key, known in found.items()
            if known.person is not None
        }
        held = owner({key.hex(): (one.type, one.evidence) for key, one in keys.items()}, owners)
        person = held.person if held else None
        theirs = [one for one in found.values() if one.person in (None, person)]
        return reduce(Known.with_more, theirs or [Known()])

    def under(self, key: bytes, *, wait: bool = True) -> Known | None:
        """What is known of whoever this one identifier belongs to; see `of`."""
        self._poll(wait)
        with self._guard:
            known = self._known.get(key)
            mine = list(self._uncommitted.get(key, {}).values())
            forgets = self._forgets
        if not wait and (known is None or self._blind):
            return None
        if known is None:
            known = self._read(key)
            with self._guard:
                if forgets == self._forgets:  # else it may be out of date already
                    self._keep(key, known)
        return reduce(Known.with_more, mine, known)

    def remembers(self, keys: Iterable[bytes], command: str, change: Known) -> None:
        """Show a command's effect before it is committed."""
        with self._guard:
            for key in keys:
                self._uncommitted.setdefault(key, {})[command] = change

    def forgets(self, keys: Iterable[bytes], command: str) -> None:
        """Show a command's effect no longer: it is committed, or never will be."""
        with self._guard:
            for key in keys:
                self._uncommitted.get(key, {}).pop(command, None)
                if not self._uncommitted.get(key):
                    self._uncommitted.pop(key, None)

    def committed(self, event: Committed) -> None:
        """Forget what was read of the documents that changed. Subscribed to the bus."""
        with self._guard:
            self._forget(event.documents)
        # Only now: in between, a command must be seen twice rather than not at all.
        self.forgets(event.keys, event.command.id)

    # --- inside ---

    def _read(self, key: bytes) -> Known:
        store = self._store()
        own, consent = identifier_doc(key), consent_doc(key)
        first = store.get_many([own, consent])
        person = str(first[own].body["person"]) if own in first else ""
        second = store.get_many([person_doc(person)]) if person else {}
        if not second:
            choices = choices_in([first[consent].body] if consent in first else [])
            return Known(choices=choices, documents=frozenset([own, consent, person_doc(person)]))
        body = cast("Mapping[str, Any]", second[person_doc(person)].body)
        consents = {consent, *(consent_doc(bytes.fromhex(one)) for one in body["keys"])}
        return Known(
            person=person,
            unique=body["unique"],
            logged_in=body["logged_in"],
            traits=body["traits"],
            choices=choices_in(one.body for one in store.get_many(consents).values()),
            documents=frozenset([own, person_doc(person), *consents]),
        )

    def _poll(self, wait: bool) -> None:
        """Forget what others have changed: the store is asked every half second, if it may be."""
        if not wait:
            return
        now = self._clock()
        if now - self._polled_at >= _POLL_S:
            self._polled_at = now
            try:
                self._catch_up(self._store())
            except Exception as error:
                let_through(error)
                self._blind = True
                raise
            self._blind = False
        elif self._blind:
            raise StoreError("the store failed a moment ago", fix="see what it said then", code="CX6021")

    def _catch_up(self, store: Store) -> None:
        if self._token is None:
            self._token = _newest(store)
        while changes := store.changes_since(self._token):
            with self._guard:  # first: what interrupts us in between must not leave a change unseen
                self._forget({change.key for change in changes})
            self._token = changes[-1].token

    def _keep(self, key: bytes, known: Known) -> None:
        self._drop(key)
        self._known[key] = known
        for document in known.documents:
            self._readers.setdefault(document, set()).add(key)
        if len(self._known) > _HELD:
            self._drop(next(iter(self._known)))

    def _forget(self, documents: Iterable[str]) -> None:
        self._forgets += 1
        for document in documents:
            for key in list(self._readers.get(document, ())):
                self._drop(key)

    def _drop(self, key: bytes) -> None:
        known = self._known.pop(key, Known())
        for document in known.documents:
            self._readers[document].discard(key)
            if not self._readers[document]:
                del self._readers[document]


def refuses(view: View, subject: bytes, purposes: Iterable[str]) -> bool | None:
    """Whether a person has denied one of these purposes; None if that cannot be known now."""
    try:
        known = view.under(subject)
    except Exception:  # noqa: BLE001 - whatever a store raises, not knowing is the safe answer
        return None
    assert known is not None, "it may wait"
    choices = {purpose: choice for purpose, (choice, _) in known.choices.items()}
    return not refused(choices).isdisjoint(purposes)


def _newest(store: Store) -> int:
    """The token of the last change, found by halving: there may be millions."""
    high = 1
    while store.changes_since(high, limit=1):
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        if store.changes_since(middle, limit=1):
            low = middle + 1
        else:
            high = middle
    return high
