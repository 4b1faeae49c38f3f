"""suppress, sent, and the question may_send: before and after something goes to a person."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, get_args

from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import keys_of
from cxkit.flows.known import Known
from cxkit.flows.letterbox import Letterbox, made, write_sent, write_suppression
from cxkit.flows.people import opened_by
from cxkit.flows.preferences import check_words, concerned, declared_topic, one_of, opened, post
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import JSON, Blocked, Identifier, Identity, Interaction, Suppression, Topic, TouchpointSpec
from cxkit.model.consent import SuppressionReason
from cxkit.rules import preferences as rule
from cxkit.rules.identity import CONTACTS, TYPES, Types
from cxkit.rules.preferences import Clear, Deferred, Sent

__all__ = ["CONTACT_SUPPRESSED", "MESSAGE_COUNTED", "counted", "may_send", "sent", "suppress", "suppressed"]

CONTACT_SUPPRESSED = TouchpointSpec(
    name="contact.suppressed", kind="service", direction="outbound", purpose="necessary", priority="critical"
)
MESSAGE_COUNTED = TouchpointSpec(
    name="message.counted", kind="message", direction="outbound", purpose="necessary", priority="critical"
)

_AFTER: Final = timedelta(microseconds=1)
"""Of two of one moment the suppression holds."""
_ASK_AGAIN: Final = timedelta(seconds=60)


def suppress(
    desk: Desk, scope: Scope, channel: str, reason: str, *, lifted_by: str | None, patience_s: float
) -> str | None:
    """Write to the scope's addresses no more on this channel, whatever their owner prefers.

    Args:
        lifted_by: The operator who takes an earlier one for this reason back. Nothing else ever does, nor for
            addresses in the scope that are somebody else's than its customer.
        patience_s: How long to wait for what was said of the addresses before.

    Raises:
        InvalidInteractionError: A word is wrong, or the scope names no address.
    """
    check_words(channel=channel)
    one_of("reason", reason, get_args(SuppressionReason))
    lifted = lifted_by is not None
    own = desk.opened_by(scope.identity) if lifted else None
    keys = {
        key: one
        for key, one in keys_of(desk.keyring, scope.identity).items()
        if _written_to(one.type) and (own is None or key in own)
    }
    if not keys:
        what, fix = "a suppression names no address", 'name it: email="..."'
        raise InvalidInteractionError(what, fix=fix, code="CX3142")
    properties: dict[str, JSON] = {"channel": channel, "reason": reason, "lifted": lifted}
    if lifted_by is not None:
        properties["lifted_by"] = str(lifted_by)[:100]
    properties |= _decided_at(desk, keys, channel, reason, lifted=lifted, patience_s=patience_s)

    def adds(id: str, at: datetime) -> Letterbox:
        return Letterbox(suppressions=dict.fromkeys(keys, (made(Suppression, properties, id=id, at=at),)))

    named = Identity(identifiers=tuple(keys.values()))
    return post(desk, scope, CONTACT_SUPPRESSED, identity=named, opens=lifted, properties=properties, adds=adds)


def _decided_at(
    desk: Desk, keys: Iterable[str], channel: str, reason: str, *, lifted: bool, patience_s: float
) -> Mapping[str, JSON]:
    """What a suppression says of its time: the latest of what it undoes, if a clock ran ahead or was set back."""
    now, addresses = desk.intake.stamper.now(), list(keys)
    box = opened(desk, Known(), (), addresses, patience_s=patience_s) or desk.view.uncommitted(addresses).letterbox
    undone = [
        one.at
        for held in box.suppressions.values()
        for one in held
        if (one.channel, one.reason) == (channel, reason) and one.lifted is not lifted
    ]
    latest = max(undone, default=now) + (_AFTER if lifted else timedelta())
    return {"decided_at": latest.isoformat()} if undone and latest > now else {}


def sent(desk: Desk, scope: Scope, topic: str, channel: str) -> str | None:
    """Count a message that was sent, where a frequency cap counts such.

    Raises:
        InvalidInteractionError: A word is wrong, the topic is not declared, or nobody is known here.
    """
    check_words(topic=topic, channel=channel)
    kind, identity = declared_topic(desk, topic).kind, concerned(desk, scope, opens=False)
    if not any(cap.concerns(topic=topic, kind=kind, channel=channel) for cap in desk.sending.caps):
        return None
    properties: dict[str, JSON] = {"topic": topic, "kind": kind, "channel": channel}

    def adds(id: str, at: datetime) -> Letterbox:
        return Letterbox(sent=(made(Sent, properties, id=id, at=at),))

    return post(desk, scope, MESSAGE_COUNTED, identity=identity, properties=properties, adds=adds)


def suppressed(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> None:
    """Add the command's suppression to each of its addresses; one that is lifted, to those of whom it is about.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is none.
    """
    one = made(Suppression, command.properties, id=command.id, at=command.occurred_at)
    keys = opened_by(reading, keyring, command, types=types) if one.lifted else keys_of(keyring, command.identity)
    write_suppression(reading, keys, one)


def counted(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """Add the command's message to what was sent.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is none.
    """
    message = made(Sent, command.properties, id=command.id, at=command.occurred_at)
    write_sent(reading, keys_of(keyring, command.identity), message)


def may_send(
    desk: Desk, scope: Scope, topic: str, channel: str, *, timezone: str | None, patience_s: float
) -> Clear | Blocked | Deferred:
    """Whether a message of this topic may go to the scope's person on this channel now. What is blocked is counted.

    Where that cannot be known now, it is to be asked again in a minute: ``Deferred`` with the reason ``unknown``.

    Args:
        timezone: The person's; by default the one that the scope was given, else the one they told us, else where they
            seem to be. Where there is no such zone, it is not known whether it is night there; what is transactional
            goes out at any hour.

    Raises:
        InvalidInteractionError: A word is wrong; or, in strict mode, the topic is not declared, or there is no such
            time zone.
    """
    check_words(topic=topic, channel=channel)
    answer: Clear | Blocked | Deferred
    try:
        found = declared_topic(desk, topic)
    except InvalidInteractionError as error:
        desk.intake.note(error)
        answer = _blocked("marketing", "unknown_topic", channel)
    else:
        nobody = _blocked(found.kind, "nobody", channel)
        answer = _asked(desk, scope, found, channel, timezone, patience_s) if scope.identity else nobody
    if isinstance(answer, Blocked):
        desk.intake.block(answer)
    return answer


def _blocked(kind: str, reason: str, channel: str) -> Blocked:
    return Blocked(gate="send", purpose=kind, reason=reason, destination=channel)


def _asked(
    desk: Desk, scope: Scope, topic: Topic, channel: str, timezone: str | None, patience_s: float
) -> Clear | Blocked | Deferred:
    now = desk.intake.stamper.now()
    later = Deferred(not_before=now + _ASK_AGAIN, reason="unknown")
    known = desk.known(scope, patience_s=patience_s)
    box = None if known is None or known.stale else _opened(desk, known, scope, patience_s)
    if known is None or box is None:
        return later
    told = known.values(now).get("timezone")
    zone = (
        _named(desk, timezone)
        if timezone
        else _zone(desk, scope.given_timezone, told, scope.context.timezone)  # which may be but a guess
    )
    answer = rule.may_send(
        topic=topic,
        channel=channel,
        now=now,
        acts=box.acts,
        suppressions=[one for held in box.suppressions.values() for one in held],
        sent=box.sent,
        caps=desk.sending.caps,
        quiet=desk.sending.quiet,
        zone=UTC if timezone and zone is None else zone,
    )
    nowhere = timezone and zone is None and topic.kind != "transactional"
    return later if nowhere and not isinstance(answer, Blocked) else answer


def _opened(desk: Desk, known: Known, scope: Scope, patience_s: float) -> Letterbox | None:
    """What is known of the person, and of the addresses that may be meant; None if it cannot be known now."""
    named = keys_of(desk.keyring, scope.identity)
    theirs = known.keys or tuple(named)
    addresses = _addresses(known, theirs, named)
    return opened(desk, known, theirs, addresses, patience_s=patience_s)


def _addresses(known: Known, theirs: tuple[str, ...], named: Mapping[str, Identifier]) -> frozenset[str]:
    """All of theirs; but where an e-mail address is named, no other one of theirs is meant."""
    types = {one.type for one in named.values() if _written_to(one.type)}
    others = {link.key for link in known.graph.links if link.type in types} if known.graph else set()
    return frozenset({*theirs, *named} - (others - named.keys()))


def _written_to(type: str) -> bool:
    """Whether identifiers of a type are addresses; one that is not declared may be a channel's of the app's own."""
    return type in CONTACTS or type == "push_token" or type not in TYPES


def _named(desk: Desk, timezone: object) -> tzinfo | None:
    """The zone that the app named; if it is none, that is an error, and no other is taken for it."""
    zone = _zone_of(timezone)
    if zone is None:
        fix = _nearest_zone(str(timezone)[:64])
        desk.intake.note(InvalidInteractionError("there is no time zone of that name", fix=fix, code="CX3144"))
    return zone


def _zone(desk: Desk, *names: object) -> tzinfo | None:
    """The first of these that is one."""
    for name in filter(None, names):
        zone = _zone_of(name)
        if zone is not None:
            return zone
        what, fix = "there is no time zone of that name", 'name it like "Europe/Paris"'  # theirs is not told to a log
        desk.intake.spoilt("a time zone", InvalidInteractionError(what, fix=fix, code="CX3144"))
    return None


def _zone_of(name: object) -> tzinfo | None:
    from zoneinfo import ZoneInfo  # 4 ms that most do without

    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ValueError, OSError, KeyError):  # not a zone, or none that this machine knows
        return None


@functools.lru_cache(maxsize=64)
def _nearest_zone(name: str) -> str:
    from zoneinfo import available_timezones

    close = difflib.get_close_matches(name, available_timezones(), n=1)
    return f'did you mean "{close[0]}"?' if close else 'name it like "Europe/Paris"'
