"""The flat scan: whether properties are, without a doubt, plain, bounded and clean.

It answers in about a microsecond for what nearly every app captures. What it does not vouch for
takes the walk of `sanitise`; its own limits are narrower than the walk's, so that whatever passes
here would come out of the walk unchanged.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["MAX_FLAT_BYTES", "RELATIVE", "flat", "may_link"]

_EXACT: Final = 2**53
"""Whole numbers beyond it do not survive a reader that has only doubles."""
_MAX_KEYS: Final = 64
_MAX_DEPTH: Final = 4
MAX_FLAT_BYTES: Final = 8192
"""Encoded properties longer than this take the walk, so no single text here can be too long."""

RELATIVE: Final = ("/", "?", "#")
"""So begin links within a site."""


def flat(properties: dict[str, Any], clean: set[str], depth: int = 0) -> bool:
    """Whether all keys are known to be clean and all values exact, finite builtins."""
    if len(properties) > _MAX_KEYS or not clean.issuperset(properties):
        return False
    for value in properties.values():
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if kind is int:
            if -_EXACT <= value <= _EXACT:
                continue
        elif kind is float:
            if value - value == 0.0:
                continue
        elif kind is dict and depth < _MAX_DEPTH and flat(value, clean, depth + 1):
            continue
        return False
    return True


def may_link(encoded: bytes) -> bool:
    """Whether a text in this JSON may be a link, which the walk strips (`cxkit.capture.redact.Redactor.strip_url`)."""
    if b"://" in encoded:
        return True
    return (b"?" in encoded or b"#" in encoded) and (b'"/' in encoded or b'"?' in encoded or b'"#' in encoded)
