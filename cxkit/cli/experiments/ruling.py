"""``cxkit experiments start``, ``stop`` and ``conclude``: what an operator says of an experiment, for every process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cxkit.cli.experiments.declared import find_experiment, module_option
from cxkit.cli.experiments.listing import because
from cxkit.cli.identity.asking import as_json as done_as_json
from cxkit.cli.identity.asking import said_by, tell
from cxkit.cli.language import nearest, say
from cxkit.cli.privacy.subject import opened
from cxkit.cli.terminal import json_option, print_json
from cxkit.kit import operators
from cxkit.rules.experience import Ruling

__all__ = ["conclude", "start", "stop"]


def _ruling(command: Callable[..., None]) -> Any:
    """Adds what all three take."""
    for option in (json_option, module_option, said_by, click.argument("name")):
        command = option(command)
    return click.command()(command)


@_ruling
def start(*, name: str, actor: str, reason: str, module: str | None, as_json: bool) -> None:
    """Start an experiment, whatever was declared: from now on people take part, in every process.

    One that was concluded is a test again.
    """
    done, before = _rule(name, module, running=True, actor=actor, reason=reason)
    if before is None or before.winner is None:
        _told(done, say("it runs"), as_json=as_json)
        return
    told = say("it runs; that {winner} won is undone ({because})", winner=before.winner, because=because(before))
    _told(done, told, as_json=as_json)


@_ruling
def stop(*, name: str, actor: str, reason: str, module: str | None, as_json: bool) -> None:
    """Stop an experiment: nobody takes part any more, and what comes next in order is shown."""
    done, _ = _rule(name, module, running=False, actor=actor, reason=reason)
    _told(done, say("it has stopped"), as_json=as_json)


@_ruling
@click.option("--winner", required=True, help="The variation that whoever it is for is shown from now on.")
def conclude(*, name: str, winner: str, actor: str, reason: str, module: str | None, as_json: bool) -> None:
    """End an experiment: whoever it is for is shown the winner from now on, and nobody is counted.

    It is for its audience, whatever part of it took part. Who is held out, or does not fulfil a prerequisite, goes on
    getting what comes next in order.
    """
    done, _ = _rule(name, module, running=False, winner=winner, actor=actor, reason=reason)
    _told(done, say("from now on whoever it is for is shown {winner}", winner=winner), as_json=as_json)


def _rule(
    name: str, module: str | None, *, running: bool, winner: str | None = None, actor: str, reason: str
) -> tuple[operators.Done, Ruling | None]:
    """What came of it, and what was said of this version before."""
    for option, text in (("--actor", actor), ("--reason", reason)):
        if not text.strip():
            raise click.BadParameter(say("say something: it is kept"), param_hint=option)
    found = find_experiment(name, module)
    if winner is not None and winner not in found.variations:
        what = say("{winner} is none of its variations; {fix}", winner=winner, fix=nearest(winner, found.variations))
        raise click.BadParameter(what, param_hint="--winner")
    with opened() as kit:
        before = operators.rulings(kit).get(name)
        done = operators.rule(
            kit, name, version=found.version, running=running, winner=winner, actor=actor, reason=reason
        )
    return done, before if before is not None and before.version == found.version else None


def _told(done: operators.Done, as_done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(done_as_json(done))
    if not as_json or not done.complete:
        tell(done, as_done)
