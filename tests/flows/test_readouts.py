"""A readout is told to every exporter, whatever its purposes, and about nobody."""

from __future__ import annotations

import math

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.flows.readouts import READ, tell_readout
from cxkit.testing import recorder


def test_it_is_told_without_anybody_in_it_and_as_json_has_it() -> None:
    with recorder() as seen:
        with cxkit.scope(visitor="v-1", evidence="cookie"):
            cxkit.grant("analytics")
            scope = current_scope()
            assert scope is not None
            tell_readout(scope.kit.desk, scope, {"p": 0.25, "lines": [{"mean": math.nan, "high": math.inf}]})
        (told,) = seen.named(READ.name)
    assert not told.identity
    assert told.kind == "measurement"
    assert told.properties == {"p": 0.25, "lines": [{"mean": None, "high": None}]}
