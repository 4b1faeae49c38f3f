"""cxkit for NATS JetStream: interactions as acknowledged, deduplicated messages.

``exporter``  batches as acknowledged messages    ``link``      one connection ...
``message``   an interaction as a message         ``loop``      ... and its event loop
``verdict``   what the answers mean               ``settings``  what the operator says
"""

from __future__ import annotations

from cxkit_nats.exporter import FACTORY, NATSExporter, Settings

__all__ = ["FACTORY", "NATSExporter", "Settings"]
