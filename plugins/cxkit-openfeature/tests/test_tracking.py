"""What OpenFeature's ``track`` becomes: an interaction of the touchpoint of that name. The SDK has it from 0.9 on."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext

import cxkit
from cxkit.errors import DeclarationError
from cxkit.testing import Recorder, recorder
from cxkit_openfeature import CXProvider

details = pytest.importorskip("openfeature.track").TrackingEventDetails


def test_it_is_an_interaction(client: OpenFeatureClient, cx: Recorder) -> None:
    cxkit.touchpoint("tracked.paid", stage="purchase")
    with cxkit.scope(channel="store"):
        client.track("tracked.paid", None, details(value=24.9, attributes={"items": 3}))
    paid = cx.one("tracked.paid")
    assert (paid.stage, paid.channel, paid.properties) == ("purchase", "store", {"value": 24.9, "items": 3})


def test_without_more_said(client: OpenFeatureClient, cx: Recorder) -> None:
    cxkit.touchpoint("tracked.seen")
    client.track("tracked.seen")
    assert cx.one("tracked.seen").properties == {}


def test_outside_of_a_scope_the_context_says_where(client: OpenFeatureClient, cx: Recorder) -> None:
    cxkit.touchpoint("tracked.called")
    client.track("tracked.called", EvaluationContext("nancy", {"channel": "phone"}))
    called = cx.one("tracked.called")
    assert called.channel == "phone"
    assert {one.evidence for one in called.identity.identifiers} <= {"claim"}


@attrs.frozen
class Paid:
    items: int


def test_properties_of_another_shape_are_counted_and_do_not_raise() -> None:
    with recorder(strict=False) as record:
        cxkit.touchpoint("tracked.typed", properties=Paid)
        CXProvider().track("tracked.typed", None, details(attributes={"colour": "red"}))
        assert record.one("tracked.typed").trimmed == {"": "invalid:TypeError"}


@pytest.mark.parametrize("name", ["tracked.nothing", "", "\x00"])
def test_a_touchpoint_that_nobody_declared_is_counted(name: str) -> None:
    with recorder(strict=False) as record:
        CXProvider().track(name)
        assert (record.interactions, sum(record.kit.intake.noted.values())) == ([], 1)
    with recorder(strict=True), pytest.raises(DeclarationError) as caught:
        CXProvider().track(name)
    assert caught.value.code == "CX9301"


def test_names_that_are_no_text_are_left_out(cx: Recorder) -> None:
    cxkit.touchpoint("tracked.odd")
    odd: Any = {1: "a", "b": 2}
    CXProvider().track("tracked.odd", None, details(attributes=odd))
    assert cx.one("tracked.odd").properties == {"b": 2}
