"""prefer and stop_marketing: what somebody wants to receive, from now on. The rule is ``rules.preferences``.

Only these two make a preference. It is kept under the identifiers that the act concerns: with a login, the
login's alone, for a device may be shared; otherwise what refuses concerns all that were seen, and what opens
something only those with the best proof, for nobody signs up somebody else. What opens something is never kept under
an identifier of somebody else, whatever vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, get_args

from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError, nearest
from cxkit.flows.desk import Desk
from cxkit.flows.documents import keys_of
from cxkit.flows.known import Known
from cxkit.flows.letterbox import Letterbox, made, read_letterbox, write_act
from cxkit.flows.people import opened_by
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import (
    JSON,
    Answer,
    Choice,
    GlobalStop,
    Identity,
    Interaction,
    Preference,
    Topic,
    TouchpointSpec,
    purpose_bits,
)
from cxkit.model.consent import Act
from cxkit.model.touchpoint import WORD
from cxkit.rules.identity import TYPES, Types, proves, type_of
from cxkit.rules.preferences import matrix, refuses

__all__ = [
    "PREFERENCE_CHANGED",
    "PREFERENCE_STOPPED",
    "UNDECLARED",
    "check_words",
    "concerned",
    "declared_topic",
    "one_of",
    "opened",
    "post",
    "prefer",
    "preferences",
    "preferred",
    "stop_marketing",
    "stopped",
]

PREFERENCE_CHANGED = TouchpointSpec(name="preference.changed", purpose="necessary", priority="critical")
PREFERENCE_STOPPED = TouchpointSpec(name="preference.stopped", purpose="necessary", priority="critical")

UNDECLARED: Final = "CX3140"

_VOUCHED: Final = ("operator", "import")
"""Whoever acts so has seen a proof elsewhere."""


def prefer(
    desk: Desk, scope: Scope, topic: str, channel: str, choice: str, *, by: str, patience_s: float
) -> str | None:
    """Join or leave one topic on one channel; nothing else changes.

    Args:
        patience_s: How long to wait for what they chose before.

    Raises:
        InvalidInteractionError: A word is wrong, the topic is not declared, or there is nobody whose choice it
            could be. A refusal of a topic that is not declared holds all the same: it may be declared elsewhere.
    """
    one_of("choice", choice, get_args(Choice))
    one_of("act", by, get_args(Act))
    scope.enrich()  # first: whom a machine was taken for chose nothing
    unknown = None
    try:
        check_words(topic=topic, channel=channel)
        declared_topic(desk, topic)
    except InvalidInteractionError as error:
        if choice == "granted" or error.code != UNDECLARED:
            raise
        unknown = error
    properties: dict[str, JSON] = {"topic": topic, "channel": channel, "choice": choice, "by": by}
    if choice == "denied":
        properties |= _refused_at(desk, scope, cell=(topic, channel), patience_s=patience_s)
    id = post(
        desk,
        scope,
        PREFERENCE_CHANGED,
        identity=concerned(desk, scope, opens=choice == "granted", by=by),
        opens=choice == "granted",
        properties=properties,
        adds=lambda id, at: Letterbox(acts=(made(Preference, properties, id=id, at=at),)),
    )
    if unknown is not None:
        raise unknown
    return id


def stop_marketing(desk: Desk, scope: Scope, *, lifted: bool, by: str, patience_s: float) -> str | None:
    """Refuse all marketing, on every channel; or take that back, and what was chosen for single topics holds again.

    Args:
        patience_s: As for `prefer`.

    Raises:
        InvalidInteractionError: The act is none, or there is nobody whose act it could be.
    """
    one_of("act", by, get_args(Act))
    scope.enrich()  # first: whom a machine was taken for stops nothing
    properties: dict[str, JSON] = {"lifted": bool(lifted), "by": by}
    if not lifted:
        properties |= _refused_at(desk, scope, patience_s=patience_s)
    return post(
        desk,
        scope,
        PREFERENCE_STOPPED,
        identity=concerned(desk, scope, opens=bool(lifted), by=by),
        opens=bool(lifted),
        properties=properties,
        adds=lambda id, at: Letterbox(acts=(made(GlobalStop, properties, id=id, at=at),)),
    )


def preferred(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> None:
    """Add the command's choice to what is kept under each of its identifiers; what opens something, to their own.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no choice.
    """
    act = made(Preference, command.properties, id=command.id, at=command.occurred_at)
    _write(reading, keyring, command, act, types=types)


def stopped(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> None:
    """Likewise a stop.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no stop.
    """
    act = made(GlobalStop, command.properties, id=command.id, at=command.occurred_at)
    _write(reading, keyring, command, act, types=types)


def _write(
    reading: Reading, keyring: Keyring, command: Interaction, act: Preference | GlobalStop, *, types: Types
) -> None:
    keys = keys_of(keyring, command.identity) if refuses(act) else opened_by(reading, keyring, command, types=types)
    write_act(reading, keys, act, at=command.occurred_at)


def preferences(desk: Desk, known: Known, *, patience_s: float) -> dict[str, dict[str, Answer]]:
    """What a person wants of each topic that is declared, on each channel that anything was ever said of.

    Empty if nobody is known, or it cannot be known in time.
    """
    held = opened(desk, known, known.keys, patience_s=patience_s) if known.keys else None
    if held is None:
        return {}
    acts = held.acts
    cells = [(one.topic, one.channel) for one in acts if isinstance(one, Preference)]
    topics = desk.sending.topics or {name: Topic(name=name) for name, _ in cells}
    channels = {*(channel for _, channel in cells), *(channel for one in topics.values() for channel in one.defaults)}
    return matrix(acts, topics=topics.values(), channels=sorted(channels))


def _refused_at(
    desk: Desk, scope: Scope, *, cell: tuple[str, str] | None = None, patience_s: float
) -> Mapping[str, JSON]:
    """What a refusal says of its time: the latest of what it refuses, if a clock ran ahead or was set back."""
    now, known = desk.intake.stamper.now(), desk.known(scope, patience_s=patience_s) or Known()
    keys = dict.fromkeys([*known.keys, *keys_of(desk.keyring, scope.identity)])
    box = opened(desk, known, keys, patience_s=patience_s) or desk.view.uncommitted(keys).letterbox
    open_ones = [
        one
        for one in box.acts
        if not refuses(one) and (cell is None or (isinstance(one, Preference) and (one.topic, one.channel) == cell))
    ]
    latest = max((one.decided_at for one in open_ones), default=now)
    return {"decided_at": latest.isoformat()} if latest > now else {}


# --- what the verbs have in common; those of cxkit.flows.sending, too ---


def opened(
    desk: Desk, known: Known, theirs: Iterable[str], addresses: Iterable[str] = (), *, patience_s: float
) -> Letterbox | None:
    """What is known of the person with these keys, and of these addresses; None if it cannot be known now."""
    of, at = list(theirs), list(addresses)
    # Before the store is read: a command that is committed in between must be seen twice rather than not at all.
    more = {key: desk.view.uncommitted([key]).letterbox for key in (*of, *at)}
    return desk.ask(lambda store: read_letterbox(store, of, at, more=more, own=known.own), patience_s=patience_s)


def concerned(desk: Desk, scope: Scope, *, opens: bool, by: str = "user") -> Identity:
    """Whom an act in this scope concerns.

    Args:
        opens: Whether it lets more be sent than before.

    Raises:
        InvalidInteractionError: Nobody; or it opens something, and nobody has proven anything.
    """
    seen = scope.identity.identifiers
    if not seen:
        fix = 'identify the customer, or name the address: email="..."'
        raise InvalidInteractionError("there is nobody here that anything could be sent to", fix=fix, code="CX3142")
    logins = [one for one in seen if one.evidence == "login"]
    if logins or not opens or by in _VOUCHED:
        return Identity(identifiers=tuple(logins or seen))
    types = desk.identifying.types
    able = [one for one in seen if one.evidence == "token" or proves(type_of(one.type, types), one.evidence)]
    if not able:
        raise InvalidInteractionError(
            "nobody has proven that this address is theirs",
            fix='let them confirm it by a link in a message, then say evidence="token"',
            code="CX3143",
        )
    best = max(one.rank for one in able)
    return Identity(identifiers=tuple(one for one in able if one.rank == best))


def declared_topic(desk: Desk, topic: str) -> Topic:
    """The topic of that name.

    Raises:
        InvalidInteractionError: It is not declared.
    """
    found = desk.sending.topic(topic)
    if found is None:
        fix = nearest(topic, desk.sending.topics)
        raise InvalidInteractionError(f'no topic is called "{topic}"', fix=fix, code=UNDECLARED)
    return found


def check_words(**words: object) -> None:
    """That each is one lower-case word.

    Raises:
        InvalidInteractionError: One is not.
    """
    for noun, word in words.items():
        if type(word) is not str or not WORD.fullmatch(word):
            what, fix = f"a {noun} is not one lower-case word", 'use a word like "news" or "email"'
            raise InvalidInteractionError(what, fix=fix, code="CX3141")


def one_of(noun: str, word: object, words: Iterable[str]) -> None:
    """That something is one of these words.

    Raises:
        InvalidInteractionError: It is not.
    """
    known = tuple(words)
    if word not in known:
        fix = nearest(str(word)[:64], known)
        raise InvalidInteractionError(f"there is no such {noun}", fix=fix, code="CX3141")


def post(
    desk: Desk,
    scope: Scope,
    spec: TouchpointSpec,
    *,
    identity: Identity,
    opens: bool = False,
    properties: Mapping[str, JSON],
    adds: Callable[[str, datetime], Letterbox],
) -> str | None:
    """A command about somebody's letterbox; returns its id, or None if there was no room for it.

    Args:
        opens: As for `concerned`.
        adds: What it adds, by its id and time.
    """

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        return known.posted(adds(id, at))

    return desk.command(
        spec,
        scope,
        identity=identity,
        properties=properties,
        purposes=purpose_bits(scope.allowed.granted),
        shows=shows,
        vouched=desk.opened_by(identity) if opens else None,
    )
