"""The setting ``CXKIT``: what cxkit.toml can say, said in Django's settings, for the whole process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import conf  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]

from cxkit.errors import ConfigurationError
from cxkit.kit import use_by_default
from cxkit.settings import load

__all__ = ["SETTING", "configure"]

SETTING: Final = "CXKIT"


def configure() -> None:
    """Let the default kit be made from ``CXKIT``, if there is one: also for commands and jobs.

    Raises:
        ImproperlyConfigured: A setting in it is wrong; the message has the code of the error and shows no value.
    """
    if getattr(conf.settings, SETTING, None) is None:
        return
    if not isinstance(getattr(conf.settings, SETTING), Mapping):
        raise ImproperlyConfigured(f'CX1012: {SETTING} is not a dictionary. Fix: write it like {{"service": "shop"}}')
    try:
        use_by_default(load(overrides=getattr(conf.settings, SETTING)))
    except ConfigurationError as error:
        wrong = f"{SETTING}: {error}"
    else:
        return
    raise ImproperlyConfigured(wrong)  # with neither frames nor causes, whose variables would show values
