"""Every place where Candy Haven and its customers meet, declared once, and the three things that adapt."""

from __future__ import annotations

import attrs

import cxkit

# What the shop asks its visitors to allow.
USEFUL = ("analytics", "personalization", "identity_stitching")
OPTIONAL = ("advertising",)


@attrs.frozen(kw_only=True)
class Searched:
    """The properties of ``catalogue.searched``: type checkers hold callers to them."""

    found: int
    """How much; not the words themselves: people type names and addresses where they should not."""


@attrs.frozen(kw_only=True)
class ItemAdded:
    sku: str
    quantity: int = 1


# --- awareness, consideration ---

SEARCHED = cxkit.touchpoint("catalogue.searched", stage="awareness", properties=Searched)
INVITED = cxkit.touchpoint("invitation.opened", kind="view", stage="awareness", reach="indirect", via="family")
PRODUCT_VIEWED = cxkit.touchpoint("product.viewed", kind="view", stage="consideration", nature="object")
COMPARED = cxkit.touchpoint("products.compared", kind="view", stage="consideration", nature="object")
ITEM_ADDED = cxkit.touchpoint("cart.item_added", stage="consideration", properties=ItemAdded)

# --- purchase ---

CHECKOUT = cxkit.touchpoint("checkout.attempted", stage="purchase")
# An order and a call for help belong to what the customer asked for: they need no further consent.
# To whom they are exported still does.
ORDER_PLACED = cxkit.touchpoint(
    "order.placed", kind="transaction", stage="purchase", purpose="necessary", priority="critical"
)
# A subscription is a contract: letters about it are owed, and none of them makes anybody a reader of the newsletter.
BOX_ORDERED = cxkit.touchpoint(
    "box.ordered",
    kind="transaction",
    stage="purchase",
    purpose="necessary",
    priority="critical",
    promise="a box each month",
)

# --- service ---

ORDER_RATED = cxkit.touchpoint("order.rated", kind="feedback", stage="service", nature="object")
SUPPORT_REQUESTED = cxkit.touchpoint(
    "support.requested",
    kind="service",
    stage="service",
    purpose="necessary",
    promise="answered within one working day",
)
CALL_ANSWERED = cxkit.touchpoint(
    "call.answered", kind="service", stage="service", purpose="necessary", nature="person", presence="offline"
)

# --- loyalty ---

ORDER_REPEATED = cxkit.touchpoint("order.repeated", stage="loyalty")
FAMILY_TOLD = cxkit.touchpoint("family.told", stage="loyalty", nature="person", reach="indirect", via="family")
POST_READ = cxkit.touchpoint("post.read", kind="view", stage="loyalty")
POST_SHARED = cxkit.touchpoint("post.shared", stage="loyalty", nature="person", reach="indirect", via="friends")

# Depth 2 is for a segment of customers: shown to those who allowed personalization and are recognised.
hero = cxkit.experience(
    "home.hero",
    fallback=cxkit.Variant(
        name="everybody",
        content={"en": "Almond sweets from Provence", "fr": "Douceurs aux amandes de Provence"},
    ),
    variants=[
        cxkit.Variant(
            name="gold",
            audience={"traits.plan": "gold"},
            depth=2,
            content={
                "en": "Welcome back: your gold box is on us",
                "fr": "Heureux de vous revoir : votre coffret or est offert",
            },
        )
    ],
)

# Depth 1 is for circumstances, which need no choice: where they are, which cxkit-geo tells, and on what: cxkit-device.
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
shelf = cxkit.experience(
    "home.shelf",
    fallback=cxkit.Variant(name="wide", form={"columns": 2}),
    variants=[cxkit.Variant(name="narrow", audience={"device": "phone"}, depth=1, form={"columns": 1})],
)
