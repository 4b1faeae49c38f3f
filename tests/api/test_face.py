"""The face: what an app writes, as the house shows it, word for word but for what that leaves out."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import cxkit
from cxkit.testing import Recorder
from cxkit_starlette import CXMiddleware

FACE = {
    "CXError", "Decision", "Experience", "Feedback", "Interaction", "Kit", "Money", "Touchpoint", "Variant", "carry",
    "close", "configure", "experience", "flush", "grant", "identify", "money", "scope", "settled", "stats",
    "touchpoint", "withdraw",
}  # fmt: skip


def test_the_public_names_are_there_and_documented() -> None:
    assert set(cxkit.__all__) >= FACE
    assert cxkit.__all__ == sorted(cxkit.__all__)
    for name in cxkit.__all__:
        assert inspect.getdoc(getattr(cxkit, name)), name


@attrs.frozen
class ItemAdded:
    sku: str
    quantity: int = 1


class templates:  # noqa: N801 - the name is the example's
    @staticmethod
    def TemplateResponse(request: Request, name: str, context: dict[str, Any]) -> Response:  # noqa: N802
        return PlainTextResponse(context["hero"].variant)


ITEM_ADDED = cxkit.touchpoint("cart.item_added", stage="consideration", properties=ItemAdded)
CHECKOUT = cxkit.touchpoint("cart.checked_out", stage="purchase")
CALL_ANSWERED = cxkit.touchpoint("call.answered", stage="service")
WORK_DONE = cxkit.touchpoint("work.done")
hero = cxkit.experience("front.hero")
executor = ThreadPoolExecutor(1)
earlier = "0190"


async def add_to_cart(request: Request) -> Response:
    ITEM_ADDED.capture(sku="ALM-200", quantity=1)
    ITEM_ADDED.on(value=cxkit.money("24.90", "EUR"), cause=earlier).capture(sku="ALM-200", quantity=1)
    return templates.TemplateResponse(request, "home.html", {"hero": hero.show()})


async def login(request: Request) -> Response:
    cxkit.identify(user_id="nancy", traits={"plan": "gold"})
    cxkit.grant("personalization")
    return PlainTextResponse("welcome")


def work() -> None:
    WORK_DONE.capture()


async def checkout(request: Request) -> Response:
    with CHECKOUT.interaction() as it:
        it.set(step="payment")
    with cxkit.scope(channel="phone", phone="+33 6 39 98 12 34"):
        CALL_ANSWERED.capture(topic="discounts")
        executor.submit(cxkit.carry(work)).result()
    return PlainTextResponse("thanks")


def test_the_face(cx: Recorder) -> None:
    handlers = (add_to_cart, login, checkout)
    app = Starlette(routes=[Route(f"/{one.__name__}", one, methods=["POST"]) for one in handlers])
    app.add_middleware(CXMiddleware)
    with TestClient(app) as client:
        assert [client.post(f"/{one.__name__}").text for one in handlers] == ["default", "welcome", "thanks"]

    assert [one.name for one in cx.interactions] == [
        "cart.item_added", "cart.item_added", "experience.shown", "page.viewed",
        "identity.identified", "consent.changed", "page.viewed",
        "cart.checked_out", "call.answered", "work.done", "page.viewed",
    ]  # fmt: skip
    plain, valued = cx.named("cart.item_added")
    assert plain.properties == valued.properties == {"sku": "ALM-200", "quantity": 1}
    assert (plain.stage, plain.channel) == ("consideration", "web")
    assert (valued.value, valued.cause) == (cxkit.money("24.90", "EUR"), earlier)
    shown = cx.one("experience.shown").decision
    assert shown is not None
    assert (shown.experience, shown.variant) == ("front.hero", "default")
    assert cx.one("identity.identified").properties == {"plan": "gold"}
    checked_out = cx.one("cart.checked_out")
    assert (checked_out.properties, checked_out.outcome) == ({"step": "payment"}, "completed")
    assert checked_out.duration is not None
    call, done = cx.one("call.answered"), cx.one("work.done")
    assert (call.channel, done.channel, call.properties) == ("phone", "phone", {"topic": "discounts"})
    assert [one.context.page and one.context.page.route for one in cx.named("page.viewed")] == [
        f"/{one.__name__}" for one in handlers
    ]
    assert cx.account.dropped == {}
