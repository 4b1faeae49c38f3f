"""What every web plugin must do, seen from a browser; as tests to inherit. Needs pytest.

::

    class TestMyFramework(WebSuite):
        def serve(self, handlers, kit):
            app = ...           # each handler under its path, inside the plugin's middleware for this kit
            return served(app)  # a real server for ASGI; `served_wsgi` for WSGI; whatever yields a port will do

``kit`` is None where the same app is wanted without the middleware.
"""

from __future__ import annotations

from cxkit.testing.web_shop import Answer, Ask, Handler, Shop, served, served_wsgi
from cxkit.testing.web_suite.apart import ApartChecks
from cxkit.testing.web_suite.customers import CustomerChecks
from cxkit.testing.web_suite.endpoints import EndpointChecks
from cxkit.testing.web_suite.guests import GuestChecks
from cxkit.testing.web_suite.privacy import PrivacyChecks
from cxkit.testing.web_suite.visits import VisitChecks

__all__ = ["Answer", "Ask", "Handler", "Shop", "WebSuite", "served", "served_wsgi"]


class WebSuite(VisitChecks, GuestChecks, CustomerChecks, ApartChecks, PrivacyChecks, EndpointChecks):
    """Inherit it, and give `serve`; see the top of this file."""
