"""Journeys: the handles of steps that lead a customer somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cxkit.api.declared import declare
from cxkit.capture import steps as taken
from cxkit.capture.scope import current_scope
from cxkit.flows.journey import progress
from cxkit.kit import current_kit
from cxkit.kit.here import noted
from cxkit.model import JourneySpec, Progress

__all__ = ["Journey", "journey"]


class Journey:
    """The handle of a declared journey. Made by `journey`."""

    def __init__(self, spec: JourneySpec) -> None:
        self.spec = spec

    def __repr__(self) -> str:
        return f"<Journey {self.spec.name}>"

    def progress(self) -> Progress:
        """How far the customer of this scope is, on all channels; never raises in production.

        Where that is not known, they have not begun: of who is not recognised or does not allow ``personalization``,
        on a device that others use, too, and until a remote store has answered.
        """
        try:
            kit = current_kit()
            scope = current_scope() or kit.root_scope
            spec = kit.desk.journeys.get(self.spec.name, self.spec)
            return progress(kit.desk, scope, spec, patience_s=kit.patience_s())
        except Exception as error:  # noqa: BLE001 - the guest's promise
            noted(error)
            return Progress(journey=self.spec.name, next=self.spec.steps[0])


def journey(
    name: str,
    *,
    steps: Iterable[str],
    places: Mapping[str, Iterable[str]] | None = None,
    stalled_after_s: float = 1800.0,
    ends_after_s: float = 604_800.0,
) -> Journey:
    """Declare steps that several elements, on several channels, lead a customer along; once per process.

    Conditions of experiences name it: ``journeys.NAME.step``, ``.next``, ``.stalled``, ``.completed``, ``.channel``.

    Args:
        name: One lower-case word: ``checkout``. ``[journeys.NAME]`` in the configuration replaces all of it.
        steps: 2 to 10, in their order: touchpoints, routes of pages, or names of which ``places`` says more.
        places: Step to the touchpoints and routes that it can be taken at, on whatever channel.
        stalled_after_s: Whoever did nothing on it for longer than that, and is not at its end, is stalled.
        ends_after_s: How long a step counts after it was taken.

    Raises:
        DeclarationError: It is malformed, or another module has declared this name.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> ADDED, CALLED = cxkit.touchpoint("basket.filled"), cxkit.touchpoint("call.ordered", channel="phone")
        >>> order = journey("order", steps=["basket.filled", "done"], places={"done": ["/thanks", "call.ordered"]})
        >>> with recorder(), cxkit.scope(user_id="nancy", evidence="login"):
        ...     cxkit.grant("analytics", "personalization")
        ...     _ = ADDED.capture()
        ...     before = order.progress()
        ...     _ = CALLED.capture()
        ...     before.next, order.progress().completed, order.progress().channel
        ('done', True, 'phone')
    """
    spec = JourneySpec(
        name=name,
        steps=steps,
        places=places or {},
        stalled_after_s=stalled_after_s,
        ends_after_s=ends_after_s,
    )
    declare("journey", name)
    taken.declare(spec)
    return Journey(spec)
