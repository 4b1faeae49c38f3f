"""``cxkit journey SUBJECT``: what one person did, across channels and devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Final

import attrs
import click
import msgspec

from cxkit.cli.language import count, pair, say
from cxkit.cli.local import file_option, open_local, shown
from cxkit.cli.local.person import Person, read_person, standing
from cxkit.cli.local.seen import Seen, clock, what
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.settings import load

__all__ = ["journey"]

_GAP: Final = timedelta(minutes=30)
"""Shorter ones are not told: what follows is another channel, not another visit."""


@attrs.frozen(kw_only=True)
class _Session:
    """A run of interactions, or those outside of any."""

    id: str | None
    seen: tuple[Seen, ...]

    @property
    def began_at(self) -> datetime:
        return self.seen[0].interaction.occurred_at

    @property
    def ended_at(self) -> datetime:
        return max(one.interaction.occurred_at for one in self.seen)


@click.command()
@click.argument("subject")
@json_option
@file_option
def journey(*, subject: str, as_json: bool, file: Path | None) -> None:
    """What one person did, across channels and devices, session by session.

    SUBJECT is a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789.
    """
    with open_local(file) as connection:
        person = read_person(connection, subject, load())
    if as_json:
        print_json(_as_json(person))
    else:
        for line in _lines(person):
            click.echo(line)


def _sessions(person: Person) -> list[_Session]:
    """In the order in which they began; two of them may go on side by side."""
    grouped: dict[str, list[Seen]] = {}
    for place, (one, session) in enumerate(zip(person.seen, person.sessions, strict=True)):
        grouped.setdefault(session if session is not None else f"\0{place}", []).append(one)
    return [_Session(id=None if key[0] == "\0" else key, seen=tuple(seen)) for key, seen in grouped.items()]


def _stages(person: Person) -> list[str]:
    """The stages in the order in which they were walked through."""
    return [str(stage) for stage, _ in groupby(filter(None, (one.interaction.stage for one in person.seen)))]


def _paid(person: Person) -> dict[str, Decimal]:
    """Currency to the sum of all transactions."""
    paid: dict[str, Decimal] = {}
    for one in person.seen:
        value = one.interaction.value
        if value is not None and one.interaction.kind == "transaction":
            paid[value.currency] = paid.get(value.currency, Decimal()) + value.amount
    return paid


# --- for people -----------------------------------------------------------------------------------


def _lines(person: Person) -> Iterator[str]:
    sessions = _sessions(person)
    yield shown(person.id)
    for known in person.known_by:
        if known.subject != person.id:
            yield "  " + pair(shown(known.subject), standing(known, person))
    if stages := _stages(person):
        yield say("stages: {stages}", stages=visible(" > ".join(stages)))
    if paid := _paid(person):
        yield say("transactions: {paid}", paid=", ".join(f"{amount} {currency}" for currency, amount in paid.items()))
    day, ended_at = "", None
    for session in sessions:
        gap = session.began_at - ended_at if ended_at else timedelta()
        if gap > _GAP:
            yield f"  ({_later(gap)})"
        ended_at = max(ended_at or session.ended_at, session.ended_at)
        for place, one in enumerate(session.seen):
            today, _, time = clock(one.interaction.occurred_at).partition(" ")
            if today != day:
                yield from ("", today)
                day = today
            if place == 0:
                yield f"  {time[:5]}  {_heading(session)}"
            yield f"    {time}  {_line(one)}".rstrip()


def _heading(session: _Session) -> str:
    """Where it took place, how long it lasted, how much it was."""
    contexts = [one.interaction.context for one in session.seen]
    places = [
        Counter(filter(None, (one.interaction.channel for one in session.seen))),
        Counter(context.device.type for context in contexts if context.device and context.device.type),
        Counter(context.locale for context in contexts if context.locale),
        Counter(context.place.country for context in contexts if context.place and context.place.country),
    ]
    told = [visible("+".join(map(str, found))) for found in places if found]
    if session.id is None:
        told.append(say("outside of any session"))
    told.append(count("{number} interaction", "{number} interactions", len(session.seen)))
    minutes = (session.ended_at - session.began_at) // timedelta(minutes=1)
    if minutes:
        told.append(count("{number} minute", "{number} minutes", minutes))
    return ", ".join(told)


def _line(seen: Seen) -> str:
    one = seen.interaction
    name, stage = visible(one.name).ljust(24), (one.stage or "").ljust(14)
    back = "<" if one.direction == "outbound" else " "
    return f"{back} {name} {stage} {'  '.join(what(one))}"


def _later(gap: timedelta) -> str:
    minutes = gap // timedelta(minutes=1)
    if minutes < 120:
        return count("{number} minute later", "{number} minutes later", minutes)
    if minutes < 48 * 60:
        return count("{number} hour later", "{number} hours later", minutes // 60)
    return count("{number} day later", "{number} days later", gap.days)


# --- for programs ---------------------------------------------------------------------------------


def _as_json(person: Person) -> dict[str, object]:
    return {
        "subject": person.id,
        "identifiers": [{**one.as_json(), "theirs": one.owner in (None, person.id)} for one in person.known_by],
        "stages": _stages(person),
        "transactions": {currency: str(amount) for currency, amount in _paid(person).items()},
        "sessions": [
            {
                "session": session.id,
                "began_at": session.began_at,
                "ended_at": session.ended_at,
                "interactions": _events(session.seen),
            }
            for session in _sessions(person)
        ],
    }


def _events(seen: Sequence[Seen]) -> list[object]:
    """Each in its canonical JSON, unchanged."""
    return [msgspec.Raw(one.payload.encode()) for one in seen]
