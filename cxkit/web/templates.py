"""What templates call: plain functions, for Jinja's globals as for Django's tags."""

from __future__ import annotations

from collections.abc import Callable

from cxkit.web.beacon import beacon_tag
from cxkit.web.consent import banner, consent_url
from cxkit.web.shown import show

__all__ = ["template_globals"]


def template_globals() -> dict[str, Callable[..., object]]:
    """Name to function, for an environment of Jinja: ``templates.env.globals.update(template_globals())``.

    ``cx_experience(name)`` shows an experience: what it says, as text that is escaped, or its decision for
    ``{% set hero = cx_experience("home.hero") %}``. ``cx_banner(back=None, language=None)`` asks for the visitor's
    choices, ``cx_consent_url(language=None, back=None)`` is where they change them, and ``cx_beacon()`` loads the
    beacon; see `cxkit.web.shown.show`, `banner`, `consent_url` and `beacon_tag`.

    Example:
        >>> sorted(template_globals())
        ['cx_banner', 'cx_beacon', 'cx_consent_url', 'cx_experience']
    """
    return {"cx_banner": banner, "cx_beacon": beacon_tag, "cx_consent_url": consent_url, "cx_experience": show}
