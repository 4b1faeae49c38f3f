"""The middleware: what is peculiar to Starlette is how a route's template is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp

from cxkit import Kit
from cxkit.web import ASGIMiddleware

__all__ = ["CXMiddleware"]


class CXMiddleware(ASGIMiddleware):
    """Captures each request as ``page.viewed`` and gives it a scope.

    Args:
        app: The app, given by Starlette.
        kit: A kit of your own; by default the configured one.

    Example:
        >>> from starlette.applications import Starlette
        >>> app = Starlette()
        >>> app.add_middleware(CXMiddleware)
    """

    def __init__(self, app: ASGIApp, *, kit: Kit | None = None) -> None:
        super().__init__(app, kit=kit, route=route_template)


def route_template(scope: Mapping[str, Any]) -> str | None:
    """The template of the route that was found; None if none was.

    The path with each path parameter's value replaced by its name: that holds for mounts, which have
    no template of their own in the scope, and shows no value even where a route is not known to us.
    """
    if "endpoint" not in scope:
        return None
    path: str = scope["path"]
    parameters: Mapping[str, Any] = scope.get("path_params") or {}
    parts = path.split("/")
    for name, value in parameters.items():
        text = str(value).strip("/")
        if "/" in text:
            path = "/".join(parts).replace(text, f"{{{name}}}")
            parts = path.split("/")
        elif text in parts:
            parts[len(parts) - 1 - parts[::-1].index(text)] = f"{{{name}}}"
    return "/".join(parts)
