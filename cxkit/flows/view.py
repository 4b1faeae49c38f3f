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
from typing import Final, cast

import attrs

from cxkit.errors import StoreError
from cxkit.flows.bus import Committed
from cxkit.flows.documents import choices_in, consent_doc, identifier_doc, person_doc
from cxkit.model import JSON, Choice
from cxkit.roles import Store

__all__ = ["Known", "View"]

_HELD: Final = 10_000
_POLL_S: Final = 0.5


@attrs.frozen(kw_only=True)
class Known:
    """What is known of whoever an identifier belongs to."""

    person: str | None = None
    traits: Mapping[str, JSON] = attrs.field(factory=dict)
    choices: Mapping[str, tuple[Choice, datetime]] = attrs.field(factory=dict)
    documents: frozenset[str] = frozenset()
    """What it was read from."""

    def with_more(self, more: Known) -> Known:
        """Both; later choices win, denials among equals."""
        choices = dict(self.choices)
        for purpose, new in more.choices.items():
            held = choices.get(purpose)
            if held is None or (new[1], new[0] == "denied") >= (held[1], held[0] == "denied"):
                choices[purpose] = new
        return attrs.evolve(
            self, person=self.person or more.person, traits={**self.traits, **more.traits}, choices=choices
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
        self._uncommitted: dict[bytes, dict[str, Known]] = {}
        self._token: int | None = None
        self._polled_at = 0.0

    def of(self, keys: Iterable[bytes], *, wait: bool = True) -> Known | None:
        """What is known of whoever these identifiers belong to.

        Args:
            wait: Whether a store that is not in memory may be asked.

        Returns:
            None if the store would have to be asked and may not be.

        Raises:
            StoreError: The store was asked and failed.
        """
        found = Known()
        for key in keys:
            one = self._one(key, wait=wait)
            if one is None:
                return None
            found = found.with_more(one)
        return found

    def remembers(self, keys: Iterable[bytes], command: str, change: Known) -> None:
        """Show a command's effect before it is committed."""
        with self._guard:
            for key in keys:
                self._uncommitted.setdefault(key, {})[command] = change

    def committed(self, event: Committed) -> None:
        """Forget what was read of the documents that changed. Subscribed to the bus."""
        with self._guard:
            for key in event.keys:
                self._uncommitted.get(key, {}).pop(event.command.id, None)
                if not self._uncommitted.get(key):
                    self._uncommitted.pop(key, None)
                self._known.pop(key, None)
        self._forget(event.documents)

    def _one(self, key: bytes, *, wait: bool) -> Known | None:
        self._poll(wait)
        with self._guard:
            known = self._known.get(key)
            mine = list(self._uncommitted.get(key, {}).values())
        if known is None:
            if not wait:
                return None
            known = self._read(key)
            with self._guard:
                self._known[key] = known
                if len(self._known) > _HELD:
                    self._known.popitem(last=False)
        for change in mine:
            known = known.with_more(change)
        return known

    def _read(self, key: bytes) -> Known:
        store = self._store()
        own = identifier_doc(key)
        first = store.get_many([own, consent_doc(key)])
        if own not in first:
            return Known(
                choices=choices_in(one.body for one in first.values()),
                documents=frozenset([own, consent_doc(key)]),
            )
        person = str(first[own].body["person"])
        second = store.get_many([person_doc(person)])
        body = second[person_doc(person)].body if second else {}
        keys = [bytes.fromhex(one) for one in cast("list[str]", body.get("keys", []))]
        consents = store.get_many([consent_doc(one) for one in {key, *keys}])
        return Known(
            person=person,
            traits=cast("dict[str, JSON]", body.get("traits", {})),
            choices=choices_in(one.body for one in consents.values()),
            documents=frozenset([own, person_doc(person), *(consent_doc(one) for one in {key, *keys})]),
        )

    def _poll(self, wait: bool) -> None:
        now = self._clock()
        if not wait or now - self._polled_at < _POLL_S:
            return
        self._polled_at = now
        store = self._store()
        if self._token is None:
            self._token = 0
            self._known.clear()
        while changes := store.changes_since(self._token):
            self._token = changes[-1].token
            self._forget({change.key for change in changes})

    def _forget(self, documents: Iterable[str]) -> None:
        gone = set(documents)
        with self._guard:
            for key in [key for key, known in self._known.items() if known.documents & gone]:
                del self._known[key]


def refuses(view: View, subject: bytes, purposes: Iterable[str]) -> bool | None:
    """Whether a person has denied one of these purposes; None if that cannot be known now."""
    try:
        known = view.of([subject])
    except StoreError:
        return None
    assert known is not None
    return any(known.choices.get(purpose, ("granted",))[0] == "denied" for purpose in purposes)
