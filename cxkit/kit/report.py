"""The loss report: what this process gave up, as an interaction for every exporter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from cxkit.capture.gate import prepare_command
from cxkit.capture.scope import Scope
from cxkit.codec.frame import NOBODY, REPORT, Record
from cxkit.delivery.losses import Cause
from cxkit.flows.desk import Desk
from cxkit.model import PURPOSES, Identity, TouchpointSpec, purpose_bits

__all__ = ["loss_report"]

_LOSS_REPORT: Final = TouchpointSpec(
    name="cxkit.loss_report", kind="service", direction="outbound", purpose="necessary", priority="critical"
)


def loss_report(desk: Desk, scope: Scope, losses: Mapping[Cause, int]) -> Record:
    """About nobody, so no purpose keeps it from an exporter."""
    everyone = purpose_bits(PURPOSES)
    prepared = prepare_command(
        _LOSS_REPORT, scope, identity=Identity(), purposes=everyone, subject=NOBODY, source=desk.source
    )
    id, us = desk.intake.stamper.stamp()
    return desk.intake.record((prepared._replace(type=REPORT), id, us, b"", _properties(losses)))


def _properties(losses: Mapping[Cause, int]) -> bytes:
    """``{"dropped": {reason: count}, "exporters": {name: {reason: count}}}``, encoded."""
    dropped: dict[str, int] = {}
    exporters: dict[str, dict[str, int]] = {}
    for (reason, exporter), count in losses.items():
        held = dropped if exporter is None else exporters.setdefault(exporter, {})
        held[reason] = count
    return msgspec.json.encode({"dropped": dropped, "exporters": exporters})
