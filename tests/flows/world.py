"""What the tests of the flows work with: stores that fail on demand, and a look into what they hold."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from cxkit.codec import encode
from cxkit.errors import ConflictError, StoreError
from cxkit.flows.documents import Life, key_of, life_in
from cxkit.keyring import Keyring
from cxkit.model import JSON, Evidence, Identifier, Identity, Interaction
from cxkit.roles import Batch, Change, Document, Put, Store
from cxkit.rules.profile import values

KEYS = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")


class Faulty:
    """A store that counts what it is asked, and fails when it is told to."""

    remote = False

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.broken = False
        self.conflicts = 0
        self.asked: Counter[str] = Counter()
        self.meanwhile: Callable[[], object] = lambda: None

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        found = self._asked("get_many").get_many(list(keys))
        self.meanwhile()
        return found

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("somebody was first", fix="read again")
        return self._asked("commit").commit(puts, expected=expected)

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        return self._asked("lookup").lookup(term, limit=limit)

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        return self._asked("scan").scan(prefix, after=after, limit=limit)

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        return self._asked("changes_since").changes_since(token, limit=limit)

    def close(self) -> None:
        self.inner.close()

    def _asked(self, verb: str) -> Store:
        self.asked[verb] += 1
        if self.broken:
            raise StoreError("it is broken", fix="mend it")
        return self.inner


def held(store: Store, kind: str) -> dict[str, Mapping[str, Any]]:
    """The documents of a kind, by the rest of their key."""
    return {one.key.removeprefix(f"{kind}/"): one.body for one in store.scan(f"{kind}/")}


def key(type: str, value: str, keyring: Keyring = KEYS) -> str:
    """The key of an identifier, as documents spell it."""
    return key_of(keyring, Identifier(type=type, value=value, evidence="login"))


def identity(evidence: Evidence = "login", **values: str) -> Identity:
    return Identity(
        identifiers=tuple(Identifier(type=type, value=value, evidence=evidence) for type, value in values.items())
    )  # fmt: skip


def lives(store: Store) -> dict[str, Life]:
    """The people of a store, by id; not those who became part of another."""
    return {id: life for id, body in held(store, "person").items() if (life := life_in(body)) is not None}


def traits(store: Store) -> list[dict[str, JSON]]:
    """The traits of all its people."""
    return [values(life.traits, now=datetime(2026, 11, 22, tzinfo=UTC)) for life in lives(store).values()]


def command(name: str, who: Identity, properties: Mapping[str, Any], *, id: str = "01", minute: int = 0) -> Interaction:
    return Interaction(
        id=id, occurred_at=datetime(2026, 11, 21, 10, minute, tzinfo=UTC), name=name, source="/app", identity=who,
        properties=properties, kind="consent" if name.startswith("consent") else "identity",
        consent={"identity_stitching": True},
    )  # fmt: skip


def identified(who: Identity, /, *, id: str = "01", minute: int = 0, **traits: Any) -> Interaction:
    return command("identity.identified", who, traits, id=id, minute=minute)


def chose(who: Identity, /, *, id: str = "01", minute: int = 0, **choices: str) -> Interaction:
    properties = {"choices": choices, "method": "api", "policy": "strict/1"}
    return command("consent.changed", who, properties, id=id, minute=minute)


def batch(*commands: Interaction) -> Batch:
    return Batch("b", tuple(map(encode, commands)))


@attrs.define
class Ticking:
    """A clock that stands until it is moved."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def eventually(happened: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Ask again until it has happened.

    Raises:
        AssertionError: It has not, in all that time.
    """
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)
