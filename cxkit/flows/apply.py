"""apply: commands into the store, on the store's lane. Idempotent: a command may come twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from cxkit.codec import decode
from cxkit.errors import ConflictError, StoreError
from cxkit.flows.bus import Bus, Committed
from cxkit.flows.consent import CONSENT_CHANGED
from cxkit.flows.documents import (
    consent_doc,
    consent_to_json,
    identifier_doc,
    keys_of,
    owner_of,
    person_doc,
)
from cxkit.flows.identify import IDENTIFIED
from cxkit.keyring import Keyring
from cxkit.model import JSON, Consent, Interaction
from cxkit.roles import Batch, Outcome, Put, Store
from cxkit.rules.identity import UNIQUE, Resolution, resolve

__all__ = ["Applier"]

_TRIES: Final = 20


class Applier:
    """Commits commands to the store and announces them. Fills the role of an exporter.

    Args:
        refused: Told of a command that never will be committed, and whom it was about.
    """

    purposes = frozenset({"necessary"})

    def __init__(
        self,
        store: Callable[[], Store],
        keyring: Keyring,
        bus: Bus,
        *,
        refused: Callable[[Iterable[bytes], str], object] = lambda keys, command: None,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._bus = bus
        self._refused = refused

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Apply all; at the first that cannot be applied now, the rest waits with it."""
        rejected: dict[int, str] = {}
        for place, payload in enumerate(batch.payloads):
            command, keys = None, frozenset[bytes]()
            try:
                command = decode(payload)
                keys = frozenset(keys_of(self._keyring, command.identity))
                documents = self._apply(command)
            except StoreError as error:
                left = range(place, len(batch))
                return Outcome.reject(rejected, again=left) if place else Outcome.retry(error.code)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                rejected[place] = type(error).__name__
                if command is not None:
                    self._refused(keys, command.id)
                continue
            self._bus.announce(Committed(command=command, keys=keys, documents=documents))
        return Outcome.reject(rejected) if rejected else Outcome.delivered()

    def close(self) -> None:
        """The store is the kit's to close."""

    def _apply(self, command: Interaction) -> frozenset[str]:
        change = {IDENTIFIED.name: self._identified, CONSENT_CHANGED.name: self._consented}[command.name]
        for _ in range(_TRIES):
            puts, expected = change(command)
            try:
                if puts:
                    self._store().commit(puts, expected=expected)
                return frozenset(puts)
            except ConflictError:
                continue
        raise StoreError("a document is being changed all the time", fix="try again later", code="CX6020")

    def _consented(self, command: Interaction) -> tuple[dict[str, Put], dict[str, int]]:
        properties = cast("dict[str, Any]", command.properties)
        consent = Consent(
            choices=properties["choices"],
            decided_at=command.occurred_at,
            method=properties["method"],
            policy=properties["policy"],
        )
        # Whoever only claims to be somebody may refuse for them, but grant nothing.
        grants = "granted" in consent.choices.values()
        names = [
            consent_doc(key)
            for key, one in keys_of(self._keyring, command.identity).items()
            if not grants or one.evidence in ("cookie", "login")
        ]
        found = self._store().get_many(names)
        puts = {}
        for name in names:
            records: list[Any] = [*cast("list[Any]", found[name].body["records"])] if name in found else []
            if not any(record["id"] == command.id for record in records):
                puts[name] = Put(body={"records": [*records, consent_to_json(command.id, consent)]})
        return puts, {name: found[name].version if name in found else 0 for name in puts}

    def _identified(self, command: Interaction) -> tuple[dict[str, Put], dict[str, int]]:
        keys = keys_of(self._keyring, command.identity)
        owned = self._store().get_many(identifier_doc(key) for key in keys)
        people = self._store().get_many({person_doc(str(one.body["person"])) for one in owned.values()})
        owners = {
            key.hex(): owner_of(person, people[person_doc(person)].body)
            for key in keys
            if (held := owned.get(identifier_doc(key))) and (person := str(held.body["person"]))
            and person_doc(person) in people
        }  # fmt: skip
        seen = {key.hex(): (one.type, one.evidence) for key, one in keys.items()}
        resolution = resolve(seen, owners, newcomer=command.id)
        if resolution.person is None:
            return {}, {}
        name = person_doc(resolution.person)
        types = {key.hex(): one.type for key, one in keys.items()}
        logged_in = any(one.evidence == "login" for one in keys.values())
        before = people[name].body if name in people else {}
        body = _person(before, resolution, types, command, logged_in=logged_in)
        puts = {name: Put(body=body)} if body != before else {}
        for key in resolution.linked:
            puts[f"identifier/{key}"] = Put(body={"type": types[key], "person": resolution.person})
        versions = {**owned, **people}
        return puts, {doc: versions[doc].version if doc in versions else 0 for doc in {*puts, *versions}}


def _person(
    body: Mapping[str, JSON],
    resolution: Resolution,
    types: Mapping[str, str],
    command: Interaction,
    *,
    logged_in: bool,
) -> dict[str, JSON]:
    held = cast("dict[str, Any]", body or {"keys": [], "unique": {}, "traits": {}, "set_by": {}})
    linked = list(resolution.linked)
    # Commands may come again, and late from a spool that another process left: ids grow with time.
    newer = [name for name in command.properties if command.id >= held["set_by"].get(name, "")]
    return {
        "keys": [*held["keys"], *(key for key in linked if key not in held["keys"])],
        "unique": {**held["unique"], **{types[key]: key for key in linked if types[key] in UNIQUE}},
        "logged_in": logged_in or bool(held.get("logged_in")),
        "traits": {**held["traits"], **{name: command.properties[name] for name in newer}},
        "set_by": {**held["set_by"], **dict.fromkeys(newer, command.id)},
        "born_at": held.get("born_at", command.occurred_at.isoformat()),
    }
