"""A person leaves, or asks what is held of them. Both look everywhere and may block: they are not for an event loop."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cxkit.errors import InvalidInteractionError
from cxkit.flows.identify import identifiers_of
from cxkit.kit import current_kit
from cxkit.model import Identity

if TYPE_CHECKING:
    from cxkit.flows.disclose import Disclosure
    from cxkit.kit import Kit
    from cxkit.kit.privacy import Erasure

__all__ = ["disclose", "erase"]


def erase(
    *, suppress: bool = False, until: datetime | None = None, timeout_s: float = 30.0, **identifiers: str | int
) -> Erasure:
    """This customer leaves: what is held of them goes from the store, spools and dead letters, and exporters are asked.

    By any one of their identifiers all of theirs are meant. What they refused stays, without them. It waits until all
    that can be reached has erased them; the answer says plainly what was not seen done. To ask twice does no harm.
    From an event loop: ``await asyncio.to_thread(cxkit.erase, user_id="nancy")``.

    Args:
        suppress: Whether they may not come back: whoever logs in with one of their identifiers stays unrecognised.
            By default they may, as somebody new, and what is late comes back neither way: to leave is
            not to be barred, and whoever signs up again chose to.
        until: ... before then, a moment to come, without a zone in the time of this machine; by default for ever.
        timeout_s: How long to wait; what is not done by then goes on.
        identifiers: ``user_id="nancy"``, ``email=...``.

    Raises:
        InvalidInteractionError: No identifier is named, or one that identifies nobody; ``until`` is no moment to come,
            or bars nobody without ``suppress``; ``timeout_s`` is no number.
        ConfigurationError: cxkit cannot be configured.
        OSError: The directory is not ours alone.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.api.customer import current, identify
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     with scope(user_id="nancy", evidence="login"):
        ...         identify(traits={"plan": "gold"})
        ...     left = erase(user_id="nancy")
        ...     with scope(user_id="nancy", evidence="login"):
        ...         left.committed, dict(left.left.store), current().profile.traits
        (True, {}, {})
    """
    from cxkit.kit import privacy  # few processes ever need it

    kit = current_kit()
    identity = _identity(kit, identifiers)
    _check_times(until, timeout_s, suppress=suppress, now=kit.desk.intake.stamper.now())
    return privacy.erase(kit.premises, identity, suppress=suppress, until=until, timeout_s=timeout_s)


def disclose(**identifiers: str | int) -> Disclosure:
    """Everything that is held of this customer, for them: what is known, chosen, remembered, and still on its way.

    By any one of their identifiers all of theirs are meant. Be sure who asks: this is for that person alone. Nothing
    of others is in it, also where they used one device.

    Args:
        identifiers: ``user_id="nancy"``, ``email=...``.

    Raises:
        InvalidInteractionError: No identifier is named, or one that identifies nobody.
        StoreError: The store cannot be read: without it this would be half of the truth.
        ConfigurationError: cxkit cannot be configured.
        OSError: The directory is not ours alone.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.api.customer import identify
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     identify(traits={"plan": "gold"})
        ...     [(one.name, one.value, one.provenance) for one in disclose(user_id="nancy").traits]
        [('plan', 'gold', 'declared')]
    """
    from cxkit.kit import privacy

    kit = current_kit()
    return privacy.disclose(kit.premises, _identity(kit, identifiers))


def _identity(kit: Kit, identifiers: dict[str, str | int]) -> Identity:
    found = identifiers_of(kit.desk.keyring, identifiers, evidence="claim", declared=kit.desk.identifying)
    return Identity(identifiers=tuple(found))


def _check_times(until: object, timeout_s: object, *, suppress: bool, now: datetime) -> None:
    """That nothing was asked for which would be done otherwise than it reads."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not math.isfinite(timeout_s):
        raise _wrong("the time to wait is not a number of seconds", "give it like timeout_s=30.0")
    if until is None:
        return
    if not suppress:
        raise _wrong("until= says how long they may not come back, and they may", "add suppress=True, or leave it out")
    if not isinstance(until, datetime):
        raise _wrong("until= is not a moment", "give it like datetime(2030, 1, 1, tzinfo=UTC)")
    if until.astimezone(UTC) <= now:
        raise _wrong("until= is past: they could come back at once", "give a moment to come")


def _wrong(what: str, fix: str) -> InvalidInteractionError:
    return InvalidInteractionError(what, fix=fix, code="CX3151")
