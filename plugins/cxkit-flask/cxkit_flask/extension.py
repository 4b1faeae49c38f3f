"""The extension: what is peculiar to Flask is how a route's template is found, and what it forgets."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final

from flask import Flask, request, request_started
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cxkit import Kit
from cxkit.web import WSGIMiddleware, template_globals
from cxkit.web.visit import SCOPE
from cxkit.web.wsgi import ROUTE
from cxkit_flask.users import heed_logouts, user_of

__all__ = ["CXFlask"]

_NAME: Final = "cxkit"
_ERROR: Final = "cxkit.error"
_PARAMETER: Final = re.compile(r"<(?:[a-zA-Z_]\w*(?:\(.*?\))?:)?([a-zA-Z_]\w*)>")


class CXFlask:
    """Captures each request as ``page.viewed`` and gives it a scope.

    Args:
        app: The app; without it, call `init_app` later, for as many as you like.
        kit: A kit of your own; by default the configured one.

    Example:
        >>> from flask import Flask
        >>> app = Flask("shop")
        >>> _ = CXFlask(app)
    """

    def __init__(self, app: Flask | None = None, *, kit: Kit | None = None) -> None:
        self._kit = kit
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the middleware around an app, once: a second call changes nothing.

        Raises:
            TypeError: It is no app of Flask.
            AssertionError: The app has answered a request already; Flask allows no more setting up then.
        """
        if not isinstance(app, Flask):
            raise TypeError(f"{type(app).__name__} is no app of Flask. Fix: CXFlask(app), of app = Flask(__name__)")
        if _NAME in app.extensions:
            return
        templates = _Templates(app)

        def torn_down(error: BaseException | None) -> None:
            """Keep what Flask forgets right after: what it made a 500 of, or is about to raise."""
            if error is not None and SCOPE in request.environ:
                environ = request.environ
                environ[_ERROR] = error
                try:
                    environ[ROUTE] = environ.get(ROUTE) or templates(environ)
                except Exception:  # noqa: BLE001 - not even in strict mode does our error take the place of theirs
                    environ[SCOPE].intake.count("internal_error")

        app.teardown_request(torn_down)
        request_started.connect(heed_logouts, app)
        app.context_processor(template_globals)  # `app.jinja_env` would end what the app may still say of its templates
        app.extensions[_NAME] = self
        app.wsgi_app = WSGIMiddleware(  # type: ignore[method-assign]
            app.wsgi_app, kit=self._kit, route=templates, user=user_of, error=_error
        )


class _Templates:
    """The templates of routes, from the request that Flask leaves in the environ.

    Args:
        app: Whose routes are asked where the request's method was refused.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, environ: Mapping[str, Any]) -> str | None:
        """The template of the route that was found; None if none was."""
        request = environ.get("werkzeug.request")
        rule = getattr(request, "url_rule", None)
        mount = _mount(environ)
        if rule is None and not mount and isinstance(getattr(request, "routing_exception", None), MethodNotAllowed):
            rule = self._for_another_method(request)
        return None if rule is None else mount + _template(rule.rule)

    def _for_another_method(self, request: Any) -> Any:
        """The rule that the path has for other methods than that of the request."""
        adapter = self._app.create_url_adapter(request)
        methods = request.routing_exception.valid_methods
        if adapter is None or not methods:
            return None
        try:
            return adapter.match(method=next(iter(methods)), return_rule=True)[0]
        except HTTPException:
            return None


def _mount(environ: Mapping[str, Any]) -> str:
    """What the app that answers is mounted under, within the one that the visit began in."""
    root: str = environ[SCOPE].facts.root
    now = environ.get("SCRIPT_NAME", "").rstrip("/")
    return now.removeprefix(root) if now.startswith(root) else ""


@lru_cache(maxsize=1024)
def _template(rule: str) -> str:
    return _PARAMETER.sub(r"{\1}", rule)


def _error(environ: MutableMapping[str, Any]) -> BaseException | None:
    """Taken out, for its traceback has the environ in it."""
    error: BaseException | None = environ.pop(_ERROR, None)
    return error
