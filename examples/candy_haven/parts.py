"""What Candy Haven's pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape

import attrs

from cxkit.web import beacon_tag
from examples.candy_haven.customers import Customer
from examples.candy_haven.stock import CURRENCY, LANGUAGES, SWEETS, Language, Sweet

_OPTIONS = {
    "yes": ("Yes", "Oui"),
    "no": ("No", "Non"),
    "myself": ("For myself", "Pour moi"),
    "present": ("A present", "Un cadeau"),
}
"""How answers are called, in both languages; a score is called as it is."""

_STYLE = (
    "body{font:1.1rem/1.5 sans-serif;max-width:44rem;margin:auto;padding:1rem}nav a{margin-right:1rem}"
    "form{margin:.5rem 0}aside{border:1px solid;padding:0 1rem}th,td{padding:.2rem 1rem .2rem 0;text-align:left}"
    ".wide{columns:2}.skip:not(:focus){position:absolute;left:-99rem}"
)
_BEFORE_MARKS = re.compile(" (?=[?!:;])")


@attrs.frozen(kw_only=True)
class View:
    """What every page needs to know of the request."""

    language: Language
    cart: Mapping[str, int]
    """How many of each, by sku."""
    customer: Customer | None
    """Who has signed in."""
    undecided: bool
    """Whether the visitor has still to choose what they allow."""

    def say(self, en: str, fr: str) -> str:
        """The text in the visitor's language; French keeps its marks on the line."""
        return _BEFORE_MARKS.sub("\N{NARROW NO-BREAK SPACE}", fr) if self.language == "fr" else en

    def price(self, amount: Decimal) -> str:
        """As it is written there: EUR 24.90, and 24,90 EUR."""
        return self.say(f"{CURRENCY} {amount:.2f}", f"{amount:.2f}".replace(".", ",") + f" {CURRENCY}")


@attrs.frozen(kw_only=True)
class Question:
    """Something that the customer may answer, and need not."""

    name: str
    text: str
    why: str = ""
    """What the answer is for."""
    options: Sequence[str] = ()
    answer: str = ""
    """What is known already."""


def page(view: View, title: str, body: str) -> str:
    account = ("/account", view.customer.name) if view.customer else ("/login", view.say("Sign in", "Connexion"))
    links = {
        "/": view.say("Home", "Accueil"),
        "/sweets": view.say("Sweets", "Douceurs"),
        "/blog": "Blog",
        "/cart": f"{view.say('Cart', 'Panier')} ({sum(view.cart.values())})",
        account[0]: account[1],
        "/support": view.say("Help", "Aide"),
    }
    return (
        f'<!doctype html><html lang="{view.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)} | Candy Haven</title>'
        f"<style>{_STYLE}</style>{beacon_tag()}</head><body>"
        f'<a class="skip" href="#main">{view.say("To the content", "Aller au contenu")}</a><header>'
        f'<nav aria-label="Candy Haven">{"".join(link(*one) for one in links.items())}</nav>{_search(view)}</header>'
        f'<main id="main"><h1>{escape(title)}</h1>{body}</main>{_consent(view)}'
        f"<footer>{_languages(view)}</footer></body></html>"
    )


def _search(view: View) -> str:
    words = field("words", view.say("Search", "Recherche"), kind="search")
    return f"<search>{form('/search', view.say('Search', 'Chercher'), words, method='get')}</search>"


def _consent(view: View) -> str:
    title = view.say("Your choice", "Votre choix")
    question = view.say(
        "May we recognise you on your next visit, show you what fits, and count visits?",
        "Pouvons-nous vous reconnaître la prochaine fois, vous montrer ce qui vous convient et compter les visites ?",
    )
    reminder = view.say("You may change your mind at any time.", "Vous pouvez changer d'avis à tout moment.")
    also = {
        "advertising": view.say("Also for advertising", "Aussi pour la publicité"),
        "message_open": view.say("Also know whether I open letters", "Aussi savoir si j'ouvre les lettres"),
    }
    optional = "".join(
        f'<label><input type="checkbox" name="{purpose}" value="yes">{text}</label> ' for purpose, text in also.items()
    )
    form = (
        f'<form method="post" action="/consent">{optional}'
        f'<button name="choice" value="accept">{view.say("Accept", "Accepter")}</button> '
        f'<button name="choice" value="refuse">{view.say("Refuse", "Refuser")}</button></form>'
    )
    if view.undecided:
        return f'<aside aria-label="{title}"><p>{question}</p>{form}</aside>'
    return f"<details><summary>{reminder}</summary>{form}</details>"


def _languages(view: View) -> str:
    names = {"en": "English", "fr": "Français"}
    buttons = "".join(
        f'<button name="language" value="{one}" lang="{one}">{names[one]}</button>'
        for one in LANGUAGES
        if one != view.language
    )
    return f'<form method="post" action="/language">{buttons}</form>'


def listed(view: View, these: Iterable[Sweet], *, wide: bool = False) -> str:
    links = ((link(f"/sweets/{one.sku}", one.names[view.language]), view.price(one.price)) for one in these)
    items = "".join(f"<li>{link}, {price}</li>" for link, price in links)
    return f"<ul{' class=wide' if wide else ''}>{items}</ul>"


def comparable(view: View, these: Iterable[Sweet]) -> str:
    """The same, each with a box to tick for the comparison."""
    boxes = "".join(
        f'<p><input type="checkbox" name="sku" value="{one.sku}" id="{one.sku}"> <label for="{one.sku}">'
        f"{one.names[view.language]}, {view.price(one.price)}</label> "
        f"{link(f'/sweets/{one.sku}', view.say('Look', 'Voir'), of=one.names[view.language])}</p>"
        for one in these
    )
    legend = view.say("Which do you want to compare?", "Lesquelles voulez-vous comparer ?")
    fields = f"<fieldset><legend>{legend}</legend>{boxes}</fieldset>"
    return form("/compare", view.say("Compare", "Comparer"), fields, method="get")


def items(view: View, cart: Mapping[str, int]) -> str:
    items = "".join(f"<li>{quantity} &times; {SWEETS[sku].names[view.language]}</li>" for sku, quantity in cart.items())
    return f"<ul>{items}</ul>" if items else ""


def alert(text: str) -> str:
    return f'<p role="alert">{text}</p>'


def link(path: str, text: str, *, of: str | None = None) -> str:
    label = f' aria-label="{escape(f"{text}, {of}")}"' if of else ""
    return f'<a href="{escape(path)}"{label}>{escape(text)}</a>'


def hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def field(name: str, label: str, *, kind: str = "text", value: str = "", required: bool = True) -> str:
    given = f' value="{escape(value)}"' if value else ""
    return f'<label>{label} <input name="{name}" type="{kind}"{given}{" required" if required else ""}></label> '


def questions(view: View, asks: Iterable[Question], *, back: str) -> str:
    """A form for each: to answer takes one press, and so does not to."""
    return "".join(
        f'<section aria-label="{escape(one.text)}"><p>{one.text} {one.why}</p>'
        + form(
            "/answers",
            view.say("Rather not", "Passer"),
            hidden("question", one.name)
            + hidden("back", back)
            + "".join(
                f'<button name="{one.name}" value="{option}">{_named(view, option)}</button> ' for option in one.options
            ),
        )
        + "</section>"
        for one in asks
    )


def asked(view: View, one: Question) -> str:
    """One among the fields of a form, where it may stay empty."""
    which, label = hidden("question", one.name), f"{one.text} {one.why}".rstrip()
    if not one.options:
        return which + field(one.name, label, value=one.answer, required=False)
    return which + choice(one.name, label, {"": "", **{option: _named(view, option) for option in one.options}})


def _named(view: View, option: str) -> str:
    return view.say(*_OPTIONS[option]) if option in _OPTIONS else option


def choice(name: str, label: str, options: Mapping[str, str]) -> str:
    listed = "".join(f'<option value="{value}">{text}</option>' for value, text in options.items())
    return f'<label>{label} <select name="{name}">{listed}</select></label> '


def form(action: str, button: str, fields: str, *, method: str = "post") -> str:
    return f'<form method="{method}" action="{action}">{fields}<button>{button}</button></form>'
