"""What Candy Haven sells and writes. A real shop has a database here."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, get_args

import attrs

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Text = Mapping[Language, str]

CURRENCY = "EUR"
BOX_PRICE = Decimal("19.00")
"""Of the box that subscribers get each month."""


@attrs.frozen(kw_only=True)
class Sweet:
    sku: str
    price: Decimal
    grams: int
    nuts: bool
    names: Text
    about: Text

    @property
    def per_100_g(self) -> Decimal:
        return (self.price * 100 / self.grams).quantize(Decimal("0.01"))


@attrs.frozen(kw_only=True)
class Post:
    """Something to read in the blog."""

    slug: str
    published: str
    """The day, as ISO 8601 writes it."""
    names: Text
    about: Text

    def told(self, language: Language, *, full: bool) -> str:
        """All of it, or how it begins."""
        return self.about[language] if full else textwrap.shorten(self.about[language], 40, placeholder=" …")


SWEETS = {
    sweet.sku: sweet
    for sweet in (
        Sweet(
            sku="ALM-100",
            price=Decimal("6.50"),
            grams=100,
            nuts=True,
            names={"en": "Sugared almonds", "fr": "Dragées"},
            about={
                "en": "Whole almonds under a thin shell of sugar.",
                "fr": "Des amandes entières, finement enrobées.",
            },
        ),
        Sweet(
            sku="ALM-200",
            price=Decimal("24.90"),
            grams=300,
            nuts=True,
            names={"en": "Calissons, a box of 24", "fr": "Calissons, boîte de 24"},
            about={
                "en": "Ground almonds and candied melon, iced in white.",
                "fr": "Amandes broyées et melon confit, glacés de blanc.",
            },
        ),
        Sweet(
            sku="ALM-300",
            price=Decimal("9.80"),
            grams=200,
            nuts=True,
            names={"en": "Nougat with almonds", "fr": "Nougat aux amandes"},
            about={"en": "Honey, egg white, and much patience.", "fr": "Du miel, du blanc d'œuf, de la patience."},
        ),
        Sweet(
            sku="ORA-100",
            price=Decimal("7.20"),
            grams=150,
            nuts=False,
            names={"en": "Candied oranges", "fr": "Oranges confites"},
            about={"en": "Slices, half in dark chocolate.", "fr": "En tranches, à moitié sous le chocolat noir."},
        ),
    )
}

POSTS = {
    post.slug: post
    for post in (
        Post(
            slug="thirteen-desserts",
            published="2025-12-01",
            names={"en": "Thirteen desserts for one evening", "fr": "Treize desserts pour un soir"},
            about={
                "en": "In Provence the table of Christmas Eve holds thirteen sweets, and nobody may leave one out.",
                "fr": "En Provence, la table de Noël porte treize douceurs, et il faut goûter à toutes.",
            },
        ),
        Post(
            slug="almond-blossom",
            published="2026-02-10",
            names={"en": "When the almond trees blossom", "fr": "Quand les amandiers fleurissent"},
            about={
                "en": "They are the first, in February; a late frost takes half of the harvest.",
                "fr": "Ils sont les premiers, dès février ; une gelée tardive emporte la moitié de la récolte.",
            },
        ),
    )
}


def search(words: str) -> list[Sweet]:
    """The sweets that all these words are said of, in either language; accents and case do not matter."""
    wanted = _plain(words).split()
    told = {sku: _plain(" ".join([*one.names.values(), *one.about.values()])) for sku, one in SWEETS.items()}
    return [SWEETS[sku] for sku, text in told.items() if all(word in text for word in wanted)]


def _plain(text: str) -> str:
    """Without accents: "Dragées" is found as "dragees", and the other way round."""
    letters = (one for one in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(one))
    return "".join(letters)


def cart_in(text: str) -> dict[str, int]:
    """What a cookie holds, as far as there is such a thing: how many of each, by sku."""
    held = {}
    for item in text.split("."):
        sku, _, quantity = item.partition("*")
        if sku in SWEETS and quantity.isdecimal() and quantity.isascii() and len(quantity) <= 2 and int(quantity):
            held[sku] = int(quantity)
    return held


def cart_text(cart: Mapping[str, int]) -> str:
    """A cart as its cookie holds it."""
    return ".".join(f"{sku}*{quantity}" for sku, quantity in cart.items())


def total_of(cart: Mapping[str, int]) -> Decimal:
    """What these cost together.

    Args:
        cart: How many of each, by sku.
    """
    return sum((SWEETS[sku].price * quantity for sku, quantity in cart.items()), Decimal())


class PaymentDeclinedError(Exception):
    """The bank said no."""


def is_card(number: str) -> bool:
    """Whether this could be the number of a card."""
    return re.fullmatch(r"[0-9]{12,19}", number.replace(" ", "")) is not None


def charge(card: str, amount: Decimal) -> None:
    """Charge a card; one that ends in 0000 is declined.

    Raises:
        PaymentDeclinedError: It was.
    """
    if card.endswith("0000"):
        raise PaymentDeclinedError(f"{amount} {CURRENCY} were declined")
