"""The letters of Candy Haven: to Nancy, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit_email.templates import Templates

LETTERS = Path(__file__).parents[3] / "examples/candy_haven/templates"
SHOP = "https://candy.example"
BUTTON = "/sweets?utm_source=birthday&amp;utm_medium=email"
ORDER = {"number": "CH-1", "total": "EUR 31.40", "sweets": [{"quantity": 2, "name": "Nougat & almonds"}]}
OFFER = cxkit.Decision(experience="letters.birthday", variant="gold", content="A box is on us")


@pytest.fixture
def letters() -> Templates:
    if not LETTERS.exists():  # the source distribution of the plugin alone
        pytest.skip("the examples are not here")
    return Templates(LETTERS, sender="Candy Haven <letters@candy.example>")


@pytest.mark.parametrize(
    ("letter", "locale", "subject", "said"),
    [
        ("order", "en", "Thank you, Nancy: your order CH-1", ("Nougat & almonds", "EUR 31.40 in all.", "/account")),
        ("order", "fr-CA", "Merci, Nancy\u202f: votre commande CH-1", ("Nougat & almonds", "en tout.", "/account")),
        ("birthday", "en", "Happy birthday, Nancy!", ("A box is on us", "Choose your sweets", BUTTON)),
        ("birthday", "fr", "Joyeux anniversaire, Nancy\u202f!", ("A box is on us", "Choisir vos douceurs", BUTTON)),
    ],
)
def test_a_letter_to_nancy(letter: str, locale: str, subject: str, said: tuple[str, ...], letters: Templates) -> None:
    given: dict[str, Any] = ORDER if letter == "order" else {"offer": OFFER}
    message = letters.message(letter, to="nancy@example.com", locale=locale, name="Nancy", shop=SHOP, **given)
    assert (message["Subject"], message["Content-Language"]) == (subject, locale[:2])
    text, html = (message.get_body([one]) for one in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert not [one for one in said[:-1] if one not in text.get_content()]
    assert f'href="{SHOP}{said[-1]}"' in html.get_content()
    assert f'lang="{locale[:2]}"' in html.get_content()


def test_a_birthday_without_an_offer_is_one_all_the_same(letters: Templates) -> None:
    nothing = cxkit.Decision(experience="letters.birthday", variant="default")
    message = letters.message("birthday", to="nancy@example.com", locale="en", name="Nancy", shop=SHOP, offer=nothing)
    html = message.get_body(["html"])
    assert html is not None
    assert "<strong>" not in html.get_content()


def test_a_letter_is_prepared_and_its_button_leads_to_the_sweets(letters: Templates, post: Callable[..., Any]) -> None:
    office = post()
    office.allows("analytics")
    message = letters.message("birthday", to="nancy@example.com", locale="fr", name="Nancy", shop=SHOP, offer=OFFER)
    prepared = office.prepared(message=message)
    html = office.html_of(prepared)
    assert f'href="{SHOP}' not in html
    button = re.search(r'<a href="(https://shop\.example/cx/c/[^"]+)"[^>]*>Choisir', html)
    assert button is not None
    answer = office.client().get(button[1])
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (302, f"{SHOP}/sweets")
    assert prepared.message["Content-Language"] == "fr"
    assert "List-Unsubscribe" in prepared.message
