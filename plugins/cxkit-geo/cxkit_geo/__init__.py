"""Where customers are, as coarsely as they allow: from platforms' headers, a database, or their own device."""

from __future__ import annotations

from cxkit_geo.here import choose_place, locate

__all__ = ["choose_place", "locate"]
