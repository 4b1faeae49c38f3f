"""Interruptions: what a signal's handler raises while cxkit's code runs on the app's thread.

A handler runs in the midst of whatever the main thread does, so what it raises (Celery's soft time limit, say)
appears within a call of ours although nothing there went wrong. It is meant for the app, and the guards
that keep cxkit's own failures from the app let it through.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # that of ``signal`` makes enums, and takes a hundred times as long
import signal
import threading
from functools import partial
from types import CodeType, TracebackType

from cxkit.errors import CXError

__all__ = ["interrupts", "let_through"]


def interrupts(error: BaseException) -> bool:
    """Whether a signal's handler raised it: one of those installed now stands in its traceback.

    What another thread raises in this one (``PyThreadState_SetAsyncExc``) leaves no such trace, and is not
    told from a failure.

    Example:
        >>> interrupts(ValueError("raised by nobody"))
        False
    """
    if isinstance(error, CXError) or threading.current_thread() is not threading.main_thread():
        return False  # handlers run in the main thread only, and what is ours they do not raise
    ran = set(_codes(error.__traceback__))
    return any(_code(_signal.getsignal(number)) in ran for number in range(1, signal.NSIG))


def let_through(error: BaseException) -> None:
    """What a guard does first: raise again what is not for it.

    Raises:
        BaseException: That error, if it `interrupts`.

    Example:
        >>> let_through(ValueError("raised by nobody"))
    """
    if interrupts(error):
        raise error


def _codes(traceback: TracebackType | None) -> list[CodeType]:
    found = []
    while traceback is not None:
        found.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    return found


def _code(handler: object) -> CodeType | None:
    """Of what a handler runs. The default ones, and those not written in Python, run none."""
    while isinstance(handler, partial):
        handler = handler.func
    if not callable(handler):
        return None
    code = getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
