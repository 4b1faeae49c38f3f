"""What an app uses: handles declared once, and functions for the scope it is in.

Nothing here raises into the app in production, or blocks it. Kits are found when something is
captured: the scope's, else the default one. ``touchpoints`` and ``experiences`` hold the handles,
``scopes`` open scopes, ``customer`` is whom the current one is about, ``preferences`` what
may be sent to them, ``questions`` what they answer, ``privacy`` lets them leave, ``controls`` acts on the kit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from cxkit.api.controls import close, configure, flush, settled, stats
from cxkit.api.customer import (
    Current,
    Notice,
    choose,
    current,
    declare,
    grant,
    identify,
    link,
    logout,
    signal,
    trait,
    withdraw,
)
from cxkit.api.experiences import Experience, experience
from cxkit.api.journeys import Journey, journey
from cxkit.api.languages import choose_language, language
from cxkit.api.preferences import Blocked, Clear, Deferred, may_send, prefer, sent, stop_marketing, suppress
from cxkit.api.privacy import disclose, erase
from cxkit.api.questions import answer, skip
from cxkit.api.scopes import carry, pack, scope, unpack
from cxkit.api.touchpoints import Occurrence, Ongoing, Touchpoint, money, touchpoint
from cxkit.errors import CXError
from cxkit.model import (
    Assignment,
    Decision,
    Experiment,
    Feedback,
    Holdout,
    Interaction,
    Money,
    Namespace,
    Prerequisite,
    Progress,
    Question,
    Variant,
)

if TYPE_CHECKING:
    from cxkit.delivery.account import Account
    from cxkit.delivery.engine import Flushed
    from cxkit.flows.disclose import Disclosure
    from cxkit.kit import Kit
    from cxkit.kit.privacy import Erasure

__all__ = [
    "Account",
    "Assignment",
    "Blocked",
    "CXError",
    "Clear",
    "Current",
    "Decision",
    "Deferred",
    "Disclosure",
    "Erasure",
    "Experience",
    "Experiment",
    "Feedback",
    "Flushed",
    "Holdout",
    "Interaction",
    "Journey",
    "Kit",
    "Money",
    "Namespace",
    "Notice",
    "Occurrence",
    "Ongoing",
    "Prerequisite",
    "Progress",
    "Question",
    "Touchpoint",
    "Variant",
    "answer",
    "carry",
    "choose",
    "choose_language",
    "close",
    "configure",
    "current",
    "declare",
    "disclose",
    "erase",
    "experience",
    "flush",
    "grant",
    "identify",
    "journey",
    "language",
    "link",
    "logout",
    "may_send",
    "money",
    "pack",
    "prefer",
    "scope",
    "sent",
    "settled",
    "signal",
    "skip",
    "stats",
    "stop_marketing",
    "suppress",
    "touchpoint",
    "trait",
    "unpack",
    "withdraw",
]

_LATER: Final = {
    "Account": "cxkit.delivery.account",
    "Disclosure": "cxkit.flows.disclose",
    "Erasure": "cxkit.kit.privacy",
    "Flushed": "cxkit.delivery.engine",
    "Kit": "cxkit.kit",
}
"""What a program that only declares touchpoints does without: importing it takes as long as all the rest."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
