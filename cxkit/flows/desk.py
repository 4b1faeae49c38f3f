"""The desk: what the verbs work with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Final, Protocol, TypeVar

import attrs
import msgspec

from cxkit.capture.gate import prepare_command
from cxkit.capture.intake import Intake
from cxkit.capture.interruption import let_through
from cxkit.capture.redact import encodable
from cxkit.capture.scope import Scope
from cxkit.capture.stamp import moment
from cxkit.codec import NOBODY
from cxkit.codec.frame import INTERACTION
from cxkit.flows.documents import key_of, keys_of
from cxkit.flows.known import Known
from cxkit.flows.view import View
from cxkit.flows.watching import STORE_FAILED
from cxkit.keyring import Keyring
from cxkit.model import JSON, PURPOSES, Choice, Identity, JourneySpec, Place, TouchpointSpec, purpose_bits
from cxkit.model.context import CHOSEN
from cxkit.roles import Decider, SignalReader, Store
from cxkit.rules.consent import Home, Jurisdiction, Policy, allowed, denials, governing, later, unexpired, unobjected
from cxkit.rules.experience import Chooser, Ruling
from cxkit.rules.identity import Identifying
from cxkit.rules.preferences import Sending
from cxkit.rules.profile import History

__all__ = ["GOVERNING", "Desk", "Shows", "code_of"]

T = TypeVar("T")

GOVERNING: Final = frozenset({"residence", "minor"})
"""Traits that decide which policy holds."""


class Shows(Protocol):
    """What is known after a command that was given at a moment."""

    def __call__(self, known: Known, /, *, id: str, at: datetime) -> Known: ...


@attrs.frozen(kw_only=True)
class Desk:
    """What the verbs work with; one per kit."""

    source: str
    policy: Policy
    """What holds everywhere, or where it is not known whose law does."""
    keyring: Keyring
    intake: Intake
    view: View
    deciders: tuple[Decider, ...] = ()
    sending: Sending = attrs.field(factory=Sending)
    regional: bool = False
    """Whether the policy is that of the person's region."""
    readers: tuple[SignalReader, ...] = ()
    identifying: Identifying = attrs.field(factory=Identifying)
    undeclared: set[str] = attrs.field(factory=set)
    """Types of identifiers that a login proved and nobody declared: each is told of once."""
    experience: Callable[[str], Chooser | None] = lambda name: None
    """The experience of that name, configured or declared."""
    exposed: set[str] = attrs.field(factory=set)
    """Ids of exposures to experiments that this process has captured."""
    journeys: Mapping[str, JourneySpec] = attrs.field(factory=dict)
    """By name, those configured, and those declared in this process as far as they are not."""
    remembers: bool = True
    """Whether contacts are remembered of whoever allows it."""
    tried: set[frozenset[str]] = attrs.field(factory=set)
    """Keys of several people that this process has seen together, and let the graph judge."""

    def subject(self, identity: Identity) -> bytes:
        """The key of the strongest identifier, under which a record's owner is found."""
        strongest = next(iter(identity.identifiers), None)
        return NOBODY if strongest is None else bytes.fromhex(key_of(self.keyring, strongest))

    def govern(self, scope: Scope) -> None:
        """Resolve the scope's policy and choices again, and make a new version of it."""
        home = scope.home
        if self.regional or home.minor or home.account_minor:
            configured = None if self.regional else self.policy
            policy, scope.jurisdiction = governing(configured, home, **_whereabouts(scope))
        else:
            policy, scope.jurisdiction = self._everywhere
        scope.policy = policy
        chosen = self.choices(scope)
        scope.change(allowed=allowed(policy, chosen, gpc=scope.gpc, despite_gpc=scope.despite_gpc))

    def choices(self, scope: Scope) -> dict[str, Choice]:
        """What the scope's person chose, here or elsewhere, and has not ended."""
        both = unexpired(later(scope.choices, scope.recalled), policy=scope.policy, now=self.intake.stamper.now())
        return {purpose: choice for purpose, (choice, _) in both.items()}

    @cached_property
    def _everywhere(self) -> tuple[Policy, Jurisdiction]:
        return governing(self.policy, Home(), geo=None)

    def known(self, scope: Scope, *, patience_s: float) -> Known | None:
        """What is known of the scope's person; None if it cannot be known now."""
        keys = keys_of(self.keyring, scope.identity)
        return self._answered(lambda: self.view.of(keys, patience_s=patience_s))

    def under(self, key: str, *, patience_s: float) -> Known | None:
        """What is known of whoever one identifier belongs to; None if it cannot be known now."""
        return self._answered(lambda: self.view.under(key, patience_s=patience_s))

    def opened_by(self, identity: Identity) -> frozenset[str]:
        """The keys under which whoever has this identity may allow something, as far as is known now."""
        keys = keys_of(self.keyring, identity)
        opened = self._answered(lambda: self.view.opened_by(keys))
        return frozenset([*keys][:1]) if opened is None else opened

    def ruling(self, experiment: str) -> Ruling | None:
        """What an operator said of an experiment; None if nothing, `PENDING` if that is not known yet."""
        rulings = self.view.rulings
        if rulings.due:
            self._answered(rulings.read)
        return rulings.get(experiment)

    def ask(self, question: Callable[[Store], T], *, patience_s: float) -> T | None:
        """What the store answers; None if it cannot be known in that time."""
        return self._answered(lambda: self.view.ask(question, patience_s=patience_s))

    def remembered(self, keys: Collection[str], *, patience_s: float) -> Mapping[str, History] | None:
        """What is remembered under these keys; None if it cannot be known in that time."""
        return self._answered(lambda: self.view.histories.of(keys, patience_s=patience_s))

    def _answered(self, asked: Callable[[], T | None]) -> T | None:
        try:
            return asked()
        except Exception as error:  # noqa: BLE001 - whatever a store raises, not knowing is the safe answer
            let_through(error)
            self.intake.fault(*STORE_FAILED, error)
            return None

    def recall(self, scope: Scope, *, patience_s: float) -> Known | None:
        """Let the scope obey what its person chose elsewhere, as far as that can be known now; what is known."""
        scope.heard = self.view.version  # first: what changes in between is recalled again
        if not scope.identity:
            return Known()  # what was recalled before the identity was taken away goes on to hold
        known = self.known(scope, patience_s=patience_s)
        if known is not None and known.barred:
            scope.refused = later(scope.refused, denials(known.choices))
            self._unrecognise(scope, known.barred)
            known = self.known(scope, patience_s=patience_s)
        scope.pending = known is None or known.stale
        choices = later({} if known is None else known.choices, scope.refused)
        recalled = dict(unobjected(choices) if scope.gpc else choices)
        home = self._home(scope, known)
        if recalled != scope.recalled or home != scope.home:
            scope.recalled, scope.home = recalled, home
            self.govern(scope)
            if scope.held:
                self.intake.settle(scope)
        return known

    def follow(self, scope: Scope) -> None:
        """Let a scope that stays open obey what was chosen elsewhere since, as far as it was heard of."""
        if scope.heard != self.view.version:
            self.recall(scope, patience_s=0.0)

    def _unrecognise(self, scope: Scope, barred: Container[str]) -> None:
        """Take these identifiers from the scope: with one that a login gave, all that any login gave."""
        named = keys_of(self.keyring, scope.identity)
        login = any(key in barred and one.evidence == "login" for key, one in named.items())
        kept = [one for key, one in named.items() if key not in barred and not (login and one.evidence == "login")]
        if not kept and scope.allowed.recognise:
            visitor = scope.aside or (scope.issue_visitor and scope.issue_visitor())
            kept, scope.aside = [visitor] if visitor else [], None
        scope.change(identity=Identity(identifiers=tuple(kept)))

    def leave_person(self, scope: Scope) -> None:
        """Let nothing of the person stay in the scope: whoever comes next on this device is a new visitor."""
        scope.leave_person()
        self.govern(scope)
        if scope.allowed.recognise and scope.issue_visitor is not None:
            scope.change(identity=Identity(identifiers=(scope.issue_visitor(),)))

    def _home(self, scope: Scope, known: Known | None) -> Home:
        """Where the scope's person is at home, as far as their account says."""
        told = {} if known is None or not known.traits.held else known.values(self.intake.stamper.now())
        if not (told or self.regional or scope.home.account_minor):
            return scope.home
        residence = told.get("residence") if self.regional else None
        proven = scope.identity.proven
        return attrs.evolve(
            scope.home,
            account=None if residence is None else str(residence),
            proven=residence is None or (proven and not (known is not None and known.contested)),
            account_minor=bool(told.get("minor")),
            known=not (self.regional and scope.pending),
        )

    def command(
        self,
        spec: TouchpointSpec,
        scope: Scope,
        *,
        identity: Identity,
        properties: Mapping[str, JSON],
        purposes: int,
        shows: Shows,
        vouched: Container[str] | None = None,
        claimed: Shows | None = None,
        governed: bool = True,
        traceless: bool = False,
        occurrence: bytes = b"",
    ) -> str | None:
        """Put a command in the queue; returns its id, or None if there was no room even for that.

        Args:
            purposes: Bits of the purposes an exporter may have it for.
            shows: Its effect, to be seen before it is committed.
            vouched: Keys under which that holds; None: all.
            claimed: Its effect under the others; None: none.
            governed: Whether delivery asks for the person's consent again.
            traceless: Whether it is spooled as nobody's: what erases somebody is not erased with them.
            occurrence: What this one adds, encoded.
        """
        if scope.muted:
            self.intake.dropped["own_thread"] += 1
            return None
        body = _encoded(properties)  # first: what cannot be recorded must not be seen either
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
        for key in keys:
            effect = shows if vouched is None or key in vouched else claimed
            if effect is not None:
                self.view.remembers([key], id, partial(effect, id=id, at=moment(us)))
        taken = self.intake.put((prepared, id, us, occurrence, body))
        if taken is None:
            self.view.forgets(keys, id)
        return taken

    def note(
        self,
        spec: TouchpointSpec,
        scope: Scope,
        properties: Mapping[str, JSON],
        *,
        stamp: tuple[str, int] | None = None,
        occurrence: bytes = b"",
    ) -> None:
        """Capture something that says of nobody who they are, so that no purpose keeps it from an exporter."""
        if scope.muted:
            return
        everyone = purpose_bits(PURPOSES)
        nobody = Identity()
        prepared = prepare_command(
            spec, scope, identity=nobody, purposes=everyone, subject=NOBODY, source=self.source
        )._replace(type=INTERACTION)
        id, us = stamp or self.intake.stamper.stamp()
        self.intake.put((prepared, id, us, occurrence, _encoded(properties)))


def _encoded(properties: Mapping[str, JSON]) -> bytes:
    """Them as JSON; a text that is none, as it has half a character in it, is mended."""
    try:
        return msgspec.json.encode(dict(properties))
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(dict(properties)))


def _mended(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {encodable(name): _mended(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_mended(one) for one in value]
    return encodable(value) if isinstance(value, str) else value


def _whereabouts(scope: Scope) -> dict[str, str | None]:
    """Where its person was found to be, and where they say they are: whoever chooses a shop gives up no law by it."""
    place = scope.context.place
    found = place if scope.found is None else scope.found.place
    return {"geo": code_of(found), "chosen": _code(place) if _is_chosen(place) else None}


def code_of(place: Place | None) -> str | None:
    """Where somebody was found to be, as an ISO 3166 code; None where that is not sure enough to infer a law from."""
    doubtful = place is None or place.confidence == "low" or _is_chosen(place)
    return None if doubtful else _code(place)


def _is_chosen(place: Place | None) -> bool:
    """Whether they named the country; what was added to it since comes after."""
    return place is not None and (place.source or "").partition("+")[0] == CHOSEN


def _code(place: Place | None) -> str | None:
    if place is None or place.country is None:
        return None
    return f"{place.country}-{place.region}" if place.region else place.country
