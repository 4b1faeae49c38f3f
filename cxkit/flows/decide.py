"""decide: what an experience is for this scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.flows.ask import with_questions
from cxkit.flows.desk import Desk
from cxkit.flows.stance import ALIKE, SOURCES, SPOKEN, Stance, stance_of
from cxkit.model import JSON, Blocked, Decision
from cxkit.rules.experience import Asking, Chooser, Ruling

__all__ = ["NOTHING", "Attributes", "decide", "decided", "preview"]

NOTHING: Final[Mapping[str, JSON]] = {}
_DEEPEST: Final = 16
"""Of prerequisites of prerequisites."""
_Earlier = dict[str, tuple[Mapping[str, JSON], set[str]] | None]
"""What other experiences are for one decision, and what was looked at; None: not decided yet, for it waits itself."""


def preview(
    desk: Desk,
    scope: Scope,
    chooser: Chooser,
    *,
    patience_s: float,
    given: Mapping[str, JSON] = NOTHING,
    variant: str,
) -> Decision:
    """The experience as it is in one of its variants, if the scope's person may see that; nothing comes of it.

    What it is shown in is theirs alone; where it is too late for that it is what they get.
    """
    decision = chooser.preview(variant, stance_of(desk, scope, patience_s=patience_s).cap)
    if decision is not None and scope.vary("preview"):
        return decision
    return decide(desk, scope, chooser, patience_s=patience_s, given=given)


def decide(
    desk: Desk, scope: Scope, chooser: Chooser, *, patience_s: float, given: Mapping[str, JSON] = NOTHING
) -> Decision:
    """What the experience is for this scope. Captures nothing.

    Args:
        patience_s: How long a remote store may be waited for; what is not known by then caps depth at 1.
        given: What the app knows of this moment besides; see `Attributes`.
    """
    return decided(desk, scope, chooser, given, patience_s=patience_s)[0]


def decided(
    desk: Desk, scope: Scope, chooser: Chooser, given: Mapping[str, JSON], *, patience_s: float
) -> tuple[Decision, Attributes]:
    """The decision with what it asks, and what was looked at for it."""
    attributes = Attributes(desk, stance_of(desk, scope, patience_s=patience_s), given, chooser.spec.name)
    decision = _chosen(desk, chooser, attributes)
    return with_questions(desk, scope, chooser, decision, attributes, stance=attributes.stance), attributes


def _chosen(desk: Desk, chooser: Chooser, attributes: Attributes) -> Decision:
    cap, spec = attributes.stance.cap, chooser.spec
    if cap.by == "consent" and chooser.depth > cap.depth:
        purpose = "profiling" if cap.depth > 1 else "personalization"
        desk.intake.block(Blocked(gate="decision", purpose=purpose, reason="not_allowed", destination=spec.name))
    for decider in desk.deciders:
        try:
            decision = decider.decide(spec, attributes, cap=cap.depth)
        except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
            let_through(error)
            desk.intake.fault("decider_failed", "a decider failed, and is done without", error)
            continue
        if isinstance(decision, Decision) and decision.depth <= cap.depth:
            return decision
        if decision is not None:
            desk.intake.count("decider_refused")
    return chooser.choose(attributes, cap)


class Attributes(Asking):
    """What one decision may follow, by name; it knows which of it was looked at.

    Args:
        given: What the app knows of this moment besides. What is known here by that name goes first, also if it is not
            known: nobody's word takes its place.
        name: The experience's; others may have to be decided before it.
        earlier: What was decided for whatever waits for this one.
    """

    __slots__ = ("_desk", "_earlier", "_name", "given", "read", "stance")

    def __init__(
        self, desk: Desk, stance: Stance, given: Mapping[str, JSON], name: str, earlier: _Earlier | None = None
    ) -> None:
        self.stance, self.given = stance, given
        self.read: set[str] = set()
        self._desk, self._name, self._earlier = desk, name, earlier

    def __getitem__(self, name: str) -> JSON:
        if self.stance.late and self.stance.withholds(name):
            return None
        found = self.stance.attribute(name) if name in SOURCES else self.given[name]
        self.read.add(name)
        return found

    def get(self, name: str, default: JSON = None) -> JSON:  # type: ignore[override]  # no default of another type
        """One of them; None where there is none of that name, or it is not known."""
        return self[name] if name in SOURCES or name in self.given else default

    def __iter__(self) -> Iterator[str]:
        yield from SOURCES
        yield from (name for name in self.given if name not in SOURCES)

    def __len__(self) -> int:
        return len(SOURCES) + sum(name not in SOURCES for name in self.given)

    def unit(self, type: str) -> str | None:
        """As `Stance.unit`: what is shown follows that."""
        found = self.stance.unit(type)
        if found is not None:
            self.read.add(type)
        return found

    def withholds(self, name: str) -> bool:
        """As `Stance.withholds`."""
        return self.stance.withholds(name)

    @property
    def pending(self) -> bool:
        """Whether what is known of them has not arrived."""
        return self.stance.pending

    @property
    def measured(self) -> bool:
        """As `Stance.measured`."""
        return self.stance.measured

    def kept(self, key: str) -> str | None:
        """The variation that an experiment gave them before, while they allow that it is measured."""
        known = self.stance.known
        found = known.assigned.get(key) if known is not None and self.stance.measured else None
        return None if found is None else found.variation

    def crossed_over(self, key: str) -> bool:
        """Whether an experiment gave them two."""
        known = self.stance.known
        found = None if known is None else known.assigned.get(key)
        return found is not None and found.crossed_over

    def ruling(self, experiment: str) -> Ruling | None:
        """What an operator said of an experiment; None if nothing, `PENDING` if that is not known yet."""
        return self._desk.ruling(experiment)

    def before(self, experience: str) -> Mapping[str, JSON] | None:
        """What another experience is for them, its variant and slots; None: there is none, or it depends on this.

        Each is decided once, however many depend on it.
        """
        earlier = self._earlier = {self._name: None} if self._earlier is None else self._earlier
        if experience not in earlier:
            self._decide(experience, earlier)
        found = earlier[experience]
        if found is None:
            self._desk.intake.count(
                "prerequisite_cyclic" if self._desk.experience(experience) else "prerequisite_missing"
            )
            return None
        self.read |= found[1]
        return found[0]

    def _decide(self, experience: str, earlier: _Earlier) -> None:
        earlier[experience] = None  # it waits for what follows
        chooser = self._desk.experience(experience)
        if chooser is None or [*earlier.values()].count(None) > _DEEPEST:
            return
        looked = Attributes(self._desk, self.stance, self.given, experience, earlier)
        decision = _chosen(self._desk, chooser, looked)
        told = {name: getattr(decision, name) for name in ("variant", "form", "content", "sequence")}
        earlier[experience] = told, looked.read

    # --- what came of it ---

    @property
    def followed(self) -> set[str]:
        """What those follow that were looked at, if it is not alike for everybody."""
        return {self.stance.source(name) for name in self.read - ALIKE}

    @property
    def spoken(self) -> str | None:
        """The language, if that was looked at."""
        return self.stance.spoken[0] if self.read & SPOKEN else None
