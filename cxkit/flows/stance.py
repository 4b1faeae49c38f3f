"""Stance: how a scope's customer stands towards all that is decided now, worked out once for several decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, cast
from zoneinfo import ZoneInfo

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.identify import traits_of
from cxkit.flows.journey import journeys
from cxkit.flows.known import Known
from cxkit.flows.language import speaking
from cxkit.model import JSON, Acquisition, Context, Device, Place
from cxkit.rules.consent import permitted
from cxkit.rules.experience import Cap, depth_cap

__all__ = ["ALIKE", "SOURCES", "SPOKEN", "Stance", "stance_of"]

_NO_PLACE, _NO_DEVICE, _CAME = Place(), Device(), Acquisition()
_NOBODY: Final = Known()
_FORM: Final = ("viewport", "touch", "reduced_motion", "color_scheme", "save_data")
ALIKE: Final = frozenset(["channel", "route"])
"""What a decision may follow in a response that everybody gets."""
SPOKEN: Final = frozenset(["language", "locale"])
_SEGMENT: Final = 2
_HOLDS_S: Final = 0.25
"""What others change is heard of by asking the store, every half second: within a second both together."""


class Stance:
    """What is known of the scope's person, how personal a decision may be, and what it may follow.

    Attributes:
        cap: How deep it may go.
        known: What is known of them; None: it has not arrived.
        late: Whether others may get what is shown, too.
        machine: Whether no person asks.
        measured: Whether they allow that what they do is measured.
    """

    __slots__ = (
        "_desk",
        "_heard",
        "_scope",
        "_units",
        "_until",
        "_version",
        "_worked_out",
        "cap",
        "known",
        "late",
        "machine",
        "measured",
        "patience_s",
        "pending",
    )

    def __init__(self, desk: Desk, scope: Scope, known: Known | None) -> None:
        self._desk, self._scope, self.known = desk, scope, known
        self.pending = scope.pending
        self.measured = "analytics" in scope.allowed.granted
        self.machine, self.late = scope.machine, scope.late
        self.cap: Cap = depth_cap(
            granted=scope.allowed.granted,
            identity=scope.identity,
            pending=self.pending,
            contested=known is not None and known.contested,
            machine=self.machine,
            late=self.late,
        )
        self.patience_s = 0.0
        self._worked_out: dict[str, JSON] = {}
        self._units = {one.type: one.value for one in scope.identity.identifiers}
        if self._units and scope.context.session is not None:
            self._units["session"] = scope.context.session
        self._version, self._heard = scope.version, desk.view.version
        self._until = time.monotonic() + _HOLDS_S

    @property
    def holds(self) -> bool:
        """Whether nothing has changed since: here at once, elsewhere within a quarter of a second."""
        scope = self._scope
        return (
            self._version == scope.version
            and self._heard == self._desk.view.version
            and not self.pending
            and self.late == scope.late
            and time.monotonic() < self._until
        )

    @property
    def spoken(self) -> tuple[str | None, str]:
        """The language here, and what it follows."""
        return speaking(self._desk, self._scope, self.known)

    def attribute(self, name: str) -> JSON:
        """One of those that an audience can name.

        Raises:
            KeyError: There is none of that name.
        """
        if name == "journeys":  # each contact may be a step
            return self.journeys()
        if name not in self._worked_out:
            self._worked_out[name] = SOURCES[name](self)
        return self._worked_out[name]

    def withholds(self, name: str) -> bool:
        """Whether that is kept back, as it is too late to follow it."""
        return self.late and name not in ALIKE and not self._scope.may_follow(self.source(name))

    def source(self, name: str) -> str:
        """What an attribute follows: itself; or that of the language what this one follows."""
        return self.spoken[1] if name in SPOKEN else name

    def unit(self, type: str) -> str | None:
        """The value by which an experiment tells people apart.

        Returns:
            None where it is not known, may not be followed, or no person asks.
        """
        if self.machine or (self.late and self.withholds(type)):
            return None
        return self._units.get(type)

    def proven(self, type: str) -> bool:
        """Whether a cookie or a login says that unit; a session is the scope's own."""
        identifier = self._scope.identity.get(type)
        return type == "session" if identifier is None else identifier.proven

    # --- what the attributes are ---

    @property
    def context(self) -> Context:
        """As far as something may follow it."""
        return permitted(self._scope.context, self._scope.allowed.granted, linked=True)

    @property
    def personal(self) -> bool:
        """Whether what is known of them from before may be followed."""
        return self.cap.depth >= _SEGMENT

    def traits(self) -> JSON:
        """Of the person; none where nothing may go by them."""
        return traits_of(self._desk, self._scope, self.known) if self.personal else {}

    def journeys(self) -> JSON:
        """How far they are on each, in this moment."""
        desk = self._desk
        now = desk.intake.stamper.now()
        found = journeys(desk, self._scope, self.known, now=now, patience_s=self.patience_s)
        return cast("JSON", found)  # a mapping, as conditions take it

    def local_hour(self) -> int | None:
        """0 to 23, where they are; None where that is not known, or not to this machine."""
        zone, now = self.context.timezone, self._desk.intake.stamper.now()
        return None if zone is None else _hour(zone, now)

    def returning(self) -> bool:
        """Whether they were here before."""
        return self._scope.returning or (self.known or _NOBODY).person is not None

    def signed_in(self) -> bool:
        """Whether a login says who it is."""
        return self._scope.identity.signed_in


def stance_of(desk: Desk, scope: Scope, *, patience_s: float) -> Stance:
    """The one that still holds, or another.

    Args:
        patience_s: How long a remote store may be waited for; what is not known by then caps depth at 1.
    """
    held = scope.stance
    if not isinstance(held, Stance) or not held.holds:
        scope.enrich()
        scope.stance = held = Stance(desk, scope, desk.recall(scope, patience_s=patience_s))
    held.patience_s = patience_s
    return held


def _hour(zone: str, now: datetime) -> int | None:
    try:
        return now.astimezone(ZoneInfo(zone)).hour
    except (LookupError, OSError, ValueError):  # no such zone, or no database of them
        return None


def _language(stance: Stance) -> JSON:
    locale = stance.spoken[0]
    return locale and locale.partition("-")[0].lower()


def _acquisition(stance: Stance) -> JSON:
    came = stance.context.acquisition or _CAME
    return {"source": came.source, "medium": came.medium, "campaign": came.campaign}


def _form(stance: Stance) -> JSON:
    device = stance.context.device or _NO_DEVICE
    return {name: getattr(device, name) for name in _FORM}


def _of_place(name: str) -> Callable[[Stance], JSON]:
    return lambda stance: getattr(stance.context.place or _NO_PLACE, name)


def _of_context(name: str) -> Callable[[Stance], JSON]:
    return lambda stance: getattr(stance.context, name)


SOURCES: Final[Mapping[str, Callable[[Stance], JSON]]] = {
    **{name: _of_context(name) for name in ("actor", "channel", "market", "currency")},
    **{name: _of_place(name) for name in ("country", "region", "city", "store")},
    "locale": lambda stance: stance.spoken[0],
    "language": _language,
    "fences": lambda stance: [*(stance.context.place or _NO_PLACE).fences],
    "local_hour": Stance.local_hour,
    "device": lambda stance: (stance.context.device or _NO_DEVICE).type,
    "form": _form,
    "acquisition": _acquisition,
    "route": lambda stance: stance.context.page.route if stance.context.page else None,
    "returning": Stance.returning,
    "known": Stance.signed_in,
    "traits": Stance.traits,
    "journeys": Stance.journeys,
}
"""What an audience can name, and where it is from."""
