"""Whom Django knows as signed in, as far as the app has asked: looking at it here asks nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from django.contrib.auth.signals import user_logged_out  # type: ignore[import-untyped]
from django.http import HttpRequest  # type: ignore[import-untyped]
from django.utils.functional import LazyObject, empty  # type: ignore[import-untyped]

from cxkit.web import signed_out

__all__ = ["heed_logouts", "marks_of", "user_of"]


def marks_of(request: HttpRequest) -> MutableMapping[str, Any]:
    """Where the visit of a request is marked: something of ours may be further out, around the whole of Django."""
    marks: MutableMapping[str, Any] = getattr(request, "scope", request.META)
    return marks


def heed_logouts() -> None:
    """Let who logs out be nobody at once, for Django names nobody by the end of the request who was here before."""
    user_logged_out.connect(_logged_out, dispatch_uid="cxkit")


def _logged_out(request: HttpRequest | None = None, user: object = None, **_: object) -> None:
    if request is not None and user is not None:  # None: nobody was signed in
        signed_out(marks_of(request))


def user_of(request: HttpRequest) -> str | None:
    """The primary key of the user as text; None for nobody, and where nobody has asked yet."""
    known = request.__dict__
    user = known.get("user")
    if issubclass(type(user), LazyObject):  # isinstance would ask the object for its class
        user = user.__dict__["_wrapped"]
        if user is empty:
            user = known.get("_acached_user")  # what `await request.auser()` leaves
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    return None if user.pk is None else str(user.pk)
