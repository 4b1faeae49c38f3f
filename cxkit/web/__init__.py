"""HTTP without any framework: facts, cookies, caches, and what a middleware does around a request."""

from __future__ import annotations

from cxkit.web.asgi import ASGIMiddleware
from cxkit.web.gpc import GPC_PATH, gpc_json
from cxkit.web.visit import PAGE_VIEWED, Site, Visit

__all__ = ["GPC_PATH", "PAGE_VIEWED", "ASGIMiddleware", "Site", "Visit", "gpc_json"]
