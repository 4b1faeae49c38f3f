"""Candy Haven's pages as HTML, in English and French. Nothing here knows cxkit.

They work with a keyboard and a screen reader, without JavaScript, and ask nothing of other servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from examples.candy_haven import parts
from examples.candy_haven.customers import Customer, Order
from examples.candy_haven.parts import Question, View
from examples.candy_haven.stock import BOX_PRICE, SWEETS, Post, Sweet, total_of

TOPICS = {
    "delivery": ("My delivery", "Ma livraison"),
    "discounts": ("Discounts", "Les remises"),
    "ingredients": ("What is in it", "Ce qu'il y a dedans"),
    "other": ("Something else", "Autre chose"),
}
"""What one can ask about, in both languages."""

_PURPOSES = {
    "analytics": ("Counting visits", "Compter les visites"),
    "personalization": ("Showing you what fits", "Vous montrer ce qui vous convient"),
    "identity_stitching": ("Recognising you", "Vous reconnaître"),
    "advertising": ("Advertising", "La publicité"),
    "message_open": ("Knowing whether you opened our letters", "Savoir si vous avez ouvert nos lettres"),
}
"""What one may allow, in both languages."""

_WRONG = {
    400: ("We did not understand that", "Nous n'avons pas compris"),
    404: ("There is nothing here", "Il n'y a rien ici"),
    405: ("That is not possible here", "Cela ne se fait pas ici"),
    413: ("That is too much", "C'est trop"),
}

# --- what there is --------------------------------------------------------------------------------


def home(view: View, welcome: str, these: Iterable[Sweet], *, wide: bool, asks: Iterable[Question]) -> str:
    return parts.page(view, welcome, parts.listed(view, these, wide=wide) + parts.questions(view, asks, back="/"))


def sweets(view: View) -> str:
    return parts.page(view, view.say("Our sweets", "Nos douceurs"), parts.listed(view, SWEETS.values()))


def found(view: View, words: str, these: Sequence[Sweet]) -> str:
    title = view.say(f"{len(these)} found for “{words}”", f"{len(these)} pour « {words} »")
    return parts.page(view, title, parts.comparable(view, these) if these else "")


def no_words(view: View) -> str:
    question = view.say("For what, in a few words?", "En quelques mots ?")
    return parts.page(view, view.say("Search", "Recherche"), parts.alert(question))


def compared(view: View, these: Sequence[Sweet]) -> str:
    yes, no = view.say("yes", "oui"), view.say("no", "non")
    rows = {
        view.say("Price", "Prix"): [view.price(one.price) for one in these],
        view.say("Weight", "Poids"): [f"{one.grams} g" for one in these],
        view.say("Price for 100 g", "Prix pour 100 g"): [view.price(one.per_100_g) for one in these],
        view.say("Contains nuts", "Contient des fruits à coque"): [yes if one.nuts else no for one in these],
    }
    head = "".join(
        f'<th scope="col">{parts.link(f"/sweets/{one.sku}", one.names[view.language])}</th>' for one in these
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
    )
    title = view.say("Side by side", "Côte à côte")
    return parts.page(view, title, f"<table><caption>{title}</caption><tr><td></td>{head}</tr>{body}</table>")


def sweet(
    view: View, one: Sweet, delivery: str, others: Iterable[Sweet], *, invited: bool, asks: Iterable[Question]
) -> str:
    add = parts.form("/cart", view.say("Add to the cart", "Ajouter au panier"), parts.hidden("sku", one.sku))
    tell = parts.link(f"/share/{one.sku}", view.say("Tell somebody", "En parler à quelqu'un"))
    hello = view.say("Somebody of your family likes these.", "Quelqu'un de votre famille les aime.")
    body = f"<p>{hello}</p>" if invited else ""
    body += f"<p>{one.about[view.language]}</p><p>{view.price(one.price)}. {delivery}.</p>{add}{tell}"
    body += f"<h2>{view.say('You may also like', 'Vous aimerez aussi')}</h2>{parts.listed(view, others)}"
    body += parts.questions(view, asks, back=f"/sweets/{one.sku}")
    return parts.page(view, one.names[view.language], body)


# --- buying ---------------------------------------------------------------------------------------


def cart(view: View) -> str:
    body = f"{parts.items(view, view.cart)}<p>{view.price(total_of(view.cart))}</p>"
    body += parts.link("/checkout", view.say("Pay", "Payer")) if view.cart else ""
    return parts.page(view, view.say("Your cart", "Votre panier"), body)


def checkout(
    view: View, button: str, told: str, asks: Iterable[Question], *, note: bool, wrong: tuple[str, str] | None = None
) -> str:
    """The form as it is for them.

    Args:
        told: What they should know before they pay.
        note: Whether there is room for a word to the courier.
    """
    fields = parts.field("card", view.say("Card number", "Numéro de carte"))
    fields += (
        parts.field("note", view.say("A word to the courier", "Un mot au livreur"), required=False) if note else ""
    )
    fields += "".join(parts.asked(view, one) for one in asks)
    body = (parts.alert(view.say(*wrong)) if wrong else "") + (f"<p>{told}</p>" if told else "")
    return parts.page(view, view.say("Checkout", "Paiement"), body + parts.form("/checkout", button, fields))


def box(view: View, *, wrong: bool = False) -> str:
    title = view.say("A box each month", "Un coffret par mois")
    form = parts.form(
        "/box", view.say("Subscribe", "S'abonner"), parts.field("card", view.say("Card number", "Numéro de carte"))
    )
    sorry = parts.alert(view.say("That card was not taken.", "Cette carte n'a pas été acceptée."))
    return parts.page(view, title, (sorry if wrong else f"<p>{view.price(BOX_PRICE)}</p>") + form)


def thanks(view: View, number: str) -> str:
    return parts.page(
        view, view.say("Thank you", "Merci"), f"<p>{view.say('Your order:', 'Votre commande :')} {number}</p>"
    )


# --- customers ------------------------------------------------------------------------------------


def login(view: View, *, refused: bool = False) -> str:
    fields = parts.field("name", view.say("Name", "Nom"))
    fields += parts.field("password", view.say("Password", "Mot de passe"), kind="password")
    hint = view.say("Try nancy, whose password is amande.", "Essayez nancy, mot de passe amande.")
    sorry = view.say("That is not right.", "Ce n'est pas cela.")
    body = (parts.alert(sorry) if refused else f"<p>{hint}</p>") + parts.form(
        "/login", view.say("Sign in", "Entrer"), fields
    )
    return parts.page(view, view.say("Sign in", "Connexion"), body)


def account(view: View, customer: Customer, allowed: Iterable[str], *, feed: str) -> str:
    orders = "".join(_order(view, one) for one in reversed(customer.orders))
    none = f"<p>{view.say('No orders yet.', 'Pas encore de commande.')}</p>"
    leave = parts.form("/logout", view.say("Sign out", "Se déconnecter"), "")
    title = view.say(f"Orders of {customer.name}", f"Commandes de {customer.name}")
    mine = parts.link(feed, view.say("The blog as a feed of my own", "Le blog, en flux à moi"))
    renew = parts.form("/account/feed", view.say("Another address for it", "Changer son adresse"), "")
    sections = (orders or none, _box(view, customer), _letters(view), mine, renew, _allowed(view, allowed), leave)
    return parts.page(view, title, "".join(sections))


def _box(view: View, customer: Customer) -> str:
    order = parts.link("/box", view.say("A box each month", "Un coffret par mois"))
    return "".join(f"<p>{one}</p>" for one in customer.boxes) or f"<p>{order}</p>"


def _letters(view: View) -> str:
    wanted = parts.hidden("wanted", "y")
    choices = (
        ("newsletter", view.say("Send me the newsletter", "M'envoyer la lettre"), wanted),
        ("newsletter", view.say("No newsletter", "Sans lettre"), ""),
        ("birthday", view.say("Write to me on my birthday", "M'écrire pour mon anniversaire"), wanted),
        ("birthday", view.say("No letter on my birthday", "Sans lettre d'anniversaire"), ""),
    )
    return "".join(parts.form(f"/account/{topic}", said, chosen) for topic, said, chosen in choices)


def _allowed(view: View, purposes: Iterable[str]) -> str:
    """What they allow, each with what takes it back."""
    forms = "".join(
        f"<li>{view.say(*_PURPOSES[one])}"
        f"{parts.form('/consent/withdraw', view.say('Withdraw', 'Retirer'), parts.hidden('purpose', one))}</li>"
        for one in purposes
        if one in _PURPOSES
    )
    return f"<ul>{forms}</ul>" if forms else ""


def _order(view: View, order: Order) -> str:
    question = view.say("Did you like it? 1: not at all, 5: a lot.", "Avez-vous aimé ? 1 : pas du tout, 5 : beaucoup.")
    scores = "".join(
        f'<label><input type="radio" name="score" value="{score}" required>{score}</label> ' for score in range(1, 6)
    )
    number = parts.hidden("order", order.number)
    again = parts.form("/account/again", view.say("Order it again", "Commander à nouveau"), number)
    rating = f"<fieldset><legend>{question}</legend>{scores}</fieldset>"
    return (
        f"<section><h2>{order.number}</h2>{parts.items(view, order.cart)}<p>{view.price(order.total)}</p>{again}"
        f"{parts.form('/account/rating', view.say('Tell us', 'Nous le dire'), number + rating)}</section>"
    )


def support(view: View, told: str, topics: Iterable[str]) -> str:
    title = view.say("How can we help?", "Comment pouvons-nous vous aider ?")
    field = parts.choice("topic", view.say("Topic", "Sujet"), {topic: view.say(*TOPICS[topic]) for topic in topics})
    return parts.page(view, title, f"<p>{told}</p>" + parts.form("/support", view.say("Ask", "Demander"), field))


def answered(view: View, told: str, case: str, asks: Iterable[Question]) -> str:
    title = view.say("How can we help?", "Comment pouvons-nous vous aider ?")
    return parts.page(view, title, f"<p>{told} ({case})</p>" + parts.questions(view, asks, back="/support"))


# --- the blog, and telling others -----------------------------------------------------------------


def blog(view: View, posts: Iterable[Post], *, full: bool, asks: Iterable[Question]) -> str:
    items = "".join(
        f"<li>{parts.link(f'/blog/{one.slug}', one.names[view.language])}<br>{one.told(view.language, full=full)}</li>"
        for one in posts
    )
    return parts.page(view, "Blog", f"<ul>{items}</ul>{parts.questions(view, asks, back='/blog')}")


def post(view: View, one: Post) -> str:
    share = parts.link(f"/share/{one.slug}", view.say("Share it", "Partager"))
    return parts.page(view, one.names[view.language], f"<p>{one.about[view.language]}</p>{share}")


def share(view: View, one: Sweet | Post, action: str) -> str:
    title = view.say(f"Tell others of “{one.names['en']}”", f"Faire connaître « {one.names['fr']} »")
    return parts.page(view, title, parts.form(action, view.say("Give me a link", "Obtenir un lien"), ""))


def shared(view: View, link: str) -> str:
    text = view.say("Pass this link on", "Transmettez ce lien")
    return parts.page(view, view.say("Thank you", "Merci"), f"<p>{parts.link(link, text)}</p>")


def wrong(view: View, status: int) -> str:
    """What to say to a request that is answered with this status."""
    return parts.page(view, view.say(*_WRONG.get(status, _WRONG[400])), "")
