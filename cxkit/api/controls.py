"""The current kit, as functions. Where cxkit cannot be configured they say so once, and do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxkit.kit import current_kit, install
from cxkit.kit.here import unconfigured

if TYPE_CHECKING:
    from cxkit.delivery.account import Account
    from cxkit.delivery.engine import Flushed
    from cxkit.kit import Kit
    from cxkit.settings import Settings

__all__ = ["close", "configure", "flush", "settled", "stats"]


def configure(settings: Settings | None = None) -> Kit:
    """Build the default kit now, from ``settings`` or from files and environment; the earlier one is closed.

    Raises:
        ConfigurationError: A setting is wrong.

    Example:
        >>> from cxkit.kit import install
        >>> from cxkit.settings import Settings
        >>> before = install(None)
        >>> configure(Settings(service="shop")).settings.service
        'shop'
        >>> close().complete
        True
        >>> _ = install(before)
    """
    from cxkit.kit import Kit

    kit = Kit(settings)
    before = install(kit)
    if isinstance(before, Kit):
        before.close()
    return kit


def flush(*, timeout_s: float = 5.0) -> Flushed:
    """As `Kit.flush`, of the current kit.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     flush(timeout_s=1).complete
        True
    """
    from cxkit.delivery.engine import Flushed

    kit = _kit()
    return Flushed(complete=True, pending={}) if kit is None else kit.flush(timeout_s=timeout_s)


def close(*, timeout_s: float | None = None) -> Flushed:
    """As `Kit.close`, of the current kit.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     close(timeout_s=1).pending
        {}
    """
    from cxkit.delivery.engine import Flushed

    kit = _kit()
    return Flushed(complete=True, pending={}) if kit is None else kit.close(timeout_s=timeout_s)


def stats() -> Account:
    """What became of everything captured: the account of the current kit.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     stats().balanced
        True
    """
    from cxkit.delivery.account import Account

    kit = _kit()
    return Account() if kit is None else kit.account()


async def settled(*, timeout_s: float = 1.0) -> bool:
    """As `Kit.settled`, of the current kit.

    Example:
        >>> import asyncio
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     asyncio.run(settled())
        True
    """
    kit = _kit()
    return False if kit is None else await kit.settled(timeout_s=timeout_s)


def _kit() -> Kit | None:
    try:
        return current_kit()
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return None
