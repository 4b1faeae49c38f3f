"""Tags for templates: ``{% load cxkit %}``."""

from __future__ import annotations

from typing import Final

from django import template  # type: ignore[import-untyped]

from cxkit.web.templates import template_globals

__all__ = ["register"]

register = template.Library()

_NAMES: Final = {"cx_experience": "experience"}
"""What is called otherwise here than in Jinja, where all names are in one place."""

# {% experience "home.hero" %} prints what it says, escaped; {% experience "home.hero" as hero %} gives the decision.
# cx_banner, cx_beacon and cx_consent_url are HTML where they are HTML.
for _name, _function in template_globals().items():
    register.simple_tag(_function, name=_NAMES.get(_name, _name))
