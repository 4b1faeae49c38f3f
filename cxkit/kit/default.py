"""The default kit: of whoever names none. The only state of a module that cxkit keeps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import cxkit.delivery.forks  # noqa: F401 - from here on a fork waits for what is imported below
from cxkit.capture.interruption import interrupts
from cxkit.capture.scope import current_scope
from cxkit.errors import StateError

if TYPE_CHECKING:
    from cxkit.kit.kit import Kit
    from cxkit.settings import Settings

__all__ = ["current_kit", "default_kit", "install", "use_by_default"]

Made: TypeAlias = "Kit | Callable[[], Kit] | None"

_kit: Kit | None = None
_make: Callable[[], Kit] | None = None
_failure: Exception | None = None
_maker: int | None = None
_settings: Settings | None = None
_own = False
"""Whether the kit is one that nobody installed."""
_guard = threading.Lock()


def default_kit() -> Kit:
    """The kit of whoever names none: configured from files and environment, or by `use_by_default`, on first use.

    Raises:
        ConfigurationError: A setting is wrong. It is not tried again until another is installed.
    """
    return _kit or _make_default()


def _make_default() -> Kit:
    global _kit, _failure, _maker, _own
    if _maker == threading.get_ident():  # a signal handler, in the middle of the lines below
        raise StateError(
            "something was captured while cxkit was being configured on the same thread, and is lost",
            fix="call cxkit.configure() before signals are handled",
            code="CX7004",
        )
    with _guard:
        if _kit is not None:
            return _kit
        if _failure is not None:
            raise _failure.with_traceback(None)  # or it would grow with each time it is raised
        try:
            _maker = threading.get_ident()
            if _make is None:
                from cxkit.kit.kit import Kit

                _kit, _own = Kit(_settings), True
            else:
                _kit = _make()
        except Exception as error:
            if not interrupts(error):  # which says nothing about the settings
                _failure = error
            raise
        finally:
            _maker = None
        return _kit


def install(kit: Made) -> Made:
    """Make ``kit``, or what this makes on first use, the default one; returns the one that was.

    None: it is configured from files and environment, or by `use_by_default`, on the next use.
    """
    global _kit, _make, _failure, _own
    with _guard:
        before, _own = _kit or _make, False
        _kit, _make = (None, kit) if callable(kit) else (kit, None)
        _failure = None
    return before


def use_by_default(settings: Settings | None) -> None:
    """Configure the default kit by these, or by files and environment again, on its next use.

    For frameworks that have settings of their own, as long as nobody installs a kit. Unlike
    `cxkit.configure` it builds nothing yet, and replaces neither the recorder of a test nor what the
    app itself configures. A kit that was made by default already, from other settings, is closed.
    """
    global _kit, _settings, _failure, _own
    with _guard:
        if settings == _settings:
            return
        _settings, _failure = settings, None
        ended, _kit, _own = (_kit, None, False) if _own else (None, _kit, False)
    if ended is not None:
        ended.close()


def current_kit() -> Kit:
    """The kit of the current scope, else the default one.

    Raises:
        ConfigurationError: There is none yet, and it cannot be configured.
    """
    scope = current_scope()
    if scope is None:
        return default_kit()
    kit: Kit = scope.kit
    return kit


def _after_fork_in_child() -> None:
    global _guard, _maker
    _guard, _maker = threading.Lock(), None


os.register_at_fork(after_in_child=_after_fork_in_child)
