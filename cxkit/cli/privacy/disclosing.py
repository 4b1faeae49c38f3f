"""``cxkit privacy disclose SUBJECT``: everything that is held of somebody, as they can read it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import click
import msgspec

from cxkit.cli.language import count, pair, say
from cxkit.cli.local.seen import clock, what
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, visible, visible_json
from cxkit.flows.disclose import Disclosure, KnownIdentifier, KnownTrait
from cxkit.kit import privacy
from cxkit.model import Consent, Interaction

__all__ = ["disclose"]


@click.command()
@click.argument("subject")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file to write to; there must be none of this name yet."
)
@json_option
def disclose(*, subject: str, output: Path | None, as_json: bool) -> None:
    """Write down everything that is held of somebody, for them.

    SUBJECT is a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789. By one identifier all of theirs are
    meant; nothing of others is in it. Be sure who asks. Exits with 1 if something could not be looked at.
    """
    with opened() as kit:
        told = privacy.disclose(kit.premises, named(kit, subject))
    if as_json:
        text = visible_json(msgspec.json.encode(told.as_json()).decode()) + "\n"
    else:
        text = "".join(f"{line}\n" for line in _lines(told))
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
        click.echo(say("written to {file}", file=output))
    if told.unread:
        raise SystemExit(1)


def _write(path: Path, text: str) -> None:
    """To a file of this user alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


# --- for people -----------------------------------------------------------------------------------


def _lines(told: Disclosure) -> Iterator[str]:
    yield say("what is held of you, as of {time}", time=clock(told.disclosed_at))
    if told.erased_at is not None:
        yield say("what was held before {time} was erased", time=clock(told.erased_at))
    yield from _section(say("what you are known by"), map(_identifier, told.identifiers))
    yield from _section(say("what is known of you"), map(_trait, told.traits))
    yield from _section(say("what you chose"), (line for one in told.choices for line in _choice(one)))
    yield from _section(say("what you want to receive"), _wishes(told))
    yield from _section(say("what is remembered of your contacts"), _contacts(told))
    yield from _section(say("messages to you that were counted"), _messages(told))
    yield from _section(say("what is on its way to other systems"), _interactions(told.spooled))
    letters = (pair(one.exporter, _interaction(one.interaction)) for one in told.dead_letters)
    yield from _section(say("what other systems refused"), letters)
    if told.local is not None:
        yield from _section(say("what is in the local file"), _interactions(told.local))
    if told.unread:
        yield from _section(say("what could not be read, and may hold more"), map(visible, told.unread))


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield ""
    yield head
    yield from (f"  {line}" for line in found or [say("nothing")])


def _identifier(one: KnownIdentifier) -> str:
    if one.value is None:
        name = say("{type}, of which only a code is kept ({key})", type=one.type or "-", key=one.key[:8])
    else:
        name = visible(f"{one.type} {one.value}")
    return name if one.linked_at is None else say("{name}, since {time}", name=name, time=clock(one.linked_at))


def _trait(one: KnownTrait) -> str:
    how = {"declared": say("you said so"), "observed": say("observed"), "inferred": say("concluded")}[one.provenance]
    ends = say("until {time}", time=clock(one.expires_at)) if one.expires_at is not None else ""
    told = ", ".join(filter(None, [how, _when(one.at), ends]))
    return f"{visible(one.name)} = {visible_json(json.dumps(one.value, ensure_ascii=False))} ({told})"


def _when(at: datetime | None) -> str:
    return clock(at) if at is not None else ""


def _choice(one: Consent) -> Iterator[str]:
    told = visible(", ".join(filter(None, [one.method, one.channel, one.policy])))
    for purpose, choice in one.choices.items():
        said = say("granted") if choice == "granted" else say("denied")
        yield f"{clock(one.decided_at)}  {pair(purpose, said)} ({told})"


def _wishes(told: Disclosure) -> Iterator[str]:
    for one in told.preferences:
        said = say("granted") if one.choice == "granted" else say("denied")
        yield f"{clock(one.decided_at)}  {pair(f'{one.topic}, {one.channel}', said)} ({one.by})"
    for stop in told.stops:
        act = say("all marketing taken up again") if stop.lifted else say("all marketing stopped")
        yield f"{clock(stop.decided_at)}  {act}"
    for gone in told.suppressions:
        state = say("lifted") if gone.lifted else say("nothing is sent there")
        yield f"{clock(gone.at)}  {pair(gone.channel, state)} ({gone.reason})"


def _contacts(told: Disclosure) -> Iterator[str]:
    for one in told.contacts:
        yield f"{clock(one.at)}  {visible(f'{one.channel or chr(45)}  {one.name}')}"
    if told.older_sessions:
        yield count(
            "{number} earlier session, of which nothing else is known",
            "{number} earlier sessions, of which nothing else is known",
            told.older_sessions,
        )


def _messages(told: Disclosure) -> Iterator[str]:
    for (topic, channel), number in sorted(Counter((one.topic, one.channel) for one in told.messages).items()):
        yield pair(f"{topic}, {channel}", number)


def _interactions(found: Iterable[Interaction]) -> Iterator[str]:
    return map(_interaction, found)


def _interaction(one: Interaction) -> str:
    properties = visible_json(json.dumps(one.properties, ensure_ascii=False, default=str)) if one.properties else ""
    parts = [clock(one.occurred_at), visible(one.channel or "-"), visible(one.name), *what(one), properties]
    return "  ".join(filter(None, parts))
