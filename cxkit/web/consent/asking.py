"""What a visitor is asked, what they have chosen of it, and whether it is time to ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from cxkit.capture.scope import Scope
from cxkit.kit import Kit
from cxkit.model import PURPOSES, Choice, Notice
from cxkit.rules.consent import OBJECTED_BY_GPC, Policy, later, unexpired
from cxkit.web.consent.texts import notice_of

__all__ = ["SELLING", "Asking", "asking", "notices", "shown_in_banner", "shown_in_sale", "shown_on_page"]

SELLING: Final = tuple(purpose for purpose in PURPOSES if purpose in OBJECTED_BY_GPC)
"""What "do not sell or share" is about."""


@attrs.frozen(kw_only=True)
class Asking:
    """What one visitor is asked. Made by `asking`."""

    purposes: tuple[str, ...]
    """All that they may decide."""
    due: tuple[str, ...]
    """Those that the banner asks about now; empty: it does not."""
    choices: Mapping[str, Choice]
    """What they chose, as far as it holds."""
    allowed: frozenset[str]
    """What holds, whoever decided it."""
    objected: frozenset[str]
    """What the browser's signal refuses, and no choice does."""
    policy: Policy
    gpc: bool

    @property
    def obeyed(self) -> bool:
        """Whether it is the browser's signal that keeps their data from being sold or shared."""
        return bool(self.objected) and self.allowed.isdisjoint(SELLING)

    @property
    def sells(self) -> bool:
        """Whether they have to object, as they were not asked."""
        return self.policy.mechanism != "opt_in"


def asking(kit: Kit, scope: Scope) -> Asking:
    """What the visitor of a scope is asked, by what was known of them when they came and what they chose since."""
    now, policy = kit.desk.intake.stamper.now(), scope.policy
    made = unexpired(later(scope.choices, scope.recalled), policy=policy, now=now)
    allowed = scope.allowed.granted
    denied = {purpose for purpose, (choice, _) in made.items() if choice == "denied"}
    objected = (OBJECTED_BY_GPC - allowed - denied) if scope.gpc else frozenset()

    def is_due(purpose: str) -> bool:
        if purpose in objected or purpose in policy.granted or purpose == "necessary":
            return False
        return purpose not in made or (purpose in denied and policy.ask_again_at(made[purpose][1]) <= now)

    asked = kit.settings.web.asked
    sold = SELLING if policy.mechanism != "opt_in" else ()
    chosen = (purpose for purpose in PURPOSES if purpose in made and purpose not in denied)
    unasked = scope.pending or policy.mechanism != "opt_in"
    return Asking(
        purposes=tuple(dict.fromkeys((*asked, *sold, *chosen))),
        due=() if unasked else tuple(filter(is_due, dict.fromkeys(asked))),
        choices={purpose: choice for purpose, (choice, _) in made.items()},
        allowed=allowed,
        objected=frozenset(objected),
        policy=policy,
        gpc=scope.gpc,
    )


# --- the texts that a choice is about: what is shown is what the record names -----------------------


def shown_in_banner(asked: Iterable[str], language: str) -> Notice:
    """The text of the banner that asks about these purposes."""
    keys = ("ask", "ask.why", "ask.later", "details", "accept", "refuse", "choose", *_of(asked))
    return notice_of("cxkit-banner", keys, language)


def shown_in_sale(language: str) -> Notice:
    """The text of the banner where nobody has to be asked."""
    return notice_of("cxkit-sale", ("sell", "object"), language)


def shown_on_page(asked: Iterable[str], language: str, *, gpc: bool) -> Notice:
    """The text of the page."""
    keys = ("title", "lead", "accept", "refuse", "save", *_of(asked), *(("gpc",) if gpc else ()))
    return notice_of("cxkit-page", keys, language)


def notices(asked: Iterable[str], language: str) -> dict[str, Notice]:
    """All texts in a language that ask about these purposes, by version."""
    purposes = tuple(asked)
    found = [
        shown_in_banner(purposes, language),
        *(shown_on_page(purposes, language, gpc=gpc) for gpc in (True, False)),
    ]
    if purposes == SELLING:
        found.append(shown_in_sale(language))
    return {str(one.version): one for one in found}


def _of(purposes: Iterable[str]) -> list[str]:
    return [key for purpose in purposes for key in (purpose, f"{purpose}.means")]
