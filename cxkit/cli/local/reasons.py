"""Why a variant was chosen or not: what was looked at, and how it is said in the operator's language."""

from __future__ import annotations

import re
from typing import Final

from cxkit.cli.language import pair, say

__all__ = ["cap_word", "field_of", "reason_word", "tried_in"]

_OVER: Final = re.compile(r"depth (\d+) is over the cap of (\d+) \((\w+)\)")
_ABOUT: Final = re.compile(
    r'(?:(?P<differs>\S+) differs|(?P<late>\S+) comes too late|no (?P<none>\w+)|held out by "(?P<held>[^"]+)"'
    r'|prerequisite "(?P<after>[^"]+)" is not fulfilled)'
)


def cap_word(by: str) -> str:
    """What set a cap."""
    return {
        "consent": say("consent"),
        "identity": say("identity"),
        "pending": say("pending"),
        "policy": say("policy"),
        "late": say("too late"),
        "actor": say("no person"),
    }.get(by, by)


def reason_word(text: str) -> str:
    """A reason of ours translated; a stranger's as it is."""
    tried, _, why = text.rpartition(": ")
    return pair(tried, _why(why)) if tried else text


def tried_in(text: str) -> str:
    """The variant or experiment that a reason is about."""
    return text.rpartition(": ")[0]


def field_of(text: str) -> str | None:
    """The attribute for which that was not given; None: it was for something else."""
    about = _ABOUT.fullmatch(text.rpartition(": ")[2])
    return about and (about["differs"] or about["late"])


def _why(why: str) -> str:
    if over := _OVER.fullmatch(why):
        return say("depth {depth} is over the cap of {cap} ({by})", depth=over[1], cap=over[2], by=cap_word(over[3]))
    about = _ABOUT.fullmatch(why)
    if about is None:
        return _plain(why)
    value = about[about.lastgroup or 0]
    return {
        "differs": lambda: say("{field} differs", field=value),
        "late": lambda: say("{field} comes too late", field=value),
        "none": lambda: say("no {type} is known", type=value),
        "held": lambda: say("held out by {name}", name=value),
        "after": lambda: say("prerequisite {name} is not fulfilled", name=value),
    }[about.lastgroup or ""]()


def _plain(why: str) -> str:
    return {
        "chosen": say("chosen"),
        "fallback": say("fallback"),
        "divided": say("given by the experiment"),
        "kept": say("given by the experiment, as before"),
        "analytics is not allowed": say("analytics is not allowed"),
        "rolled out": say("rolled out"),
        "forced for all": say("forced for everybody"),
        "asked for": say("asked for"),
        "does not run": say("the experiment does not run"),
        "pending": say("what is known of them had not arrived"),
        "outside its namespace": say("outside its namespace"),
        "outside its coverage": say("outside its coverage"),
        "took part in a version that is over": say("took part in a version that is over"),
        "the decision failed": say("the decision failed"),
        "there is no such experience": say("there is no such experience"),
    }.get(why, why)
