"""The WSGI middleware around an app without a framework, behind a real server."""

from __future__ import annotations

from contextlib import AbstractContextManager

from cxkit import Kit
from cxkit.testing.web_shop import bare_wsgi
from cxkit.testing.web_suite import Handler, WebSuite, served_wsgi
from cxkit.web import WSGIMiddleware


class TestBareWSGI(WebSuite):
    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app = bare_wsgi(handlers)
        for _ in range(self.times if kit is not None else 0):
            app = WSGIMiddleware(app, kit=kit, route=lambda environ: environ.get("bare.route"))
        return served_wsgi(app)
