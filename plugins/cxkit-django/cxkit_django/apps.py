"""The app, for whoever lists it in ``INSTALLED_APPS``: settings at start, a check, and tags for templates."""

from __future__ import annotations

from django.apps import AppConfig  # type: ignore[import-untyped]
from django.core.checks import register  # type: ignore[import-untyped]

from cxkit_django.checks import check_configuration, check_middleware
from cxkit_django.configured import configure

__all__ = ["CXConfig"]


class CXConfig(AppConfig):  # type: ignore[misc]
    """``"cxkit_django"`` in ``INSTALLED_APPS``."""

    name = "cxkit_django"
    label = "cxkit"
    verbose_name = "cxkit"

    def ready(self) -> None:
        """Configure, before anything is captured."""
        configure()
        register(check_middleware, self.label)
        register(check_configuration, self.label)
