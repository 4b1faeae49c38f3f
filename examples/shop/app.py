"""The shop on the web. Run it with ``uvicorn examples.shop.app:app``.

What cxkit needs is marked (1) to (6); everything else is an ordinary Starlette application.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

import cxkit
from cxkit_starlette import CXMiddleware
from examples.shop import pages
from examples.shop.stock import CURRENCY, SWEETS, PaymentDeclinedError, charge, customer_of, total_of
from examples.shop.touchpoints import (
    CHECKOUT,
    ITEM_ADDED,
    OPTIONAL,
    ORDER_PLACED,
    PRODUCT_VIEWED,
    SUPPORT_REQUESTED,
    USEFUL,
    hero,
)


async def home(request: Request) -> Response:
    view = view_of(request)
    shown = hero.show()  # (1) decides what this visitor sees, and captures that they saw it
    assert isinstance(shown.content, dict)
    return HTMLResponse(pages.home(view, str(shown.content[view.language])))


async def sweets(request: Request) -> Response:
    return HTMLResponse(pages.sweets(view_of(request)))


async def sweet(request: Request) -> Response:
    found = SWEETS.get(request.path_params["sku"])
    if found is None:
        raise HTTPException(404)
    PRODUCT_VIEWED.capture(sku=found.sku)  # (2) something happened that is no page view
    return HTMLResponse(pages.sweet(view_of(request), found))


async def cart(request: Request) -> Response:
    return HTMLResponse(pages.cart(view_of(request)))


async def add_to_cart(request: Request) -> Response:
    sku = (await fields_of(request)).get("sku", "")
    if sku not in SWEETS:
        raise HTTPException(404)
    ITEM_ADDED.capture(sku=sku)
    return remember(see("/cart"), "cart", ".".join([*cart_of(request), sku]))


async def checkout(request: Request) -> Response:
    return HTMLResponse(pages.checkout(view_of(request)))


async def pay(request: Request) -> Response:
    skus, card = cart_of(request), (await fields_of(request)).get("card", "")
    total = total_of(skus)
    try:
        with CHECKOUT.interaction() as attempt:  # (3) captured with its duration, and however it ends
            attempt.set(items=len(skus))
            charge(card, total)
    except PaymentDeclinedError:
        return HTMLResponse(pages.checkout(view_of(request), declined=True), status_code=402)
    order = f"order-{secrets.token_hex(4)}"
    ORDER_PLACED.on(value=cxkit.money(str(total), CURRENCY)).capture(order=order, items=len(skus))
    return remember(HTMLResponse(pages.thanks(view_of(request), order)), "cart", "")


async def login(request: Request) -> Response:
    return HTMLResponse(pages.login(view_of(request)))


async def sign_in(request: Request) -> Response:
    fields = await fields_of(request)
    customer = customer_of(fields.get("name", ""), fields.get("password", ""))
    if customer is None:
        return HTMLResponse(pages.login(view_of(request), refused=True), status_code=403)
    # (4) they proved who they are: what happened so far is theirs, if they allowed that
    cxkit.identify(user_id=customer.user_id, phone=customer.phone, traits={"plan": customer.plan})
    return see("/")


async def consent(request: Request) -> Response:
    fields = await fields_of(request)
    if fields.get("choice") == "accept":  # (5) obeyed from here on, in this very request
        cxkit.grant(*USEFUL, *(OPTIONAL if "advertising" in fields else ()), method="accept")
    else:
        cxkit.withdraw(*USEFUL, *OPTIONAL, method="reject")
    return see("/")


async def language(request: Request) -> Response:
    wanted = (await fields_of(request)).get("language")
    return remember(see("/"), "language", "fr" if wanted == "fr" else "en")


async def support(request: Request) -> Response:
    return HTMLResponse(pages.support(view_of(request)))


async def ask_for_support(request: Request) -> Response:
    topic, case = (await fields_of(request)).get("topic"), f"case-{secrets.token_hex(4)}"
    SUPPORT_REQUESTED.on(case=case).capture(topic=topic if topic in pages.TOPICS else "other")
    return HTMLResponse(pages.support(view_of(request), case))


async def lost(request: Request, error: Exception) -> Response:
    return HTMLResponse(pages.lost(view_of(request)), status_code=404)


# --- of the request -------------------------------------------------------------------------------


def view_of(request: Request) -> pages.View:
    wanted = request.cookies.get("language") or request.headers.get("accept-language", "")
    return pages.View(
        language="fr" if wanted.startswith("fr") else "en",
        cart=cart_of(request),
        undecided="analytics" not in cxkit.profile().choices,
    )


def cart_of(request: Request) -> list[str]:
    """What is in the cart. It is all in the cookie: the shop need not tell visitors apart for it."""
    return [sku for sku in request.cookies.get("cart", "").split(".") if sku in SWEETS]


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a submitted form."""
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def see(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


def remember(response: Response, name: str, value: str) -> Response:
    """Set a cookie that ends with the browser's session."""
    response.set_cookie(name, value, httponly=True, samesite="lax")
    return response


app = Starlette(
    routes=[
        Route("/", home),
        Route("/sweets", sweets),
        Route("/sweets/{sku}", sweet),
        Route("/cart", cart),
        Route("/cart", add_to_cart, methods=["POST"]),
        Route("/checkout", checkout),
        Route("/checkout", pay, methods=["POST"]),
        Route("/login", login),
        Route("/login", sign_in, methods=["POST"]),
        Route("/consent", consent, methods=["POST"]),
        Route("/language", language, methods=["POST"]),
        Route("/support", support),
        Route("/support", ask_for_support, methods=["POST"]),
    ],
    exception_handlers={404: lost},
)
app.add_middleware(CXMiddleware)  # (6) the one line: visits are captured, recognised visitors recognised
