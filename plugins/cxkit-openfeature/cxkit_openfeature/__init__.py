"""cxkit for OpenFeature: a provider whose flags are experiences."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from cxkit_openfeature.provider import CXProvider

__all__ = ["CXProvider"]


def __getattr__(name: str) -> object:
    """Import the SDK when the class is used: cxkit, which looks for its plugins, may be there without it."""
    if name == "CXProvider":
        from cxkit_openfeature.provider import CXProvider

        return CXProvider
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
