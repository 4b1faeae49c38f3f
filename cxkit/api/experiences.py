"""Experiences: the handles of elements that adapt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from cxkit.api.declared import declare
from cxkit.api.scopes import opened_for
from cxkit.capture.scope import Scope, current_scope
from cxkit.errors import InvalidInteractionError
from cxkit.flows.decide import NOTHING, decide, preview
from cxkit.flows.expose import exposed, show
from cxkit.kit import current_kit
from cxkit.kit.default import default_kit
from cxkit.kit.experiences import declared
from cxkit.kit.here import noted, unconfigured
from cxkit.model import JSON, Context, Decision, ExperienceSpec, Experiment, Question, Variant
from cxkit.rules.experience import Chooser, check_together

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["Experience", "experience"]

T = TypeVar("T")
Identifiers: TypeAlias = Mapping[str, "str | int"]
"""Type to value."""


class Experience:
    """The handle of a declared experience. Made by `experience`."""

    def __init__(self, declared: ExperienceSpec | Chooser) -> None:
        self._chooser = declared if isinstance(declared, Chooser) else Chooser(declared)

    def __repr__(self) -> str:
        return f"<Experience {self.spec.name}>"

    @property
    def spec(self) -> ExperienceSpec:
        """What was declared, or configured."""
        return self._chooser.spec

    @classmethod
    def named(cls, name: str) -> Experience | None:
        """The one of that name, configured or else declared in this process; None if there is none."""
        try:
            found = current_kit().experiences.get(name)
        except Exception as error:  # noqa: BLE001 - the guest's promise
            unconfigured(error)
            found = declared.get(name)
        return None if found is None else cls(found)

    def decide(self, *, given: Mapping[str, JSON] | None = None, person: Identifiers | None = None) -> Decision:
        """What it is for this scope; captures nothing, never raises in production.

        Caches are told nothing either: where a page shows what was decided, say so by `exposed` before its response
        begins, or use `show`. Else what is for one person may be kept for all.

        Args:
            given: What the app knows of this moment besides, for conditions to name: ``{"items": 3}``. It never stands
                in for what cxkit itself has a name for.
            person: Whom it is for, where that is somebody else than the scope's customer: ``{"user_id": "nancy"}``. In
                a batch of letters, say. It is taken on your word, as a login's.
        """
        return self._decided(decide, given, person)

    def show(
        self,
        *,
        given: Mapping[str, JSON] | None = None,
        person: Identifiers | None = None,
        asks: bool = True,
    ) -> Decision:
        """`decide`, and one exposure: from now on this counts as really shown.

        Args:
            given: As to `decide`.
            person: Likewise.
            asks: Whether its questions are shown, too: from now on they count as asked.
        """
        return self._decided(show if asks else _show_alone, given, person)

    def preview(self, variant: str) -> Decision:
        """It in this variant, for whoever makes or checks it: no audience and no experiment is asked, nothing counts.

        It is no deeper than the scope's customer allows. Where there is no such variant, or they may not see it, it is
        `decide`.

        Args:
            variant: Its name; may come from the query of a request.
        """
        return self._decided(partial(preview, variant=variant), None, None)

    def exposed(self, decision: Decision, *, person: Identifiers | None = None) -> None:
        """What was decided before is really shown only now: a letter is sent, a list that was made ahead is read.

        A response that has not begun becomes private: what the decision followed is not known any more.

        Args:
            decision: Of this experience, for this person.
            person: As it was said to `decide`.
        """
        try:
            with _scope_for(person) as (kit, scope):
                if getattr(decision, "experience", None) != self.spec.name:
                    raise InvalidInteractionError(
                        f'what was shown is no decision of "{self.spec.name}"',
                        fix="give what its decide() returned",
                        code="CX3165",
                    )
                exposed(kit.desk, scope, self._here(kit), decision, patience_s=kit.patience_s())
        except Exception as error:  # noqa: BLE001 - the guest's promise
            noted(error)

    def _decided(
        self, verb: Callable[..., Decision], given: Mapping[str, JSON] | None, person: Identifiers | None
    ) -> Decision:
        try:
            if person is None:
                scope = current_scope() or default_kit().root_scope
                return self._in(verb, scope.kit, scope, given)
            with _scope_for(person) as (kit, scope):
                return self._in(verb, kit, scope, given)
        except Exception as error:  # noqa: BLE001 - the guest's promise
            noted(error)
            return self._chooser.failed()

    def _in(self, verb: Callable[..., Decision], kit: Kit, scope: Scope, given: Mapping[str, JSON] | None) -> Decision:
        return verb(kit.desk, scope, self._here(kit), patience_s=kit.patience_s(), given=given or NOTHING)

    def _here(self, kit: Kit) -> Chooser:
        """As it is configured, or else declared."""
        return kit.experiences.get(self._chooser.spec.name) or self._chooser


_show_alone: Final = partial(show, asks=False)


@contextmanager
def _scope_for(person: Identifiers | None) -> Iterator[tuple[Kit, Scope]]:
    """The current scope; or one of somebody else's, on the app's word.

    Raises:
        ConfigurationError: No kit can be configured.
    """
    here = current_scope() or default_kit().root_scope
    if person is None:
        yield here.kit, here
        return
    about = Context(channel=here.context.channel, actor=here.context.actor)  # a machine asks for whoever it asks
    scope = opened_for(here.kit, about, person, "login")
    assert scope is not None, "there is a kit"
    try:
        yield here.kit, scope
    finally:
        scope.close()


def experience(
    name: str,
    *,
    fallback: Variant | None = None,
    variants: Iterable[Variant] = (),
    experiments: Iterable[Experiment] = (),
    questions: Iterable[Question] = (),
    order: Iterable[str] = (),
    level: int = 2,
) -> Experience:
    """Declare an element that can adapt, once per process.

    Args:
        name: Lower-case words joined by dots: ``home.hero``.
        fallback: Shown when nothing else fits or is allowed; by default one without content.
        variants: In the order in which they are tried.
        experiments: Of some of the variants; those are shown by experiments alone. They are tried first.
        questions: What it may ask, if there is something to ask: `Decision.questions`.
        order: Names of experiments and variants, where they are to be tried in another order.
        level: How wide it reaches, 1 to 4.

    ``[experiences."NAME"]`` in the configuration replaces all of it.

    Raises:
        DeclarationError: It is malformed; another module has declared this name; or it cannot stand beside the others,
            for an experiment of theirs has the name of one of its own, say.

    Example:
        >>> from cxkit.testing import recorder
        >>> gold = Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3)
        >>> hero = experience("doc.hero", fallback=Variant(name="all", content="Welcome"), variants=[gold])
        >>> with recorder():
        ...     hero.decide().content
        'Welcome'
    """
    spec = ExperienceSpec(
        name=name,
        fallback=fallback or Variant(name="default"),
        variants=tuple(variants),
        experiments=tuple(experiments),
        questions=tuple(questions),
        order=tuple(order),
        level=level,
    )
    chooser = Chooser(spec)
    check_together([*(one.spec for other, one in declared.items() if other != name), spec], complete=False)
    declare("experience", name)
    declared[name] = chooser
    return Experience(chooser)
