"""Experiences: the handles of elements that adapt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from cxkit.api.declared import declare
from cxkit.capture.scope import current_scope
from cxkit.flows.decide import decide, show
from cxkit.kit import current_kit
from cxkit.kit.here import unconfigured
from cxkit.model import Decision, ExperienceSpec, Variant
from cxkit.rules.experience import check

__all__ = ["Experience", "experience"]


class Experience:
    """The handle of a declared experience. Made by `experience`."""

    def __init__(self, spec: ExperienceSpec) -> None:
        self.spec = spec

    def __repr__(self) -> str:
        return f"<Experience {self.spec.name}>"

    def decide(self) -> Decision:
        """What it is for this scope; captures nothing, never raises in production."""
        return self._decide(decide)

    def show(self) -> Decision:
        """`decide`, and one exposure: from now on this counts as really shown."""
        return self._decide(show)

    def _decide(self, verb: Callable[..., Decision]) -> Decision:
        try:
            kit = current_kit()
        except Exception as error:  # noqa: BLE001 - the guest's promise
            unconfigured(error)
            return self._failed()
        try:
            scope = current_scope() or kit.root_scope
            return verb(kit.desk, scope, kit.experiences.get(self.spec.name, self.spec), patience_s=kit.patience_s())
        except Exception as error:  # noqa: BLE001 - likewise; raised again in strict mode
            kit.intake.note(error)
            return self._failed()

    def _failed(self) -> Decision:
        fallback = self.spec.fallback
        return Decision(
            experience=self.spec.name,
            variant=fallback.name,
            form=fallback.form,
            content=fallback.content,
            sequence=fallback.sequence,
            reasons=("fallback: the decision failed",),
        )


def experience(
    name: str, *, fallback: Variant | None = None, variants: Iterable[Variant] = (), level: int = 2
) -> Experience:
    """Declare an element that can adapt, once per process.

    Args:
        name: Lower-case words joined by dots: ``home.hero``.
        fallback: Shown when nothing else fits or is allowed; by default one without content.
        variants: In the order in which they are tried. ``[experiences."NAME"]`` in the configuration replaces
            both.
        level: How wide it reaches, 1 to 4.

    Raises:
        DeclarationError: It is malformed, or another module has declared this name.

    Example:
        >>> from cxkit.testing import recorder
        >>> gold = Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3)
        >>> hero = experience("doc.hero", fallback=Variant(name="all", content="Welcome"), variants=[gold])
        >>> with recorder():
        ...     hero.decide().content
        'Welcome'
    """
    spec = ExperienceSpec(
        name=name, fallback=fallback or Variant(name="default"), variants=tuple(variants), level=level
    )
    check(spec)
    declare("experience", name)
    made = experiences[name] = Experience(spec)
    return made


experiences: Final[dict[str, Experience]] = {}
"""By name, those declared in this process; of one that was declared again the last."""
