"""What Candy Haven does: a request's fields in, a page or a redirect out; in no framework.

``ROUTES`` names every page; a front (``fronts/``) puts them on the web. What cxkit needs is marked, here and in
``counter.py``, (1) to (5) and (7); the sixth is the line of middleware in the front.
"""

from __future__ import annotations

import secrets

import attrs

import cxkit
from examples.candy_haven import letters, pages
from examples.candy_haven.counter import (
    Answer,
    Asked,
    Route,
    asked_in,
    back,
    cart_of,
    customer_of,
    recognise,
    refused,
    see,
    shown,
    take_answers,
    text_of,
    view_of,
)
from examples.candy_haven.customers import Order, sign_in, sign_out, signed_in
from examples.candy_haven.experiences import also, delivery, enjoyed, form, hero, notice, reply, shelf
from examples.candy_haven.reading import blog, feed, feed_address, new_feed_address, post, share, tell
from examples.candy_haven.stock import (
    BOX_PRICE,
    CURRENCY,
    LANGUAGES,
    SWEETS,
    PaymentDeclinedError,
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
    INVITED,
    ITEM_ADDED,
    OPTIONAL,
    ORDER_PLACED,
    ORDER_RATED,
    ORDER_REPEATED,
    PRODUCT_VIEWED,
    SEARCHED,
    SUPPORT_REQUESTED,
    USEFUL,
)

__all__ = ["MAX_BYTES", "ROUTES", "Answer", "Asked", "Route", "answer", "refused"]

MAX_BYTES = 65_536
"""The longest form the shop reads; a front answers longer ones with `refused` and 413."""
_MAX_WORDS = 100
_MAX_EACH = 99


# --- what there is --------------------------------------------------------------------------------


def home(asked: Asked) -> Answer:
    view, layout = view_of(asked), shelf.show()
    wide, first = layout.form == {"columns": 2}, layout.sequence
    these = [SWEETS[str(sku)] for sku in first] if isinstance(first, list | tuple) else [*SWEETS.values()]
    return Answer(html=pages.home(view, shown(view, hero), these, wide=wide, asks=asked_in(view, layout)))


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
    view, beside = view_of(asked), also.show()
    assert isinstance(beside.sequence, list | tuple)
    others = [SWEETS[str(sku)] for sku in beside.sequence if sku != found.sku]
    asks = asked_in(view, beside)
    return Answer(html=pages.sweet(view, found, shown(view, delivery), others, invited=invited, asks=asks))


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


def checkout(asked: Asked, *, wrong: tuple[str, str] | None = None, status: int = 200) -> Answer:
    view, how = view_of(asked), form.show()
    told = text_of(view, notice.show(given={"nuts_in_cart": any(SWEETS[sku].nuts for sku in view.cart)}))
    note = how.form == {"note": True}
    page = pages.checkout(view, text_of(view, how), told, asked_in(view, how), note=note, wrong=wrong)
    return Answer(html=page, status=status)


def pay(asked: Asked) -> Answer:
    bought, card = cart_of(asked), asked.field("card")
    if not take_answers(asked):
        return refused(asked, 400)
    if not bought or not is_card(card):
        wrong = ("We need a cart with something in it, and a card.", "Il nous faut un panier garni et une carte.")
        return checkout(asked, wrong=wrong, status=400)
    total = total_of(bought)
    try:
        with CHECKOUT.interaction() as attempt:  # (3) captured with its duration, and however it ends
            attempt.set(items=sum(bought.values()))
            charge(card, total)
    except PaymentDeclinedError:
        wrong = ("Your bank declined. Another card?", "Votre banque a refusé. Une autre carte ?")
        return checkout(asked, wrong=wrong, status=402)
    order = Order(number=f"order-{secrets.token_hex(4)}", cart=bought, total=total)
    ORDER_PLACED.on(value=cxkit.money(str(total), CURRENCY)).capture(order=order.number, items=sum(bought.values()))
    view = attrs.evolve(view_of(asked), cart={})
    if customer := view.customer:
        customer.orders.append(order)
        letters.confirm(customer, order, view)
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
    if customer is None:
        return see("/login")
    allowed = [one for one, choice in cxkit.current().profile.choices.items() if choice == "granted"]
    return Answer(html=pages.account(view_of(asked), customer, allowed, feed=feed_address(asked)))


def rate(asked: Asked) -> Answer:
    customer, score = customer_of(asked), asked.field("score")
    order = customer.order(asked.field("order")) if customer else None
    if order is None:
        return refused(asked, 404)
    if score not in ("1", "2", "3", "4", "5"):
        return refused(asked, 400)
    cxkit.answer(enjoyed, score, cause=ORDER_RATED.capture(order=order.number))
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
        cxkit.grant(*USEFUL, *(one for one in OPTIONAL if asked.field(one)), method="accept")
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
    return _write_of("newsletter", asked)


def hear_on_birthday(asked: Asked) -> Answer:
    return _write_of("birthday", asked)


def _write_of(topic: str, asked: Asked) -> Answer:
    if customer_of(asked):
        cxkit.prefer(topic, "email", "granted" if asked.field("wanted") else "denied")
    return see("/account")


def speak(asked: Asked) -> Answer:
    wanted = asked.field("language")
    if wanted in LANGUAGES:
        cxkit.choose_language(wanted)  # letters and phone calls follow it
    return see("/", language=wanted) if wanted in LANGUAGES else refused(asked, 400)


def take(asked: Asked) -> Answer:
    return see(back(asked)) if take_answers(asked) else refused(asked, 400)


def support(asked: Asked) -> Answer:
    view, how = view_of(asked), reply.show(given={"answered": False})
    assert isinstance(how.sequence, list | tuple)
    return Answer(html=pages.support(view, text_of(view, how), [str(topic) for topic in how.sequence]))


def ask_for_support(asked: Asked) -> Answer:
    topic, case = asked.field("topic"), f"case-{secrets.token_hex(4)}"
    if topic not in pages.TOPICS:
        return refused(asked, 400)
    SUPPORT_REQUESTED.on(case=case).capture(topic=topic)
    view, how = view_of(asked), reply.show(given={"answered": True})
    return Answer(html=pages.answered(view, text_of(view, how), case, asked_in(view, how)))


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
    Route("POST", "/account/birthday", hear_on_birthday),
    Route("POST", "/consent", choose),
    Route("POST", "/consent/withdraw", withdraw),
    Route("POST", "/language", speak),
    Route("GET", "/support", support),
    Route("POST", "/support", ask_for_support),
    Route("POST", "/answers", take),
    Route("GET", "/blog", blog),
    Route("GET", "/blog/{slug}", post),
    Route("GET", "/feed", feed),
    Route("GET", "/feed/{token}", feed),
    Route("POST", "/account/feed", new_feed_address),
    Route("GET", "/share/{what}", share),
    Route("POST", "/share/{what}", tell),
)


# --- for all of them ------------------------------------------------------------------------------


def answer(route: Route, asked: Asked) -> Answer:
    """Every request comes through here: whoever has signed in is known before the shop acts."""
    recognise(customer_of(asked))
    return route.act(asked)
