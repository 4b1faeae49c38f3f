"""The middleware: what is peculiar to Starlette is how a route's template is found, and who is signed in."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from starlette.authentication import BaseUser
from starlette.types import ASGIApp

from cxkit import Kit
from cxkit.web import ASGIMiddleware

__all__ = ["CXMiddleware"]

_MAX_UNKNOWN: Final = 100
_MAX_WRAPPED: Final = 20
_BELOW: Final = "/{path}"
_ANYTHING_BELOW: Final = "/(?:.*)"


class CXMiddleware(ASGIMiddleware):
    """Captures each request as ``page.viewed`` and gives it a scope.

    Args:
        app: The app, given by Starlette.
        kit: A kit of your own; by default the configured one.
        user: Finds the id of who is signed in, in the ASGI scope when the response begins; by default that of the
            user whom Starlette's ``AuthenticationMiddleware`` has put there.

    Example:
        >>> from starlette.applications import Starlette
        >>> app = Starlette()
        >>> app.add_middleware(CXMiddleware)
    """

    def __init__(
        self, app: ASGIApp, *, kit: Kit | None = None, user: Callable[[Mapping[str, Any]], str | None] | None = None
    ) -> None:
        super().__init__(app, kit=kit, route=_Templates(), user=user or _signed_in)


def _signed_in(scope: Mapping[str, Any]) -> str | None:
    """Whom the app knows by now. Only what says it is a user is asked, and nothing is done to find out."""
    user: Any = scope.get("user")
    if not issubclass(type(user), BaseUser) or not user.is_authenticated:
        return None
    try:
        return str(user.identity) or None
    except NotImplementedError:  # a class of the app's own need not have any
        return None


class _Route(NamedTuple):
    """One way to an endpoint."""

    endpoint: object
    template: str | None
    path: re.Pattern[str]


class _Templates:
    """The templates of routes, by the endpoint that Starlette leaves in the ASGI scope.

    The path has values in it, and the scope has no template, or one without what it is mounted
    under. So the routes are read once, and again when an endpoint turns up that was not among them.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], list[_Route]] = {}
        self._routers: dict[int, object] = {}
        """Kept, as the endpoints are, so that nothing else gets the id of one that is gone."""
        self._unknown = 0

    def __call__(self, scope: Mapping[str, Any]) -> str | None:
        """The template of the route that was found; None if none was."""
        router, endpoint = scope.get("router"), scope.get("endpoint")
        if router is None or endpoint is None:
            return None
        routes = self._known.get((id(router), id(endpoint)))
        if routes is None:
            routes = self._read(router, endpoint)
        if len(routes) > 1:
            path = _path(scope)
            routes = [route for route in routes if route.path.fullmatch(path)]
        return routes[0].template if routes else None

    def _read(self, router: object, endpoint: object) -> list[_Route]:
        if self._unknown > _MAX_UNKNOWN:  # where endpoints are made anew for each request
            return []
        found: dict[tuple[int, int], list[_Route]] = {}
        for route in _routes(router, "", ""):
            found.setdefault((id(router), id(route.endpoint)), []).append(route)
        wanted = (id(router), id(endpoint))
        if wanted not in found:
            self._unknown += 1
            found[wanted] = [_Route(endpoint, None, re.compile(""))]
        self._routers[id(router)] = router
        self._known.update(found)
        return found[wanted]


def _routes(router: object, prefix: str, pattern: str) -> Iterator[_Route]:
    """All routes below a router; template and pattern begin with those of what they are mounted under."""
    for route in _unfolded(getattr(router, "routes", ())):
        template = prefix + (getattr(route, "path_format", None) or "")  # a host has none
        path = pattern + _unnamed(getattr(route, "path_regex", None))
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            yield _Route(endpoint, template, re.compile(path))
            continue
        mounted = getattr(route, "app", None)
        inner = _router_in(mounted)
        if inner is not None:
            yield from _routes(inner, template.removesuffix(_BELOW), path.removesuffix(_ANYTHING_BELOW))
        # What matches none of the routes further in has no template, though its mount has one.
        yield _Route(mounted, template or None if inner is None else None, re.compile(path))


def _unfolded(routes: Iterable[object]) -> Iterable[object]:
    """As they are; but FastAPI keeps included routers folded up."""
    unfold = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return unfold(routes) if unfold else routes


def _router_in(app: object) -> object | None:
    """What routes further in a mounted app, whatever middleware is around it; None if nothing does."""
    for _ in range(_MAX_WRAPPED):
        if app is None or getattr(app, "routes", None):
            return app
        app = getattr(app, "app", None)
    return None


def _unnamed(pattern: re.Pattern[str] | None) -> str:
    """A route's pattern to be put after another's, where names may come twice."""
    if pattern is None:  # a host's, which is no part of the path
        return ""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern.removeprefix("^").removesuffix("$"))


def _path(scope: Mapping[str, Any]) -> str:
    """The path as the outermost router saw it."""
    path: str = scope["path"]
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    below = path.removeprefix(root)
    return below if below[:1] in ("", "/") else path
