"""Scope: the ambient identity and context of one unit of work.

A contextvar points at an object; the object is closed by a flag, never by resetting the variable,
so a scope left open in another task or generator can harm nobody: whoever finds it closed looks
at its parent instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from cxkit.model import Choice, Context, Facts, Identifier, Identity, TouchpointSpec
from cxkit.model.context import MACHINES
from cxkit.rules.consent import STRICT, Allowed, Home, Jurisdiction, Policy, denials, later
from cxkit.rules.language import first

if TYPE_CHECKING:
    from cxkit.capture.gate import Prepared

__all__ = ["TOLD", "Scope", "current_scope", "enter"]

TOLD: Final = ("place", "timezone", "currency", "market")
"""What of the context its person, or their device, may tell."""

_FIELDS: Final = tuple(attrs.fields_dict(Context))
_NO_LAW: Final = Jurisdiction()
_NO_HOME: Final = Home()
_current: ContextVar[Scope | None] = ContextVar("cxkit_scope", default=None)


class Circumstances(NamedTuple):
    """What all interactions in one version of a scope share, as far as it may be kept."""

    encoded: bytes
    subject: bytes
    purposes: int
    holds: int


class Spoken(NamedTuple):
    """The language that was found for a scope; it holds there while the same is wanted."""

    wanted: str | None
    """What its person chose."""
    tag: str
    follows: str
    """``choice``, ``asked`` or ``locale``."""


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
        asks: Question to the experience that asks it here; to nothing, once it was answered or skipped.
        kit: The kit that opened it; ``intake`` is that kit's.
        asked: Languages that the browser asks for, the best first; None where there is no browser.
        chosen_language: The language that its person, or the app for them, chose here.
        choices: The choices made in this scope and in this browser behind ``allowed``, and when they were made.
        despite_gpc: Whether they were made while the browser objected (``Sec-GPC: 1``).
        follows: What that which was shown follows, here or in a scope within; see `vary`.
        forsaken: Whether its person has left it (`leave_person`): whom a framework still names is that person.
        found: The context as it was found, before its person or their device told a place, if they did: by that the law
            is inferred, and to that it goes back when they leave.
        given: The context as the app gave it, before an enricher or its person added to it; None: as it is now.
        given_timezone: The time zone that the app says it is in; that of the context may be but a guess.
        last_contact: The id of the last contact that was captured here.
        issue_visitor: Makes an identifier for a visitor who may now be recognised; None where
            none can be kept: outside the web, or once the response has begun.
        policy: What holds where its person chose nothing; ``jurisdiction`` is whose law that is, and follows from
            ``home`` and the place.
        signals: What the browser or app said of its owner's choices, as it came; ``gpc`` apart.
        spoken: What the app speaks here, once it has asked.
        held: What waits in memory for a choice.
        pending: Whether what the store knows of this person is still on its way.
        returning: Whether the visitor was here before, by a cookie of ours.
        said: What a response that others may get says that it follows, once it has begun: what is shown from here on
            must be alike for all, but for that. None: there is no such response, or it has not begun.
        claimed: What its browser says it is called, without any proof: it is captured beside the identity, and is no
            part of it: nothing is known, allowed or refused by it.
        aside: The visitor's identifier, while a login without consent to stitching keeps it apart.
        depth_shown: The deepest decision that was shown, here or in a scope within: all of it is in
            one answer.
        recalled: The choices its person made elsewhere; they hold here, and are never kept here.
        refused: Likewise what somebody refused who is recognised no longer: erased, or taken for a machine.
        stance: What decisions go by, as long as it holds: the flows' own.
        shown: Experience, variant and subject of each exposure.
        circumstances: What is encoded of it where its person is known, for this version; None: nothing yet.
        heard: The version of what is known of people that ``recalled`` is of.
        muted: Whether nothing captured here is kept: an exporter must not observe itself.
        prepared: Touchpoint name to what capture needs of it, likewise.
    """

    __slots__ = (
        "_enrich", "_origin", "allowed", "aside", "asked", "asks", "choices", "chosen_language", "circumstances",
        "claimed", "closed", "context", "depth_shown", "despite_gpc", "facts", "follows", "forsaken", "found", "given",
        "given_timezone", "gpc", "heard", "held", "home", "identity", "intake", "issue_visitor", "jurisdiction", "kit",
        "last_contact", "muted", "parent", "pending", "policy", "prepared", "recalled", "refused", "returning", "said",
        "shown", "signals", "spoken", "stance", "version",
    )  # fmt: skip

    spoken: Spoken | None
    stance: object

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
        self.kit, self.intake = kit, kit.intake
        self.identity, self.context, self.allowed = identity, context, allowed
        self.choices: dict[str, tuple[Choice, datetime]] = dict(choices or {})
        self.issue_visitor: Callable[[], Identifier] | None = None
        self.facts, self.gpc, self.despite_gpc = facts, gpc, False
        self.parent = self._origin = parent
        self.muted: bool = parent is not None and parent.muted
        self.closed = self.forsaken = self.pending = self.returning = False
        self.version = self.depth_shown = self.heard = 0
        self.prepared: dict[str, Prepared] = {}
        self.circumstances: Circumstances | None = None
        self.shown: set[tuple[str, str, bytes]] = set()
        self.recalled: dict[str, tuple[Choice, datetime]] = {}
        self.refused: dict[str, tuple[Choice, datetime]] = {}
        self.aside: Identifier | None = None
        self.claimed: tuple[Identifier, ...] = ()
        self.policy, self.jurisdiction, self.home = policy, _NO_LAW, _NO_HOME
        self.signals: Mapping[str, str] = {}
        self.asked: Sequence[str] | None = None
        self.chosen_language: str | None = None
        self.spoken = self.stance = None
        self.given_timezone: str | None = None
        self.given: Context | None = None
        self.found: Context | None = None
        self.follows: set[str] = set()
        self.asks: dict[str, str] = {}
        self.last_contact: str | None = None
        self.said: frozenset[str] | None = None
        self.held: deque[Held] = deque()
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
        child.given = attrs.evolve(self.given, **context) if self.given and context else self.given
        child.found = attrs.evolve(self.found, **context) if self.found and context else self.found
        child.jurisdiction, child.home, child.signals = self.jurisdiction, self.home, self.signals
        child.pending = self.pending
        child.returning = self.returning
        child.despite_gpc = self.despite_gpc
        child.recalled, child.refused, child.heard = self.recalled, self.refused, self.heard
        child.aside, child.claimed = self.aside, self.claimed
        child.asked, child.chosen_language, child.spoken = self.asked, self.chosen_language, self.spoken
        child.given_timezone = self.given_timezone
        child.last_contact = self.last_contact
        if identity is None:  # else it is about somebody else
            child.asks = self.asks
        return child

    def leave_person(self) -> None:
        """Forget whose it was; what was chosen here, and the browser's objection, are the device's."""
        self.recalled, self.refused = {}, {}
        self.aside, self.claimed = None, ()
        self.chosen_language = None
        self.home = _NO_HOME
        self.forsaken = True
        self.pending = self.returning = False
        self.shown, self.asks, self.last_contact = set(), {}, None
        self.change(identity=Identity(), context=self._unchosen())

    def _unchosen(self) -> Context:
        """The context without the language and the place that whoever leaves it chose."""
        before, self.found = self.found, None
        locale = first(self.asked) if self.asked is not None else (self.given or self.context).locale
        told = {} if before is None else {name: getattr(before, name) for name in TOLD}
        return attrs.evolve(self.context, locale=locale, **told)

    def show(self, depth: int) -> None:
        """Something of that depth was shown, here and so in the scopes around."""
        scope: Scope | None = self
        while scope is not None and scope.depth_shown < depth:
            scope.depth_shown = depth
            scope = scope._origin

    def vary(self, *what: str) -> bool:
        """What is shown follows this, here and so in the scopes around.

        Args:
            what: An attribute of the context or the person, ``asked``, or a ``choice``.

        Returns:
            Whether it may: see `may_follow`. Ask this way where the response may begin meanwhile, in another thread.
        """
        scope: Scope | None = self
        while scope is not None:
            scope.follows.update(what)
            scope = scope._origin
        return all(map(self.may_follow, what))

    def begin(self) -> None:
        """A response begins that others may get: it says what is followed by now, and no more."""
        self.said = frozenset(self.follows)

    @property
    def machine(self) -> bool:
        """Whether no person acts."""
        return self.context.actor in MACHINES

    @property
    def late(self) -> bool:
        """Whether what is shown goes into a response that has begun, and that others may get."""
        return not self.may_follow("")

    def may_follow(self, what: str) -> bool:
        """Whether what is shown may follow this; once it is `late`, only if the response said before that it does."""
        scope: Scope | None = self
        while scope is not None:
            if scope.said is not None and not scope.closed and what not in scope.said:
                return False
            scope = scope._origin
        return True

    def on_first_use(self, enrich: Callable[[Facts, Context], Context]) -> None:
        """Let this add to the context when something is first captured or decided."""
        self._enrich = enrich

    def enrich(self) -> None:
        """Let the enrichers add to the context, once, when it is first needed."""
        enrich, self._enrich = self._enrich, None
        facts, given = self.facts, self.context
        if enrich is not None and facts is not None:
            found = enrich(facts, given)
            now = self.context
            if now is not given:  # something was chosen meanwhile, in another thread: it outranks what is found
                kept = [name for name in _FIELDS if getattr(now, name) != getattr(given, name)]
                found = attrs.evolve(found, **{name: getattr(now, name) for name in kept})
            self.enriched(found)

    def enriched(self, context: Context) -> None:
        """Take what the enrichers found: a place may have another law, and a machine is nobody."""
        before, self.context = self.context, context
        self.given = self.given or before
        machine = context.actor in MACHINES and before.actor not in MACHINES
        if machine:
            self._unrecognise()
        if machine or context.place is not before.place:
            self.kit.desk.govern(self)

    def _unrecognise(self) -> None:
        """Forget whom it was taken for; not what they refused, nor what the app itself said: no header undoes that."""
        logins = tuple(one for one in self.identity.identifiers if one.evidence == "login")
        self.issue_visitor = self.aside = None
        self.refused = later(self.refused, denials(self.recalled))
        self.claimed, self.recalled = (), dict(self.refused)
        self.pending = self.returning = False
        self.change(identity=Identity(identifiers=logins))
        self.kit.desk.recall(self, patience_s=0.0)  # whoever signed in goes on to be obeyed

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
