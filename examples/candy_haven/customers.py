"""Whom Candy Haven knows, and what they bought. A real shop has a database here."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class Order:
    number: str
    cart: Mapping[str, int]
    """How many of each, by sku."""
    total: Decimal


@attrs.frozen(kw_only=True)
class Customer:
    user_id: str
    name: str
    password: str = attrs.field(repr=False)
    """A real shop keeps a slow, salted hash of it."""
    phone: str = attrs.field(repr=False)
    email: str = attrs.field(repr=False)
    plan: str
    orders: list[Order] = attrs.field(factory=list)
    boxes: list[str] = attrs.field(factory=list)
    """Numbers of what they subscribed to: a box of sweets each month."""

    def order(self, number: str) -> Order | None:
        """The one of their orders that has this number."""
        return next((one for one in self.orders if one.number == number), None)


CUSTOMERS = {
    # The numbers are of a block that is kept free for fiction, as the domain is. Odile is Nancy's sister.
    "nancy": Customer(
        user_id="nancy",
        name="Nancy",
        password="amande",
        phone="+33 6 39 98 12 34",
        email="nancy@example.com",
        plan="gold",
    ),
    "odile": Customer(
        user_id="odile",
        name="Odile",
        password="nougat",
        phone="+33 6 39 98 56 78",
        email="odile@example.com",
        plan="silver",
    ),
}

_SIGNED_IN: dict[str, str] = {}
"""What a browser's cookie holds, to the user_id of who signed in there."""


def sign_in(name: str, password: str) -> str | None:
    """What to keep in a cookie, for the customer who knows this password; None for everybody else."""
    customer = CUSTOMERS.get(name)
    if customer is None or not hmac.compare_digest(customer.password.encode(), password.encode()):
        return None
    token = secrets.token_urlsafe(16)
    _SIGNED_IN[token] = customer.user_id
    return token


def signed_in(token: str) -> Customer | None:
    """Who signed in where this cookie is."""
    return CUSTOMERS.get(_SIGNED_IN.get(token, ""))


def sign_out(token: str) -> None:
    _SIGNED_IN.pop(token, None)


# --- the feed of one's own ------------------------------------------------------------------------

_FEED_KEY = secrets.token_bytes(32)
"""A real shop keeps it with its other keys, for all its processes: another one revokes all addresses at once."""
_SERIALS: dict[str, int] = {}
"""By user_id: which of their addresses holds. None but the last does."""


def feed_token(customer: Customer) -> str:
    """What stands in the address of this customer's feed. Whoever has it reads along; it lets nobody in."""
    said = f"{customer.user_id}.{_SERIALS.get(customer.user_id, 1)}"
    return f"{said}.{hmac.digest(_FEED_KEY, said.encode(), 'sha256').hex()}"


def renew_feed(customer: Customer) -> None:
    """Give them another address: the one before shows what everybody may read."""
    _SERIALS[customer.user_id] = _SERIALS.get(customer.user_id, 1) + 1


def reader_of(token: str) -> Customer | None:
    """Whose feed it is; None where the address was altered, or revoked."""
    customer = CUSTOMERS.get(token.partition(".")[0])
    if customer is None or not hmac.compare_digest(feed_token(customer).encode(), token.encode("utf-8", "replace")):
        return None
    return customer
