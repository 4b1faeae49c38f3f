"""What both have in common: who says so and why, how people are shown, asking, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from cxkit.cli.language import count, pair, say
from cxkit.cli.local.seen import clock
from cxkit.kit.operators import Done
from cxkit.rules.identity import Person

__all__ = ["as_json", "conflicts", "person_as_json", "refusal", "said_by", "shown", "tell"]


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
        click.echo("\n".join(map(refusal, done.refused)), err=True)
    elif done.command is None:
        click.echo(say("nothing was done: there was no room for it; try again"), err=True)
    else:
        click.echo(say("noted, and done when the store is there; it was not reached"), err=True)
    raise SystemExit(1)


def refusal(reason: str, whom: str = "") -> str:
    """Why it is refused, in words, and what can be done about it.

    Args:
        whom: The subjects that stand in the way.
    """
    why = {
        "nobody": say("the store knows nobody by this: see how it is spelt; only who has signed in can be merged"),
        "tombstoned": say("they were erased so that they may not come back: there is nobody to merge"),
        "contested": say("several people use this device; name each by what is theirs alone, like a user_id"),
        "unexplained": say("--actor and --reason must say something"),
        "unique_conflict": say("each has one of what a person has one of, like a user_id: they look like two people"),
        "fan_in": say(
            "together they would have more identifiers than one person has: look for a shared or test account"
        ),
        "limit_exceeded": say("together they would have more identifiers of one type than one person has"),
        "unmerged": say("an operator has parted them"),
    }.get(reason, "")
    told = f"{reason} ({whom})" if whom else reason
    return say("refused: {reasons}", reasons=pair(told, why) if why else told)


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
