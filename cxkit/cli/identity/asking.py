"""What both have in common: who says so and why, how people are shown, asking, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from cxkit.cli.language import count, say
from cxkit.cli.local.seen import clock
from cxkit.kit.operators import Done
from cxkit.rules.identity import Person

__all__ = ["as_json", "conflicts", "person_as_json", "said_by", "shown", "tell"]


def said_by(command: Any) -> Any:
    """Adds the options that say who does it and why."""
    for option in (
        click.option("--reason", required=True, help="Why; it is kept, so it should name nobody."),
        click.option("--actor", required=True, help="Who does it; it is kept."),
    ):
        command = option(command)
    return command


def shown(person: Person) -> str:
    """Somebody, without a value of theirs: the beginning of an id, and how many identifiers of each type."""
    types = ", ".join(f"{number} {type}" for type, number in sorted(Counter(one.type for one in person.links).items()))
    return say("person {id}, since {time}: {types}", id=person.id[:13], time=clock(person.born_at), types=types)


def person_as_json(person: Person) -> dict[str, object]:
    """Likewise, for programs."""
    return {
        "person": person.id,
        "since": person.born_at,
        "identifiers": [{"type": one.type, "key": one.key[:8]} for one in person.links],
    }


def tell(done: Done, as_done: str) -> None:
    """What came of it. Exits with 1 unless it was seen done."""
    if done.complete:
        click.echo(as_done)
        return
    if done.refused:
        click.echo(say("refused: {reasons}", reasons=", ".join(done.refused)), err=True)
    elif done.command is None:
        click.echo(say("nothing was done: there was no room for it; try again"), err=True)
    else:
        click.echo(say("noted, and done when the store is there; it was not reached"), err=True)
    raise SystemExit(1)


def as_json(done: Done) -> dict[str, object]:
    """Likewise, for programs."""
    return {"command": done.command, "committed": done.committed, "refused": [*done.refused]}


def conflicts(purposes: tuple[str, ...]) -> str:
    """What nobody may do from then on."""
    return count(
        "{purposes} is denied until they choose again, for they chose differently, or one has not chosen",
        "{purposes} are denied until they choose again, for they chose differently, or one has not chosen",
        len(purposes),
        purposes=", ".join(purposes),
    )
