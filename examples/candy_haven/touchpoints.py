"""Every place where Candy Haven and its customers meet, declared once; what adapts there is in ``experiences.py``."""

from __future__ import annotations

import attrs

import cxkit

# What the shop asks its visitors to allow.
USEFUL = ("analytics", "personalization", "identity_stitching")
OPTIONAL = ("advertising", "message_open")


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

ORDER_RATED = cxkit.touchpoint("order.rated", stage="service", nature="object")
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
