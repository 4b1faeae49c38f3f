"""What cxkit captures of pages by itself: that one was viewed, and what its beacon measures there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cxkit.model import TouchpointSpec

__all__ = ["MEASURED", "PAGE_VIEWED"]

PAGE_VIEWED: Final = TouchpointSpec(name="page.viewed", kind="view", channel="web")

MEASURED: Final[Mapping[str, TouchpointSpec]] = {
    one.name: one
    for one in (
        PAGE_VIEWED,
        TouchpointSpec(name="page.engaged", kind="measurement", channel="web"),
        TouchpointSpec(name="page.vitals", kind="measurement", channel="web", priority="low"),
        TouchpointSpec(name="element.clicked", channel="web"),
        TouchpointSpec(name="link.left", channel="web"),
    )
}
"""By name. The beacon captures these; the first one is captured by the middleware, too."""
