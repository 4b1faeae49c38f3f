"""readouts: what an experiment has shown is told to all backends, about nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.model import JSON, TouchpointSpec

__all__ = ["READ", "tell_readout"]

READ: Final = TouchpointSpec(name="experiment.read", kind="measurement", purpose="necessary")


def tell_readout(desk: Desk, scope: Scope, told: Mapping[str, object]) -> None:
    """Capture a readout as an interaction of nobody's, which no purpose keeps from an exporter: it is numbers.

    Those that JSON has no word for, the mean of nothing say, are null.
    """
    desk.note(READ, scope, cast("Mapping[str, JSON]", told))
