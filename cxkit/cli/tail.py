"""``cxkit tail``: what was captured here, one line each, as it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs
import click

from cxkit.cli.language import say
from cxkit.cli.local import file_option, local_path, subjects
from cxkit.cli.local.seen import Arrivals, Seen, Wanted, as_json, as_logfmt, as_text, passes
from cxkit.cli.terminal import json_option
from cxkit.cli.times import date
from cxkit.errors import LocalFileError
from cxkit.exporters.local import read
from cxkit.settings import Settings, load

__all__ = ["tail"]

_POLL_S: Final = 0.2
_LINES: Final = 20
_FORMATS: Final[dict[str, Callable[[Seen], str]]] = {"human": as_text, "json": as_json, "logfmt": as_logfmt}
_NOBODY: Final = "CX6105"


@click.command()
@click.option("--name", metavar="PATTERN", help='Only these touchpoints, "cart.*" say.')
@click.option("--channel", help="Only this channel.")
@click.option("--subject", help="Only this person: nancy, or type:value.")
@click.option("--since", metavar="DATE", callback=date, help="Nothing before: a date, or a date and a time.")
@click.option(
    "-n",
    "number",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="How many of the last ones: 20, or all with --since.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what arrives, until Ctrl-C.")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="human", help="How they are told.")
@json_option
@file_option
def tail(
    *,
    name: str | None,
    channel: str | None,
    subject: str | None,
    since: datetime | None,
    number: int | None,
    follow: bool,
    form: str,
    as_json: bool,
    file: Path | None,
) -> None:
    """What was captured, in the order in which it arrived in the local file."""
    settings = load()
    arrivals = Arrivals(local_path(file, settings))
    wanted = Wanted(name=name, channel=channel, since=since)
    told = _FORMATS["json" if as_json else form]
    most = number if number is not None else None if since else _LINES
    try:
        if follow:
            _follow(arrivals, wanted, subject, settings, told, most)
        else:
            found = arrivals.new(_of(subject, wanted, arrivals, settings), most=most)
            for one in found:
                click.echo(told(one))
            if not found:
                click.echo(say("there is nothing like this in {file}", file=arrivals.path), err=True)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _of(subject: str | None, wanted: Wanted, arrivals: Arrivals, settings: Settings) -> Wanted:
    """What is wanted, of one person."""
    if subject is None:
        return wanted
    with read(arrivals.path) as connection:
        return attrs.evolve(wanted, people=tuple(subjects(connection, subject, settings)))


def _follow(
    arrivals: Arrivals,
    wanted: Wanted,
    subject: str | None,
    settings: Settings,
    told: Callable[[Seen], str],
    most: int | None,
) -> None:
    said: set[str] = set()
    while True:
        try:
            if wanted.people is None:
                wanted = _of(subject, wanted, arrivals, settings)
            for one in arrivals.new(wanted, most=most):
                click.echo(told(one))
            most = None
        except LocalFileError as error:
            if not (passes(error) or error.code == _NOBODY):
                raise
            if error.code == LocalFileError.default_code:  # there is no file yet: all that comes will be new
                most = None
            if error.code not in said:
                click.echo(say("waiting: {what}", what=error.what), err=True)
            said.add(error.code)
        time.sleep(_POLL_S)
