"""cxkit instruments customer experience: recognised, governed, captured, personalised, shared.

The public names are here. The rooms behind them, from the top: ``cli`` the command line;
``testing`` for your tests and plugins; ``web`` HTTP without a framework; ``api`` these names;
``kit`` wires everything; ``flows`` the verbs; ``registry`` plugins; ``delivery`` spool and lanes;
``capture`` scope, gate and queue; ``exporters`` and ``stores``; ``rules`` the domain; ``hookspecs``
and ``roles`` what plugins fill; ``settings``, ``transport``, ``keyring``; ``codec`` canonical bytes;
``model`` the nouns; ``errors``. Importing cxkit starts nothing; its names are
imported when the first of them is used, so that one room can be had without the others.
"""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from cxkit.api import (
        Account,
        Assignment,
        Blocked,
        Clear,
        Current,
        CXError,
        Decision,
        Deferred,
        Disclosure,
        Erasure,
        Experience,
        Experiment,
        Feedback,
        Flushed,
        Holdout,
        Interaction,
        Journey,
        Kit,
        Money,
        Namespace,
        Notice,
        Prerequisite,
        Progress,
        Question,
        Touchpoint,
        Variant,
        answer,
        carry,
        choose,
        choose_language,
        close,
        configure,
        current,
        declare,
        disclose,
        erase,
        experience,
        flush,
        grant,
        identify,
        journey,
        language,
        link,
        logout,
        may_send,
        money,
        pack,
        prefer,
        scope,
        sent,
        settled,
        signal,
        skip,
        stats,
        stop_marketing,
        suppress,
        touchpoint,
        trait,
        unpack,
        withdraw,
    )

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

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import cxkit.api

    found = globals()[name] = getattr(cxkit.api, name)
    return found
