"""decide and show: what an experience is for this scope."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.flows.desk import Desk
from cxkit.flows.identify import traits_of
from cxkit.flows.known import Known
from cxkit.flows.language import settle, speaking
from cxkit.model import JSON, Acquisition, Blocked, Decision, Device, ExperienceSpec, Place, TouchpointSpec
from cxkit.model.context import MACHINES
from cxkit.rules.consent import permitted
from cxkit.rules.experience import choose, depth_cap

__all__ = ["SHOWN", "decide", "show"]

_NO_PLACE, _NO_DEVICE, _CAME = Place(), Device(), Acquisition()
_FORM: Final = ("viewport", "touch", "reduced_motion", "color_scheme", "save_data")
_ALIKE: Final = frozenset(["channel", "route"])
"""What a decision may follow in a response that everybody gets."""
_SPOKEN: Final = frozenset(["language", "locale"])
SHOWN = TouchpointSpec(name="experience.shown", kind="exposure", direction="outbound")


def decide(desk: Desk, scope: Scope, spec: ExperienceSpec, *, patience_s: float) -> Decision:
    """What the experience is for this scope. Captures nothing.

    Args:
        patience_s: How long a remote store may be waited for; what is not known by then caps depth at 1.
    """
    return _decided(desk, scope, spec, patience_s=patience_s)[0]


def _decided(desk: Desk, scope: Scope, spec: ExperienceSpec, *, patience_s: float) -> tuple[Decision, _Read]:
    """The decision, and what was read for it."""
    scope.enrich()
    known = desk.recall(scope, patience_s=patience_s)
    cap = depth_cap(
        granted=scope.allowed.granted,
        identity=scope.identity,
        pending=scope.pending,
        contested=known is not None and known.contested,
        machine=scope.context.actor in MACHINES,
        late=scope.late,
    )
    if cap.by == "consent" and any(one.depth > cap.depth for one in spec.variants):
        purpose = "profiling" if cap.depth > 1 else "personalization"
        desk.intake.block(Blocked(gate="decision", purpose=purpose, reason="not_allowed", destination=spec.name))
    locale, follows = speaking(desk, scope, known)
    told = _attributes(scope, known or Known(), locale, desk.intake.stamper.now())
    told["traits"] = traits_of(desk, scope, known)
    withheld = {name for name in told if not _may_follow(scope, name, follows)} if scope.late else set[str]()
    attributes = _Read(told, withheld, locale=locale, follows=follows)
    for decider in desk.deciders:
        try:
            decision = decider.decide(spec, attributes, cap=cap.depth)
        except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
            let_through(error)
            desk.intake.fault("decider_failed", "a decider failed, and is done without", error)
            continue
        if isinstance(decision, Decision) and decision.depth <= cap.depth:
            return decision, attributes
        if decision is not None:
            desk.intake.count("decider_refused")
    return choose(spec, attributes, cap, withheld=withheld), attributes


def show(desk: Desk, scope: Scope, spec: ExperienceSpec, *, patience_s: float) -> Decision:
    """`decide`, and one exposure: once per experience and variant in a scope."""
    late = scope.late
    decision, attributes = _decided(desk, scope, spec, patience_s=patience_s)
    scope.show(decision.depth)
    scope.vary(*attributes.followed)
    if scope.late and not late:  # the response has begun meanwhile, in another thread
        decision, attributes = _decided(desk, scope, spec, patience_s=patience_s)
    if attributes.spoken is not None:
        settle(scope, attributes.spoken)
    what = (decision.experience, decision.variant, desk.subject(scope.identity))
    if what not in scope.shown or scope is scope.kit.root_scope:  # which never ends
        scope.shown.add(what)
        desk.intake.capture(scope, SHOWN, {}, occurrence(decision=_told(decision)))
    return decision


class _Read(Mapping[str, JSON]):
    """Attributes that know which of them were looked at."""

    def __init__(
        self, attributes: Mapping[str, JSON], withheld: Container[str], *, locale: str | None, follows: str
    ) -> None:
        self._attributes, self._withheld = attributes, withheld
        self._locale, self._follows = locale, follows
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> JSON:
        if name in self._withheld:
            return None
        self.read.add(name)
        return self._attributes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)

    @property
    def followed(self) -> set[str]:
        """What those follow that were looked at, if it is not alike for everybody."""
        return {_source(name, self._follows) for name in self.read - _ALIKE}

    @property
    def spoken(self) -> str | None:
        """The language, if that was looked at."""
        return self._locale if self.read & _SPOKEN else None


def _source(name: str, follows: str) -> str:
    """What an attribute follows: itself; or that of the language what this one follows."""
    return follows if name in _SPOKEN else name


def _may_follow(scope: Scope, name: str, follows: str) -> bool:
    return name in _ALIKE or scope.may_follow(_source(name, follows))


def _attributes(scope: Scope, known: Known, locale: str | None, now: datetime) -> dict[str, JSON]:
    context = permitted(scope.context, scope.allowed.granted, linked=True)
    place, device, came = context.place or _NO_PLACE, context.device or _NO_DEVICE, context.acquisition or _CAME
    return {
        "actor": context.actor,
        "channel": context.channel,
        "locale": locale,
        "language": locale and locale.partition("-")[0].lower(),
        "country": place.country,
        "region": place.region,
        "city": place.city,
        "store": place.store,
        "fences": list(place.fences),
        "market": context.market,
        "currency": context.currency,
        "local_hour": _local_hour(context.timezone, now),
        "device": device.type,
        "form": {name: getattr(device, name) for name in _FORM},
        "acquisition": {"source": came.source, "medium": came.medium, "campaign": came.campaign},
        "route": context.page.route if context.page else None,
        "returning": scope.returning or known.person is not None,
        "known": scope.identity.signed_in,
    }


def _local_hour(timezone: str | None, now: datetime) -> int | None:
    """0 to 23, where they are; None where that is not known, or not to this machine."""
    try:
        return None if timezone is None else now.astimezone(ZoneInfo(timezone)).hour
    except (LookupError, OSError, ValueError):  # no such zone, or no database of them
        return None


def _told(decision: Decision) -> Decision:
    """The decision less its slots: what was shown is known from experience and variant."""
    return attrs.evolve(decision, form=None, content=None, sequence=None)
