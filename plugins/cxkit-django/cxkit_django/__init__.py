"""cxkit for Django: one line of middleware, under WSGI and ASGI."""

from __future__ import annotations

from cxkit_django.middleware import CXMiddleware

__all__ = ["CXMiddleware"]
