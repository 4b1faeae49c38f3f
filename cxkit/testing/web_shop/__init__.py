"""The app that a web plugin is tested with, a browser that visits it, and servers for both gateways.

``handlers`` what a page is; ``pages`` and ``shop`` the app; ``browser`` who visits it; ``bare`` the app without any
framework.
"""

from __future__ import annotations

from cxkit.testing.web_shop.bare import bare_app, bare_wsgi, served, served_wsgi
from cxkit.testing.web_shop.browser import Browser, Reply, exchanged, told
from cxkit.testing.web_shop.handlers import Answer, Ask, Handler
from cxkit.testing.web_shop.shop import Shop

__all__ = [
    "Answer",
    "Ask",
    "Browser",
    "Handler",
    "Reply",
    "Shop",
    "bare_app",
    "bare_wsgi",
    "exchanged",
    "served",
    "served_wsgi",
    "told",
]
