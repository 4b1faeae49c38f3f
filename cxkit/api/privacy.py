"""A person leaves, or asks what is held of them. Both look everywhere and may block: they are not for an event loop."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

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
        until: ... before then, without a zone in the time of this machine; by default for ever.
        timeout_s: How long to wait; what is not done by then goes on.
        identifiers: ``user_id="nancy"``, ``email=...``.

    Raises:
        InvalidInteractionError: No identifier is named, or one that identifies nobody.
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
