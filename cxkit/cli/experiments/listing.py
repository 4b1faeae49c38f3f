"""``cxkit experiments list``: which experiments and holdouts there are, how they divide, and which run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from cxkit.cli.experiments.declared import Declared, all_of, module_option
from cxkit.cli.language import say
from cxkit.cli.local.known import keyed
from cxkit.cli.local.seen import clock
from cxkit.cli.privacy.subject import opened
from cxkit.cli.terminal import json_option, print_json, print_table
from cxkit.kit import operators
from cxkit.model import Experiment
from cxkit.rules.experience import Ruling
from cxkit.settings import load

__all__ = ["because", "list_"]

_UNSAID: Final = "-"


@click.command("list")
@module_option
@json_option
def list_(*, module: str | None, as_json: bool) -> None:
    """Which experiments and holdouts there are, which run, and who said so.

    What an operator said of an experiment goes before what is declared; it is looked up in the store.
    """
    known = all_of(module)
    said = _said() if known else {}
    rows = [(one, _of_this_version(one, said.get(name))) for name, one in known.items()]
    if as_json:
        print_json([_as_json(one, ruling) for one, ruling in rows])
    elif rows:
        heads = say("experiment"), say("of"), say("unit"), say("split"), say("state"), say("because")
        print_table(heads, [_cells(one, ruling) for one, ruling in rows])
    else:
        where = say("of a module of your app --module tells, too: the one your app starts with")
        click.echo(say("{what}; {more}", what=say("no experiment is configured"), more=where), err=True)


def _said() -> Mapping[str, Ruling]:
    settings = load()
    if not keyed(settings) or settings.store.type == "memory":  # nobody can have said anything here
        return {}
    with opened() as kit:
        return operators.rulings(kit)


def _of_this_version(one: Declared, ruling: Ruling | None) -> Ruling | None:
    return ruling if ruling is not None and one.design(goals=()).version == ruling.version else None


def _state(one: Declared, ruling: Ruling | None) -> str:
    """``running``, ``stopped``, ``concluded`` or ``holdout``, by what was declared and said."""
    if not isinstance(one.what, Experiment):
        return "holdout"
    if ruling is not None and ruling.winner in one.what.variations:
        return "concluded"
    return "running" if (one.what.active if ruling is None else ruling.running) else "stopped"


def _as_json(one: Declared, ruling: Ruling | None) -> dict[str, object]:
    told = None if ruling is None else {name: getattr(ruling, name) for name in ("at", "actor", "reason", "winner")}
    return {
        "name": one.what.name,
        "experiences": one.experiences,
        "version": one.design(goals=()).version,
        "unit": one.what.unit,
        "split": _split(one),
        "state": _state(one, ruling),
        "ruling": told,
    }


def _split(one: Declared) -> dict[str, float]:
    """Which part of all units each variation is for."""
    shares = one.design(goals=()).shares
    if not isinstance(one.what, Experiment):
        return dict.fromkeys(shares, one.what.share)
    part = 1.0 if one.what.ranges else one.what.coverage / sum(shares.values())
    return {name: share * part for name, share in shares.items()}


def _cells(one: Declared, ruling: Ruling | None) -> list[object]:
    split = ", ".join(f"{name} {100 * share:.0f} %" for name, share in _split(one).items())
    return [one.what.name, ", ".join(one.experiences), one.what.unit, split, _word(one, ruling), _told_by(one, ruling)]


def _word(one: Declared, ruling: Ruling | None) -> str:
    state = _state(one, ruling)
    if state == "concluded" and ruling is not None:
        return say("concluded: {winner}", winner=ruling.winner)
    return {"running": say("running"), "stopped": say("stopped")}.get(state, say("holdout"))


def _told_by(one: Declared, ruling: Ruling | None) -> str:
    if ruling is None or not isinstance(one.what, Experiment):
        return say("declared so")
    return because(ruling)


def because(ruling: Ruling) -> str:
    """Who said so, when and why."""
    who, why = ruling.actor or _UNSAID, ruling.reason or _UNSAID
    return say("{actor}, {time}: {reason}", actor=who, time=clock(ruling.at), reason=why)
