"""Where tasks are published, where they run, and where a pool's process ends.

The last two are Celery's own signals. The signal of publishing is not used: it is one for all apps of a
process and does not say which of them publishes. But each app has an ``amqp`` of its own, through which go all
its messages: those of ``delay``, ``send_task``, canvas, retries and beat. So an app that is instrumented gets one that
adds the header, as a subclass of its own; others are left as they are, and nothing that apps share is touched.

Celery has no types; what comes from it is ``Any`` here, and nowhere else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from threading import Timer
from typing import Any, Final
from weakref import WeakKeyDictionary

from celery import signals  # type: ignore[import-untyped]
from celery.exceptions import SoftTimeLimitExceeded  # type: ignore[import-untyped]
from celery.utils.imports import symbol_by_name  # type: ignore[import-untyped]

import cxkit

__all__ = ["instrument"]

_HEADER: Final = "cxkit"
"""The header of a message, and so the attribute of a task's request."""
_SCOPE: Final = "cxkit_scope"
_REMINDER: Final = "cxkit_reminder"
"""The attributes of a task's request under which its scope is kept open, and who reminds it of its time limit."""
_SOON_S: Final = 0.05

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
    app = app._get_current_object() if hasattr(app, "_get_current_object") else app
    if app not in _kits:
        _carry(app)
    _kits[app] = kit
    for when, receiver in (
        (signals.task_prerun, _begin),
        (signals.task_postrun, _end),
        (signals.worker_process_shutdown, _drain),
    ):
        when.connect(receiver, dispatch_uid=receiver.__qualname__ + __name__)


class _Carrying:
    """What an ``amqp`` of Celery is besides: every task's message takes along the scope of whoever publishes it."""

    @property
    def send_task_message(self) -> Callable[..., Any]:
        publish = super().send_task_message  # type: ignore[misc]

        def carrying(producer: Any, name: str, message: Any, headers: Any = None, **options: Any) -> Any:
            # What was handed over may hold that of an earlier message: a retry repeats the headers it came with.
            ours = _header(message) if self.app in _kits else {}  # type: ignore[attr-defined]
            return publish(producer, name, message, headers={**(headers or {}), **ours}, **options)

        return carrying


def _carry(app: Any) -> None:
    """Let this app's ``amqp`` be a carrying one, whether it is made already or not: it is, at its first use."""
    if getattr(app.amqp_cls, "func", None) is not _made:  # an app that was pickled brings it with it
        app.amqp_cls = partial(_made, app.amqp_cls)
    if "amqp" in vars(app):
        _to_carry(app.amqp)


def _made(kind: Any, app: Any) -> Any:
    return _to_carry(symbol_by_name(kind)(app=app))


def _to_carry(amqp: Any) -> Any:
    kind = type(amqp)
    if issubclass(kind, _Carrying):
        return amqp
    amqp.__class__ = type(kind.__name__, (_Carrying, kind), {"__module__": __name__})
    return amqp


def _header(message: Any) -> dict[str, str]:
    if "id" not in message.headers:  # the first version of the protocol has no headers
        return {}
    carried = cxkit.pack(to=message.headers["id"])
    return {} if carried is None else {_HEADER: carried}


def _begin(*, task: Any, task_id: str, **_: Any) -> None:
    """Every task has a scope: its publisher's, as that came with the message, or one of nobody."""
    global _opened
    if task.app not in _kits:
        return
    _opened = True
    try:
        _enter(task, task_id)
    except SoftTimeLimitExceeded:
        try:
            _enter(task, task_id)
        finally:
            _remind(task)


def _remind(task: Any) -> None:
    """What a receiver of a signal raises Celery keeps from the task. So the limit comes once more, when that runs."""
    reminder = Timer(_SOON_S, _exceed)
    reminder.daemon = True
    setattr(task.request, _REMINDER, reminder)
    reminder.start()


def _exceed() -> None:
    if callable(signal.getsignal(signal.SIGUSR1)):  # or it would end the process
        os.kill(os.getpid(), signal.SIGUSR1)


def _enter(task: Any, task_id: str) -> None:
    request = task.request
    # An eager task has no message, and shall not see or do more than one that has.
    carried = cxkit.pack(to=task_id) if request.is_eager else getattr(request, _HEADER, None)
    scope = cxkit.unpack(carried, to=task_id, kit=_kits[task.app])
    scope.__enter__()
    setattr(request, _SCOPE, scope)


def _end(*, task: Any, **_: Any) -> None:
    """However it ended: returned, failed, to be tried again, rejected."""
    reminder: Timer | None = vars(task.request).pop(_REMINDER, None)
    if reminder is not None:
        reminder.cancel()
    scope: AbstractContextManager[None] | None = vars(task.request).pop(_SCOPE, None)
    if scope is not None:
        scope.__exit__(None, None, None)


def _drain(**_: Any) -> None:
    """A process of the pool ends with ``os._exit``, after this."""
    if _opened:
        for kit in set(_kits.values()):
            (cxkit if kit is None else kit).close()
