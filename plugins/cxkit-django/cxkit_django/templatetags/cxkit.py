"""Tags for templates: ``{% load cxkit %}``."""

from __future__ import annotations

from django import template  # type: ignore[import-untyped]

from cxkit import Decision
from cxkit.web.shown import show
from cxkit.web.templates import template_globals

__all__ = ["register"]

register = template.Library()


def experience(name: str) -> Decision:
    """``{% experience "home.hero" as hero %}``: decided and shown."""
    return show(name)


register.simple_tag(experience)
for _name, _function in template_globals().items():  # cx_banner, cx_beacon, cx_consent_url: HTML where it is HTML
    register.simple_tag(_function, name=_name)
