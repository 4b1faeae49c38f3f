"""``cxkit dead show``: letters, as people read them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec

from cxkit.capture.redact import REDACTED, Redactor
from cxkit.cli.checks.letters import Survey, Wanted, id_of, letters
from cxkit.cli.dead.selection import filters, root_of, tell_of_strange
from cxkit.cli.language import say
from cxkit.cli.local import shown
from cxkit.cli.local.seen import clock, what
from cxkit.cli.terminal import json_option, print_json, visible, visible_json
from cxkit.codec import decode
from cxkit.delivery.dead import Letter
from cxkit.errors import CodecError
from cxkit.model import Interaction
from cxkit.settings import Settings

__all__ = ["show"]

_LAST: Final = 5


@click.command()
@click.argument("id", required=False)
@filters
@click.option("-n", "number", metavar="NUMBER", type=click.IntRange(min=1), help="How many of the last ones: 5.")
@json_option
def show(*, id: str | None, wanted: Wanted, settings: Settings, number: int | None, as_json: bool) -> None:
    """Show what was refused, the last letters of each exporter or one.

    ID is that of the interaction, or how it begins. They are shown as they were captured, personal data
    included, but for what redact.extra and the built-in rules hide. Exits with 1 if there is none.
    """
    redactor = Redactor(extra=settings.redact.extra, keep=settings.redact.keep)
    found, last = Survey(), dict[str, deque[Letter]]()
    for one in letters(root_of(settings), wanted, found):
        if id is None or id_of(one.letter).startswith(id):
            most = number if number is not None or id is not None else _LAST
            last.setdefault(one.exporter, deque(maxlen=most)).append(one.letter)
    chosen = [letter for kept in last.values() for letter in sorted(kept, key=lambda letter: letter.at)]
    if as_json:
        print_json([_as_json(letter, redactor) for letter in chosen])
    for letter in () if as_json else chosen:
        for line in _lines(letter, redactor):
            click.echo(line)
    tell_of_strange(found)
    if not chosen:
        click.echo(say("there is no such dead letter; see `cxkit dead list`"), err=True)
        raise SystemExit(1)


def _lines(letter: Letter, redactor: Redactor) -> Iterator[str]:
    reason = redactor.strip_url(letter.reason)
    refused_at = clock(letter.refused_at) if letter.refused_at else letter.at
    yield say("{at}  refused by {exporter}: {reason}", at=refused_at, exporter=letter.exporter, reason=reason)
    try:
        one = decode(bytes(letter.interaction))
    except CodecError:
        yield f"  {visible_json(json.dumps(_without_secrets(_plain(letter), redactor), ensure_ascii=False))}"
        return
    yield f"  {visible(one.id)}"
    yield f"  {clock(one.occurred_at)}  {visible(one.channel or '-')}  {visible(one.name)}  {one.stage or ''}".rstrip()
    yield from (f"  {line}" for line in _told(one))
    for name, value in one.properties.items():
        told = REDACTED if value is not None and redactor.is_secret(name) else json.dumps(_hidden(value, redactor))
        yield f"    {visible(name)} = {visible_json(told)}"


def _told(one: Interaction) -> Iterator[str]:
    known = ", ".join(f"{shown(f'{each.type}:{each.value}')} ({each.evidence})" for each in one.identity.identifiers)
    yield say("who: {who}", who=known) if known else say("who: nobody who is known")
    allowed = ", ".join(purpose for purpose, choice in one.consent.items() if choice)
    yield say("captured for {purpose}; allowed were {allowed}", purpose=one.purpose, allowed=allowed or "-")
    if peculiar := "  ".join(what(one)):
        yield peculiar


def _as_json(letter: Letter, redactor: Redactor) -> dict[str, object]:
    return {
        "exporter": letter.exporter,
        "reason": redactor.strip_url(letter.reason),
        "at": letter.at,
        "interaction": _without_secrets(_plain(letter), redactor),
    }


def _plain(letter: Letter) -> Any:
    return msgspec.json.decode(letter.interaction)


def _without_secrets(event: Any, redactor: Redactor) -> Any:
    """The event, in whose properties is hidden what would be at capture today."""
    data = event.get("data") if isinstance(event, Mapping) else None
    if not isinstance(data, Mapping) or "properties" not in data:
        return event
    return {**event, "data": {**data, "properties": _hidden(data["properties"], redactor)}}


def _hidden(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, Mapping):
        return {
            name: REDACTED if one is not None and redactor.is_secret(name) else _hidden(one, redactor)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(one, redactor) for one in value]
    return redactor.strip_url(value) if isinstance(value, str) else value
