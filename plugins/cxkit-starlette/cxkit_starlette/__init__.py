"""cxkit for Starlette and FastAPI: one line of middleware."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from cxkit_starlette.middleware import CXMiddleware

__all__ = ["CXMiddleware"]


def __getattr__(name: str) -> object:
    """Import Starlette when the class is used: cxkit, which looks for its plugins, may be there without it."""
    if name == "CXMiddleware":
        from cxkit_starlette.middleware import CXMiddleware

        return CXMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
