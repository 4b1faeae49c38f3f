"""What recipients are shown, in English and French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TEXTS"]

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "leave": "Unsubscribe",
        "leave.means": "You will get no more of these e-mails. Whatever else you receive stays as it is.",
        "left": "You are unsubscribed",
        "left.means": "You will get no more of these e-mails. Whatever else you receive stays as it is.",
        "gone": "You are not unsubscribed",
        "gone.means": "We do not know this e-mail any more: it is too old, or what we knew of you was erased. Use the "
        "link of a newer one.",
    },
    "fr": {
        "leave": "Se désabonner",
        "leave.means": "Vous ne recevrez plus ces e-mails. Tout ce que vous recevez d'autre reste inchangé.",
        "left": "Vous êtes désabonné",
        "left.means": "Vous ne recevrez plus ces e-mails. Tout ce que vous recevez d'autre reste inchangé.",
        "gone": "Vous n'êtes pas désabonné",
        "gone.means": "Nous ne connaissons plus cet e-mail : il est trop ancien, ou ce que nous savions de vous a été "
        "effacé. Utilisez le lien d'un plus récent.",
    },
}
"""Language to text, by name."""
