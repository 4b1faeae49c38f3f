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

from cxkit.api.declared import RESERVED
from cxkit.cli.language import count, pair, say
from cxkit.cli.local.seen import choice_word, clock, what
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, visible, visible_json
from cxkit.flows.disclose import Disclosure, KnownIdentifier, KnownTrait
from cxkit.kit import privacy
from cxkit.model import Consent, Interaction, Notice

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
    yield from _section(say("messages to you, and what became of them"), _received(told))
    yield from _section(say("what you were asked"), _questions(told))
    yield from _section(say("what is kept in the spool on this machine, delivered or not"), _spooled(told))
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
    policy = say("policy {policy}", policy=one.policy)
    notice = _notice(one.notice) if one.notice is not None else ""
    told = ", ".join(filter(None, [_method(one.method), visible(one.channel or ""), policy, notice]))
    for purpose, choice in one.choices.items():
        yield f"{clock(one.decided_at)}  {pair(purpose, choice_word(choice))} ({told})"


def _method(method: str) -> str:
    return {
        "accept": say("you accepted"),
        "reject": say("you refused"),
        "save": say("you saved your choices"),
        "dismiss": say("you closed the question"),
        "gpc": say("your browser said so"),
        "one_click": say("you clicked in your mail program"),
        "import": say("taken over from another system"),
        "operator": say("an operator wrote it down"),
        "api": say("the application recorded it"),
        "merge": say("two people turned out to be you"),
    }.get(method, method)


def _notice(seen: Notice) -> str:
    parts = [seen.id, say("version {version}", version=seen.version) if seen.version else "", seen.language or ""]
    return say("you saw the notice {notice}", notice=" ".join(filter(None, parts)))


def _wishes(told: Disclosure) -> Iterator[str]:
    for one in told.preferences:
        wish = pair(f"{one.topic}, {one.channel}", choice_word(one.choice))
        yield f"{clock(one.decided_at)}  {wish} ({_act(one.by)})"
    for stop in told.stops:
        act = say("all marketing taken up again") if stop.lifted else say("all marketing stopped")
        yield f"{clock(stop.decided_at)}  {act} ({_act(stop.by)})"
    for gone in told.suppressions:
        state = say("lifted") if gone.lifted else say("nothing is sent there")
        yield f"{clock(gone.at)}  {pair(gone.channel, state)} ({_reason(gone.reason)})"


def _act(by: str) -> str:
    return say("you said so") if by == "user" else _method(by)


def _reason(reason: str) -> str:
    return {
        "complaint": say("you complained of a message"),
        "hard_bounce": say("the address does not exist"),
        "operator": say("an operator wrote it down"),
    }.get(reason, reason)


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


def _received(told: Disclosure) -> Iterator[str]:
    for one in told.received:
        became = ", ".join(name for name, _ in sorted(one.happened.items(), key=lambda pair: pair[::-1])) or "-"
        yield f"{clock(one.at)}  {visible(one.channel)}  {pair(visible(one.topic), became)}"


def _questions(told: Disclosure) -> Iterator[str]:
    acts = {"asked": say("asked"), "skipped": say("you skipped it"), "answered": say("you answered")}
    for one in sorted(told.questions, key=lambda one: (one.at, one.id)):
        yield f"{clock(one.at)}  {pair(one.question, acts[one.act])}"


def _spooled(told: Disclosure) -> Iterator[str]:
    """Each once: what the local file has, too, is told there."""
    there = {one.id for one in told.local or ()}
    return _interactions(one for one in told.spooled if one.id not in there)


def _interactions(found: Iterable[Interaction]) -> Iterator[str]:
    return map(_interaction, found)


def _interaction(one: Interaction) -> str:
    own = {} if one.name in RESERVED else one.properties  # cxkit's own: told above, in words
    properties = visible_json(json.dumps(own, ensure_ascii=False, default=str)) if own else ""
    parts = [clock(one.occurred_at), visible(one.channel or "-"), visible(one.name), *what(one), properties]
    return "  ".join(filter(None, parts))
