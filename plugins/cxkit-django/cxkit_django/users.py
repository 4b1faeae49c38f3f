"""Whom Django knows as signed in, as far as the app has asked: looking at it here asks nothing."""

from __future__ import annotations

from django.http import HttpRequest  # type: ignore[import-untyped]
from django.utils.functional import LazyObject, empty  # type: ignore[import-untyped]

__all__ = ["user_of"]


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
