"""cxkit for Flask: one line."""

from __future__ import annotations

from cxkit_flask.extension import CXFlask

__all__ = ["CXFlask"]
