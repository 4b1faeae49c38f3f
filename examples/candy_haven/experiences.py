"""What adapts at Candy Haven, for whom, what is tested, and what is asked: five elements, each with a few lines.

Each variant has a depth. 1 is for circumstances, which need no choice: where they are, which cxkit-geo tells, and on
what: cxkit-device. 2 is for what is known of customers: it is shown to those who allowed personalization and are
recognised. What fits nobody else is for everybody: the fallback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import cxkit
from cxkit.model import JSON

Audience: TypeAlias = Mapping[str, JSON]
DAY_S: Final = 86_400.0

checkout = cxkit.journey("checkout", steps=["cart.item_added", "/checkout", "order.placed"], stalled_after_s=900)
_WAITING: Final[Audience] = {"journeys.checkout.step": {"$in": ["cart.item_added", "/checkout"]}}
_GOLD: Final[Audience] = {"traits.plan": "gold"}
_NO_NUTS: Final[Audience] = {"traits.nuts": "no"}

# --- what is asked: each is a trait from then on, for all elements; or feedback, on a scale ---

nuts = cxkit.Question(
    name="nuts",
    text={"en": "Do you eat nuts?", "fr": "Mangez-vous des fruits à coque ?"},
    why={"en": "We put what you can eat first.", "fr": "Nous mettons en avant ce que vous pouvez manger."},
    options=("yes", "no"),
    unlocks=("home.shelf", "sweet.also", "checkout.notice", "support.reply", "blog.order"),
    lasts_s=365 * DAY_S,
)
occasion = cxkit.Question(
    name="occasion",
    text={"en": "For whom are the sweets?", "fr": "Pour qui sont les douceurs ?"},
    why={"en": "For a present we wrap them.", "fr": "Pour un cadeau, nous les emballons."},
    options=("myself", "present"),
    unlocks=("checkout.form", "checkout.notice"),
    lasts_s=30 * DAY_S,
)
phone = cxkit.Question(
    name="phone",
    text={"en": "Where can the courier call you?", "fr": "À quel numéro le livreur peut-il vous appeler ?"},
    why={"en": "You need not type it again.", "fr": "Vous n'aurez plus à le saisir."},
    friction=2,
)
helped = cxkit.Question(
    name="csat.support",
    text={"en": "How satisfied are you with this answer?", "fr": "Êtes-vous satisfait de cette réponse ?"},
    scale="csat",
    when={"answered": True},
    cooldown_s=90 * DAY_S,
)
enjoyed = cxkit.Question(name="enjoyable.order", scale="enjoyable")
"""On the page of each order: it stands in nobody's way, and so no experience asks it."""
useful = cxkit.Question(
    name="useful.blog",
    text={"en": "Is our blog of use to you?", "fr": "Notre blog vous est-il utile ?"},
    scale="useful",
    cooldown_s=180 * DAY_S,
)
QUESTIONS: Final = {one.name: one for one in (nuts, occasion, phone, helped, useful)}

# --- home ---

hero = cxkit.experience(
    "home.hero",
    fallback=cxkit.Variant(
        name="everybody",
        content={"en": "Almond sweets from Provence", "fr": "Douceurs aux amandes de Provence"},
    ),
    variants=[
        cxkit.Variant(
            name="gold, cart waits",
            audience={**_GOLD, **_WAITING},
            depth=2,
            content={
                "en": "Welcome back: your gold box is on us, and your cart waits",
                "fr": "Heureux de vous revoir : votre coffret or est offert, et votre panier vous attend",
            },
        ),
        cxkit.Variant(
            name="gold",
            audience=_GOLD,
            depth=2,
            content={
                "en": "Welcome back: your gold box is on us",
                "fr": "Heureux de vous revoir : votre coffret or est offert",
            },
        ),
        cxkit.Variant(
            name="cart waits",
            audience=_WAITING,
            depth=2,
            content={"en": "Your cart waits for you", "fr": "Votre panier vous attend"},
        ),
        cxkit.Variant(
            name="harvest",
            content={"en": "This year's almonds are in", "fr": "Les amandes de l'année sont arrivées"},
        ),
    ],
    experiments=[
        # Who signs in without having come as a visitor is divided by who they are.
        cxkit.Experiment(
            name="hero-text",
            variations=["everybody", "harvest"],
            unit="visitor",
            fallback_unit="user_id",
            goals=["order.placed"],
        )
    ],
    order=["gold, cart waits", "gold", "cart waits", "hero-text"],
    level=3,
)
_FRUIT_FIRST: Final[JSON] = ["ORA-100", "ALM-100", "ALM-200", "ALM-300"]
shelf = cxkit.experience(
    "home.shelf",
    fallback=cxkit.Variant(name="wide", form={"columns": 2}),
    variants=[
        cxkit.Variant(
            name="narrow, fruit first",
            audience={"device": "phone", **_NO_NUTS},
            depth=2,
            form={"columns": 1},
            sequence=_FRUIT_FIRST,
        ),
        cxkit.Variant(name="fruit first", audience=_NO_NUTS, depth=2, form={"columns": 2}, sequence=_FRUIT_FIRST),
        cxkit.Variant(name="narrow", audience={"device": "phone"}, depth=1, form={"columns": 1}),
    ],
    questions=[occasion],
)

# --- a product's page ---

delivery = cxkit.experience(
    "sweet.delivery",
    fallback=cxkit.Variant(
        name="world",
        content={"en": "Sent all over the world within ten days", "fr": "Envoyé dans le monde entier sous dix jours"},
    ),
    variants=[
        cxkit.Variant(
            name="france",
            audience={"country": "FR"},
            depth=1,
            content={"en": "Delivered in France within two days", "fr": "Livré en France sous deux jours"},
        )
    ],
)
also = cxkit.experience(
    "sweet.also",
    fallback=cxkit.Variant(name="classics", sequence=["ALM-200", "ALM-300"]),
    variants=[
        cxkit.Variant(name="fruit", audience=_NO_NUTS, depth=2, sequence=["ORA-100"]),
        cxkit.Variant(name="small", sequence=["ALM-100", "ORA-100"]),
    ],
    experiments=[
        cxkit.Experiment(
            name="also-small",
            variations=["classics", "small"],
            unit="visitor",
            fallback_unit="user_id",
            goals=["cart.item_added"],
        )
    ],
    order=["fruit", "also-small"],
    questions=[nuts],
)

# --- the checkout ---

form = cxkit.experience(
    "checkout.form",
    fallback=cxkit.Variant(name="long", form={"note": True}, content={"en": "Pay", "fr": "Payer"}),
    variants=[
        cxkit.Variant(
            name="short",
            audience={"device": "phone"},
            depth=1,
            form={"note": False},
            content={"en": "Pay", "fr": "Payer"},
        ),
        cxkit.Variant(name="plain", form={"note": True}, content={"en": "Order and pay", "fr": "Commander et payer"}),
    ],
    experiments=[
        cxkit.Experiment(
            name="checkout-button",
            variations=["long", "plain"],
            unit="visitor",
            fallback_unit="user_id",
            goals=["order.placed"],
        )
    ],
    order=["short", "checkout-button"],
    questions=[phone, occasion],
)
notice = cxkit.experience(
    "checkout.notice",
    variants=[
        cxkit.Variant(
            name="nuts",
            audience={"nuts_in_cart": True, **_NO_NUTS},
            depth=2,
            content={
                "en": "You do not eat nuts: there are some in this cart.",
                "fr": "Vous ne mangez pas de fruits à coque : ce panier en contient.",
            },
        ),
        cxkit.Variant(
            name="stalled",
            audience={"journeys.checkout.stalled": True},
            depth=2,
            content={"en": "All is as you left it.", "fr": "Tout est comme vous l'avez laissé."},
        ),
        cxkit.Variant(
            name="present",
            audience={"traits.occasion": "present"},
            depth=2,
            content={"en": "We wrap it as a present.", "fr": "Nous faisons un paquet cadeau."},
        ),
    ],
    level=3,
)

# --- support: on the web and, level 4, on the phone (desk.py) ---

reply = cxkit.experience(
    "support.reply",
    fallback=cxkit.Variant(
        name="promise",
        content={"en": "We answer within one working day.", "fr": "Nous répondons sous un jour ouvré."},
        sequence=["delivery", "discounts", "ingredients", "other"],
    ),
    variants=[
        cxkit.Variant(
            name="paying",
            audience=_WAITING,
            depth=2,
            content={
                "en": "Your cart is safe: we help you to pay.",
                "fr": "Votre panier est en sûreté : nous vous aidons à payer.",
            },
            sequence=["discounts", "delivery", "ingredients", "other"],
        ),
        cxkit.Variant(
            name="ordered",
            audience={"journeys.checkout.completed": True},
            depth=2,
            content={
                "en": "Your order is on its way: we look after it.",
                "fr": "Votre commande est en route : nous y veillons.",
            },
            sequence=["delivery", "other", "ingredients", "discounts"],
        ),
        cxkit.Variant(
            name="ingredients",
            audience=_NO_NUTS,
            depth=2,
            content={
                "en": "We tell you what is in it within one working day.",
                "fr": "Nous vous disons ce qu'il y a dedans sous un jour ouvré.",
            },
            sequence=["ingredients", "delivery", "discounts", "other"],
        ),
        cxkit.Variant(
            name="warm",
            content={
                "en": "Thank you for asking: we answer within one working day.",
                "fr": "Merci de nous écrire : nous répondons sous un jour ouvré.",
            },
            sequence=["delivery", "discounts", "ingredients", "other"],
        ),
    ],
    experiments=[
        cxkit.Experiment(
            name="reply-tone",
            variations=["promise", "warm"],
            unit="visitor",
            fallback_unit="user_id",
            goals=["feedback.given"],
        )
    ],
    order=["paying", "ordered", "ingredients", "reply-tone"],
    questions=[helped],
    level=4,
)

# --- the blog, as a page and as a feed ---

posts = cxkit.experience(
    "blog.posts",
    fallback=cxkit.Variant(name="excerpts", form={"full": False}),
    variants=[
        cxkit.Variant(name="full", audience={"traits.plan": {"$exists": True}}, depth=2, form={"full": True}),
    ],
    questions=[useful],
    level=4,
)
order = cxkit.experience(
    "blog.order",
    fallback=cxkit.Variant(name="newest", sequence=["almond-blossom", "thirteen-desserts"]),
    variants=[
        cxkit.Variant(name="desserts", audience=_NO_NUTS, depth=2, sequence=["thirteen-desserts", "almond-blossom"]),
        cxkit.Variant(name="feasts", sequence=["thirteen-desserts", "almond-blossom"]),
    ],
    experiments=[
        cxkit.Experiment(
            name="blog-feasts",
            variations=["newest", "feasts"],
            unit="visitor",
            fallback_unit="user_id",
            goals=["post.read"],
        )
    ],
    order=["desserts", "blog-feasts"],
)

# --- letters: decided for whom they go to, by a job (letters.py) ---

birthday = cxkit.experience(
    "letters.birthday",
    fallback=cxkit.Variant(
        name="everybody",
        content={
            "en": "A bag of sugared almonds comes with your next order.",
            "fr": "Un sachet de dragées accompagne votre prochaine commande.",
        },
    ),
    variants=[
        cxkit.Variant(
            name="fruit",
            audience=_NO_NUTS,
            depth=2,
            content={
                "en": "Candied oranges come with your next order: without nuts.",
                "fr": "Des oranges confites accompagnent votre prochaine commande : sans fruits à coque.",
            },
        ),
        cxkit.Variant(
            name="gold",
            audience=_GOLD,
            depth=2,
            content={
                "en": "A gold box comes with your next order.",
                "fr": "Un coffret or accompagne votre prochaine commande.",
            },
        ),
    ],
    level=4,
)
