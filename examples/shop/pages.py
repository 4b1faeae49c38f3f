"""The shop's pages as HTML, in English and French. Nothing here knows cxkit."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal, get_args

import attrs

from examples.shop.stock import CURRENCY, SWEETS, Sweet, total_of

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

TOPICS = {
    "delivery": ("My delivery", "Ma livraison"),
    "discounts": ("Discounts", "Les remises"),
    "other": ("Something else", "Autre chose"),
}
"""What one can ask about, in both languages."""

_STYLE = (
    "body{font:1.1rem/1.5 sans-serif;max-width:40rem;margin:auto;padding:1rem}"
    "form{display:inline-block;margin:.3rem 0}nav a{margin-right:1rem}aside{border:1px solid;padding:0 1rem}"
)


@attrs.frozen(kw_only=True)
class View:
    """What every page needs to know of the request."""

    language: Language
    cart: Sequence[str]
    undecided: bool
    """Whether the visitor has still to choose what they allow."""

    def say(self, en: str, fr: str) -> str:
        return fr if self.language == "fr" else en


def home(view: View, welcome: str) -> str:
    return _page(view, welcome, _sweets(view))


def sweets(view: View) -> str:
    return _page(view, view.say("Our sweets", "Nos douceurs"), _sweets(view))


def sweet(view: View, one: Sweet) -> str:
    add = _form(
        "/cart",
        view.say("Add to the cart", "Ajouter au panier"),
        f"<input type=hidden name=sku value={one.sku}>",
    )
    return _page(view, one.names[view.language], f"<p>{one.price} {CURRENCY}</p>{add}")


def cart(view: View) -> str:
    items = "".join(f"<li>{escape(SWEETS[sku].names[view.language])}</li>" for sku in view.cart)
    body = f"<ul>{items}</ul><p>{total_of([*view.cart])} {CURRENCY}</p>"
    return _page(view, view.say("Your cart", "Votre panier"), body + _link("/checkout", view.say("Pay", "Payer")))


def checkout(view: View, *, declined: bool = False) -> str:
    sorry = view.say("Your bank declined. Another card?", "Votre banque a refusé. Une autre carte ?")
    form = _form("/checkout", view.say("Pay", "Payer"), _field("card", view.say("Card number", "Numéro de carte")))
    return _page(view, view.say("Checkout", "Paiement"), (f"<p role=alert>{sorry}</p>" if declined else "") + form)


def thanks(view: View, order: str) -> str:
    return _page(
        view,
        view.say("Thank you", "Merci"),
        f"<p>{view.say('Your order', 'Votre commande')}: {escape(order)}</p>",
    )


def login(view: View, *, refused: bool = False) -> str:
    fields = _field("name", view.say("Name", "Nom"))
    fields += _field("password", view.say("Password", "Mot de passe"), kind="password")
    hint = view.say("Try nancy, whose password is amande.", "Essayez nancy, mot de passe amande.")
    sorry = view.say("That is not right.", "Ce n'est pas cela.")
    body = (f"<p role=alert>{sorry}</p>" if refused else f"<p>{hint}</p>") + _form("/login", "OK", fields)
    return _page(view, view.say("Sign in", "Connexion"), body)


def support(view: View, case: str | None = None) -> str:
    title = view.say("How can we help?", "Comment pouvons-nous aider ?")
    if case:
        answer = view.say("We answer within one working day.", "Nous répondons sous un jour ouvré.")
        return _page(view, title, f"<p>{answer} ({escape(case)})</p>")
    topics = "".join(f"<option value={topic}>{escape(view.say(*names))}" for topic, names in TOPICS.items())
    field = f"<label>{view.say('Topic', 'Sujet')} <select name=topic>{topics}</select></label> "
    return _page(view, title, _form("/support", view.say("Ask", "Demander"), field))


def lost(view: View) -> str:
    return _page(view, view.say("There is nothing here", "Il n'y a rien ici"), "")


def _page(view: View, title: str, body: str) -> str:
    links = (
        _link("/", view.say("Home", "Accueil")),
        _link("/sweets", view.say("Sweets", "Douceurs")),
        _link("/cart", f"{view.say('Cart', 'Panier')} ({len(view.cart)})"),
        _link("/login", view.say("Sign in", "Connexion")),
        _link("/support", view.say("Help", "Aide")),
    )
    return (
        f"<!doctype html><html lang={view.language}><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{_STYLE}</style><title>{escape(title)}</title>"
        f"<nav>{''.join(links)}</nav><main><h1>{escape(title)}</h1>{body}</main>"
        f"{_consent(view)}<footer>{_languages(view)}</footer></html>"
    )


def _consent(view: View) -> str:
    question = view.say(
        "May we recognise you on your next visit, show you what fits, and count visits?",
        "Pouvons-nous vous reconnaître, adapter le site et mesurer les visites ?",
    )
    reminder = view.say("You may change your mind at any time.", "Vous pouvez changer d'avis à tout moment.")
    tick = "<label><input type=checkbox name=advertising value=yes>"
    tick += view.say("Also for advertising", "Aussi pour la publicité") + "</label>"
    buttons = (
        f"<button name=choice value=accept>{view.say('Accept', 'Accepter')}</button>"
        f"<button name=choice value=refuse>{view.say('Refuse', 'Refuser')}</button>"
    )
    form = f"<form method=post action=/consent>{tick} {buttons}</form>"
    if view.undecided:
        return f"<aside><p>{question}</p>{form}</aside>"
    return f"<details><summary>{reminder}</summary>{form}</details>"


def _languages(view: View) -> str:
    buttons = (f"<button name=language value={one}>{one}</button>" for one in LANGUAGES)
    return f"<form method=post action=/language>{''.join(buttons)}</form>"


def _sweets(view: View) -> str:
    items = (f"<li>{_link(f'/sweets/{one.sku}', one.names[view.language])}</li>" for one in SWEETS.values())
    return f"<ul>{''.join(items)}</ul>"


def _link(path: str, text: str) -> str:
    return f'<a href="{escape(path)}">{escape(text)}</a>'


def _field(name: str, label: str, *, kind: str = "text") -> str:
    return f"<label>{escape(label)} <input name={name} type={kind} required></label> "


def _form(action: str, button: str, fields: str) -> str:
    return f"<form method=post action={action}>{fields}<button>{escape(button)}</button></form>"
