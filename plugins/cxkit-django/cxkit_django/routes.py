"""Django's routes as templates: ``products/<str:sku>`` and ``^products/(?P<sku>[^/]+)$`` are ``/products/{sku}``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from django import conf  # type: ignore[import-untyped]
from django.conf.urls.i18n import is_language_prefix_patterns_used  # type: ignore[import-untyped]
from django.http import HttpRequest  # type: ignore[import-untyped]

__all__ = ["route_of", "template_of"]

_SEEN: Final = 4096
_REGEX: Final = re.compile(r"\^|\\|\$|\(")
_CONVERTER: Final = re.compile(r"<(?:[^<>:]*:)?(\w+)>")
_PART: Final = re.compile(
    r"""\(\?P<(?P<named>\w+)> | (?P<plain>\(\?:) | (?P<other>\(\?) | (?P<unnamed>\() | (?P<end>\))
      | (?P<class>\[\^?\]?(?:\\.|[^\]\\])*\] | \\[dDwWsS]) | (?:\\[AbBZ]|[$^?*+]|\{[\d,]+\}) | \\(?P<escaped>.)
      | <(?:[^<>:]*:)?(?P<converted>\w+)> | (?P<text>.)""",
    re.VERBOSE | re.DOTALL,
)


def route_of(request: HttpRequest) -> str | None:
    """The template of the route that was found; None if none was.

    The prefix that ``i18n_patterns`` puts before a route is a value as well: ``/{language}/products/{sku}``.
    """
    match = request.resolver_match
    if match is None or match.route is None:
        return None
    urlconf = getattr(request, "urlconf", None) or conf.settings.ROOT_URLCONF
    return template_of(match.route, prefixed=is_language_prefix_patterns_used(urlconf)[0])


@lru_cache(maxsize=_SEEN)
def template_of(route: str, *, prefixed: bool = False) -> str:
    r"""The template of a route.

    What a regular expression leaves open outside of its named groups is ``{var}``.

    Args:
        route: As ``ResolverMatch.route`` has it: those of all resolvers on the way, joined.
        prefixed: Whether it may begin with a language that ``i18n_patterns`` put there.

    Example:
        >>> template_of("shop/<slug:town>/<sku>"), template_of(r"^shop/(?P<sku>[^/]+)/(?:page-(?P<page>\d+)/)?$")
        ('/shop/{town}/{sku}', '/shop/{sku}/page-{page}/')
    """
    route = _of_regex(route) if _REGEX.search(route) else _CONVERTER.sub(r"{\1}", route)
    first, slash, rest = route.partition("/")
    if prefixed and slash and (first == conf.settings.LANGUAGE_CODE or first in dict(conf.settings.LANGUAGES)):
        route = "{language}/" + rest
    return "/" + route.removeprefix("/")


def _of_regex(route: str) -> str:
    said: list[str] = []
    swallowed = 0
    """How many groups deep we are in what a name stands for already."""
    for part in _PART.finditer(route):
        kind, text = part.lastgroup, part[part.lastgroup or 0]
        if swallowed:
            swallowed += (kind in ("named", "plain", "other", "unnamed")) - (kind == "end")
        elif kind in ("named", "unnamed", "other"):
            swallowed = 1
            said.append({"named": f"{{{text}}}", "unnamed": "{var}"}.get(kind, ""))
        elif kind == "converted":
            said.append(f"{{{text}}}")
        elif kind == "class":
            said.append("{var}")
        elif kind in ("escaped", "text"):
            said.append(text)
    return "".join(said)
