"""What customers are shown, in English and French. French sets a no-break space before ; : ! ? and within « »."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from cxkit.model import Notice
from cxkit.rules.language import lookup

__all__ = ["LANGUAGES", "TEXTS", "notice_of", "spoken"]

_EN: Final[Mapping[str, str]] = {
    "title": "Your choices",
    "ask": "May we use what you do here?",
    "ask.why": "Beyond what this site needs to work, we would like to use it for:",
    "ask.later": "You can say no, and change your mind at any time under “Your choices”.",
    "accept": "Accept all",
    "refuse": "Refuse all",
    "choose": "Choose",
    "save": "Save my choices",
    "details": "What this means",
    "lead": "Tick what you allow. You can change it here at any time.",
    "always": "always on",
    "state.granted": "allowed",
    "state.denied": "refused",
    "state.unchosen": "not chosen yet",
    "state.default": "allowed unless you object",
    "state.gpc": "refused by your browser",
    "gpc": "Your browser sends an objection (Global Privacy Control). It is obeyed: your data is not sold or shared, "
    "and not used for advertising. “Accept all” changes nothing about that; ticking a purpose and saving does.",
    "sell": "Your data may be used for advertising, and sold or shared, unless you object.",
    "sell.not": "Your data is not sold or shared, and not used for advertising.",
    "object": "Do not sell or share my data",
    "saved": "Your choices are saved.",
    "back": "Back",
    "wrong": "This did not work.",
    "preferences": "What you receive",
    "preferences.lead": "Tick what you want to receive, and where. Leaving one changes nothing else.",
    "preferences.none": "There is nothing to choose here.",
    "preferences.nobody": "We do not recognise you in this browser, so we cannot show what you receive. Allow us to "
    "recognise you, sign in, then come back to this page.",
    "preferences.later": "What you chose cannot be shown at this moment. Try again a little later.",
    "preferences.stopped": "You have stopped all marketing. What you tick from now on is sent to you again.",
    "stop": "Stop all marketing",
    "lift": "Allow again what I chose before",
    "necessary": "Necessary",
    "necessary.means": "What you asked for, and what the law demands.",
    "functional": "Comfort",
    "functional.means": "Remembering settings that make this site pleasant to use.",
    "analytics": "Statistics",
    "analytics.means": "Understanding how this site is used, to make it better.",
    "personalization": "Personalisation",
    "personalization.means": "Showing you what fits you, by what you told us and did here.",
    "profiling": "Profiling",
    "profiling.means": "Learning your interests from what you do, to guess what you may like.",
    "advertising": "Advertising",
    "advertising.means": "Showing you advertising that fits you, here and elsewhere.",
    "sale_share": "Sale and sharing",
    "sale_share.means": "Selling your data to other companies, or sharing it with them.",
    "identity_stitching": "One history",
    "identity_stitching.means": "Joining what you did before you signed in to your account.",
    "precise_location": "Where exactly you are",
    "precise_location.means": "Finding the store that is nearest to you. Your position itself is not kept.",
    "message_open": "Opened messages",
    "message_open.means": "Knowing whether you opened what we sent you.",
    "channel.web": "Site",
    "channel.mobile": "App",
    "channel.email": "E-mail",
    "channel.sms": "SMS",
    "channel.push": "Notification",
    "channel.phone": "Phone",
    "channel.chat": "Chat",
    "channel.social": "Social network",
    "channel.store": "Store",
    "channel.device": "Device",
    "channel.mail": "Post",
    "CX3170": "This choice did not come from a page of this site, so it does not count. Make it on this page.",
    "CX3171": "What was sent could not be read. Make your choice on this page.",
    "CX3172": "Something was chosen that nobody asks about here. Make your choice on this page.",
    "CX3173": "What is necessary cannot be refused.",
    "CX3174": "The question has changed since you were asked. Read it once more, then choose.",
    "CX3175": "We do not recognise you in this browser. Allow it, sign in, then come back to this page.",
    "CX3176": "Something was chosen that is not offered here. Make your choice on this page.",
    "CX3177": "Your choice could not be taken at this moment. Try again a little later.",
    "CX3178": "To receive this, first confirm that the address is yours: sign in, then come back to this page.",
    "CX3179": "Too many choices came from your network just now. Try again in a minute. What you refused is refused.",
    "CX3180": "This looks like a program, not a person, so it does not count. Make your choice in your browser.",
}

_FR: Final[Mapping[str, str]] = {
    "title": "Vos choix",
    "ask": "Pouvons-nous utiliser ce que vous faites ici\u00a0?",
    "ask.why": "Au-delà de ce qui fait fonctionner ce site, nous aimerions nous en servir pour\u00a0:",
    "ask.later": "Vous pouvez dire non, et changer d'avis à tout moment sous «\u00a0Vos choix\u00a0».",
    "accept": "Tout accepter",
    "refuse": "Tout refuser",
    "choose": "Choisir",
    "save": "Enregistrer mes choix",
    "details": "Ce que cela veut dire",
    "lead": "Cochez ce que vous acceptez. Vous pouvez le modifier ici à tout moment.",
    "always": "toujours actif",
    "state.granted": "accepté",
    "state.denied": "refusé",
    "state.unchosen": "pas encore choisi",
    "state.default": "permis, sauf opposition de votre part",
    "state.gpc": "refusé par votre navigateur",
    "gpc": "Votre navigateur exprime une opposition (Global Privacy Control). Elle est respectée\u00a0: vos données ne "
    "sont ni vendues ni partagées, et ne servent pas à la publicité. «\u00a0Tout accepter\u00a0» n'y change "
    "rien\u00a0; cocher une finalité et enregistrer, si.",
    "sell": "Vos données peuvent servir à la publicité, et être vendues ou partagées, sauf opposition de votre part.",
    "sell.not": "Vos données ne sont ni vendues ni partagées, et ne servent pas à la publicité.",
    "object": "Ne pas vendre ni partager mes données",
    "saved": "Vos choix sont enregistrés.",
    "back": "Retour",
    "wrong": "Cela n'a pas fonctionné.",
    "preferences": "Ce que vous recevez",
    "preferences.lead": "Cochez ce que vous voulez recevoir, et où. En quitter un ne change rien aux autres.",
    "preferences.none": "Il n'y a rien à choisir ici.",
    "preferences.nobody": "Nous ne vous reconnaissons pas dans ce navigateur, et ne pouvons donc pas montrer ce que "
    "vous recevez. Permettez-le, connectez-vous, puis revenez sur cette page.",
    "preferences.later": "Vos choix ne peuvent pas être affichés pour l'instant. Réessayez un peu plus tard.",
    "preferences.stopped": "Vous avez arrêté toute prospection. Ce que vous cochez désormais vous sera de nouveau "
    "envoyé.",
    "stop": "Arrêter toute prospection",
    "lift": "Permettre à nouveau ce que j'avais choisi",
    "necessary": "Nécessaire",
    "necessary.means": "Ce que vous avez demandé, et ce que la loi exige.",
    "functional": "Confort",
    "functional.means": "Retenir les réglages qui rendent ce site agréable.",
    "analytics": "Statistiques",
    "analytics.means": "Comprendre comment ce site est utilisé, pour l'améliorer.",
    "personalization": "Personnalisation",
    "personalization.means": "Vous montrer ce qui vous convient, d'après ce que vous nous avez dit et fait ici.",
    "profiling": "Profilage",
    "profiling.means": "Déduire vos intérêts de ce que vous faites, pour deviner ce qui peut vous plaire.",
    "advertising": "Publicité",
    "advertising.means": "Vous montrer une publicité qui vous convient, ici et ailleurs.",
    "sale_share": "Vente et partage",
    "sale_share.means": "Vendre vos données à d'autres entreprises, ou les partager avec elles.",
    "identity_stitching": "Un seul historique",
    "identity_stitching.means": "Joindre à votre compte ce que vous avez fait avant de vous connecter.",
    "precise_location": "Votre position exacte",
    "precise_location.means": "Trouver le magasin le plus proche. Votre position elle-même n'est pas conservée.",
    "message_open": "Messages ouverts",
    "message_open.means": "Savoir si vous avez ouvert ce que nous vous avons envoyé.",
    "channel.web": "Site",
    "channel.mobile": "Application",
    "channel.email": "E-mail",
    "channel.sms": "SMS",
    "channel.push": "Notification",
    "channel.phone": "Téléphone",
    "channel.chat": "Messagerie",
    "channel.social": "Réseau social",
    "channel.store": "Magasin",
    "channel.device": "Appareil",
    "channel.mail": "Courrier",
    "CX3170": "Ce choix ne vient pas d'une page de ce site et ne compte donc pas. Faites-le sur cette page.",
    "CX3171": "Ce qui a été envoyé n'a pas pu être lu. Faites votre choix sur cette page.",
    "CX3172": "Un choix porte sur ce que personne ne demande ici. Faites votre choix sur cette page.",
    "CX3173": "Ce qui est nécessaire ne peut pas être refusé.",
    "CX3174": "La question a changé depuis qu'elle vous a été posée. Relisez-la, puis choisissez.",
    "CX3175": "Nous ne vous reconnaissons pas dans ce navigateur. Permettez-le, connectez-vous, puis revenez ici.",
    "CX3176": "Un choix porte sur ce qui n'est pas proposé ici. Faites votre choix sur cette page.",
    "CX3177": "Votre choix n'a pas pu être pris en compte pour l'instant. Réessayez un peu plus tard.",
    "CX3178": "Pour le recevoir, confirmez d'abord que l'adresse est la vôtre\u00a0: connectez-vous, puis revenez sur "
    "cette page.",
    "CX3179": "Trop de choix viennent d'arriver de votre réseau. Réessayez dans une minute. Ce que vous avez refusé "
    "l'est.",
    "CX3180": "Cela semble venir d'un programme et non d'une personne, et ne compte donc pas. Faites votre choix dans "
    "votre navigateur.",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": _EN, "fr": _FR}
"""Language to what is said in it. A purpose's own name is its text; ``.means`` follows what it is for."""
LANGUAGES: Final = tuple(TEXTS)
"""The first is what is spoken to those who want none of the others."""

_MOST_CHARS: Final = 1_000


def spoken(tag: str | None) -> str | None:
    """The language of a tag (BCP 47), if it is one of ours.

    Example:
        >>> spoken("fr-CA"), spoken("nl"), spoken(None)
        ('fr', None, None)
    """
    return lookup([tag[:_MOST_CHARS].replace("_", "-")], LANGUAGES) if tag else None


@lru_cache(maxsize=256)
def notice_of(id: str, keys: Iterable[str], language: str) -> Notice:
    """What names exactly these texts: its version is another one as soon as a letter of them is.

    Args:
        id: Where they are shown.
        keys: Which of `TEXTS`, as a tuple.

    Example:
        >>> notice_of("banner", ("ask", "analytics"), "fr")
        Notice(id='banner', version='44eb98905acb50a4', language='fr')
    """
    texts = msgspec.json.encode([TEXTS[language][key] for key in keys])
    return Notice(id=id, version=hashlib.sha256(texts).hexdigest()[:16], language=language)
