"""The loss report: what this process gave up, as an interaction for every exporter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from cxkit.capture.gate import Prepared, prepare_command
from cxkit.capture.scope import Scope
from cxkit.codec.frame import NOBODY, REPORT
from cxkit.delivery.losses import Cause
from cxkit.model import PURPOSES, Identity, TouchpointSpec, purpose_bits

__all__ = ["loss_properties", "loss_report"]

_LOSS_REPORT: Final = TouchpointSpec(
    name="cxkit.loss_report", kind="service", direction="outbound", purpose="necessary", priority="critical"
)


def loss_report(scope: Scope, source: str) -> Prepared:
    """What all reports share. They are about nobody, so no purpose keeps them from an exporter."""
    everyone = purpose_bits(PURPOSES)
    prepared = prepare_command(
        _LOSS_REPORT, scope, identity=Identity(), purposes=everyone, subject=NOBODY, source=source
    )
    return prepared._replace(type=REPORT)


def loss_properties(losses: Mapping[Cause, int]) -> bytes:
    """``{"dropped": {reason: count}, "exporters": {name: {reason: count}}}``, encoded."""
    dropped: dict[str, int] = {}
    exporters: dict[str, dict[str, int]] = {}
    for (reason, exporter), count in losses.items():
        held = dropped if exporter is None else exporters.setdefault(exporter, {})
        held[reason] = count
    return msgspec.json.encode({"dropped": dropped, "exporters": exporters})
