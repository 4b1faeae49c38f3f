"""arrive: how somebody came first, and last, as traits of whoever allows that it is remembered."""

from __future__ import annotations

from typing import Final

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.identify import REMEMBERED, STITCHING, linkable, nameless
from cxkit.flows.known import Known
from cxkit.flows.telling import told
from cxkit.model import JSON, Acquisition, TouchpointSpec, Trait, purpose_bits

__all__ = ["ARRIVED", "FIRST_TOUCH", "LAST_TOUCH", "arrive"]

ARRIVED: Final = TouchpointSpec(name="profile.arrived", kind="identity", purpose=REMEMBERED)
FIRST_TOUCH: Final = "first_touch"
"""The trait that says what brought somebody here the first time; it is written once."""
LAST_TOUCH: Final = "last_touch"
"""And the last time that something did: a visit that says nothing of it leaves it as it is."""
_SAYS_NOTHING: Final[tuple[JSON, ...]] = ({"medium": "direct"}, {"medium": "referral"})
"""By themselves; or from a site that keeps to itself which it is, as those do where people pay."""
_KEPT: Final = ("source", "medium", "campaign")


def arrive(desk: Desk, scope: Scope) -> str | None:
    """Record what brought the scope's person here, where there is something new to say; the command's id.

    Nothing is recorded of machines, of whoever is not recognised or does not allow ``personalization``, nor on a
    device that may be anybody's; nor, without consent to ``identity_stitching``, of a visitor whom a login named:
    that would be said of whoever signed in. It joins no identifiers that were not known together, and never waits.
    """
    came = scope.context.acquisition
    if came is None or scope.machine:
        return None
    identity = linkable(desk, scope.identity)
    if not identity or ARRIVED.purpose not in scope.allowed.granted:
        return None
    known = desk.known(scope, patience_s=0.0)
    if known is not None and known.contested:
        return None
    apart = identity.get("visitor") is not None and STITCHING not in scope.allowed.granted
    if apart and not nameless(desk, identity, known):
        return None
    traits = _traits(came, known, desk)
    if not traits:
        return None
    return desk.command(
        ARRIVED,
        scope,
        identity=identity,
        properties=told(traits),
        purposes=purpose_bits(scope.allowed.granted),
        shows=lambda known, /, *, id, at: known.told(traits, frozenset(), id=id, at=at),
    )


def _traits(came: Acquisition, known: Known | None, desk: Desk) -> dict[str, Trait]:
    """What is not known yet; where that cannot be known now, all: each changes nothing when it comes again."""
    touch: JSON = {name: value for name in _KEPT if (value := getattr(came, name)) is not None}
    now = {} if known is None else known.values(desk.intake.stamper.now())
    traits: dict[str, Trait] = {}
    if not touch:
        return traits
    if FIRST_TOUCH not in now:
        traits[FIRST_TOUCH] = Trait(value=touch, how="set_once", provenance="observed")
    if touch not in _SAYS_NOTHING and now.get(LAST_TOUCH) != touch:
        traits[LAST_TOUCH] = Trait(value=touch, provenance="observed")
    return traits
