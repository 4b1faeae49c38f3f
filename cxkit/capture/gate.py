"""The capture gate: what may be kept of a touchpoint in a scope. The rule is ``rules.consent``.

The answer is prepared once per touchpoint and version of a scope, with everything that all its
interactions share already encoded; so the gate costs capture one look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from cxkit.capture.scope import Circumstances, Scope
from cxkit.capture.steps import REMEMBERED, is_step
from cxkit.codec.frame import COMMAND, INTERACTION, NOBODY, PRIORITIES
from cxkit.codec.wire import circumstances, declaration
from cxkit.model import PURPOSES, Context, Identity, TouchpointSpec, purpose_bits
from cxkit.rules.consent import Allowed, BeforeChoice, Policy, capture_mode, needed, permitted

__all__ = ["HELD", "Prepared", "prepare", "prepare_command"]

HELD: Final = "held"
"""As a refusal: not yet, but perhaps after a choice."""


class Prepared(NamedTuple):
    """What all interactions of one touchpoint in one version of a scope share."""

    refusal: str | None
    """Why nothing may be captured, with the purpose where that counts: ``consent_refused:analytics``. None: it may."""
    shared: bytes = b""
    """Declaration and circumstances, encoded."""
    subject: bytes = NOBODY
    purposes: int = 0
    own: int = 0
    priority: int = 1
    type: int = INTERACTION
    spec: TouchpointSpec | None = None
    """What it was prepared for: a name may be declared again."""
    governed: bool = True
    """Whether delivery asks for the subject's consent again."""
    holds: int = 0
    """The purposes that it asks for besides, as some of the context is there by them alone."""
    step: bool = False
    """Whether it is a step of a journey, and will be remembered of somebody."""


def prepare(
    spec: TouchpointSpec,
    scope: Scope,
    *,
    source: str,
    before_choice: BeforeChoice,
    subject: Callable[[Identity], bytes],
) -> Prepared:
    """Ask the rule, and encode what may be kept.

    Args:
        subject: Tells the key of the strongest identifier.
    """
    scope.enrich()
    mode = capture_mode(scope.allowed, spec.purpose, before_choice=before_choice)
    if mode == "held":
        return Prepared(refusal=HELD, spec=spec)
    if mode in ("refused", "undecided"):
        return Prepared(refusal=f"consent_{mode}:{spec.purpose}", spec=spec)
    if mode == "anonymous":
        return _anonymous(spec, permitted(scope.context, (), linked=False), scope.allowed, scope.policy, source)
    if scope.circumstances is None:
        scope.circumstances = _full(scope, subject)
    step = is_step(spec, scope.context)
    return _prepared(spec, scope.circumstances, channel=scope.context.channel, source=source, step=step)


def _prepared(
    spec: TouchpointSpec, around: Circumstances, *, channel: str | None, source: str, step: bool = False
) -> Prepared:
    channel, own = spec.channel or channel, PURPOSES.index(spec.purpose)
    remembered = around.subject != NOBODY and not (REMEMBERED | 1 << own) & ~around.purposes
    return Prepared(
        refusal=None,
        shared=declaration(spec, source=source, channel=channel, plugin=None) + around.encoded,
        subject=around.subject,
        purposes=around.purposes,
        own=own,
        priority=PRIORITIES.index(spec.priority),
        spec=spec,
        holds=around.holds,
        step=step and remembered,
    )


def prepare_command(
    spec: TouchpointSpec,
    scope: Scope,
    *,
    identity: Identity,
    purposes: int,
    subject: bytes,
    source: str,
    governed: bool = True,
) -> Prepared:
    """What a command needs: no gate stops it on its way to the store, and ``purposes`` say who else may have it."""
    channel = scope.context.channel
    around = circumstances(
        identity=identity,
        context=Context(channel=channel, locale=scope.context.locale),
        consent=scope.allowed.as_map(),
    )
    return Prepared(
        refusal=None,
        shared=declaration(spec, source=source, channel=channel, plugin=None) + around,
        subject=subject,
        purposes=purposes,
        own=PURPOSES.index(spec.purpose),
        priority=PRIORITIES.index(spec.priority),
        type=COMMAND,
        governed=governed,
    )


def _full(scope: Scope, subject: Callable[[Identity], bytes]) -> Circumstances:
    seen = scope.identity
    if scope.claimed and seen:  # only beside something known: on its own it would be all there is to go by
        more = (one for one in scope.claimed if seen.get(one.type) is None)
        seen = Identity(identifiers=(*seen.identifiers, *more))
    context = permitted(scope.context, scope.allowed.granted, linked=True)
    encoded = circumstances(identity=seen, context=context, consent=scope.allowed.as_map())
    return Circumstances(encoded, subject(scope.identity), _bits(scope.allowed.granted), _bits(needed(context)))


@lru_cache(maxsize=256)
def _anonymous(spec: TouchpointSpec, context: Context, allowed: Allowed, policy: Policy, source: str) -> Prepared:
    """Without identifiers: nothing in it is of one visitor, so that many share it."""
    encoded = circumstances(identity=Identity(), context=context, consent=allowed.as_map())
    # Not what the person granted: nobody could ask them again, for nobody knows whose it is.
    lawful = policy.granted | (policy.anonymous - allowed.denied)
    around = Circumstances(encoded, NOBODY, _bits(lawful), holds=0)
    return _prepared(spec, around, channel=context.channel, source=source)


@lru_cache(maxsize=1024)
def _bits(purposes: frozenset[str]) -> int:
    """Few sets of purposes occur."""
    return purpose_bits(purposes)
