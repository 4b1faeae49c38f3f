"""Whom Flask-Login knows as signed in, as far as the app has asked, and who logs out. Flask itself knows nobody."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Flask, g, has_app_context, request

from cxkit.web import signed_out

__all__ = ["heed_logouts", "user_of"]


def user_of(environ: Mapping[str, Any]) -> str | None:
    """The id of whom Flask-Login has loaded in this request; it is not asked to load anybody."""
    user = g.get("_login_user") if has_app_context() else None
    # One whose row would have to be read again is nobody: no query is made that the app did not make.
    if user is None or _expired(user) or not getattr(user, "is_authenticated", False):
        return None
    found = user.get_id()
    return None if found is None else str(found)


def _expired(user: object) -> bool:
    return bool(getattr(getattr(user, "_sa_instance_state", None), "expired_attributes", None))


def heed_logouts(app: Flask, **_: object) -> None:
    """Let who logs out be nobody at once. An app may come to Flask-Login later than to us, and to others never."""
    login = sys.modules.get("flask_login")
    if login is not None:
        _connected(login)


@cache
def _connected(login: Any) -> None:
    login.user_logged_out.connect(_logged_out)


def _logged_out(app: Flask, user: Any = None, **_: object) -> None:
    try:
        nobody = not _expired(user) and not user.is_authenticated
    except Exception:  # noqa: BLE001 - the app's own class may raise; whoever it is, they leave
        nobody = False
    if user is not None and not nobody:
        signed_out(request.environ)
