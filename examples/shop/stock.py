"""What the shop sells, and whom it knows. A real shop has a database here."""

from __future__ import annotations

import hmac
from decimal import Decimal

import attrs

CURRENCY = "EUR"


@attrs.frozen(kw_only=True)
class Sweet:
    sku: str
    price: Decimal
    names: dict[str, str]
    """Language to name."""


@attrs.frozen(kw_only=True)
class Customer:
    user_id: str
    password: str
    phone: str
    plan: str


SWEETS = {
    sweet.sku: sweet
    for sweet in (
        Sweet(
            sku="ALM-100",
            price=Decimal("6.50"),
            names={"en": "Sugared almonds, 100 g", "fr": "Dragées, 100 g"},
        ),
        Sweet(
            sku="ALM-200",
            price=Decimal("24.90"),
            names={"en": "Calissons, a box of 24", "fr": "Calissons, boîte de 24"},
        ),
        Sweet(
            sku="ALM-300",
            price=Decimal("9.80"),
            names={"en": "Nougat with almonds", "fr": "Nougat aux amandes"},
        ),
    )
}

CUSTOMERS = {
    # A number of a block that is kept free for fiction.
    "nancy": Customer(user_id="nancy", password="amande", phone="+33 6 39 98 12 34", plan="gold")
}


def customer_of(name: str, password: str) -> Customer | None:
    """The customer who knows this password."""
    customer = CUSTOMERS.get(name)
    known = customer is not None and hmac.compare_digest(customer.password.encode(), password.encode())
    return customer if known else None


def total_of(skus: list[str]) -> Decimal:
    """What these cost together."""
    return sum((SWEETS[sku].price for sku in skus), Decimal())


class PaymentDeclinedError(Exception):
    """The bank said no."""


def charge(card: str, amount: Decimal) -> None:
    """Charge a card; one that ends in 0000 is declined.

    Raises:
        PaymentDeclinedError: It was.
    """
    if card.endswith("0000"):
        raise PaymentDeclinedError(f"{amount} {CURRENCY} were declined")
