"""A journey as it is declared: what it may be, and that what it may not be is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.errors import DeclarationError
from cxkit.model import JourneySpec


def spec(**fields: Any) -> JourneySpec:
    return JourneySpec(**{"name": "checkout", "steps": ["cart.item_added", "/checkout", "order.paid"]} | fields)


def test_a_step_is_a_touchpoint_a_route_or_a_name_of_several() -> None:
    made = spec(steps=["cart.item_added", "/pay/{id}", "paid"], places={"paid": ["order.paid", "/thanks"]})
    assert dict(made.step_of) == {"cart.item_added": 0, "/pay/{id}": 1, "order.paid": 2, "/thanks": 2}


def test_one_place_may_be_written_as_a_text() -> None:
    assert spec(places={"order.paid": "call.order_taken"}).step_of["call.order_taken"] == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "Checkout"}, "CX3070"),
        ({"name": "shop.checkout"}, "CX3070"),  # a condition could not tell where the name ends
        ({"name": 7}, "CX3070"),
        ({"name": "a" * 65}, "CX3070"),
        ({"steps": []}, "CX3071"),
        ({"steps": ["order.paid"]}, "CX3071"),
        ({"steps": "order.paid"}, "CX3071"),
        ({"steps": ["order.paid", "order.paid"]}, "CX3071"),
        ({"steps": [f"a{number}" for number in range(11)]}, "CX3071"),
        ({"steps": ["order.paid", {"paid": []}]}, "CX3071"),
        ({"steps": ["Order paid", "order.paid"]}, "CX3072"),
        ({"steps": ["page.viewed", "order.paid"]}, "CX3072"),
        ({"steps": ["/a\x1b[31m", "order.paid"]}, "CX3072"),
        ({"steps": ["/" + "a" * 200, "order.paid"]}, "CX3072"),
        ({"places": {"order.paid": [7]}}, "CX3072"),
        ({"places": {"order.paid": []}}, "CX3072"),
        ({"places": {"paid": ["order.paid"]}}, "CX3072"),
        ({"places": {"order.paid": ["/checkout"]}}, "CX3072"),
        ({"places": {"order.paid": ["order.paid", "order.paid"]}}, "CX3072"),
        ({"places": {"order.paid": [f"a{number}" for number in range(19)]}}, "CX3072"),
        ({"stalled_after_s": 0}, "CX3073"),
        ({"stalled_after_s": float("nan")}, "CX3073"),
        ({"stalled_after_s": True}, "CX3073"),
        ({"stalled_after_s": "soon"}, "CX3073"),
        ({"ends_after_s": 1e12}, "CX3073"),
        ({"ends_after_s": 1800.0}, "CX3073"),
    ],
)
def test_what_is_no_journey_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        spec(**fields)
    assert refused.value.code == code
    assert str(refused.value).isprintable()
