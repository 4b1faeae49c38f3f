"""The exporters that come with cxkit. Each has the same names: ``Settings``, its class, ``FACTORY``.

None of them declares a purpose: for what interactions leave the process is the operator's word.
"""

from __future__ import annotations

from cxkit.exporters import console, file, http, local

__all__ = ["console", "file", "http", "local"]
