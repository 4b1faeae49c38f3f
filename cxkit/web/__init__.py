"""HTTP without any framework: facts, cookies, caches, endpoints, and what a middleware does around a request."""

from __future__ import annotations

from cxkit.rules.measure.pages import PAGE_VIEWED
from cxkit.web.asgi import ASGIMiddleware
from cxkit.web.beacon import beacon_tag
from cxkit.web.consent import banner, consent_url
from cxkit.web.site import Site
from cxkit.web.sites import Sites
from cxkit.web.templates import template_globals
from cxkit.web.visit import Visit, open_visit, signed_out
from cxkit.web.wsgi import WSGIMiddleware

__all__ = [
    "PAGE_VIEWED",
    "ASGIMiddleware",
    "Site",
    "Sites",
    "Visit",
    "WSGIMiddleware",
    "banner",
    "beacon_tag",
    "consent_url",
    "open_visit",
    "signed_out",
    "template_globals",
]
