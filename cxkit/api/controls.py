"""The current kit, as functions."""

from __future__ import annotations

from cxkit.delivery.account import Account
from cxkit.delivery.engine import Flushed
from cxkit.kit import Kit, current_kit, install
from cxkit.settings import Settings, load

__all__ = ["close", "configure", "flush", "settled", "stats"]


def configure(settings: Settings | None = None) -> Kit:
    """Build the default kit now, from ``settings`` or from files and environment; the earlier one is closed.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    kit = Kit(settings or load())
    before = install(kit)
    if isinstance(before, Kit):
        before.close()
    return kit


def flush(*, timeout_s: float = 5.0) -> Flushed:
    """As `Kit.flush`, of the current kit."""
    return current_kit().flush(timeout_s=timeout_s)


def close(*, timeout_s: float | None = None) -> Flushed:
    """As `Kit.close`, of the current kit."""
    return current_kit().close(timeout_s=timeout_s)


def stats() -> Account:
    """What became of everything captured: the account of the current kit."""
    return current_kit().account()


async def settled(*, timeout_s: float = 1.0) -> bool:
    """As `Kit.settled`, of the current kit."""
    return await current_kit().settled(timeout_s=timeout_s)
