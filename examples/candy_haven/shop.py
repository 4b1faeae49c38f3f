"""What Candy Haven does: a request's fields in, a page or a redirect out; in no framework.

``ROUTES`` names every page; a front (``fronts/``) puts them on the web. What cxkit needs is marked
(1) to (5); the sixth is the line of middleware in the front.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import attrs

import cxkit
from examples.candy_haven import pages
from examples.candy_haven.customers import Customer, Order, sign_in, sign_out, signed_in
from examples.candy_haven.stock import (
    BOX_PRICE,
    CURRENCY,
    LANGUAGES,
    POSTS,
    SWEETS,
    PaymentDeclinedError,
    cart_in,
    cart_text,
    charge,
    is_card,
    search,
    total_of,
)
from examples.candy_haven.touchpoints import (
    BOX_ORDERED,
    CHECKOUT,
    COMPARED,
    FAMILY_TOLD,
    INVITED,
    ITEM_ADDED,
    OPTIONAL,
    ORDER_PLACED,
    ORDER_RATED,
    ORDER_REPEATED,
    POST_READ,
    POST_SHARED,
    PRODUCT_VIEWED,
    SEARCHED,
    SUPPORT_REQUESTED,
    USEFUL,
    delivery,
    hero,
    shelf,
)

MAX_BYTES = 65_536
"""The longest form the shop reads; a front answers longer ones with `refused` and 413."""
_MAX_WORDS = 100
_MAX_EACH = 99


@attrs.frozen(kw_only=True)
class Asked:
    """What the shop wants to know of a request."""

    path: Mapping[str, str] = attrs.field(factory=dict)
    """What stands in the braces of the route."""
    fields: Sequence[tuple[str, str]] = ()
    """Of the submitted form; of a GET those of the query."""
    cookies: Mapping[str, str] = attrs.field(factory=dict)

    def each(self, name: str) -> list[str]:
        """The values of all fields of that name."""
        return [value for field, value in self.fields if field == name]

    def field(self, name: str) -> str:
        """The value of that field; empty if there is none."""
        return next(iter(self.each(name)), "")


@attrs.frozen(kw_only=True)
class Answer:
    """A page; or, with a location, a redirect to it."""

    html: str = ""
    status: int = 200
    location: str | None = None
    cookies: Mapping[str, str] = attrs.field(factory=dict)
    """To be set until the browser is closed."""


class Route(NamedTuple):
    method: str
    path: str
    act: Callable[[Asked], Answer]


# --- what there is --------------------------------------------------------------------------------


def home(asked: Asked) -> Answer:
    view, wide = view_of(asked), shelf.show().form == {"columns": 2}
    return Answer(html=pages.home(view, shown(view, hero), wide=wide))


def sweets(asked: Asked) -> Answer:
    return Answer(html=pages.sweets(view_of(asked)))


def find(asked: Asked) -> Answer:
    words = asked.field("words").strip()
    if not words or len(words) > _MAX_WORDS:
        return Answer(html=pages.no_words(view_of(asked)), status=400)
    found = search(words)
    SEARCHED.capture(found=len(found))  # (2) something happened that is more than a page viewed
    return Answer(html=pages.found(view_of(asked), words, found))


def compare(asked: Asked) -> Answer:
    skus = dict.fromkeys(asked.each("sku"))
    if len(skus) < 2:
        return refused(asked, 400)
    if not skus.keys() <= SWEETS.keys():
        return refused(asked, 404)
    COMPARED.capture(skus=[*skus])
    return Answer(html=pages.compared(view_of(asked), [SWEETS[sku] for sku in skus]))


def sweet(asked: Asked) -> Answer:
    found = SWEETS.get(asked.path["sku"])
    if found is None:
        return refused(asked, 404)
    invited = asked.field("from") == "family"
    if invited:
        INVITED.capture(sku=found.sku)
    PRODUCT_VIEWED.capture(sku=found.sku)
    view = view_of(asked)
    return Answer(html=pages.sweet(view, found, shown(view, delivery), invited=invited))


# --- buying ---------------------------------------------------------------------------------------


def cart(asked: Asked) -> Answer:
    return Answer(html=pages.cart(view_of(asked)))


def add_to_cart(asked: Asked) -> Answer:
    sku, held = asked.field("sku"), cart_of(asked)
    if sku not in SWEETS:
        return refused(asked, 404)
    if held.get(sku, 0) < _MAX_EACH:
        ITEM_ADDED.capture(sku=sku)
        held[sku] = held.get(sku, 0) + 1
    return see("/cart", cart=cart_text(held))


def checkout(asked: Asked) -> Answer:
    return Answer(html=pages.checkout(view_of(asked)))


def pay(asked: Asked) -> Answer:
    bought, card = cart_of(asked), asked.field("card")
    if not bought or not is_card(card):
        wrong = ("We need a cart with something in it, and a card.", "Il nous faut un panier garni et une carte.")
        return Answer(html=pages.checkout(view_of(asked), wrong=wrong), status=400)
    total = total_of(bought)
    try:
        with CHECKOUT.interaction() as attempt:  # (3) captured with its duration, and however it ends
            attempt.set(items=sum(bought.values()))
            charge(card, total)
    except PaymentDeclinedError:
        wrong = ("Your bank declined. Another card?", "Votre banque a refusé. Une autre carte ?")
        return Answer(html=pages.checkout(view_of(asked), wrong=wrong), status=402)
    order = Order(number=f"order-{secrets.token_hex(4)}", cart=bought, total=total)
    ORDER_PLACED.on(value=cxkit.money(str(total), CURRENCY)).capture(order=order.number, items=sum(bought.values()))
    if customer := customer_of(asked):
        customer.orders.append(order)
    view = attrs.evolve(view_of(asked), cart={})
    return Answer(html=pages.thanks(view, order.number), cookies={"cart": ""})


def box(asked: Asked) -> Answer:
    return Answer(html=pages.box(view_of(asked))) if customer_of(asked) else see("/login")


def subscribe(asked: Asked) -> Answer:
    customer, card = customer_of(asked), asked.field("card")
    if customer is None or not is_card(card):
        return refused(asked, 400)
    try:
        charge(card, BOX_PRICE)
    except PaymentDeclinedError:
        return Answer(html=pages.box(view_of(asked), wrong=True), status=402)
    number = f"box-{secrets.token_hex(4)}"
    BOX_ORDERED.on(value=cxkit.money(str(BOX_PRICE), CURRENCY)).capture(box=number)
    customer.boxes.append(number)
    return see("/account")


# --- customers ------------------------------------------------------------------------------------


def login(asked: Asked) -> Answer:
    return Answer(html=pages.login(view_of(asked)))


def log_in(asked: Asked) -> Answer:
    if (token := sign_in(asked.field("name"), asked.field("password"))) is None:
        return Answer(html=pages.login(view_of(asked), refused=True), status=403)
    recognise(signed_in(token))
    return see("/", signed_in=token)


def log_out(asked: Asked) -> Answer:
    sign_out(asked.cookies.get("signed_in", ""))
    cxkit.logout()  # whoever comes next in this browser is somebody else
    return see("/", signed_in="")


def account(asked: Asked) -> Answer:
    customer = customer_of(asked)
    allowed = [one for one, choice in cxkit.current().profile.choices.items() if choice == "granted"]
    return Answer(html=pages.account(view_of(asked), customer, allowed)) if customer else see("/login")


def rate(asked: Asked) -> Answer:
    customer, score = customer_of(asked), asked.field("score")
    order = customer.order(asked.field("order")) if customer else None
    if order is None:
        return refused(asked, 404)
    if score not in ("1", "2", "3", "4", "5"):
        return refused(asked, 400)
    ORDER_RATED.on(feedback=cxkit.Feedback(question="enjoyable", score=int(score))).capture(order=order.number)
    return see("/account")


def order_again(asked: Asked) -> Answer:
    customer = customer_of(asked)
    order = customer.order(asked.field("order")) if customer else None
    if order is None:
        return refused(asked, 404)
    ORDER_REPEATED.capture(order=order.number)
    return see("/cart", cart=cart_text(order.cart))


def choose(asked: Asked) -> Answer:
    choice = asked.field("choice")
    if choice == "accept":  # (4) obeyed from here on, in this very request
        cxkit.grant(*USEFUL, *(OPTIONAL if asked.field("advertising") else ()), method="accept")
    elif choice == "refuse":
        cxkit.withdraw(*USEFUL, *OPTIONAL, method="reject")
    else:
        return refused(asked, 400)
    return see("/")


def withdraw(asked: Asked) -> Answer:
    if (purpose := asked.field("purpose")) not in (*USEFUL, *OPTIONAL):
        return refused(asked, 400)
    cxkit.withdraw(purpose)
    return see("/account")


def subscribe_to_news(asked: Asked) -> Answer:
    if customer_of(asked):
        cxkit.prefer("newsletter", "email", "granted" if asked.field("wanted") else "denied")
    return see("/account")


def speak(asked: Asked) -> Answer:
    wanted = asked.field("language")
    if wanted in LANGUAGES:
        cxkit.choose_language(wanted)  # letters and phone calls follow it
    return see("/", language=wanted) if wanted in LANGUAGES else refused(asked, 400)


def support(asked: Asked) -> Answer:
    return Answer(html=pages.support(view_of(asked)))


def ask_for_support(asked: Asked) -> Answer:
    topic, case = asked.field("topic"), f"case-{secrets.token_hex(4)}"
    if topic not in pages.TOPICS:
        return refused(asked, 400)
    SUPPORT_REQUESTED.on(case=case).capture(topic=topic)
    return Answer(html=pages.support(view_of(asked), case))


# --- the blog, and telling others -----------------------------------------------------------------


def blog(asked: Asked) -> Answer:
    return Answer(html=pages.blog(view_of(asked)))


def post(asked: Asked) -> Answer:
    found = POSTS.get(asked.path["slug"])
    if found is None:
        return refused(asked, 404)
    POST_READ.capture(slug=found.slug)
    return Answer(html=pages.post(view_of(asked), found))


def share(asked: Asked) -> Answer:
    what = asked.path["what"]
    found = SWEETS.get(what) or POSTS.get(what)
    return Answer(html=pages.share(view_of(asked), found, f"/share/{what}")) if found else refused(asked, 404)


def tell(asked: Asked) -> Answer:
    what = asked.path["what"]
    if what in SWEETS:
        FAMILY_TOLD.capture(sku=what)
        return Answer(html=pages.shared(view_of(asked), f"/sweets/{what}?from=family"))
    if what in POSTS:
        POST_SHARED.capture(slug=what)
        return Answer(html=pages.shared(view_of(asked), f"/blog/{what}"))
    return refused(asked, 404)


ROUTES = (
    Route("GET", "/", home),
    Route("GET", "/sweets", sweets),
    Route("GET", "/sweets/{sku}", sweet),
    Route("GET", "/search", find),
    Route("GET", "/compare", compare),
    Route("GET", "/cart", cart),
    Route("POST", "/cart", add_to_cart),
    Route("GET", "/checkout", checkout),
    Route("POST", "/checkout", pay),
    Route("GET", "/box", box),
    Route("POST", "/box", subscribe),
    Route("GET", "/login", login),
    Route("POST", "/login", log_in),
    Route("POST", "/logout", log_out),
    Route("GET", "/account", account),
    Route("POST", "/account/rating", rate),
    Route("POST", "/account/again", order_again),
    Route("POST", "/account/newsletter", subscribe_to_news),
    Route("POST", "/consent", choose),
    Route("POST", "/consent/withdraw", withdraw),
    Route("POST", "/language", speak),
    Route("GET", "/support", support),
    Route("POST", "/support", ask_for_support),
    Route("GET", "/blog", blog),
    Route("GET", "/blog/{slug}", post),
    Route("GET", "/share/{what}", share),
    Route("POST", "/share/{what}", tell),
)


# --- for all of them ------------------------------------------------------------------------------


def answer(route: Route, asked: Asked) -> Answer:
    """Every request comes through here: whoever has signed in is known before the shop acts."""
    recognise(customer_of(asked))
    return route.act(asked)


def refused(asked: Asked, status: int) -> Answer:
    """The page for a request that cannot be served; for those of the front, too."""
    return Answer(html=pages.wrong(view_of(asked), status), status=status)


def recognise(customer: Customer | None) -> None:
    if customer is not None:
        # (5) they proved who they are: what happened so far is theirs, if they allowed that
        contacts = {"phone": customer.phone, "email": customer.email}
        cxkit.identify(user_id=customer.user_id, **contacts, traits={"plan": customer.plan})


def customer_of(asked: Asked) -> Customer | None:
    return signed_in(asked.cookies.get("signed_in", ""))


def view_of(asked: Asked) -> pages.View:
    wanted = asked.cookies.get("language") or cxkit.language(LANGUAGES)
    return pages.View(
        language="fr" if wanted == "fr" else "en",
        cart=cart_of(asked),
        customer=customer_of(asked),
        undecided="analytics" not in cxkit.current().profile.choices,
    )


def shown(view: pages.View, experience: cxkit.Experience) -> str:
    text = experience.show().content  # (1) decides what this visitor sees, and captures that they saw it
    assert isinstance(text, dict)
    return view.say(str(text["en"]), str(text["fr"]))


def cart_of(asked: Asked) -> dict[str, int]:
    """What is in the cart. It is all in the cookie: the shop need not tell visitors apart for it."""
    return cart_in(asked.cookies.get("cart", ""))


def see(path: str, **cookies: str) -> Answer:
    """Look there next; the answer to a form, so that a reload does not submit it again."""
    return Answer(location=path, status=303, cookies=cookies)
