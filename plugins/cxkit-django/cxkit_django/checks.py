"""What ``manage.py check`` says: where the middleware stands, and all that is wrong with the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import conf  # type: ignore[import-untyped]
from django.core.checks import Error, Warning  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from cxkit.kit import examined
from cxkit_django.configured import SETTING
from cxkit_django.middleware import CXMiddleware

__all__ = ["check_configuration", "check_middleware"]

_PATH = "cxkit_django.CXMiddleware"


def check_middleware(**ignored: Any) -> list[Warning]:
    """``cxkit.W001``: it is missing; ``cxkit.W002``: it is not the first."""
    ours = list(_ours())
    if not any(ours):
        hint = f'Put "{_PATH}" first in MIDDLEWARE.'
        return [Warning("CXMiddleware is not in MIDDLEWARE: no visit is captured.", hint=hint, id="cxkit.W001")]
    if not ours[0]:
        text = "CXMiddleware is not the first in MIDDLEWARE: what those before it do belongs to no visit."
        return [Warning(text, hint=f'Move "{_PATH}" to the top.', id="cxkit.W002")]
    return []


def check_configuration(**ignored: Any) -> list[Error]:
    """``cxkit.CX1032`` and the like: all for which cxkit would not start. Nothing is connected to."""
    try:
        errors = examined(getattr(conf.settings, SETTING, None)).errors
    except Exception as error:  # noqa: BLE001 - a check is no reason to stop all others
        return [Error(f"cxkit could not be checked ({type(error).__name__}).", id="cxkit.E001")]
    return [Error(_sentence(one.what), hint=_sentence(one.fix), id=f"cxkit.{one.code}") for one in errors]


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."


def _ours() -> Iterator[bool]:
    for path in conf.settings.MIDDLEWARE:
        try:
            found = import_string(path)
        except ImportError:  # which Django itself says better
            found = None
        yield isinstance(found, type) and issubclass(found, CXMiddleware)
