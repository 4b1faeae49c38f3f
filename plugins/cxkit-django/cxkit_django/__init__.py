"""cxkit for Django: one line of middleware, under WSGI and ASGI."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from cxkit_django.middleware import CXMiddleware

__all__ = ["CXMiddleware"]


def __getattr__(name: str) -> object:
    """Import Django when the class is used: cxkit, which looks for its plugins, may be there without it."""
    if name == "CXMiddleware":
        from cxkit_django.middleware import CXMiddleware

        return CXMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
