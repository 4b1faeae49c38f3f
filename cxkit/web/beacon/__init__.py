"""The beacon: ``cx.js``, the tag that loads it, and where it sends what it measured.

``inlet`` takes what is sent, ``claims`` reads it strictly, and `cxkit.web.limits` bounds it.
"""

from __future__ import annotations

from cxkit.web.beacon.inlet import beacon_endpoints
from cxkit.web.beacon.tag import beacon_tag

__all__ = ["beacon_endpoints", "beacon_tag"]
