"""The default kit: of whoever names none. The only state of a module that cxkit keeps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from cxkit.capture.scope import current_scope
from cxkit.kit.kit import Kit

__all__ = ["current_kit", "default_kit", "install"]

_default: Kit | Callable[[], Kit] | None = None
_failure: Exception | None = None
_guard = threading.Lock()


def default_kit() -> Kit:
    """The kit of whoever names none: configured from files and environment on first use.

    Raises:
        ConfigurationError: A setting is wrong. It is not tried again until another is installed.
    """
    kit = _default
    return kit if isinstance(kit, Kit) else _make_default()


def _make_default() -> Kit:
    global _default, _failure
    with _guard:
        kit = _default
        if isinstance(kit, Kit):
            return kit
        if _failure is not None:
            raise _failure.with_traceback(None)  # or it would grow with each time it is raised
        try:
            made = _default = Kit() if kit is None else kit()
        except Exception as error:
            _failure = error
            raise
        return made


def install(kit: Kit | Callable[[], Kit] | None) -> Kit | Callable[[], Kit] | None:
    """Make ``kit``, or what this makes on first use, the default one; returns the one that was.

    None: it is configured from files and environment on the next use.
    """
    global _default, _failure
    with _guard:
        before, _default, _failure = _default, kit, None
    return before


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
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
