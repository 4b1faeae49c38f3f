"""Scope: the ambient identity and context of one unit of work.

A contextvar points at an object; the object is closed by a flag, never by resetting the variable,
so a scope left open in another task or generator can harm nobody: whoever finds it closed looks
at its parent instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from cxkit.model import Choice, Context, Facts, Identifier, Identity, TouchpointSpec
from cxkit.rules.consent import STRICT, Allowed, Home, Jurisdiction, Policy

if TYPE_CHECKING:
    from cxkit.capture.gate import Prepared

__all__ = ["Scope", "current_scope", "enter"]

_NO_LAW: Final = Jurisdiction()
_NO_HOME: Final = Home()
_current: ContextVar[Scope | None] = ContextVar("cxkit_scope", default=None)


class Circumstances(NamedTuple):
    """What all interactions in one version of a scope share, as far as it may be kept."""

    encoded: bytes
    subject: bytes
    purposes: int


class Held(NamedTuple):
    """An interaction that waits for the choice it needs."""

    spec: TouchpointSpec
    id: str
    us: int
    occurrence: bytes
    properties: bytes
    since_ns: int

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.occurrence) + len(self.properties) + 320


class Scope:
    """One request, job, message or call. Its fields change only through `change`.

    Attributes:
        kit: The kit that opened it; ``intake`` is that kit's.
        choices: The choices made in this scope and in this browser behind ``allowed``, and when they were made.
        ceiling: The depth that decisions may have at most, whatever the person allows.
        despite_gpc: Whether they were made while the browser objected (``Sec-GPC: 1``).
        forsaken: Whether its person has left it (`leave_person`): whom a framework still names is that person.
        issue_visitor: Makes an identifier for a visitor who may now be recognised; None where
            none can be kept: outside the web, or once the response has begun.
        policy: What holds where its person chose nothing; ``jurisdiction`` is whose law that is, and follows from
            ``home`` and the place.
        signals: What the browser or app said of its owner's choices, as it came; ``gpc`` apart.
        held: What waits in memory for a choice.
        pending: Whether what the store knows of this person is still on its way.
        returning: Whether the visitor was here before, by a cookie of ours.
        claimed: What its browser says it is called, without any proof: it is captured beside the identity, and is no
            part of it: nothing is known, allowed or refused by it.
        aside: The visitor's identifier, while a login without consent to stitching keeps it apart.
        depth_shown: The deepest decision that was shown, here or in a scope within: all of it is in
            one answer.
        recalled: The choices its person made elsewhere; they hold here, and are never kept here.
        refused: Likewise what somebody refused who was erased so as not to be recognised again.
        shown: Experience, variant and subject of each exposure.
        varies: Whether what was shown, here or in a scope within, follows who it was shown to.
        circumstances: What is encoded of it where its person is known, for this version; None: nothing yet.
        heard: The version of what is known of people that ``recalled`` is of.
        muted: Whether nothing captured here is kept: an exporter must not observe itself.
        prepared: Touchpoint name to what capture needs of it, likewise.
    """

    __slots__ = (
        "_enrich", "_origin", "allowed", "aside", "ceiling", "choices", "circumstances", "claimed", "closed", "context",
        "depth_shown", "despite_gpc", "facts", "forsaken", "gpc", "heard", "held", "home", "identity", "intake",
        "issue_visitor", "jurisdiction", "kit", "muted", "parent", "pending", "policy", "prepared", "recalled",
        "refused", "returning", "shown", "signals", "varies", "version",
    )  # fmt: skip

    def __init__(
        self,
        kit: Any,
        *,
        identity: Identity = Identity(),
        context: Context = Context(),
        allowed: Allowed = Allowed(),
        choices: Mapping[str, tuple[Choice, datetime]] | None = None,
        facts: Facts | None = None,
        gpc: bool = False,
        parent: Scope | None = None,
        policy: Policy = STRICT,
    ) -> None:
        self.kit = kit
        self.intake = kit.intake
        self.identity = identity
        self.context = context
        self.allowed = allowed
        self.choices: dict[str, tuple[Choice, datetime]] = dict(choices or {})
        self.ceiling = 4
        self.despite_gpc = False
        self.issue_visitor: Callable[[], Identifier] | None = None
        self.facts = facts
        self.gpc = gpc
        self.parent = parent
        self.muted: bool = parent is not None and parent.muted
        self.closed = self.forsaken = self.pending = self.returning = self.varies = False
        self.version = self.depth_shown = self.heard = 0
        self.prepared: dict[str, Prepared] = {}
        self.circumstances: Circumstances | None = None
        self.shown: set[tuple[str, str, bytes]] = set()
        self.recalled: dict[str, tuple[Choice, datetime]] = {}
        self.refused: dict[str, tuple[Choice, datetime]] = {}
        self.aside: Identifier | None = None
        self.claimed: tuple[Identifier, ...] = ()
        self.policy = policy
        self.jurisdiction, self.home = _NO_LAW, _NO_HOME
        self.signals: Mapping[str, str] = {}
        self.held: deque[Held] = deque()
        self._origin = parent
        self._enrich: Callable[[Facts, Context], Context] | None = None

    def change(
        self,
        *,
        identity: Identity | None = None,
        context: Context | None = None,
        allowed: Allowed | None = None,
    ) -> None:
        """Make a new version: what was prepared for the last one no longer holds."""
        if identity is not None:
            self.identity = identity
        if context is not None:
            self.context = context
        if allowed is not None:
            self.allowed = allowed
        self.version += 1
        self.prepared = {}
        self.circumstances = None

    def child(self, *, identity: Identity | None = None, context: Mapping[str, Any] | None = None) -> Scope:
        """A scope of its own that starts from this one."""
        self.enrich()
        child = Scope(
            self.kit,
            identity=self.identity if identity is None else identity,
            context=attrs.evolve(self.context, **context) if context else self.context,
            allowed=self.allowed,
            choices=self.choices,
            facts=self.facts,
            gpc=self.gpc,
            parent=self,
            policy=self.policy,
        )
        child.jurisdiction, child.home, child.signals = self.jurisdiction, self.home, self.signals
        child.pending = self.pending
        child.ceiling = self.ceiling
        child.returning = self.returning
        child.despite_gpc = self.despite_gpc
        child.recalled, child.refused, child.heard = self.recalled, self.refused, self.heard
        child.aside, child.claimed = self.aside, self.claimed
        return child

    def leave_person(self) -> None:
        """Forget whose it was; what was chosen here, and the browser's objection, are the device's."""
        self.recalled, self.refused = {}, {}
        self.aside, self.claimed = None, ()
        self.home = _NO_HOME
        self.forsaken = True
        self.pending = self.returning = False
        self.shown = set()
        self.change(identity=Identity())

    def show(self, depth: int) -> None:
        """Something of that depth was shown, here and so in the scopes around."""
        scope: Scope | None = self
        while scope is not None and scope.depth_shown < depth:
            scope.depth_shown = depth
            scope = scope._origin

    def vary(self) -> None:
        """What is shown follows who it is shown to, here and so in the scopes around."""
        scope: Scope | None = self
        while scope is not None:
            scope.varies = True
            scope = scope._origin

    def on_first_use(self, enrich: Callable[[Facts, Context], Context]) -> None:
        """Let this add to the context when something is first captured or decided."""
        self._enrich = enrich

    def enrich(self) -> None:
        """Let the enrichers add to the context, once, when it is first needed."""
        enrich, self._enrich = self._enrich, None
        if enrich is not None and self.facts is not None:
            place = self.context.place
            self.context = enrich(self.facts, self.context)
            if self.context.place is not place:
                self.kit.desk.govern(self)

    def close(self) -> None:
        """Nothing belongs to it any more. Idempotent."""
        self.closed = True
        if self.held:
            self.intake.settle(self, ended=True)
        self.facts = None
        self._enrich = None


def current_scope() -> Scope | None:
    """The innermost scope that is still open."""
    scope = _current.get()
    while scope is not None and scope.closed:
        scope = scope.parent
    return scope


def enter(scope: Scope | None) -> None:
    """Make ``scope`` the current one for this task or thread. Leave it by closing it, or by entering another."""
    _current.set(scope)
