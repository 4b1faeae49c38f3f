"""cxkit for Starlette and FastAPI: one line of middleware."""

from __future__ import annotations

from cxkit_starlette.middleware import CXMiddleware

__all__ = ["CXMiddleware"]
