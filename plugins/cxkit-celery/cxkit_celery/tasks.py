"""Where tasks are published, where they run, and where a pool's process ends: Celery's own signals, nothing patched.

Celery has no types; what comes from it is ``Any`` here, and nowhere else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final
from weakref import WeakKeyDictionary

from celery import signals  # type: ignore[import-untyped]

import cxkit

__all__ = ["instrument"]

_HEADER: Final = "cxkit"
"""The header of a message, and so the attribute of a task's request."""
_SCOPE: Final = "cxkit_scope"
"""The attribute of a task's request under which its scope is kept open."""

_kits: WeakKeyDictionary[Any, cxkit.Kit | None] = WeakKeyDictionary()
"""The apps that are instrumented. None is the default kit."""
_opened = False
"""Whether a task has run in this process: else there is nothing to deliver at its end."""


def instrument(app: Any, *, kit: cxkit.Kit | None = None) -> None:
    """Let tasks of this Celery app run in the scope in which they were published. Idempotent.

    Call it where the app is made, so that both those who publish and the workers do.

    Args:
        app: The ``celery.Celery``.
        kit: A kit of your own; by default the configured one.

    Example:
        >>> from celery import Celery
        >>> app = Celery("shop")
        >>> instrument(app)
    """
    _kits[app._get_current_object() if hasattr(app, "_get_current_object") else app] = kit
    for signal, receiver in (
        (signals.before_task_publish, _publish),
        (signals.task_prerun, _begin),
        (signals.task_postrun, _end),
        (signals.worker_process_shutdown, _drain),
    ):
        signal.connect(receiver, dispatch_uid=receiver.__qualname__ + __name__)


def _publish(*, headers: dict[str, Any] | None = None, **_: Any) -> None:
    """The scope of whoever publishes goes into the message, also when a task publishes or tries again."""
    if headers is not None and "id" in headers:  # the first version of the protocol has no such headers
        carried = cxkit.pack(to=headers["id"])
        if carried is not None:
            headers[_HEADER] = carried


def _begin(*, task: Any, task_id: str, **_: Any) -> None:
    """Every task has a scope: its publisher's, as that came with the message, or one of nobody."""
    global _opened
    if task.app not in _kits:
        return
    _opened, request = True, task.request
    # An eager task has no message, and shall not see or do more than one that has.
    carried = cxkit.pack(to=task_id) if request.is_eager else getattr(request, _HEADER, None)
    scope = cxkit.unpack(carried, to=task_id, kit=_kits[task.app])
    scope.__enter__()
    setattr(request, _SCOPE, scope)


def _end(*, task: Any, **_: Any) -> None:
    """However it ended: returned, failed, to be tried again, rejected."""
    scope: AbstractContextManager[None] | None = vars(task.request).pop(_SCOPE, None)
    if scope is not None:
        scope.__exit__(None, None, None)


def _drain(**_: Any) -> None:
    """A process of the pool ends with ``os._exit``, after this."""
    if _opened:
        for kit in set(_kits.values()):
            (cxkit if kit is None else kit).close()
