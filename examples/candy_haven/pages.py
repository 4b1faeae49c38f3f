"""Candy Haven's pages as HTML, in English and French. Nothing here knows cxkit.

They work with a keyboard and a screen reader, without JavaScript, and ask nothing of other servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape

import attrs

from examples.candy_haven.customers import Customer, Order
from examples.candy_haven.stock import BOX_PRICE, CURRENCY, LANGUAGES, POSTS, SWEETS, Language, Post, Sweet, total_of

TOPICS = {
    "delivery": ("My delivery", "Ma livraison"),
    "discounts": ("Discounts", "Les remises"),
    "other": ("Something else", "Autre chose"),
}
"""What one can ask about, in both languages."""

_PURPOSES = {
    "analytics": ("Counting visits", "Compter les visites"),
    "personalization": ("Showing you what fits", "Vous montrer ce qui vous convient"),
    "identity_stitching": ("Recognising you", "Vous reconnaître"),
    "advertising": ("Advertising", "La publicité"),
}
"""What one may allow, in both languages."""

_WRONG = {
    400: ("We did not understand that", "Nous n'avons pas compris"),
    404: ("There is nothing here", "Il n'y a rien ici"),
    405: ("That is not possible here", "Cela ne se fait pas ici"),
    413: ("That is too much", "C'est trop"),
}

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


# --- what there is --------------------------------------------------------------------------------


def home(view: View, welcome: str, *, wide: bool) -> str:
    return _page(view, welcome, _sweets(view, SWEETS.values(), wide=wide))


def sweets(view: View) -> str:
    return _page(view, view.say("Our sweets", "Nos douceurs"), _sweets(view, SWEETS.values()))


def found(view: View, words: str, these: Sequence[Sweet]) -> str:
    title = view.say(f"{len(these)} found for “{words}”", f"{len(these)} pour « {words} »")
    return _page(view, title, _comparable(view, these) if these else "")


def no_words(view: View) -> str:
    question = view.say("For what, in a few words?", "En quelques mots ?")
    return _page(view, view.say("Search", "Recherche"), _alert(question))


def compared(view: View, these: Sequence[Sweet]) -> str:
    yes, no = view.say("yes", "oui"), view.say("no", "non")
    rows = {
        view.say("Price", "Prix"): [view.price(one.price) for one in these],
        view.say("Weight", "Poids"): [f"{one.grams} g" for one in these],
        view.say("Price for 100 g", "Prix pour 100 g"): [view.price(one.per_100_g) for one in these],
        view.say("Contains nuts", "Contient des fruits à coque"): [yes if one.nuts else no for one in these],
    }
    head = "".join(f'<th scope="col">{_link(f"/sweets/{one.sku}", one.names[view.language])}</th>' for one in these)
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
    )
    title = view.say("Side by side", "Côte à côte")
    return _page(view, title, f"<table><caption>{title}</caption><tr><td></td>{head}</tr>{body}</table>")


def sweet(view: View, one: Sweet, delivery: str, *, invited: bool = False) -> str:
    add = _form("/cart", view.say("Add to the cart", "Ajouter au panier"), _hidden("sku", one.sku))
    tell = _link(f"/share/{one.sku}", view.say("Tell somebody", "En parler à quelqu'un"))
    hello = view.say("Somebody of your family likes these.", "Quelqu'un de votre famille les aime.")
    body = f"<p>{hello}</p>" if invited else ""
    body += f"<p>{one.about[view.language]}</p><p>{view.price(one.price)}. {delivery}.</p>{add}{tell}"
    return _page(view, one.names[view.language], body)


# --- buying ---------------------------------------------------------------------------------------


def cart(view: View) -> str:
    body = f"{_items(view, view.cart)}<p>{view.price(total_of(view.cart))}</p>"
    body += _link("/checkout", view.say("Pay", "Payer")) if view.cart else ""
    return _page(view, view.say("Your cart", "Votre panier"), body)


def checkout(view: View, *, wrong: tuple[str, str] | None = None) -> str:
    form = _form("/checkout", view.say("Pay", "Payer"), _field("card", view.say("Card number", "Numéro de carte")))
    return _page(view, view.say("Checkout", "Paiement"), (_alert(view.say(*wrong)) if wrong else "") + form)


def box(view: View, *, wrong: bool = False) -> str:
    title = view.say("A box each month", "Un coffret par mois")
    form = _form("/box", view.say("Subscribe", "S'abonner"), _field("card", view.say("Card number", "Numéro de carte")))
    sorry = _alert(view.say("That card was not taken.", "Cette carte n'a pas été acceptée."))
    return _page(view, title, (sorry if wrong else f"<p>{view.price(BOX_PRICE)}</p>") + form)


def thanks(view: View, number: str) -> str:
    return _page(view, view.say("Thank you", "Merci"), f"<p>{view.say('Your order:', 'Votre commande :')} {number}</p>")


# --- customers ------------------------------------------------------------------------------------


def login(view: View, *, refused: bool = False) -> str:
    fields = _field("name", view.say("Name", "Nom"))
    fields += _field("password", view.say("Password", "Mot de passe"), kind="password")
    hint = view.say("Try nancy, whose password is amande.", "Essayez nancy, mot de passe amande.")
    sorry = view.say("That is not right.", "Ce n'est pas cela.")
    body = (_alert(sorry) if refused else f"<p>{hint}</p>") + _form("/login", view.say("Sign in", "Entrer"), fields)
    return _page(view, view.say("Sign in", "Connexion"), body)


def account(view: View, customer: Customer, allowed: Iterable[str]) -> str:
    orders = "".join(_order(view, one) for one in reversed(customer.orders))
    none = f"<p>{view.say('No orders yet.', 'Pas encore de commande.')}</p>"
    leave = _form("/logout", view.say("Sign out", "Se déconnecter"), "")
    title = view.say(f"Orders of {customer.name}", f"Commandes de {customer.name}")
    sections = (orders or none, _box(view, customer), _letters(view), _allowed(view, allowed), leave)
    return _page(view, title, "".join(sections))


def _box(view: View, customer: Customer) -> str:
    order = _link("/box", view.say("A box each month", "Un coffret par mois"))
    return "".join(f"<p>{one}</p>" for one in customer.boxes) or f"<p>{order}</p>"


def _letters(view: View) -> str:
    wanted = view.say("Send me the newsletter", "M'envoyer la lettre"), _hidden("wanted", "y")
    return "".join(
        _form("/account/newsletter", *one) for one in (wanted, (view.say("No newsletter", "Sans lettre"), ""))
    )


def _allowed(view: View, purposes: Iterable[str]) -> str:
    """What they allow, each with what takes it back."""
    forms = "".join(
        f"<li>{view.say(*_PURPOSES[one])}"
        f"{_form('/consent/withdraw', view.say('Withdraw', 'Retirer'), _hidden('purpose', one))}</li>"
        for one in purposes
        if one in _PURPOSES
    )
    return f"<ul>{forms}</ul>" if forms else ""


def _order(view: View, order: Order) -> str:
    question = view.say("Did you like it? 1: not at all, 5: a lot.", "Avez-vous aimé ? 1 : pas du tout, 5 : beaucoup.")
    scores = "".join(
        f'<label><input type="radio" name="score" value="{score}" required>{score}</label> ' for score in range(1, 6)
    )
    number = _hidden("order", order.number)
    again = _form("/account/again", view.say("Order it again", "Commander à nouveau"), number)
    rating = f"<fieldset><legend>{question}</legend>{scores}</fieldset>"
    return (
        f"<section><h2>{order.number}</h2>{_items(view, order.cart)}<p>{view.price(order.total)}</p>{again}"
        f"{_form('/account/rating', view.say('Tell us', 'Nous le dire'), number + rating)}</section>"
    )


def support(view: View, case: str | None = None) -> str:
    title = view.say("How can we help?", "Comment pouvons-nous vous aider ?")
    if case:
        answer = view.say("We answer within one working day.", "Nous répondons sous un jour ouvré.")
        return _page(view, title, f"<p>{answer} ({case})</p>")
    field = _choice("topic", view.say("Topic", "Sujet"), {topic: view.say(*names) for topic, names in TOPICS.items()})
    return _page(view, title, _form("/support", view.say("Ask", "Demander"), field))


# --- the blog, and telling others -----------------------------------------------------------------


def blog(view: View) -> str:
    items = (f"<li>{_link(f'/blog/{one.slug}', one.names[view.language])}</li>" for one in POSTS.values())
    return _page(view, "Blog", f"<ul>{''.join(items)}</ul>")


def post(view: View, one: Post) -> str:
    share = _link(f"/share/{one.slug}", view.say("Share it", "Partager"))
    return _page(view, one.names[view.language], f"<p>{one.about[view.language]}</p>{share}")


def share(view: View, one: Sweet | Post, action: str) -> str:
    title = view.say(f"Tell others of “{one.names['en']}”", f"Faire connaître « {one.names['fr']} »")
    return _page(view, title, _form(action, view.say("Give me a link", "Obtenir un lien"), ""))


def shared(view: View, link: str) -> str:
    text = view.say("Pass this link on", "Transmettez ce lien")
    return _page(view, view.say("Thank you", "Merci"), f"<p>{_link(link, text)}</p>")


def wrong(view: View, status: int) -> str:
    """What to say to a request that is answered with this status."""
    return _page(view, view.say(*_WRONG.get(status, _WRONG[400])), "")


# --- what pages are made of -----------------------------------------------------------------------


def _page(view: View, title: str, body: str) -> str:
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
        f"<style>{_STYLE}</style></head><body>"
        f'<a class="skip" href="#main">{view.say("To the content", "Aller au contenu")}</a><header>'
        f'<nav aria-label="Candy Haven">{"".join(_link(*one) for one in links.items())}</nav>{_search(view)}</header>'
        f'<main id="main"><h1>{escape(title)}</h1>{body}</main>{_consent(view)}'
        f"<footer>{_languages(view)}</footer></body></html>"
    )


def _search(view: View) -> str:
    field = _field("words", view.say("Search", "Recherche"), kind="search")
    form = _form("/search", view.say("Search", "Chercher"), field, method="get")
    return f"<search>{form}</search>"


def _consent(view: View) -> str:
    title = view.say("Your choice", "Votre choix")
    question = view.say(
        "May we recognise you on your next visit, show you what fits, and count visits?",
        "Pouvons-nous vous reconnaître la prochaine fois, vous montrer ce qui vous convient et compter les visites ?",
    )
    reminder = view.say("You may change your mind at any time.", "Vous pouvez changer d'avis à tout moment.")
    also = view.say("Also for advertising", "Aussi pour la publicité")
    form = (
        '<form method="post" action="/consent">'
        f'<label><input type="checkbox" name="advertising" value="yes">{also}</label> '
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


def _sweets(view: View, these: Iterable[Sweet], *, wide: bool = False) -> str:
    links = ((_link(f"/sweets/{one.sku}", one.names[view.language]), view.price(one.price)) for one in these)
    items = "".join(f"<li>{link}, {price}</li>" for link, price in links)
    return f"<ul{' class=wide' if wide else ''}>{items}</ul>"


def _comparable(view: View, these: Iterable[Sweet]) -> str:
    """The same, each with a box to tick for the comparison."""
    boxes = "".join(
        f'<p><input type="checkbox" name="sku" value="{one.sku}" id="{one.sku}"> <label for="{one.sku}">'
        f"{one.names[view.language]}, {view.price(one.price)}</label> "
        f"{_link(f'/sweets/{one.sku}', view.say('Look', 'Voir'), of=one.names[view.language])}</p>"
        for one in these
    )
    legend = view.say("Which do you want to compare?", "Lesquelles voulez-vous comparer ?")
    fields = f"<fieldset><legend>{legend}</legend>{boxes}</fieldset>"
    return _form("/compare", view.say("Compare", "Comparer"), fields, method="get")


def _items(view: View, cart: Mapping[str, int]) -> str:
    items = "".join(f"<li>{quantity} &times; {SWEETS[sku].names[view.language]}</li>" for sku, quantity in cart.items())
    return f"<ul>{items}</ul>" if items else ""


def _alert(text: str) -> str:
    return f'<p role="alert">{text}</p>'


def _link(path: str, text: str, *, of: str | None = None) -> str:
    label = f' aria-label="{escape(f"{text}, {of}")}"' if of else ""
    return f'<a href="{escape(path)}"{label}>{escape(text)}</a>'


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _field(name: str, label: str, *, kind: str = "text") -> str:
    return f'<label>{label} <input name="{name}" type="{kind}" required></label> '


def _choice(name: str, label: str, options: Mapping[str, str]) -> str:
    listed = "".join(f'<option value="{value}">{text}</option>' for value, text in options.items())
    return f'<label>{label} <select name="{name}">{listed}</select></label> '


def _form(action: str, button: str, fields: str, *, method: str = "post") -> str:
    return f'<form method="{method}" action="{action}">{fields}<button>{button}</button></form>'
