"""The capture gate: what may be kept of a touchpoint in a scope. The rule is ``rules.consent``.

The answer is prepared once per touchpoint and version of a scope, with everything that all its
interactions share already encoded; so the gate costs capture one look-up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import attrs

from cxkit.capture.scope import Scope
from cxkit.codec.frame import COMMAND, INTERACTION, NOBODY, PRIORITIES
from cxkit.codec.wire import fragment
from cxkit.model import PURPOSES, Context, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.consent import Policy, capture_mode

__all__ = ["Prepared", "prepare", "prepare_command"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Prepared(NamedTuple):
    """What all interactions of one touchpoint in one version of a scope share."""

    refusal: str | None
    """Why nothing may be captured; None if it may."""
    fragment: bytes = b""
    subject: bytes = NOBODY
    purposes: int = 0
    own: int = 0
    priority: int = 1
    type: int = INTERACTION


def prepare(
    spec: TouchpointSpec,
    scope: Scope,
    *,
    source: str,
    policy: Policy,
    before_choice: str,
    subject: bytes,
    plugin: str | None = None,
) -> Prepared:
    """Ask the rule, and encode what may be kept.

    Args:
        subject: The key of the strongest identifier of the scope, or `NOBODY`.
    """
    scope.enrich()
    mode = capture_mode(
        scope.allowed, spec.purpose, before_choice="drop" if before_choice == "drop" else "anonymise"
    )
    if mode in ("refused", "undecided"):
        return Prepared(refusal=f"consent_{mode}")
    anonymous = mode == "anonymous"
    lawful = scope.allowed.granted | ((policy.anonymous - scope.allowed.denied) if anonymous else frozenset())
    return Prepared(
        refusal=None,
        fragment=fragment(
            template(
                spec,
                identity=Identity() if anonymous else scope.identity,
                context=_coarse(scope.context) if anonymous else scope.context,
                consent=scope.allowed.as_map(),
                source=source,
                plugin=plugin,
            )
        ),
        subject=NOBODY if anonymous else subject,
        purposes=purpose_bits(lawful),
        own=PURPOSES.index(spec.purpose),
        priority=PRIORITIES.index(spec.priority),
    )


def prepare_command(
    spec: TouchpointSpec, scope: Scope, *, identity: Identity, purposes: int, subject: bytes, source: str
) -> Prepared:
    """What a command needs: no gate stops it on its way to the store, and ``purposes`` say who else may have it."""
    return Prepared(
        refusal=None,
        fragment=fragment(
            template(
                spec,
                identity=identity,
                context=Context(channel=scope.context.channel, locale=scope.context.locale),
                consent=scope.allowed.as_map(),
                source=source,
                plugin=None,
            )
        ),
        subject=subject,
        purposes=purposes,
        own=PURPOSES.index(spec.purpose),
        priority=PRIORITIES.index(spec.priority),
        type=COMMAND,
    )


def template(
    spec: TouchpointSpec,
    *,
    identity: Identity,
    context: Context,
    consent: dict[str, bool],
    source: str,
    plugin: str | None,
) -> Interaction:
    """An interaction of the touchpoint with all that is known before it occurs."""
    return Interaction(
        id="",
        occurred_at=_EPOCH,
        name=spec.name,
        source=source,
        kind=spec.kind,
        purpose=spec.purpose,
        channel=spec.channel or context.channel,
        direction=spec.direction,
        stage=spec.stage,
        nature=spec.nature,
        presence=spec.presence,
        reach=spec.reach,
        via=spec.via,
        promise=spec.promise,
        plugin=plugin,
        identity=identity,
        context=context,
        consent=consent,
    )


def _coarse(context: Context) -> Context:
    """The context less what could single somebody out."""
    place = context.place and attrs.evolve(context.place, region=None, city=None)
    return attrs.evolve(context, session=None, place=place)
