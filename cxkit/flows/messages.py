"""messages: what was sent to whom, and what became of it; for the channels of plugins. The rule is ``rules.messages``.

What many messages have in common, their *mailing*, is kept once. It is found by a digest of what it says, so a link
needs to carry no more than that and a number, and where it leads nobody can alter.

A message is kept before it leaves: whatever comes back finds it. What is told of it is captured in a scope of its
recipient's, as far as they allow that, and then kept with it. So after a crash in between it is captured once more
when it is told again, under the same id; never not at all.

Whoever calls this waits for the store: it is for threads that may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs
import msgspec

from cxkit.capture.scope import Scope
from cxkit.capture.stamp import micros
from cxkit.errors import ConflictError, InvalidInteractionError, StoreError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import Body, key_of, mailing_doc, mailing_term, message_doc, message_term, read, written
from cxkit.flows.identify import identifiers_of, usable
from cxkit.flows.once import once
from cxkit.flows.preferences import UNDECLARED, prefer, stop_marketing
from cxkit.flows.reading import Reading
from cxkit.flows.reports import HAPPENED, LEFT, REVISED, about, digest_of, hashed, told_of
from cxkit.flows.sending import sent, suppress
from cxkit.model import JSON, Context, Identifier, Identity, Mailing, Message, Report, purpose_bits
from cxkit.model.message import Happening
from cxkit.roles import Store
from cxkit.rules.messages import contradictory, state, with_hit, with_report

__all__ = ["KEPT", "MAILING_BYTES", "Messages"]

MAILING_BYTES: Final = 6
"""Of the id of a mailing. Two that would have the same one are told apart when the second is kept."""
KEPT: Final = timedelta(days=400)
"""For how long a message is known, with what became of it: its links lead nowhere afterwards."""
_FORGETS_EVERY: Final = 50
_HELD: Final = 1000
_TRIES: Final = 20
_PATIENCE_S: Final = 2.0
"""For what a recipient allows: without it nothing may be known of what they do."""


class Messages:
    """The messages of a kit. For all threads that may wait.

    Args:
        store: Opens the kit's.
        open_scope: Opens a scope of the kit's, of nobody.
        patience_s: How long to wait for what was said of an address before.
    """

    def __init__(
        self,
        desk: Desk,
        store: Callable[[], Store],
        open_scope: Callable[[Context], Scope],
        *,
        patience_s: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._store = store
        self._open_scope = open_scope
        self._patience_s = patience_s
        self._mailings: dict[str, Mailing] = {}
        self._prepared = 0

    # --- mailings ---

    def mail(self, mailing: Mailing) -> str:
        """Keep a mailing; its id, 12 hexadecimal digits. One that says the same is kept once.

        Raises:
            StoreError: It cannot be kept now.
        """
        said = msgspec.json.encode(mailing)
        for attempt in range(_TRIES):
            id = hashlib.blake2b(said, digest_size=MAILING_BYTES, salt=bytes([attempt])).hexdigest()
            if id not in self._mailings:
                self._changed(mailing_doc(id), lambda body: written(mailing) if body is None else body)
            if self.mailing(id) == mailing:
                return id
        raise StoreError("a mailing finds no id of its own", fix="try again later", code="CX6020")

    def mailing(self, id: str) -> Mailing | None:
        """The mailing with this id; None: there is none.

        Raises:
            StoreError: It cannot be known now.
        """
        if id not in self._mailings:
            body = Reading(self._store()).get([mailing_doc(id)]).get(mailing_doc(id))
            if body is None:
                return None
            if len(self._mailings) >= _HELD:
                self._mailings.clear()
            self._mailings[id] = read(body, Mailing)
        return self._mailings.get(id)

    # --- one message ---

    def recipient(self, type: str, address: str) -> Identifier:
        """Whom a message to this address goes to.

        Raises:
            InvalidInteractionError: It is no address.
        """
        (found,) = identifiers_of(self._desk.keyring, {type: address}, evidence="token")
        return found

    def granted(self, to: Identifier) -> frozenset[str]:
        """What they allow.

        Raises:
            StoreError: It cannot be known now.
        """
        scope = self._of(to, Context())
        try:
            return _allowed(scope)
        finally:
            scope.close()

    def prepared(self, message: Message) -> None:
        """Keep a message that is about to leave; and its mailing, if it went with the last message of it meanwhile.

        Raises:
            StoreError: It cannot be kept now.
        """
        name, mailing = message_doc(message.id), mailing_doc(message.mailing or "")
        known = self._mailings.get(message.mailing or "")

        def keep(reading: Reading) -> None:
            found = reading.get([name] if known is None else [name, mailing])
            reading.put(name, written(message), terms=self._terms(message))
            if known is not None and mailing not in found:
                reading.put(mailing, written(known))

        self._commit(keep)
        self._prepared += 1
        if self._prepared % _FORGETS_EVERY == 0:
            self._forget()

    def of(self, id: str) -> Message | None:
        """The message with this id, and what became of it; None: it was never sent, or its recipient was erased.

        Raises:
            StoreError: It cannot be known now.
        """
        body = Reading(self._store()).get([message_doc(id)]).get(message_doc(id))
        return None if body is None else read(body, Message)

    def state(self, message: Message) -> tuple[Happening, bool]:
        """Where a message is, by all that was told of it; and whether some of that contradicts the rest."""
        return state(message.happened, bounce=message.bounce), contradictory(message.happened)

    def sent(self, message: Message) -> None:
        """It was handed over to be sent: captured, and counted by frequency caps.

        Raises:
            StoreError: It was captured, and is not kept: to be told again.
        """
        scope = self._about(message)
        try:
            sent(self._desk, scope, message.topic, message.channel)
        finally:
            scope.close()
        told = Report(happened="sent", send=message.id, event_id="sent")  # now: it may have waited since it was kept
        self.reported(told, channel=message.channel, message=message)

    def reported(self, report: Report, *, channel: str, proven: bool = False, message: Message | None = None) -> bool:
        """Something was told of a message; whether it was new.

        A hard bounce and a complaint suppress the address, who left by it is sent no more of its topic: at once, and
        before anything else. That holds for the recipient of a message that is ours by a token. An address that is
        told counts only from who has proven who they are, for anybody can write that a mail to somebody bounced.

        Args:
            channel: Of the message, where it is not known.
            proven: Whether it is of a provider that has signed it.
            message: The one it is about, as it was prepared, where whoever tells it has that: what follows for its
                recipient then follows though the store is down.

        Raises:
            StoreError: It is not kept: to be told again.
        """
        if message is None and report.send is not None:
            message = self.of(report.send)
        digest = digest_of(report)
        again = message is not None and digest in message.reports
        if again and report.happened != "unsubscribed":  # who has come back since leaves once more
            return False
        scope = self._open_scope(Context(channel=channel)) if message is None else self._about(message)
        try:
            if message is None and proven and report.recipient:
                self._name(scope, channel, report.recipient)
            self._follow(scope, report, message, channel)
            if again:
                return False
            at = report.at or self._desk.intake.stamper.now()
            purpose = HAPPENED[report.happened].purpose
            allowed = purpose == "necessary" or purpose in _allowed(scope)
            properties = {
                **({} if message is None else about(message)),
                **told_of(report, message if allowed else None, named=allowed),
            }
            self._capture(scope, report.happened, properties, at=at if message is None else message.at, digest=digest)
        finally:
            scope.close()
        if message is not None and allowed:
            bounce = report.bounce and attrs.evolve(report.bounce, diagnostic=None)
            self._kept(message, lambda held: with_report(held, report.happened, at=at, report=digest, bounce=bounce))
        return True

    def leave_later(self, send: str) -> None:
        """Whoever this message was sent to leaves its topic: as soon as the store can say who that is."""
        scope = self._open_scope(Context())
        try:
            self._desk.command(
                LEFT,
                scope,
                identity=Identity(),
                properties={"message": send},
                purposes=purpose_bits(["necessary"]),
                shows=lambda known, /, *, id, at: known,
            )
        finally:
            scope.close()

    def once(self, key: str, said: bytes, *, until: datetime) -> bool:
        """Whether nothing else was told under this key, in any process: see `cxkit.flows.once`."""
        return once(self._store(), key, said, until=until, now=self._desk.intake.stamper.now())

    def hit(
        self,
        message: Message,
        how: Happening,
        hit: Mapping[str, JSON],
        *,
        machine: bool,
        properties: Mapping[str, JSON],
    ) -> Message | None:
        """Something opened it, or followed a link in it; the message as it is kept now, None where that may not be.

        Args:
            hit: How it looked, for whoever judges later ones; has an ``id``, an ``at`` and ``signs``.
            machine: Whether no person did: then nobody's contact is captured.
            properties: What is captured besides.

        Raises:
            StoreError: It is not kept; nor captured, where it cannot be known now whether they allow that.
        """
        scope = self._about(message)
        try:
            allowed = HAPPENED[how].purpose in _allowed(scope)
            if machine:
                scope.change(identity=Identity(), context=attrs.evolve(scope.context, actor="bot"))
            known = {"message": message.id} if allowed else {}
            at = self._desk.intake.stamper.now()
            told = {**about(message), **known, **properties}
            self._capture(scope, how, told, at=at, digest=hashed(message.id, how, str(hit.get("id"))))
        finally:
            scope.close()
        return self._kept(message, lambda held: with_hit(held, hit, how=how, at=at)) if allowed else None

    def revised(
        self, message: Message, how: Happening, hit: Mapping[str, JSON], *, properties: Mapping[str, JSON] | None
    ) -> Message | None:
        """More is known of a hit that was kept; the message as it is kept now, None where that may not be.

        Args:
            properties: What is captured, where that says another thing of it; else None.

        Raises:
            StoreError: As for `hit`.
        """
        scope = self._about(message)
        try:
            if REVISED[how].purpose not in _allowed(scope):
                return None
            if properties is not None:
                told = {**about(message), "message": message.id, "happened": how, **properties}
                self._desk.intake.capture(scope, REVISED[how], told)
        finally:
            scope.close()
        return self._kept(message, lambda held: with_hit(held, hit))

    def counted(self, mailing: Mailing, how: Happening) -> None:
        """Something opened a message of this mailing, or followed a link in one: how often is known, and not whose."""
        scope = self._open_scope(Context(channel=mailing.channel))
        try:
            self._desk.intake.capture(scope, attrs.evolve(HAPPENED[how], purpose="analytics"), about(mailing))
        finally:
            scope.close()

    # --- inside ---

    def _about(self, message: Message) -> Scope:
        """A scope about the recipient, who is known by no more than that it was sent to their address."""
        return self._of(message.to, Context(channel=message.channel))

    def _of(self, to: Identifier, context: Context) -> Scope:
        scope = self._open_scope(context)
        scope.change(identity=Identity(identifiers=(to,)))
        self._desk.recall(scope, patience_s=_PATIENCE_S)
        return scope

    def _name(self, scope: Scope, channel: str, address: str) -> None:
        type = "phone" if channel in ("sms", "phone") else "email"
        found, _ = usable(self._desk, scope, {type: address}, evidence="claim")
        scope.change(identity=Identity(identifiers=tuple(found)))

    def _follow(self, scope: Scope, report: Report, message: Message | None, channel: str) -> None:
        """What follows for the person, before anything else is."""
        patience_s, hard = self._patience_s(), report.bounce is not None and report.bounce.kind == "hard"
        if not scope.identity:
            return
        if report.happened == "complained" or (report.happened in ("bounced", "rejected") and hard):
            reason = "complaint" if report.happened == "complained" else "hard_bounce"
            suppress(self._desk, scope, channel, reason, lifted_by=None, patience_s=patience_s)
        elif report.happened == "unsubscribed" and message is not None:
            try:
                prefer(self._desk, scope, message.topic, channel, "denied", by="one_click", patience_s=patience_s)
            except InvalidInteractionError as error:
                if error.code != UNDECLARED:  # by now, or here: it was where it was sent, and they have left it
                    raise
        elif report.happened == "unsubscribed":  # of what, nobody said
            stop_marketing(self._desk, scope, lifted=False, by="one_click", patience_s=patience_s)

    def _capture(
        self, scope: Scope, happening: Happening, properties: Mapping[str, JSON], *, at: datetime, digest: str
    ) -> None:
        """Under an id that is the same whenever the same is told of the same message."""
        intake = self._desk.intake
        id, _ = intake.stamper.stamp_past(micros(at), bytes.fromhex(digest)[:8])
        intake.capture(scope, HAPPENED[happening], dict(properties), stamp=(id, micros(intake.stamper.now())))

    def _kept(self, message: Message, change: Callable[[Message], Message]) -> Message | None:
        now: Message | None = None

        def changed(body: Body | None) -> Body | None:
            nonlocal now
            now = None if body is None else change(read(body, Message))
            return None if now is None else written(now)

        self._changed(message_doc(message.id), changed, terms=self._terms(message))
        return now

    def _terms(self, message: Message) -> frozenset[str]:
        theirs = message_term(key_of(self._desk.keyring, message.to))
        return frozenset({theirs, mailing_term(message.mailing)} if message.mailing else {theirs})

    def _forget(self) -> None:
        """Remove what is older than it is kept, the oldest first; and mailings of which no message is left."""
        before = self._desk.intake.stamper.now() - KEPT
        for document in self._store().scan(message_doc(""), limit=2 * _FORGETS_EVERY):
            message = read(document.body, Message)
            if message.at >= before:
                return
            self._changed(document.key, lambda _: None)
            if message.mailing and not Reading(self._store()).under(mailing_term(message.mailing), limit=1):
                self._mailings.pop(message.mailing, None)
                self._changed(mailing_doc(message.mailing), lambda _: None)

    def _changed(
        self, name: str, change: Callable[[Body | None], Body | None], *, terms: frozenset[str] = frozenset()
    ) -> None:
        self._commit(lambda reading: reading.put(name, change(reading.get([name]).get(name)), terms=terms))

    def _commit(self, change: Callable[[Reading], None]) -> None:
        for _ in range(_TRIES):
            reading = Reading(self._store())
            change(reading)
            try:
                reading.commit()
            except ConflictError:
                continue
            return
        raise StoreError("a document is being changed all the time", fix="try again later", code="CX6020")


def _allowed(scope: Scope) -> frozenset[str]:
    """What its person allows; never what holds of whoever has chosen nothing, while their choices are on their way.

    Raises:
        StoreError: It cannot be known now.
    """
    if scope.pending:
        raise StoreError("what a recipient allows cannot be known now", fix="try again later")
    return scope.allowed.granted
