"""What the store's documents look like; the only place that knows.

Keys are keyed hashes of identifiers, in hexadecimal; never their values.

``identifier/KEY``  {"type", "person", "contested"}   whose an identifier is; the command that contested a device
``person/ID``       {"graph", "traits"}               a person's identifiers and how they came, and their traits;
                    {"part_of"}                       or of whom they became part
``ledger/COMMAND``  {"merge", "traits"}               a merge: who was absorbed, whole
``tombstone/KEY``   {"erased_at", "suppress", "until"}  that an identifier was erased
``consent/KEY``     {"records"}                       the choices made under an identifier, in order
``preference/KEY``  {"choices", "stops"}              what is wanted under an identifier: the acts that decide it
``suppression/KEY`` {"records"}                       where nothing must be sent to any more
``sent/KEY``        {"messages"}                      which messages were sent lately
``assigned/KEY``    {"given"}                         what experiments gave under an identifier, and when
``asked/KEY``       {"askings"}                       what was asked under an identifier, and what became of it
``ruling/NAME``     {"running", "winner", "actor"}    what an operator said of an experiment
``mailing/DIGEST``  a `cxkit.model.Mailing`       what many messages have in common; nothing of anybody
``message/ID``      a `cxkit.model.Message`       a message, and what became of it; found by ``message:KEY``, too
``once/UNTIL-KEY``  {"said"}                      what a signature that covers no body was first seen with; of nobody
``history/KEY``     see ``rules.profile.History``     the last contacts under an identifier
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec

from cxkit.codec.typed import converter
from cxkit.keyring import Keyring
from cxkit.model import (
    JSON,
    Consent,
    Evidence,
    GlobalStop,
    Identifier,
    Identity,
    Mailing,
    Message,
    Preference,
    Suppression,
)
from cxkit.rules.experience import Ruling
from cxkit.rules.identity import Merge, Owned, Person, Tombstone
from cxkit.rules.preferences import Sent
from cxkit.rules.profile import History, Traits
from cxkit.rules.questions import Asked, kept

__all__ = [
    "Body",
    "Given",
    "Ledger",
    "Life",
    "asked_doc",
    "askings_in",
    "askings_written",
    "assigned_doc",
    "consent_doc",
    "consents_in",
    "consents_written",
    "given_in",
    "history_doc",
    "identifier_doc",
    "key_of",
    "keys_of",
    "ledger_doc",
    "mailing_doc",
    "mailing_term",
    "message_doc",
    "message_term",
    "once_doc",
    "person_doc",
    "preference_doc",
    "ruling_doc",
    "seen_in",
    "sent_doc",
    "suppression_doc",
    "times_in",
    "tombstone_doc",
    "whole_of",
    "with_consent",
]

Body = Mapping[str, JSON]
T = TypeVar("T")


def identifier_doc(key: str) -> str:
    """The document of an identifier."""
    return f"identifier/{key}"


def person_doc(person: str) -> str:
    """The document of a person."""
    return f"person/{person}"


def ledger_doc(command: str) -> str:
    """The document of a merge."""
    return f"ledger/{command}"


def tombstone_doc(key: str) -> str:
    """The document that says that an identifier was erased."""
    return f"tombstone/{key}"


def consent_doc(key: str) -> str:
    """The document of the choices made under an identifier."""
    return f"consent/{key}"


def preference_doc(key: str) -> str:
    """The document of what is wanted under an identifier."""
    return f"preference/{key}"


def suppression_doc(key: str) -> str:
    """The document that says that nothing must be sent to an address."""
    return f"suppression/{key}"


def sent_doc(key: str) -> str:
    """The document of what was sent under an identifier lately."""
    return f"sent/{key}"


def mailing_doc(id: str) -> str:
    """The document of what many messages have in common."""
    return f"mailing/{id}"


def message_doc(id: str) -> str:
    """The document of a message."""
    return f"message/{id}"


def message_term(key: str) -> str:
    """The word under which the messages to an address are found."""
    return f"message:{key}"


def mailing_term(id: str) -> str:
    """The word under which the messages of a mailing are found."""
    return f"mailing:{id}"


def once_doc(until: datetime | None = None, key: str = "") -> str:
    """The document of what was said under a key that is taken until then: in the order of that; None: before all."""
    return f"once/{int(until.timestamp()):010x}-{key}" if until else "once/"


def history_doc(key: str) -> str:
    """The document of the last contacts under an identifier."""
    return f"history/{key}"


def assigned_doc(key: str) -> str:
    """The document of what experiments gave under an identifier."""
    return f"assigned/{key}"


def asked_doc(key: str) -> str:
    """The document of what was asked under an identifier."""
    return f"asked/{key}"


def ruling_doc(experiment: str) -> str:
    """The document of what an operator said of an experiment."""
    return f"ruling/{experiment}"


def key_of(keyring: Keyring, identifier: Identifier) -> str:
    """The key of an identifier. A contact's value already is its key.

    Raises:
        ValueError: It is none.
    """
    if identifier.type in keyring.contacts:
        return bytes.fromhex(identifier.value).hex()
    return keyring.identifier_key(identifier.type, identifier.value).hex()


def keys_of(keyring: Keyring, identity: Identity) -> dict[str, Identifier]:
    """The keys of an identity's identifiers, the strongest first."""
    return {key_of(keyring, one): one for one in identity.identifiers}


def seen_in(keys: Mapping[str, Identifier]) -> dict[str, tuple[str, Evidence]]:
    """Type and evidence of each."""
    return {key: (one.type, one.evidence) for key, one in keys.items()}


@attrs.frozen(kw_only=True)
class Life:
    """What is known of a person: ``person/ID``."""

    graph: Person
    traits: Traits = attrs.field(factory=Traits)


@attrs.frozen(kw_only=True)
class Ledger:
    """A merge, and what each had of their own before it: ``ledger/COMMAND``. Once undone, only that it was."""

    merge: Merge
    traits: Mapping[str, Traits] = attrs.field(factory=dict)
    """Person to traits."""


@attrs.frozen(kw_only=True)
class Given:
    """A variation that an experiment gave: in ``assigned/KEY``, under the experiment's name and version."""

    variation: str
    at: datetime
    crossed_over: bool = False
    """Whether another one was given, too, under another identifier of the same person."""

    def with_other(self, other: Given) -> Given:
        """Of two the first that was given."""
        first, later = sorted((self, other), key=lambda one: (one.at, one.variation))
        crossed = self.crossed_over or other.crossed_over or first.variation != later.variation
        return attrs.evolve(first, crossed_over=crossed)


_READ: Final = (
    Life, Ledger, Given, Ruling, Tombstone, Consent, Preference, GlobalStop, Suppression, Sent, History, Asked,
    Mailing, Message,
)  # fmt: skip
_READERS: Final[Mapping[type, Callable[[object], object]]] = {kind: converter(kind) for kind in _READ}


def written(value: object) -> dict[str, JSON]:
    """The body of a document that holds this, as it will be read again."""
    return cast("dict[str, JSON]", msgspec.json.decode(msgspec.json.encode(value)))


def read(body: Body, kind: type[T]) -> T:
    """What a document, or a part of one, holds: one of those above."""
    reader = _READERS[kind]
    return cast("T", reader(body))


def owned_in(body: Body) -> Owned:
    """Whose an identifier is."""
    return Owned(str(body["person"]), contested=cast("str | None", body.get("contested")))


def life_in(body: Body) -> Life | None:
    """A person; None if they became part of another."""
    return None if "part_of" in body else read(body, Life)


def tombstone_in(body: Body) -> Tombstone:
    return read(body, Tombstone)


def consents_in(bodies: Iterable[Body]) -> list[Consent]:
    """The choices over several consent documents."""
    return [read(record, Consent) for body in bodies for record in _records_in(body)]


def consents_written(records: Iterable[Consent]) -> Body | None:
    """The consent document that holds these; None if there are none."""
    rows: list[JSON] = [written(one) for one in records]
    return {"records": rows} if rows else None


def with_consent(body: Body | None, record: Consent) -> Body:
    """A consent document with one more; as it was if that is in it."""
    held = _records_in(body or {})
    return {"records": held if any(one["id"] == record.id for one in held) else [*held, written(record)]}


def _records_in(body: Body) -> list[Any]:
    return _parts_in(body, "records")


def _parts_in(body: Body, name: str) -> list[Any]:
    return cast("list[Any]", body.get(name, []))


def given_in(body: Body) -> dict[str, Given]:
    """What experiments gave, by their names and versions."""
    return {name: read(one, Given) for name, one in cast("dict[str, Any]", body.get("given", {})).items()}


def askings_in(body: Body) -> list[Asked]:
    """What was asked, and what became of it."""
    return [read(one, Asked) for one in _parts_in(body, "askings")]


def askings_written(askings: Iterable[Asked]) -> Body:
    """The document that holds of these what still decides something."""
    return {"askings": [written(one) for one in kept(askings)]}


def whole_of(name: str, body: Body) -> str | None:
    """The document of whose an identifier is, or of whom a person became part; None: it is of neither."""
    person = body.get("part_of", body.get("person") if name.startswith(identifier_doc("")) else None)
    return None if person is None else person_doc(str(person))


def times_in(name: str, body: Body) -> list[datetime | None]:
    """When all that a document says of somebody began, besides what they refused; None: nobody knows any more.

    Not for one that says only whose it is; see `whole_of`.
    """
    return [*_TIMES[name.partition("/")[0]](body)]


def _times_of_history(body: Body) -> Iterator[datetime | None]:
    history = read(body, History)
    yield from (one.at for one in history.recent)
    if history.older_until is not None:
        yield None


def _times_of_preferences(body: Body) -> Iterator[datetime]:
    choices = (read(one, Preference) for one in _parts_in(body, "choices"))
    yield from (one.decided_at for one in choices if one.choice != "denied")
    yield from (one.decided_at for row in _parts_in(body, "stops") if (one := read(row, GlobalStop)).lifted)


_TIMES: Final[Mapping[str, Callable[[Body], Iterable[datetime | None]]]] = {
    "person": lambda body: [read(body, Life).graph.born_at],
    "ledger": lambda body: [read(body, Ledger).merge.at],
    "tombstone": lambda body: [tombstone_in(body).erased_at],
    "consent": lambda body: [one.decided_at for one in consents_in([body]) if "granted" in one.choices.values()],
    "preference": _times_of_preferences,
    "suppression": lambda body: [read(one, Suppression).at for one in _records_in(body)],
    "sent": lambda body: [read(one, Sent).at for one in _parts_in(body, "messages")],
    "history": _times_of_history,
    "assigned": lambda body: [one.at for one in given_in(body).values()],
    "asked": lambda body: [one.at for one in askings_in(body)],
    "message": lambda body: [read(body, Message).at],
}
