"""cxkit for Flask: one line."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from cxkit_flask.extension import CXFlask

__all__ = ["CXFlask"]


def __getattr__(name: str) -> object:
    """Import Flask when the class is used: cxkit, which looks for its plugins, may be there without it."""
    if name == "CXFlask":
        from cxkit_flask.extension import CXFlask

        return CXFlask
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
