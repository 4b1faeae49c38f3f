"""cxkit for Segment and RudderStack: interactions in the Segment specification.

``message``   an interaction as a message of the specification    ``exporter``  messages as requests
"""

from __future__ import annotations

from cxkit_segment.exporter import FACTORY, SegmentExporter, Settings
from cxkit_segment.message import message_of

__all__ = ["FACTORY", "SegmentExporter", "Settings", "message_of"]
