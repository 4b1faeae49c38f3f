"""The desk: what the verbs work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

import attrs
import msgspec

from cxkit.capture.gate import prepare_command
from cxkit.capture.intake import Intake
from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.capture.stamp import moment
from cxkit.codec import NOBODY
from cxkit.flows.documents import keys_of
from cxkit.flows.known import Known, later
from cxkit.flows.view import View
from cxkit.keyring import Keyring
from cxkit.model import JSON, Identity, TouchpointSpec
from cxkit.roles import Decider, Store
from cxkit.rules.consent import Policy, allowed, unexpired, unobjected
from cxkit.rules.preferences import Sending

__all__ = ["Desk", "Shows"]

T = TypeVar("T")


class Shows(Protocol):
    """What is known after a command that was given at a moment."""

    def __call__(self, known: Known, /, *, id: str, at: datetime) -> Known: ...


@attrs.frozen(kw_only=True)
class Desk:
    """What the verbs work with; one per kit."""

    source: str
    policy: Policy
    keyring: Keyring
    intake: Intake
    view: View
    deciders: tuple[Decider, ...] = ()
    sending: Sending = attrs.field(factory=Sending)

    def subject(self, identity: Identity) -> bytes:
        """The key of the strongest identifier, under which a record's owner is found."""
        return next(map(bytes.fromhex, keys_of(self.keyring, identity)), NOBODY)

    def govern(self, scope: Scope) -> None:
        """Resolve the scope's choices again, and make a new version of it."""
        both = unexpired(later(scope.choices, scope.recalled), policy=self.policy, now=self.intake.stamper.now())
        choices = {purpose: choice for purpose, (choice, _) in both.items()}
        scope.change(allowed=allowed(self.policy, choices, gpc=scope.gpc, despite_gpc=scope.despite_gpc))

    def known(self, scope: Scope, *, patience_s: float) -> Known | None:
        """What is known of the scope's person; None if it cannot be known now."""
        try:
            return self.view.of(keys_of(self.keyring, scope.identity), patience_s=patience_s)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, not knowing is the safe answer
            let_through(error)
            self.intake.noted["store_failed"] += 1
            return None

    def ask(self, question: Callable[[Store], T], *, patience_s: float) -> T | None:
        """What the store answers; None if it cannot be known in that time."""
        try:
            return self.view.ask(question, patience_s=patience_s)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, not knowing is the safe answer
            let_through(error)
            self.intake.noted["store_failed"] += 1
            return None

    def recall(self, scope: Scope, *, patience_s: float) -> Known | None:
        """Let the scope obey what its person chose elsewhere, as far as that can be known now; what is known."""
        if not scope.identity:
            return Known()  # what was recalled before the identity was taken away goes on to hold
        known = self.known(scope, patience_s=patience_s)
        scope.pending = known is None or known.stale
        recalled = {} if known is None else dict(unobjected(known.choices) if scope.gpc else known.choices)
        if recalled != scope.recalled:
            scope.recalled = recalled
            self.govern(scope)
        return known

    def command(
        self,
        spec: TouchpointSpec,
        scope: Scope,
        *,
        identity: Identity,
        properties: Mapping[str, JSON],
        purposes: int,
        shows: Shows,
        governed: bool = True,
        traceless: bool = False,
    ) -> str | None:
        """Put a command in the queue; returns its id, or None if there was no room even for that.

        Args:
            purposes: Bits of the purposes an exporter may have it for.
            shows: Its effect, to be seen before it is committed.
            governed: Whether delivery asks for the person's consent again.
            traceless: Whether it is spooled as nobody's: what erases somebody is not erased with them.
        """
        if scope.muted:
            self.intake.dropped["own_thread"] += 1
            return None
        prepared = prepare_command(
            spec,
            scope,
            identity=identity,
            purposes=purposes,
            subject=NOBODY if traceless else self.subject(identity),
            source=self.source,
            governed=governed,
        )
        id, us = self.intake.stamper.stamp()
        keys = keys_of(self.keyring, identity)
        # Before it is queued: it may be committed at once.
        self.view.remembers(keys, id, partial(shows, id=id, at=moment(us)))
        taken = self.intake.put((prepared, id, us, b"", msgspec.json.encode(dict(properties))))
        if taken is None:
            self.view.forgets(keys, id)
        return taken
