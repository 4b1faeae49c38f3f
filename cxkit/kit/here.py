"""Here: acting for the customer of the scope that is current, and what happens where there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope, current_scope
from cxkit.errors import StateError
from cxkit.flows.place import Found, place
from cxkit.kit.default import current_kit
from cxkit.model import Context

if TYPE_CHECKING:
    from cxkit.kit.kit import Kit

__all__ = ["in_scope", "noted", "place_here", "unconfigured"]

logger = logging.getLogger("cxkit")


def place_here(found: Found, *, needs: str | None = None) -> Context | None:
    """For plugins: the customer of this scope is at a place that they, or their device, have just told.

    The enrichers are asked first, so that what is told outranks what they find in whatever order things come. Where
    the region decides which consent is needed, a place whose source is ``chosen`` can only make the law stricter.

    Args:
        found: Given the context as it is, and as it was before anything was found (what stands there the app said,
            and it stays): the context as it is from now on. Of that, place, time zone, currency and market are taken.
        needs: A purpose. Where its customer does not allow it, ``found`` is not asked, and that is counted.

    Returns:
        The context as it is now; None if it was refused, or something went wrong: that is noted, and raised in
        strict mode only.

    Example:
        >>> import attrs, cxkit
        >>> from cxkit.testing import recorder
        >>> with recorder(), cxkit.scope(channel="kiosk"):
        ...     now = place_here(lambda context, given: attrs.evolve(context, market="dach"))
        >>> now.market
        'dach'
    """
    now: list[Context | None] = []
    in_scope(lambda kit, here: now.append(place(kit.desk, here, found, needs=needs)))
    return now[0] if now else None


def in_scope(act: Callable[[Kit, Scope], object]) -> None:
    """Act with the kit and the scope of here and now. What goes wrong is noted; in strict mode it raises."""
    here = current_scope()
    if here is None:
        _out_of_scope()
        return
    kit: Kit = here.kit
    try:
        act(kit, here)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        kit.intake.note(error)


def noted(error: Exception) -> None:
    """For plugins: that went wrong here, and the app runs on.

    It is logged; in strict mode it raises, as what interrupts the app does in any. Where no kit can be configured, that
    is said once.
    """
    try:
        kit = current_kit()
    except Exception as wrong:  # noqa: BLE001 - which may be what went wrong
        unconfigured(wrong)
    else:
        kit.intake.note(error)


def _out_of_scope() -> None:
    noted(
        StateError(
            "there is no scope, so there is no customer to act for",
            fix="add the middleware, or open one with `with cxkit.scope(...)`",
            code="CX7002",
        )
    )


_warned = False


def unconfigured(error: Exception) -> None:
    """The default kit cannot be built: say so once, and let the app run on."""
    global _warned
    let_through(error)
    if isinstance(error, StateError):
        logger.warning("cxkit: %s", error)
    elif not _warned:
        _warned = True
        logger.error("cxkit: nothing is captured, for cxkit cannot be configured: %s", error)
