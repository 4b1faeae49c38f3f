"""``cxkit identity unmerge``: they never were one."""

from __future__ import annotations

import re
from typing import Final

import click

from cxkit.cli.asking import may
from cxkit.cli.identity.asking import as_json as done_as_json
from cxkit.cli.identity.asking import person_as_json, said_by, shown, tell
from cxkit.cli.language import say
from cxkit.cli.local.graph import rule_word
from cxkit.cli.local.seen import clock
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, print_json
from cxkit.flows.documents import person_doc
from cxkit.flows.people import read_lives
from cxkit.flows.reading import Reading
from cxkit.kit import Kit, operators
from cxkit.kit.operators import Unmerging

__all__ = ["unmerge"]

_COMMAND: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@click.command()
@click.argument("merge", metavar="COMMAND|SUBJECT")
@said_by
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def unmerge(*, merge: str, actor: str, reason: str, yes: bool, as_json: bool) -> None:
    """Undo the latest merge of somebody: everybody gets back what was theirs, and no login merges them again.

    COMMAND is the id that the merge told; `cxkit why` shows it, too. SUBJECT is a user_id, or TYPE:VALUE, and means
    their latest merge. A merge that is not the latest is refused: undo those after it first. Exits with 1 unless it
    was seen done.
    """
    with opened() as kit:
        command = merge if _COMMAND.fullmatch(merge) else _latest(kit, merge)
        found = operators.would_unmerge(kit, command)
        if not as_json:
            _show(found)
        if found.parting.row is None:
            _refuse(found, _later(kit, found), as_json=as_json)
        if not may(say("part them? [y/N]"), yes=yes, quiet=as_json):
            raise SystemExit(1)
        done = operators.unmerge(kit, command, actor=actor, reason=reason)
    if as_json:
        print_json({**_as_json(found), **done_as_json(done)})
    if not as_json or not done.complete:
        tell(done, say("parted; only --force merges them again"))


def _latest(kit: Kit, subject: str) -> str:
    return operators.latest_merge(kit, named(kit, subject)) or ""


def _later(kit: Kit, found: Unmerging) -> str | None:
    """The merge that is the latest of whoever the merge made."""
    if found.merge is None or found.parting.refused != "superseded":
        return None
    reading = Reading(kit.premises.store())
    body = reading.get([person_doc(found.merge.survivor)]).get(person_doc(found.merge.survivor), {})
    whole = str(body.get("part_of", found.merge.survivor))
    life = read_lives(reading, [whole]).get(whole)
    return life.graph.merges[-1] if life and life.graph.merges else None


def _show(found: Unmerging) -> None:
    merge, survivor = found.merge, found.parting.survivor
    if merge is not None:
        told = say(
            "merge {command}, {time}, {rule}", command=merge.command, time=clock(merge.at), rule=rule_word(merge.rule)
        )
        click.echo(told)
    if survivor is not None:
        click.echo(say("they become:"))
        for person in (survivor, *found.parting.restored):
            click.echo(f"  {shown(person)}")


def _refuse(found: Unmerging, later: str | None, *, as_json: bool) -> None:
    reason = found.parting.refused or "not_merged"
    if as_json:
        print_json({**_as_json(found), "command": None, "committed": False, "refused": [reason], "later": later})
    elif later is not None:
        click.echo(say("refused: superseded: undo the later merge {command} first", command=later), err=True)
    elif reason == "superseded":
        click.echo(say("refused: superseded: undo the merges after it first"), err=True)
    else:
        click.echo(say("refused: not_merged: the store knows of no such merge, or it is undone"), err=True)
    raise SystemExit(1)


def _as_json(found: Unmerging) -> dict[str, object]:
    survivor, restored = found.parting.survivor, found.parting.restored
    return {
        "merge": found.merge.command if found.merge else None,
        "people": [person_as_json(one) for one in (*([survivor] if survivor else []), *restored)],
    }
